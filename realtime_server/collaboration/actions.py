"""Events of the connection itself. The client's later events wait until one of these is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from realtime_server.collaboration.connections import Connection
from realtime_server.collaboration.declarations import ActionHandler, Answer, Registry, Request
from realtime_server.core.permissions import EVERYBODY
from realtime_server.presence.members import Doing
from schemas import requests

if TYPE_CHECKING:
    from realtime_server.collaboration.namespace import Collaboration

ACTIONS: Final[Registry[ActionHandler]] = Registry()


@ACTIONS.declare("join", requests.Join, None)
async def join(collaboration: Collaboration, connection: Connection, request: Request) -> Answer:
    """Its permission is asked for when the session's project is known: `Attendance.join` and the core's table."""
    return await collaboration.attendance.join(
        connection, request["session_id"], request.get("since"), request.get("device_id")
    )


@ACTIONS.declare("leave", requests.Leave, EVERYBODY)
async def leave(collaboration: Collaboration, connection: Connection, request: Request) -> Answer:
    await collaboration.attendance.leave(connection, request["session_id"])
    return {}


@ACTIONS.declare("sync", requests.Sync, EVERYBODY)
async def sync(collaboration: Collaboration, connection: Connection, request: Request) -> Answer:
    return await collaboration.attendance.sync(connection, request["session_id"], request["since"])


@ACTIONS.declare("presence", requests.Presence, EVERYBODY)
async def presence(collaboration: Collaboration, connection: Connection, request: Request) -> Answer:
    doing: dict[str, Any] = {name: request[name] for name in ("activity", "focus", "drafts") if name in request}
    if "status" in request:
        doing["idle"] = request["status"] == "idle"
    await collaboration.presence.update(request["session_id"], connection.sid, Doing(**doing))
    return {}


@ACTIONS.declare("authenticate", requests.Authenticate, None)
async def authenticate(collaboration: Collaboration, connection: Connection, request: Request) -> Answer:
    await collaboration.admission.refresh(connection, request["token"])
    await collaboration.attendance.refreshed(connection)
    return {"expires_at": connection.expires_at}
