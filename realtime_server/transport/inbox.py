"""What clients sent on their WebSockets and is handled together, some ms later, while the server is short of time.

Each frame by itself, between other work, is handled by code that has left the processor's caches: 4,000 edits a second
with their fan-out take 209 µs each so, and 195 when they are handled 80 at a time (docs/performance.md).

Clients take turns, a frame each, and those whose handlers have enough to do pass theirs: whoever sends a thousand at
once does not hold up another's one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Final

from .pressure import Pressure

if TYPE_CHECKING:
    from .engine_socket import EngineSocket

#: Seconds for which frames are handled before the event loop has a turn.
_STRETCH: Final = 0.005
#: Jobs of one client that wait for their handlers; until half of them are done its frames stay here.
_AHEAD: Final = 16
#: Frames of one client that wait; one that sends more is not read from until they are handled.
_MANY: Final = 64
#: Bytes of all clients' frames for which nothing waits any longer, and nobody who sends more is read from.
_LARGEST: Final = 1024 * 1024


class Inbox:
    """The frames of one server's clients: of each in the order in which they came."""

    __slots__ = ("_began", "_held", "_loop", "_passing", "_pressure", "_size", "_timer", "_turns")

    def __init__(self, loop: asyncio.AbstractEventLoop, pressure: Pressure) -> None:
        self._loop = loop
        self._pressure = pressure
        self._turns: deque[EngineSocket] = deque()
        """Clients with something that waits, in the order of their turns; each once."""
        self._passing: set[EngineSocket] = set()
        """Those whose handlers have enough to do."""
        self._held: set[EngineSocket] = set()
        """Clients that are not read from."""
        self._size = 0
        self._began = 0.0
        """When what had gathered was last handled."""
        self._timer: asyncio.TimerHandle | None = None
        """While something waits, and has not been begun."""

    def __len__(self) -> int:
        """How many frames wait."""
        return sum(len(socket.waiting or ()) for socket in (*self._turns, *self._passing))

    def holds(self, socket: EngineSocket) -> bool:
        """Whether a client is not read from until what it sent is handled."""
        return socket in self._held

    def put(self, socket: EngineSocket, payload: bytes, handle: Callable[[bytes], None]) -> None:
        """`handle` a client's frame when the last ones have been handled long enough ago."""
        waiting = socket.waiting
        if waiting is None:
            waiting = socket.waiting = deque()
            self._turns.append(socket)
            if len(self._turns) == 1:
                pause = self._began + self._pressure.input - perf_counter()
                self._timer = self._loop.call_later(max(0.0, pause), self._begin)
        waiting.append((payload, handle))
        self._size += len(payload)
        if len(waiting) > _MANY or self._size > _LARGEST:
            self._held.add(socket)
            socket.pause_input()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
                self._loop.call_soon(self._begin)

    def take_up(self, socket: EngineSocket) -> None:
        """A client's handlers have caught up with what it sent."""
        if socket in self._passing:
            self._passing.discard(socket)
            self._turns.append(socket)
            if len(self._turns) == 1:
                self._loop.call_soon(self._begin)

    def forget(self, socket: EngineSocket) -> None:
        """A client has gone, and what it sent last goes with it."""
        self._held.discard(socket)
        self._passing.discard(socket)
        if socket.waiting:
            self._size -= sum(len(payload) for payload, _ in socket.waiting)
            socket.waiting.clear()

    def drain(self, socket: EngineSocket) -> None:
        """Handle everything of a client, now."""
        while socket.waiting:
            self._handle_one(socket, socket.waiting)

    def _begin(self) -> None:
        self._timer = None
        self._began = perf_counter()
        until = self._began + _STRETCH
        turns = self._turns
        while turns:
            socket = turns.popleft()
            if not socket.waiting:  # it has gone
                socket.waiting = None
                continue
            if socket.lane.holds:
                self._passing.add(socket)
                continue
            self._handle_one(socket, socket.waiting)
            if socket.waiting:
                turns.append(socket)
                if len(socket.lane) > _AHEAD:
                    socket.lane.when_drained(_AHEAD // 2, socket.resume_input)
            else:
                socket.waiting = None
            if turns and perf_counter() >= until:
                self._loop.call_soon(self._begin)
                return

    def _handle_one(self, socket: EngineSocket, waiting: deque[tuple[bytes, Callable[[bytes], None]]]) -> None:
        payload, handle = waiting.popleft()
        self._size -= len(payload)
        if not waiting and socket in self._held:
            self._held.discard(socket)
            socket.resume_input()
        try:
            handle(payload)
        except Exception as error:  # a defect of ours, and this client's alone
            self._loop.call_exception_handler({"message": "a frame could not be handled", "exception": error})
            socket.shut(socket.server.reason.TRANSPORT_ERROR, abort=True)
