"""Records, read."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson

from realtime_server.core.commits import envelope
from realtime_server.core.state import RecordState, SessionState
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.reconciliation.past import RecordsAsOf
from realtime_server.rest import cursors
from realtime_server.rest.operations import Answer, Call, Operation, operation
from realtime_server.rest.sessions import SESSION
from realtime_server.rest.views import record_view
from schemas import rest_answers as answers
from schemas import rest_requests as requests

RECORDS: Final = f"{SESSION}/records"
RECORD: Final = f"{RECORDS}/{{record_id}}"

#: Records that one request looks at for a filter; a page may be short then, and its cursor goes on from there.
_LOOKED_AT: Final = 5_000
_STEP: Final = 1_000
#: Records written as JSON in one turn of the event loop: about a millisecond's work.
_WRITTEN_AT_ONCE: Final = 100


@operation("GET", RECORDS, tag="records", query=requests.RecordsQuery, answer=answers.RecordsPage)
async def list_records(call: Call) -> Answer:
    """List records.

    By id. All pages show the records as of the commit that was newest when the first was asked for (`as_of`), whatever
    is edited meanwhile: load them, then follow the log from there. With a filter a page can be short, even empty:
    go on while there is a `next_cursor`.
    """
    place = cursors.decode(call.query.get("cursor"), int, str)
    state = await call.session()
    as_of, after = (state.seq, None) if place is None else place
    if as_of > state.seq:
        raise cursors.refused()
    found, following = await page_as_of(call, state, as_of, after, call.query["limit"])
    return Answer({"items": await _written(found), "as_of": as_of, "next_cursor": following})


async def _written(records: list[RecordState]) -> list[orjson.Fragment]:
    """The records as JSON; others get a turn of the event loop in between."""
    found = []
    for number, record in enumerate(records):
        if number % _WRITTEN_AT_ONCE == _WRITTEN_AT_ONCE - 1:
            await asyncio.sleep(0)
        found.append(orjson.Fragment(orjson.dumps(record_view(record))))
    return found


async def page_as_of(
    call: Call, state: SessionState, as_of: int, after: str | None, limit: int
) -> tuple[list[RecordState], str | None]:
    """(records that fit the query, cursor): at most ``limit``, looking at no more than a bounded number."""
    services, source = call.services, call.query.get("source")
    past = RecordsAsOf(services.log, services.records, state, as_of)
    filtered = "status" in call.query or "q" in call.query
    found: list[RecordState] = []
    looked_at = 0
    while looked_at < _LOOKED_AT:
        step = _STEP if filtered else limit - len(found)
        stored = await services.records.page(state.session_id, after=after, limit=step, source=source)
        for record in await past.of(stored):
            if _fits(record, call.query):
                found.append(record)
                if len(found) == limit:
                    return found, cursors.encode(as_of, record.record_id)
        if len(stored) < step:
            return found, None
        after = stored[-1].record_id
        looked_at += len(stored)
    return found, cursors.encode(as_of, after or "")


def _fits(record: RecordState, query: Any) -> bool:
    status, text = query.get("status"), query.get("q")
    if status is not None and record.value("status") != status:
        return False
    return text is None or _mentions(record, text.casefold())


def _mentions(record: RecordState, text: str) -> bool:
    return any(
        text in value.casefold()
        for value in (record.record_id, record.external_id, *record.values().values())
        if isinstance(value, str)
    )


async def load_record(call: Call) -> tuple[SessionState, RecordState]:
    """The record in the path, as it is now."""
    record_id = call.path["record_id"]
    state = await call.session(lambda _: {record_id})
    record = state.records.get(record_id)
    if record is None:
        raise CollaborationError(ErrorCode.NOT_FOUND, f"there is no record {record_id}", {"record_id": record_id})
    return state, record


@operation("GET", RECORD, tag="records", answer=answers.RecordView, conditional=True)
async def get_record(call: Call) -> Answer:
    """Show a record.

    Its ETag is `seq`, the last commit that changed it.
    """
    _, record = await load_record(call)
    return Answer(record_view(record), etag=str(record.seq))


@operation("GET", f"{RECORD}/history", tag="records", query=requests.RecordHistoryQuery, answer=answers.HistoryPage)
async def get_record_history(call: Call) -> Answer:
    """List a record's commits.

    Everything that concerned it: edits, conflicts, locks, comments, changes of status.
    """
    place = cursors.decode(call.query.get("cursor"), int)
    state, record = await load_record(call)
    after = call.query["since"] if place is None else place[0]
    limit = call.query["limit"]
    commits = await call.services.log.history(state.session_id, after, limit + 1, record_ids=[record.record_id])
    following = cursors.encode(commits[limit - 1].seq) if len(commits) > limit else None
    items = [envelope(commit) for commit in commits[:limit]]
    return Answer({"items": items, "as_of": state.seq, "next_cursor": following})


OPERATIONS: Final[tuple[Operation, ...]] = (list_records, get_record, get_record_history)
