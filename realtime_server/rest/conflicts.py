"""Conflicts: listed, and decided."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from immutables import Map

from realtime_server.core import commands as c
from realtime_server.core.clock import to_iso
from realtime_server.core.commits import Commit
from realtime_server.core.conflict_views import records_shown
from realtime_server.core.state import RecordState, SessionState
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.reconciliation.past import STEP, fold_records
from realtime_server.rest import cursors
from realtime_server.rest.commands import command_id, submit
from realtime_server.rest.operations import Answer, Call, Operation, operation
from realtime_server.rest.sessions import SESSION
from realtime_server.rest.views import decided_entry, open_entry
from schemas import rest_answers as answers
from schemas import rest_requests as requests

CONFLICTS: Final = f"{SESSION}/conflicts"

#: Decided conflicts on one page: each is read from the log by itself.
_DECIDED_AT_A_TIME: Final = 100
#: Conflicts that are shown before others have their turn.
_AT_A_TIME: Final = 20


def _number(conflict_id: str) -> int:
    """A conflict's id ends in the ``seq`` of the commit that opened it."""
    return int(conflict_id.rpartition("-")[2])


@operation("GET", CONFLICTS, tag="conflicts", query=requests.ConflictsQuery, answer=answers.ConflictsPage)
async def list_conflicts(call: Call) -> Answer:
    """List conflicts.

    Oldest first. Decided ones are shown as they were when they were decided; of these a page has at most 100.
    """
    place = cursors.decode(call.query.get("cursor"), int)
    wanted = call.query["status"]
    state = await call.session()
    resolved = {} if wanted == "open" else dict(state.resolved)
    ids = [*(() if wanted == "resolved" else state.conflicts), *resolved]
    after = 0 if place is None else place[0]
    ids = sorted((conflict_id for conflict_id in ids if _number(conflict_id) > after), key=_number)
    limit = call.query["limit"] if wanted == "open" else min(call.query["limit"], _DECIDED_AT_A_TIME)
    page = ids[:limit]
    opened = {state.conflicts[conflict_id][0] for conflict_id in page if conflict_id in state.conflicts}
    state = await call.session(lambda known: records_shown(known, opened))
    items = []
    for number, conflict_id in enumerate(page):
        if number % _AT_A_TIME == _AT_A_TIME - 1:
            await asyncio.sleep(0)  # a suggestion is computed: let others have their turn
        items.append(await _entry(call, state, conflict_id, wanted))
    return Answer(
        {
            "items": [item for item in items if item is not None],
            "as_of": state.seq,
            "next_cursor": cursors.encode(_number(page[-1])) if len(ids) > limit else None,
        }
    )


@operation("GET", f"{CONFLICTS}/{{conflict_id}}", tag="conflicts", answer=answers.ConflictEntry)
async def get_conflict(call: Call) -> Answer:
    """See one conflict.

    While it is open, `suggestion` says what to decide, as things stand now: the documents, the people and the
    session's earlier decisions are weighed anew with every request.
    """
    conflict_id = call.path["conflict_id"]

    def shown(state: SessionState) -> frozenset[str]:
        place = state.conflicts.get(conflict_id)
        return frozenset() if place is None else records_shown(state, place[:1])

    state = await call.session(shown)
    entry = await _entry(call, state, conflict_id, wanted="all")
    if entry is None:
        message = f"there is no conflict {conflict_id}, or it was decided long ago: the history has it"
        raise CollaborationError(ErrorCode.NOT_FOUND, message, {"conflict_id": conflict_id})
    return Answer(entry)


async def _entry(call: Call, state: SessionState, conflict_id: str, wanted: str) -> dict[str, Any] | None:
    """The conflict as it is; None when it was decided while the page was made and is not wanted any more."""
    conflict = state.open_conflict(conflict_id)
    if conflict is not None:
        return open_entry(state, conflict)
    if wanted == "open":
        return None
    return await _decided(call, state, conflict_id)


async def _decided(call: Call, state: SessionState, conflict_id: str) -> dict[str, Any] | None:
    """A decided conflict, from its commits: opened, extended, and the one that closed it."""
    seq = state.resolved.get(conflict_id)
    if seq is None:
        return None
    session_id, log = state.session_id, call.services.log
    resolution = (await log.read(session_id, seq - 1, 1))[0]
    record_id, name = resolution.data["record_id"], resolution.data["field_name"]
    records = Map({record_id: RecordState(record_id, "", "", {})})
    after, shown = _number(conflict_id) - 1, None
    while after < seq:
        commits = await log.history(session_id, after, STEP, record_ids=[record_id])
        for commit in commits:
            if commit.data.get("conflict_id") != conflict_id or commit.seq >= seq:
                continue
            records, shown = fold_records(records, commit), commit.data["current"]
        after = commits[-1].seq if len(commits) == STEP else seq
    field = records[record_id].field_state(name)
    if field.conflict is None or shown is None:
        return None
    view = decided_entry(field.conflict, field, _resolution(resolution))
    return {**view, "current": dict(shown)}


def _resolution(commit: Commit) -> dict[str, Any]:
    view = {
        "strategy": commit.data["strategy"],
        "user_id": commit.user_id,
        "resolved_at": to_iso(commit.at),
        "seq": commit.seq,
        "value": commit.data["new_value"],
    }
    more = ("edit_id", "reason", "suggestion", "followed_suggestion")
    return {**view, **{name: commit.data[name] for name in more if name in commit.data}}


@operation(
    "POST",
    f"{CONFLICTS}/{{conflict_id}}/resolve",
    tag="conflicts",
    body=requests.ResolveBody,
    answer=answers.ConflictDecided,
    command=c.Resolve,
    keyed=True,
    refusals=(ErrorCode.SESSION_ENDED, ErrorCode.LOCKED, ErrorCode.ALREADY_RESOLVED, ErrorCode.FROZEN),
)
async def resolve_conflict(call: Call) -> Answer:
    """Decide a conflict.

    One commit sets the field and closes the conflict. `take_candidate` and `merge` name the candidate by its
    `edit_id`, where there are several; `custom` brings its own `value`.
    """
    state = await call.session()
    command = c.Resolve(
        actor=call.actor(state.project_id),
        command_id=command_id(call, "resolve"),
        conflict_id=call.path["conflict_id"],
        strategy=call.body["strategy"],
        edit_id=call.body.get("edit_id"),
        value=call.body.get("value"),
        reason=call.body.get("reason"),
    )
    return await submit(call, state.session_id, command)


OPERATIONS: Final[tuple[Operation, ...]] = (list_conflicts, get_conflict, resolve_conflict)
