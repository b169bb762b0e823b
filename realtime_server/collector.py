"""Python's search for garbage in cycles, kept out of everybody's way.

The state of sessions is frozen data without cycles: counting references frees it. Looking through it for cycles finds
nothing and stops everybody meanwhile: at 1,500 edits a second the second generation took 30 to 75 ms every few
seconds, at 3,000 the youngest a tenth of the processor. So while there is work only a sample of new objects is looked
through, and all of them as long as a sample has garbage in it; the rest waits until memory shows that something has to
be found.
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

#: New objects after which the youngest are looked through at once, whoever waits: about 10 ms.
_YOUNG: Final = 100_000
_NEVER: Final = 2**31 - 1
#: Seconds between two looks at how busy the event loop is.
_INTERVAL: Final = 0.25
#: While there is work the new objects of one interval in so many are looked through; and of the next one, where so many
#: objects were garbage: a few requests that failed leave that behind.
_SAMPLE: Final = 8
_FOUND: Final = 500
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


@dataclass(slots=True)
class Sampling:
    """Whether the new objects of an interval are looked through while there is work."""

    passed_over: int = 0

    def due(self) -> bool:
        self.passed_over = (self.passed_over + 1) % _SAMPLE
        return self.passed_over == 0

    def found(self, garbage: int) -> None:
        """``garbage``: objects that the last look found. After many of them the next look comes soon."""
        if garbage >= _FOUND:
            self.passed_over = _SAMPLE - 1


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
    schedule, sampling = Schedule(perf_counter(), _peak_memory()), Sampling()
    wall, cpu = perf_counter(), thread_time()
    timer: asyncio.TimerHandle

    def look() -> None:
        nonlocal wall, cpu, timer
        now, used = perf_counter(), thread_time()
        generation = schedule.due((used - cpu) / (now - wall), now, _peak_memory())
        if generation == 2:
            gc.unfreeze()
            gc.collect()
        elif generation is not None:
            sampling.found(gc.collect(generation))
        elif sampling.due():
            sampling.found(gc.collect(0))
        else:
            gc.freeze()  # out of sight until everything is looked through
        wall, cpu = perf_counter(), thread_time()
        timer = loop.call_later(_INTERVAL, look)

    timer = loop.call_later(_INTERVAL, look)
    try:
        yield
    finally:
        timer.cancel()
        gc.set_threshold(*before)
        gc.unfreeze()
