"""The people of a session, and what they say they do."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

from realtime_server.core.clock import to_iso
from realtime_server.core.commands import EraseName
from realtime_server.core.nameless import name_of
from realtime_server.core.state import SessionState
from realtime_server.engine.erasing import erase
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.presence.members import Doing, Seat
from realtime_server.rest.commands import command_id
from realtime_server.rest.operations import Answer, Call, Operation, operation
from realtime_server.rest.sessions import SESSION
from schemas import rest_answers as answers
from schemas import rest_requests as requests

#: The device of somebody who only speaks HTTP: a new request takes the place of the one before.
_DEVICE: Final = "rest"


@operation("GET", f"{SESSION}/users", tag="people", answer=answers.Users)
async def list_users(call: Call) -> Answer:
    """List who is in the session now, and who ever was.

    Who is there comes first, in the order in which they came.
    """
    return Answer({"items": await _users(call, await call.session())})


async def _users(call: Call, state: SessionState) -> list[dict[str, Any]]:
    presence = call.services.presence
    members = [] if presence is None else await presence.members(state.session_id)
    here = {member.user_id for member in members}
    return [
        *({**member.view(), "present": True} for member in members),
        *(
            {
                "user_id": person.user_id,
                "name": person.name,
                "role": person.role.value,
                "status": "idle",
                "activity": None,
                "focus": None,
                "last_seen": to_iso(person.since),
                "connections": 0,
                "present": False,
            }
            for person in state.participants.values()
            if person.user_id not in here
        ),
    ]


@operation(
    "POST",
    f"{SESSION}/users/{{user_id}}/activity",
    tag="people",
    body=requests.Activity,
    answer=answers.User,
    refusals=(ErrorCode.FORBIDDEN, ErrorCode.SESSION_FULL, ErrorCode.SESSION_ENDED),
)
async def set_activity(call: Call) -> Answer:
    """Say what you are doing.

    For yourself only. Somebody without a connection is shown as present for a minute after each such request.
    """
    state = await call.session()
    if call.path["user_id"] != call.identity.user_id:
        raise CollaborationError(ErrorCode.FORBIDDEN, "nobody says for somebody else what they are doing")
    presence = call.services.presence
    if presence is None:
        raise CollaborationError(ErrorCode.UNAVAILABLE, "this process knows nothing of presence")
    if state.status.value != "active":
        message = f"the session has {state.status}"
        raise CollaborationError(ErrorCode.SESSION_ENDED, message, {"status": state.status.value})
    config, actor = call.config, call.actor(state.project_id)
    seat = Seat(
        connection_id=f"rest-{uuid4().hex}",
        user_id=actor.user_id,
        name=name_of(state, actor),
        role=actor.role,
        seen_at=call.services.clock(),
        device_id=_DEVICE,
        connected=False,
    )
    await presence.enter(state.session_id, seat, config.max_users)
    await presence.update(state.session_id, seat.connection_id, _doing(call.body))
    await presence.leave(state.session_id, seat.connection_id, grace=config.activity_lease)
    users = await _users(call, state)
    return Answer(next(user for user in users if user["user_id"] == actor.user_id))


def _doing(body: dict[str, Any]) -> Doing:
    said: dict[str, Any] = {name: body[name] for name in ("activity", "focus") if name in body}
    if "status" in body:
        said["idle"] = body["status"] == "idle"
    return Doing(**said)


@operation(
    "DELETE",
    f"{SESSION}/users/{{user_id}}/name",
    tag="people",
    answer=answers.NameErased,
    command=EraseName,
    keyed=True,
)
async def erase_name(call: Call) -> Answer:
    """Erase a person's name from the session.

    From its log too, whose hash chain stays sound: it holds user ids alone. The person goes on under their id, here and
    in later answers, also where they are connected or come again: only a token that is issued more than five seconds
    later names them anew. That it was done, and by whom, is in the log. Of a session that has ended, too.
    """
    state = await call.session()
    services = call.services
    command = EraseName(
        actor=call.actor(state.project_id), command_id=command_id(call, "erase"), user_id=call.path["user_id"]
    )
    erased = await erase(services.engine, services.log, services.notices, state.session_id, [command])
    return Answer({"seq": erased.seq, "commits": erased.commits})


OPERATIONS: Final[tuple[Operation, ...]] = (list_users, set_activity, erase_name)
