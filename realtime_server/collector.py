"""Python's search for garbage in cycles, kept out of everybody's way.

The state of sessions is frozen data without cycles: counting references frees it. Looking through it for cycles finds
nothing and stops everybody meanwhile: at 1,500 edits a second the second generation took 30 to 75 ms every few seconds,
and catching up took several times that. So only the youngest objects are looked through at any time, a few milliseconds
each; what outlived one look waits until the event loop has time, or until memory shows that something has to be found.
"""

from __future__ import annotations

import asyncio
import gc
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import Final

#: New objects after which the youngest are looked through.
_YOUNG: Final = 1_000
_NEVER: Final = 2**31 - 1
#: Seconds between two looks at how busy the event loop is.
_INTERVAL: Final = 0.25
#: Shares of a core: below the first there is time for the middle generation, below the second for everything.
_QUIET, _STILL = 0.2, 0.02
#: Seconds between two looks at everything, where the loop is still.
_HOUR: Final = 3_600.0
#: Everything is looked through at once when the process has needed so many times the memory it had after the last time,
#: and so many KiB more: a look takes half a second of everybody's, and a small process may well double.
_GROWTH: Final = 2.0
_GROWN: Final = 512 * 1024


@dataclass(slots=True)
class Schedule:
    """Which generation to look through, if any. ``now`` in seconds, ``memory``: the most the process has had, KiB."""

    last_full: float
    memory: int

    def due(self, busy: float, now: float, memory: int) -> int | None:
        """``busy``: the share of a core that the event loop has used lately."""
        grown = memory >= max(_GROWTH * self.memory, self.memory + _GROWN)
        if grown or (busy < _STILL and now - self.last_full >= _HOUR):
            self.last_full, self.memory = now, memory
            return 2
        return 1 if busy < _QUIET else None


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextmanager
def collecting_when_idle() -> Iterator[None]:
    """Collect so on the running event loop. What is there at the beginning lives as long as the process."""
    loop = asyncio.get_running_loop()
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _NEVER, _NEVER)
    schedule = Schedule(perf_counter(), _peak_memory())
    wall, cpu = perf_counter(), thread_time()
    timer: asyncio.TimerHandle

    def look() -> None:
        nonlocal wall, cpu, timer
        now, used = perf_counter(), thread_time()
        generation = schedule.due((used - cpu) / (now - wall), now, _peak_memory())
        if generation is not None:
            gc.collect(generation)
        wall, cpu = perf_counter(), thread_time()
        timer = loop.call_later(_INTERVAL, look)

    timer = loop.call_later(_INTERVAL, look)
    try:
        yield
    finally:
        timer.cancel()
        gc.set_threshold(*before)
        gc.unfreeze()
