"""The session as it stood."""

from __future__ import annotations

from typing import Any, Final

from realtime_server.core.clock import to_iso
from realtime_server.core.locks import lock_view
from realtime_server.core.state import SessionState
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.reconciliation.past import RecordsAsOf, session_as_of
from realtime_server.rest import cursors
from realtime_server.rest.operations import Answer, Call, Operation, operation
from realtime_server.rest.sessions import SESSION
from realtime_server.rest.views import record_view
from schemas import rest_answers as answers
from schemas import rest_requests as requests


@operation(
    "GET", f"{SESSION}/state", tag="history", query=requests.StateQuery, answer=answers.StatePage, heavy=True,
    refusals=(ErrorCode.VERSION_UNKNOWN,),
)  # fmt: skip
async def get_state(call: Call) -> Answer:
    """Show the session as it stood.

    As of the commit `at`: who had been let in, which locks and conflicts there were, and the records, page by page.
    """
    state = await call.session()
    place = cursors.decode(call.query.get("cursor"), int, str)
    at, after = (call.query.get("at", state.seq), None) if place is None else place
    if place is not None and call.query.get("at", at) != at:
        raise cursors.refused()
    if at > state.seq:
        message = f"the log stands at {state.seq}"
        raise CollaborationError(ErrorCode.VERSION_UNKNOWN, message, {"seq": state.seq})
    if at == 0:
        message = "before its first commit there was no session"
        raise CollaborationError(ErrorCode.INVALID, message, {"fields": {"at": [message]}})
    services, limit = call.services, call.query["limit"]
    past = RecordsAsOf(services.log, services.records, state, at)
    stored = await services.records.page(state.session_id, after=after, limit=limit + 1)
    items = await past.of(stored[:limit])
    then = await session_as_of(services.log, state, at) if place is None else None
    return Answer(
        {
            "at": at,
            "timestamp": to_iso(await _made_at(call, state, at) if then is None else then.at),
            "session": None if then is None else _past_view(then),
            "items": [record_view(record) for record in items],
            "next_cursor": cursors.encode(at, stored[limit - 1].record_id) if len(stored) > limit else None,
        }
    )


async def _made_at(call: Call, state: SessionState, seq: int) -> int:
    commits = await call.services.log.read(state.session_id, seq - 1, 1)
    return commits[0].at


def _past_view(state: SessionState) -> dict[str, Any]:
    return {
        "session_id": state.session_id,
        "project_id": state.project_id,
        "name": state.name,
        "status": state.status.value,
        "participants": [
            {"user_id": item.user_id, "name": item.name, "role": item.role.value, "since": to_iso(item.since)}
            for item in state.participants.values()
        ],
        "locks": [lock_view(lock) for lock in state.locks.values()],
        "open_conflicts": len(state.conflicts),
        "hash": state.hash,
    }


OPERATIONS: Final[tuple[Operation, ...]] = (get_state,)
