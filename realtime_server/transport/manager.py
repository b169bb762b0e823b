"""Emitting to this process's clients without a task per recipient, beneath any of python-socketio's client managers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import socketio

from . import upstream

if TYPE_CHECKING:
    from .engine_socket import EngineSocket
    from .socket_server import SocketServer

#: Members from which on a room's connections are kept at hand; each client has a room of its own, and most are small.
_KEPT_FROM: Final = 8


class LocalManager(socketio.AsyncManager):  # type: ignore[misc]  # socketio has no types
    """Upstream's in-memory manager whose `emit` encodes once and queues the same bytes for every recipient."""

    server: SocketServer
    _rooms_of: dict[tuple[str, str], dict[Any, None]]
    _sockets_in: dict[tuple[str, Any], list[EngineSocket]]

    def __init__(self) -> None:
        super().__init__()
        self._rooms_of = {}
        self._sockets_in = {}

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **kwargs: Any,
    ) -> None:
        """Emit to a client, a room, several rooms or everybody; see python-socketio."""
        self.server.emitter.emit(
            event, data, namespace, to or room, skip_sid, callback, volatile=bool(kwargs.get("volatile"))
        )

    def basic_enter_room(self, sid: str, namespace: str, room: Any, eio_sid: str | None = None) -> None:
        """Upstream's, and the room noted with the client: see `get_rooms`."""
        super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)
        self._sockets_in.pop((namespace, room), None)
        self._rooms_of.setdefault((namespace, sid), {})[room] = None

    def basic_leave_room(self, sid: str, namespace: str, room: Any) -> None:
        super().basic_leave_room(sid, namespace, room)
        self._sockets_in.pop((namespace, room), None)
        rooms = self._rooms_of.get((namespace, sid))
        if rooms is not None:
            rooms.pop(room, None)
            if not rooms:
                del self._rooms_of[namespace, sid]

    def sockets_in(self, namespace: str, room: Any) -> list[EngineSocket]:
        """The connections of a room's members; not to be changed.

        Kept until somebody enters or leaves: a broadcast then looks nobody up, and two look-ups for each recipient
        were a tenth of its time (docs/performance.md).
        """
        found = self._sockets_in.get((namespace, room))
        if found is None:
            sockets = self.server.eio.sockets
            members = upstream.members_of(self, namespace, room)
            found = [socket for eio_sid in members.values() if (socket := sockets.get(eio_sid)) is not None]
            if len(found) >= _KEPT_FROM:
                self._sockets_in[namespace, room] = found
        return found

    def socket_of(self, namespace: str, sid: str) -> EngineSocket | None:
        """The connection of a client; None when there is no such client here."""
        eio_sid = upstream.members_of(self, namespace, None).get(sid)
        return None if eio_sid is None else self.server.eio.sockets.get(eio_sid)

    def get_rooms(self, sid: str, namespace: str) -> list[Any]:
        """The client's rooms. Upstream looks through all rooms, and each client has one of its own."""
        return [room for room in self._rooms_of.get((namespace, sid), ()) if room is not None]

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        """Upstream's, for the client's own rooms; upstream copies and searches all rooms for each client that goes."""
        for room in list(self._rooms_of.get((namespace, sid), ())):
            self.basic_leave_room(sid, namespace, room)
        self.callbacks.pop(sid, None)
        for pending in (self.pending_connect, self.pending_disconnect):
            if sid in pending.get(namespace, ()):
                pending[namespace].remove(sid)
                if not pending[namespace]:
                    del pending[namespace]

    def _generate_ack_id(self, sid: str, callback: Any) -> int:
        """Upstream's counter, with a bound: a client that never acknowledges does not make it grow for ever."""
        packet_id: int = super()._generate_ack_id(sid, callback)
        waiting = self.callbacks[sid]
        if len(waiting) > self.server.eio.limits.pending_acknowledgements + 1:
            oldest = next(key for key in waiting if key != 0)  # 0 holds upstream's counter
            del waiting[oldest]
        return packet_id


def accelerate(manager: socketio.AsyncManager) -> None:
    """Put `LocalManager` beneath a manager of another class (Redis, ...), which then emits locally through it.

    The object gets a class of its own with `LocalManager` behind the manager's class in the resolution order, where
    upstream's own `super().emit()` finds it.
    """
    if not isinstance(manager, LocalManager):
        own = type(manager)
        manager.__class__ = type(own.__name__, (own, LocalManager), {"__module__": own.__module__})
        manager._rooms_of = {}
        manager._sockets_in = {}
