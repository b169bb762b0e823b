"""How busy the event loop is, and how long it pays to gather what clients send because of that.

An edit that is handled by itself, after other work, costs several times what one of many costs: code and data have left
the processor's caches. A server with time to spare handles everything at once all the same, because then nobody waits.
One that has little left handles what its clients send together, some ms later, and everybody waits less
(see docs/performance.md).
"""

from __future__ import annotations

from time import perf_counter, thread_time
from typing import Final

#: Shares of a core between which the pause grows from nothing to the most.
_BUSY: Final = (0.5, 0.8)
#: Fewer events than these do not pay for having waited for each other.
_FEWEST: Final = 20
#: Seconds between two looks.
_INTERVAL: Final = 0.05


class Pressure:
    """The pause of one server. Times in seconds.

    ``input_pause``: the longest that what clients send may wait.
    """

    __slots__ = ("_looked_at", "_most_input", "_used", "busy", "events", "input")

    def __init__(self, input_pause: float = 0.0) -> None:
        self._most_input = input_pause
        self._looked_at, self._used = perf_counter(), thread_time()
        self.busy = 0.0
        """The share of a core that was used between the last two looks."""
        self.events = 0
        """Taken in since the last look; whoever takes them in counts."""
        self.input = 0.0
        """What clients send waits so long for more; 0 where it is handled at once."""

    def look(self, now: float) -> None:
        """Set the pause, if it is time to; ``now`` is `perf_counter`'s. Call it while there is work."""
        passed = now - self._looked_at
        if passed < _INTERVAL:
            return
        used = thread_time()
        self.set((used - self._used) / passed, self.events / passed)
        self._looked_at, self._used, self.events = now, used, 0

    def set(self, busy: float, events: float) -> None:
        """``busy``: the share of a core that was used; ``events``: how many came in a second."""
        self.busy = busy
        pause = min(max((busy - _BUSY[0]) / (_BUSY[1] - _BUSY[0]), 0.0), 1.0) * self._most_input
        self.input = pause if events * pause >= _FEWEST else 0.0
