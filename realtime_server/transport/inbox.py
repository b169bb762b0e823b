"""What clients sent on their WebSockets and is handled together, some ms later, while the server is short of time.

Each frame by itself, between other work, is handled by code that has left the processor's caches: 4,000 edits a second
with their fan-out take 209 µs each so, and 195 when they are handled 80 at a time (docs/performance.md).
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Final

from .pressure import Pressure

if TYPE_CHECKING:
    from .engine_socket import EngineSocket

#: Seconds for which frames are handled before the event loop has a turn.
_STRETCH: Final = 0.005
#: Bytes of frames that wait at most.
_LARGEST: Final = 1024 * 1024


class Inbox:
    """The frames of one server's clients, in the order in which they came."""

    __slots__ = ("_began", "_frames", "_loop", "_pressure", "_size")

    def __init__(self, loop: asyncio.AbstractEventLoop, pressure: Pressure) -> None:
        self._loop = loop
        self._pressure = pressure
        self._frames: deque[tuple[EngineSocket, bytes, bool]] = deque()
        self._size = 0
        self._began = 0.0
        """When what had gathered was last handled."""

    @property
    def gathers(self) -> bool:
        """Whether a frame that comes now waits for others, or behind others."""
        return bool(self._pressure.input or self._frames)

    def put(self, socket: EngineSocket, payload: bytes, *, is_text: bool) -> None:
        """Handle a frame when the last ones have been handled long enough ago."""
        if not self._frames:
            self._loop.call_later(max(0.0, self._began + self._pressure.input - perf_counter()), self._begin)
        self._frames.append((socket, payload, is_text))
        self._size += len(payload)
        if self._size > _LARGEST:
            self.drain()

    def drain(self) -> None:
        """Handle everything that waits, now."""
        self._handle(float("inf"))

    def _begin(self) -> None:
        self._began = perf_counter()
        self._handle(self._began + _STRETCH)

    def _handle(self, until: float) -> None:
        frames = self._frames
        while frames:
            socket, payload, is_text = frames.popleft()
            self._size -= len(payload)
            try:
                if is_text:
                    socket.handle_text(payload)
                else:
                    socket.handle_binary(payload)
            except Exception as error:  # a defect of ours, and this client's alone
                self._loop.call_exception_handler({"message": "a frame could not be handled", "exception": error})
                socket.shut(socket.server.reason.TRANSPORT_ERROR, abort=True)
            if frames and perf_counter() >= until:
                self._loop.call_soon(self._begin)
                return
