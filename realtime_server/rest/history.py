"""The log, read: filtered history, and what it says of the work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from realtime_server.core.commits import Commit, envelope
from realtime_server.ports import CommitLog
from realtime_server.reconciliation.past import STEP
from realtime_server.rest import cursors
from realtime_server.rest.operations import Answer, Call, Operation, operation
from realtime_server.rest.refusals import invalid
from realtime_server.rest.sessions import SESSION
from realtime_server.rest.tallies import TALLIES
from schemas import rest_answers as answers
from schemas import rest_requests as requests

#: Commits that one request looks at for a filter; a page may be short then, and its cursor goes on from there.
_LOOKED_AT: Final = 5_000


@dataclass(frozen=True, slots=True)
class _Filter:
    """Instants in milliseconds since 1970; ``until`` is the first that does not fit any more."""

    record_id: str | None
    user_id: str | None
    field_name: str | None
    message_type: str | None
    since: int | None
    until: int | None

    @property
    def selective(self) -> bool:
        """Whether commits are left out that storage cannot leave out by itself."""
        return not (self.field_name is None and self.message_type is None and self.since is None)

    def fits(self, commit: Commit) -> bool:
        if self.since is not None and commit.at < self.since:
            return False
        if self.message_type is not None and commit.message_type != self.message_type:
            return False
        return self.field_name is None or _sets_or_names(commit.data, self.field_name, self.record_id)


def _sets_or_names(data: Mapping[str, Any], field_name: str, record_id: str | None) -> bool:
    """Whether a commit is about this field, of this record where one is asked for."""
    return data.get("field_name") == field_name or any(
        edit["field_name"] == field_name and record_id in (None, edit["record_id"]) for edit in data.get("edits", ())
    )


def _moment(query: Mapping[str, Any], name: str) -> int | None:
    """Milliseconds; a day begins at midnight UTC, and an instant without a zone is not taken."""
    text = query.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise invalid({name.rstrip("_"): ["Not an instant."]}, "wrong query parameters") from None


@operation("GET", f"{SESSION}/history", tag="history", query=requests.HistoryQuery, answer=answers.HistoryPage)
async def list_history(call: Call) -> Answer:
    """List the session's commits, filtered.

    The audit trail, oldest first. With `field_name`, `message_type` or `from` a page can be short, even empty: go on
    while there is a `next_cursor`.
    """
    query = call.query
    place = cursors.decode(query.get("cursor"), int)
    wanted = _Filter(
        record_id=query.get("record_id"),
        user_id=query.get("user_id"),
        field_name=query.get("field_name"),
        message_type=query.get("message_type"),
        since=_moment(query, "from_"),
        until=_moment(query, "to"),
    )
    state = await call.session()
    after = query["since"] if place is None else place[0]
    if wanted.since is not None:
        after = max(after, await _before(call.services.log, state.session_id, wanted.since, state.seq))
    found, following = await _matching(call, state.session_id, after, wanted, query["limit"])
    return Answer({"items": [envelope(commit) for commit in found], "as_of": state.seq, "next_cursor": following})


async def _matching(
    call: Call, session_id: str, after: int, wanted: _Filter, limit: int
) -> tuple[list[Commit], str | None]:
    """(commits that fit, cursor): at most ``limit``, looking at no more than a bounded number."""
    record_ids = None if wanted.record_id is None else [wanted.record_id]
    step = STEP if wanted.selective else min(limit + 1, 1_000)
    found: list[Commit] = []
    for _ in range(0, _LOOKED_AT, step):
        commits = await call.services.log.history(
            session_id, after, step, record_ids=record_ids, user_id=wanted.user_id
        )
        for commit in commits:
            if wanted.until is not None and commit.at >= wanted.until:
                return found, None
            if wanted.fits(commit):
                if len(found) == limit:
                    return found, cursors.encode(found[-1].seq)
                found.append(commit)
        if len(commits) < step:
            return found, None
        after = commits[-1].seq
    return found, cursors.encode(after)


async def _before(log: CommitLog, session_id: str, instant: int, newest: int) -> int:
    """A ``seq`` before which nothing is as late as ``instant``: time in a log never runs backwards, so by halves."""
    low, high = 0, newest
    while low < high:
        middle = (low + high) // 2
        commits = await log.read(session_id, middle, 1)
        if commits and commits[0].at < instant:
            low = middle + 1
        else:
            high = middle
    return low


@operation("GET", f"{SESSION}/analytics", tag="history", answer=answers.Analytics, heavy=True)
async def get_analytics(call: Call) -> Answer:
    """Show what the log says of the work.

    Edits, clashes and how they ended, locks, by person and by day (UTC). Counted from the log alone; what was counted
    is remembered for a while, so that only the first request of a long session takes its time.
    """
    state = await call.session()
    tallies = call.request.config_dict[TALLIES]
    return Answer((await tallies.of(call.services.log, state.session_id, state.seq)).view())


OPERATIONS: Final[tuple[Operation, ...]] = (list_history, get_analytics)
