"""When what is queued leaves: many frames in one write, many clients in one turn of the event loop.

Hot path: `Flusher.flush` runs once per client and turn, which at moderate load is once per delivery (see
docs/performance.md).
"""

from __future__ import annotations

import asyncio
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, Final

from .metrics import TransportStats

if TYPE_CHECKING:
    from .engine_socket import EngineSocket

#: Seconds. A timer is no finer than a millisecond.
_LEAST_PAUSE: Final = 0.0005
#: How many times as long as it wrote a server does other work, and for how many seconds at most: while the event loop
#: has time nobody should feel that output is gathered, and when it has none, gathering is what gives it some.
_PAUSE: Final = (2.0, 8.0)
_LONGEST_PAUSE: Final = (0.003, 0.030)
#: Shares of a core from which on, and up to which, the pauses grow from the first to the second.
_BUSY: Final = (0.5, 0.9)
#: Seconds between two looks at how busy the event loop is.
_INTERVAL: Final = 0.05


class Flusher:
    """Writes the outboxes of one server: at the end of this turn of the event loop, or some ms later under load.

    Writing is a system call for each client, and under load the larger part of a broadcast's cost. After writing for a
    while we therefore do other work for longer, and what is queued meanwhile leaves in one write.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, stats: TransportStats) -> None:
        self._loop = loop
        self._stats = stats
        self._dirty: list[EngineSocket] = []
        """Sockets with something to write; `flush` is scheduled while there are any."""
        self._marked_at = 0.0
        self.pause_until = 0.0
        """The `perf_counter` before which output is gathered."""
        self._looked_at, self._used = perf_counter(), thread_time()
        self._pause, self._longest_pause = _PAUSE[0], _LONGEST_PAUSE[0]

    def mark(self, socket: EngineSocket) -> None:
        """`socket` has something to write."""
        if not self._dirty:
            self._schedule()
        self._dirty.append(socket)

    def mark_all(self, sockets: list[EngineSocket]) -> None:
        """`mark` for many."""
        if not self._dirty:
            self._schedule()
        self._dirty += sockets

    def _schedule(self) -> None:
        self._marked_at = perf_counter()
        pause = self.pause_until - self._marked_at
        if pause < _LEAST_PAUSE:
            self._loop.call_soon(self.flush)
        else:
            self._loop.call_later(pause, self.flush)

    def flush(self) -> None:
        """Write everything that is marked."""
        began = perf_counter()
        dirty, self._dirty = self._dirty, []
        frames = size = 0
        for socket in dirty:
            link = socket.link
            if link is None or link.paused or (transport := link.transport) is None:
                socket.flush()
                continue
            outbox = socket.outbox  # from here on `EngineSocket.flush`, without the call
            if not outbox:
                continue
            data = outbox[0] if len(outbox) == 1 else b"".join(outbox)
            frames += len(outbox)
            size += len(data)
            outbox.clear()
            transport.write(data)
        self._stats.frames_sent += frames
        self._stats.bytes_sent += size
        ended = perf_counter()
        self._stats.writes.observe(ended - self._marked_at)
        if ended - self._looked_at >= _INTERVAL:
            self._look(ended)
        self.pause_until = ended + min(self._pause * (ended - began), self._longest_pause)

    def _look(self, now: float) -> None:
        used = thread_time()
        busy = (used - self._used) / (now - self._looked_at)
        self._looked_at, self._used = now, used
        pressure = min(max((busy - _BUSY[0]) / (_BUSY[1] - _BUSY[0]), 0.0), 1.0)
        self._pause = _PAUSE[0] + pressure * (_PAUSE[1] - _PAUSE[0])
        self._longest_pause = _LONGEST_PAUSE[0] + pressure * (_LONGEST_PAUSE[1] - _LONGEST_PAUSE[0])
