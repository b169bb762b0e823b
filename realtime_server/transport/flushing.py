"""When what is queued leaves: many frames in one write, many clients in one turn of the event loop.

Hot path: `Flusher.flush` runs once per client and turn, which at moderate load is once per delivery (see
docs/performance.md).
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Final

from .metrics import TransportStats

if TYPE_CHECKING:
    from .engine_socket import EngineSocket

#: Seconds. A timer is no finer than a millisecond; and nobody should feel that output is gathered.
_LEAST_PAUSE: Final = 0.0005
_LONGEST_PAUSE: Final = 0.003


class Flusher:
    """Writes the outboxes of one server: at the end of this turn of the event loop, or a few ms later under load.

    Writing is a system call for each client, and under load the larger part of a broadcast's cost. After writing for a
    while we therefore do other work for twice as long, and what is queued meanwhile leaves in one write.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, stats: TransportStats) -> None:
        self._loop = loop
        self._stats = stats
        self._dirty: list[EngineSocket] = []
        """Sockets with something to write; `flush` is scheduled while there are any."""
        self._marked_at = 0.0
        self.pause_until = 0.0
        """The `perf_counter` before which output is gathered."""

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
        self.pause_until = ended + min(2 * (ended - began), _LONGEST_PAUSE)
