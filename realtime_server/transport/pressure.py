"""How busy the event loop is, and how long it pays to gather work because of that.

An edit that is handled by itself, after other work, costs several times what one of many costs: code and data have left
the processor's caches. A server with time to spare handles everything at once all the same, because then nobody waits.
One that has little left handles what its clients send together, some ms later, and everybody waits less
(see docs/performance.md).
"""

from __future__ import annotations

from time import perf_counter, thread_time
from typing import Final

#: Seconds for which output is gathered by default: nobody feels them.
OUTPUT_PAUSE: Final = 0.003
#: Shares of a core between which pauses grow from the least to the most.
_BUSY: Final = (0.5, 0.8)
#: How many times as long as it wrote a server does other work: with time to spare, and with none.
_TIMES: Final = (3.0, 8.0)
#: Fewer events than these do not pay for having waited for each other.
_FEWEST: Final = 20
#: Seconds between two looks.
_INTERVAL: Final = 0.05


class Pressure:
    """The pauses of one server. Times in seconds.

    ``output_pause``, ``input_pause``: the longest that output and what clients send may wait.
    """

    __slots__ = ("_looked_at", "_most_input", "_most_output", "_used", "busy", "events", "input", "output", "times")

    def __init__(self, output_pause: float = OUTPUT_PAUSE, input_pause: float = 0.0) -> None:
        self._most_output, self._most_input = output_pause, input_pause
        self._looked_at, self._used = perf_counter(), thread_time()
        self.busy = 0.0
        """The share of a core that was used between the last two looks."""
        self.events = 0
        """Taken in since the last look; whoever takes them in counts."""
        self.output = min(OUTPUT_PAUSE, output_pause)
        self.times = _TIMES[0]
        """After writing, output waits for so many times as long as it took, and for ``output`` at most."""
        self.input = 0.0
        """What clients send waits so long for more; 0 where it is handled at once."""

    def look(self, now: float) -> None:
        """Set the pauses, if it is time to; ``now`` is `perf_counter`'s. Call it while there is work."""
        passed = now - self._looked_at
        if passed < _INTERVAL:
            return
        used = thread_time()
        self.set((used - self._used) / passed, self.events / passed)
        self._looked_at, self._used, self.events = now, used, 0

    def set(self, busy: float, events: float) -> None:
        """``busy``: the share of a core that was used; ``events``: how many came in a second."""
        self.busy = busy
        pressure = min(max((busy - _BUSY[0]) / (_BUSY[1] - _BUSY[0]), 0.0), 1.0)
        if self._most_output > OUTPUT_PAUSE:
            self.output = OUTPUT_PAUSE + pressure * (self._most_output - OUTPUT_PAUSE)
            self.times = _TIMES[0] + pressure * (_TIMES[1] - _TIMES[0])
        pause = pressure * self._most_input
        self.input = pause if events * pause >= _FEWEST else 0.0
