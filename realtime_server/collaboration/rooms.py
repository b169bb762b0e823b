"""Who is told what: one room per session and form of broadcast. Everybody in a room gets the same bytes.

A client is in exactly one of a session's two rooms: ``session:<id>``, where an envelope comes under its family's name,
or ``session:<id>:message``, where all come under the one name `message`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from realtime_server.collaboration.connections import Connection

NAMESPACE: Final = "/collaboration"


class Sockets(Protocol):
    """What is used of a Socket.IO server; python-socketio's names, and `broadcast`."""

    def on(self, event: str, handler: Any = None, namespace: str | None = None) -> Any: ...
    async def enter_room(self, sid: str, room: str, namespace: str | None = None) -> None: ...
    async def leave_room(self, sid: str, room: str, namespace: str | None = None) -> None: ...
    async def disconnect(self, sid: str, namespace: str | None = None) -> None: ...
    def close_code(self, sid: str, namespace: str | None = None) -> int | None:
        """How a client closed its WebSocket (RFC 6455), None where it did not."""

    def broadcast(
        self, event: str, data: Any = None, *, room: Any = None, namespace: str | None = None, volatile: bool = False
    ) -> int:
        """Queue for the room's members of this process, now and in the order of the calls."""


class _Audience:
    """How many of a session's listeners want which form."""

    __slots__ = ("message_form", "named", "project_id")

    def __init__(self, project_id: str) -> None:
        self.project_id = project_id
        self.named = 0
        self.message_form = 0


class Rooms:
    """The rooms of this process's clients."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._audiences: dict[str, _Audience] = {}

    async def enter(self, connection: Connection, session_id: str, project_id: str) -> None:
        """From now on the client is told what happens in the session."""
        audience = self._audiences.setdefault(session_id, _Audience(project_id))
        if connection.message_form:
            audience.message_form += 1
        else:
            audience.named += 1
        await self._sockets.enter_room(connection.sid, _room(session_id, connection.message_form), NAMESPACE)

    async def leave(self, connection: Connection, session_id: str) -> None:
        """The opposite of `enter`, once for each; harmless for a client that has gone."""
        audience = self._audiences[session_id]
        if connection.message_form:
            audience.message_form -= 1
        else:
            audience.named -= 1
        if not audience.named and not audience.message_form:
            del self._audiences[session_id]
        if connection.open:
            await self._sockets.leave_room(connection.sid, _room(session_id, connection.message_form), NAMESPACE)

    def project_of(self, session_id: str) -> str | None:
        """The session's project, while anybody here listens to it."""
        audience = self._audiences.get(session_id)
        return None if audience is None else audience.project_id

    def broadcast(self, session_id: str, envelope: Mapping[str, Any], *, volatile: bool = False) -> None:
        """Tell everybody in the session. ``volatile``: who cannot take it at once goes without."""
        audience = self._audiences.get(session_id)
        if audience is None:
            return
        if audience.named:
            family = envelope["message_type"].partition(".")[0]
            self._send(family, envelope, _room(session_id, False), volatile)
        if audience.message_form:
            self._send("message", envelope, _room(session_id, True), volatile)

    def tell(self, connection: Connection, envelope: Mapping[str, Any]) -> None:
        """Tell one client."""
        family = envelope["message_type"].partition(".")[0]
        self._send("message" if connection.message_form else family, envelope, connection.sid, False)

    def _send(self, event: str, envelope: Mapping[str, Any], room: str, volatile: bool) -> None:
        self._sockets.broadcast(event, envelope, room=room, namespace=NAMESPACE, volatile=volatile)


def _room(session_id: str, message_form: bool) -> str:
    return f"session:{session_id}:message" if message_form else f"session:{session_id}"
