"""python-socketio's client manager for several processes: emits, rooms and disconnects reach clients wherever they are.

Each room with members here is a topic of its own, so a process hears what concerns its own clients and nothing else; a
client's `sid` is such a room, as everywhere in python-socketio. Messages are JSON, binary parts in base64.

Delivery is best effort, as with every pub/sub backend of python-socketio: what is emitted while the wire is down
reaches this process's clients alone. Commits do not travel this way (`SocketServer.broadcast`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Protocol

import orjson
from socketio.async_pubsub_manager import AsyncPubSubManager

_KIND: Final = b"s"
_EVERYBODY: Final = "sockets"
_METHODS: Final = frozenset({"emit", "disconnect", "enter_room", "leave_room", "close_room", "callback"})
#: Messages of others that wait to be handled; beyond it the newest are dropped and counted.
_WAITING: Final = 10_000


class Wire(Protocol):
    """What is used of the way to other processes. No method blocks or raises; own messages do not come back."""

    def listen(self, topic: str, kind: bytes, listener: Callable[[bytes], None]) -> None: ...
    def unlisten(self, topic: str, kind: bytes) -> None: ...
    def publish(self, topic: str, kind: bytes, body: bytes) -> None: ...


class SharedManager(AsyncPubSubManager):  # type: ignore[misc]  # socketio has no types
    """A client manager for one process until `connect_wire`, for all processes on the wire from then on."""

    name = "shared"

    def __init__(self) -> None:
        super().__init__()
        self._wire: Wire | None = None
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_WAITING)
        #: Messages that came faster than they could be handled.
        self.dropped = 0

    def connect_wire(self, wire: Wire) -> None:
        """From now on other processes hear, and are heard."""
        self._wire = wire
        for topic in (_EVERYBODY, f"host:{self.host_id}"):
            wire.listen(topic, _KIND, self._heard)
        for namespace, rooms in self.rooms.items():
            for room in rooms:
                self._follow(namespace, room)

    def _heard(self, body: bytes) -> None:
        message = orjson.loads(body)
        if not isinstance(message, dict) or message.get("method") not in _METHODS:
            raise ValueError("not a message of a client manager")
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            self.dropped += 1

    async def _listen(self) -> AsyncIterator[dict[str, Any]]:
        while True:
            yield await self._waiting.get()

    async def _publish(self, data: dict[str, Any]) -> None:
        if self._wire is not None:
            self._wire.publish(_topic(data), _KIND, orjson.dumps(data))

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str | None = None,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **kwargs: Any,
    ) -> None:
        """As upstream's; several rooms are several messages."""
        rooms = to or room
        if rooms is None or isinstance(rooms, str) or self._wire is None:
            await super().emit(event, data, namespace, rooms, skip_sid, callback, **kwargs)
            return
        for each in rooms:
            await super().emit(event, data, namespace, each, skip_sid, callback, **kwargs)

    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        """Called by everything that puts a client into a room, its own included."""
        super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)
        self._follow(namespace, room)

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        """Called by everything that takes a client out of a room, its end included."""
        super().basic_leave_room(sid, namespace, room)
        if self._wire is not None and room is not None and not self.rooms.get(namespace, {}).get(room):
            self._wire.unlisten(_room_topic(namespace, room), _KIND)

    def _follow(self, namespace: str, room: str | None) -> None:
        if self._wire is not None and room is not None:
            self._wire.listen(_room_topic(namespace, room), _KIND, self._heard)


def _room_topic(namespace: str, room: str) -> str:
    return f"room:{namespace}:{room}"


def _topic(message: dict[str, Any]) -> str:
    """Where those listen whom a message concerns."""
    if message["method"] == "callback":
        return f"host:{message['host_id']}"
    about = message["room"] if message["method"] in ("emit", "close_room") else message["sid"]
    return _EVERYBODY if about is None else _room_topic(message["namespace"], about)
