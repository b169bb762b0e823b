"""When what is queued leaves: many frames in one write, many clients in one turn of the event loop.

Hot path: the loop of `outlets.flush` runs once per client and flush, which at moderate load is once per delivery (see
docs/performance.md).
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

from .metrics import TransportStats
from .outlets import Outlet, flush
from .pressure import Pressure

#: Seconds. A timer is no finer than a millisecond.
_LEAST_PAUSE: Final = 0.0005
#: After writing, output is gathered for so many times as long as that took, and for so many seconds at most: nobody
#: feels them.
_TIMES: Final = 3.0
_PAUSE: Final = 0.003
#: While the event loop has no rest at all output is gathered for so many times as long as was written, and for so many
#: seconds at most.
_NO_REST_TIMES: Final = 8.0
_NO_REST: Final = 0.030
#: Seconds. In a turn of the event loop so short nothing was done: an empty one takes a few µs, a packet takes more.
_EMPTY_TURN: Final = 20e-6


class Flusher:
    """Writes the outboxes of one server: at the end of this turn of the event loop, or some ms later under load.

    Writing is a system call for each client, and under load the larger part of a broadcast's cost. After writing for a
    while we therefore do other work for three times as long, and what is queued meanwhile leaves in one write. An event
    loop that has no rest goes on gathering until it has done everything else.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, stats: TransportStats, pressure: Pressure) -> None:
        self._loop = loop
        self._stats = stats
        self._pressure = pressure
        self._dirty: list[Outlet] = []
        """Sockets with something to write; `flush` is scheduled while there are any."""
        self._marked_at = 0.0
        self.pause_until = 0.0
        """The `perf_counter` before which output is gathered."""
        self.gather_until = 0.0
        """The same for an event loop that has no rest."""
        self._turned_at = 0.0

    def mark(self, socket: Outlet) -> None:
        """`socket` has something to write."""
        if not self._dirty:
            self._schedule()
        self._dirty.append(socket)

    def mark_all(self, sockets: list[Outlet]) -> None:
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
            self._loop.call_later(pause, self._turn)

    def _turn(self) -> None:
        """One turn of the event loop while output is gathered; the first one is not judged."""
        now = perf_counter()
        if now >= self.gather_until or now - self._turned_at < _EMPTY_TURN:
            self.flush()
        else:
            self._turned_at = now
            self._loop.call_soon(self._turn)

    def flush(self) -> None:
        """Write everything that is marked."""
        began = perf_counter()
        dirty, self._dirty = self._dirty, []
        frames, size = flush(dirty)
        self._stats.frames_sent += frames
        self._stats.bytes_sent += size
        ended = perf_counter()
        self._stats.writes.observe(ended - self._marked_at)
        self._pressure.look(ended)
        took = ended - began
        self.pause_until = ended + min(_TIMES * took, _PAUSE)
        self.gather_until = ended + min(_NO_REST_TIMES * took, _NO_REST)
