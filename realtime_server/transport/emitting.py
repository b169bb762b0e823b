"""Emitting to this process's clients: encoded once, and the same bytes queued for every recipient.

Hot path: the loop of `outlets.queue` runs once per delivery (see docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import packets, upstream
from .engine_socket import EngineSocket
from .manager import LocalManager
from .outlets import Outlet, queue

if TYPE_CHECKING:
    from .socket_server import SocketServer


class Emitter:
    """The outbound half of a `SocketServer`."""

    def __init__(self, server: SocketServer, manager: LocalManager) -> None:
        self._server = server
        self._eio = server.eio
        self._manager = manager

    def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any,
        skip_sid: Any,
        callback: Any = None,
        *,
        volatile: bool = False,
    ) -> int:
        """Queue an event for the clients of this process; `LocalManager.emit` and `broadcast` end here.

        Returns:
            The number of clients it was queued for.

        Raises:
            TypeError: data that JSON cannot carry; nobody has been sent anything.
        """
        arguments = [event, *data] if isinstance(data, tuple) else [event] if data is None else [event, data]
        if callback is not None:
            return self._emit_each(arguments, namespace, room, _as_set(skip_sid), callback)
        frame = self._server.codec.encode(packets.EVENT, namespace, None, arguments)
        if (
            volatile
            or not (skip_sid is None or isinstance(skip_sid, str))
            or not _is_one_room(room)
            or upstream.has_pending_connect(self._manager, namespace)
        ):
            return self._queue_with_care(frame, namespace, room, _as_set(skip_sid), volatile)
        recipients = self._manager.sockets_in(namespace, room)
        skipped = None if skip_sid is None else self._manager.socket_of(namespace, skip_sid)
        dirty: list[Outlet] = []
        count = queue(recipients, skipped, frame, dirty)
        if dirty:
            self._eio.flusher.mark_all(dirty)
        return count

    def _members(self, namespace: str, room: Any) -> Mapping[str, str]:
        """Recipients as {client sid: engine sid}; those of several rooms once each."""
        if _is_one_room(room):
            return upstream.members_of(self._manager, namespace, room)
        merged: dict[str, str] = {}
        for each in room:
            merged.update(upstream.members_of(self._manager, namespace, each))
        return merged

    def _queue_with_care(self, frame: bytes, namespace: str, room: Any, skip: frozenset[str], volatile: bool) -> int:
        """The general loop: several rooms or several to skip, clients in their connect handler, a volatile event."""
        count = 0
        for sid, eio_sid in self._members(namespace, room).items():
            socket = self._eio.sockets.get(eio_sid)
            if sid in skip or socket is None:
                continue
            if volatile and not socket.is_writable:
                self._eio.stats.volatile_dropped += 1
                continue
            self._queue(socket, namespace, frame)
            count += 1
        return count

    def _queue(self, socket: EngineSocket, namespace: str, frame: bytes) -> None:
        """Queue for one client, or hold until it has been accepted: nothing may come before the CONNECT packet."""
        peer = socket.peer
        member = peer.members.get(namespace) if peer is not None else None
        if member is None or member.held is None:
            socket.send_frame(frame)
            return
        member.held.append(frame)
        if sum(map(len, member.held)) > self._eio.limits.pending_output:
            socket.refuse("too_much_before_connect")

    def _emit_each(self, arguments: list[Any], namespace: str, room: Any, skip: frozenset[str], callback: Any) -> int:
        """One packet for each recipient: every one of them acknowledges its own."""
        count = 0
        for sid, eio_sid in list(self._members(namespace, room).items()):
            socket = self._eio.sockets.get(eio_sid)
            if sid in skip or socket is None:
                continue
            packet_id = self._manager._generate_ack_id(sid, callback)
            self._queue(socket, namespace, self._server.codec.encode(packets.EVENT, namespace, packet_id, arguments))
            count += 1
        return count


def _is_one_room(room: Any) -> bool:
    """False for a list of rooms."""
    return room is None or isinstance(room, str) or not hasattr(room, "__len__")


def _as_set(skip_sid: Any) -> frozenset[str]:
    return frozenset([skip_sid] if isinstance(skip_sid, str) else skip_sid or ())
