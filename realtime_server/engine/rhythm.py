"""How far apart one session's batches begin, while the process is short of time.

Each batch goes out as a write to every member's socket, the largest part of an edit's cost. Commands that come a few ms
apart therefore wait for each other, in the sessions where many come; with time to spare nobody waits. At 3,200 and
3,800 edits/s in 20 sessions of 50 this made the p99 of deliveries shorter in most alternations (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from realtime_server.frequency import Frequency

#: Seconds between the beginnings of two batches, where there is no time to spare at all.
_LONGEST: Final = 0.050
#: Shares of a core between which the time between batches grows from nothing to that.
_BUSY: Final = (0.65, 0.85)
#: Commands a second: nearly four in the longest wait. Fewer hardly ever find company.
_MANY: Final = 75.0


class Rhythm:
    """One session's. Times in seconds, of one clock that does not go back.

    ``busy``: the share of a core that the process uses, 0 to 1.
    """

    __slots__ = ("_began", "_busy", "_commands")

    def __init__(self, busy: Callable[[], float]) -> None:
        self._busy = busy
        self._began = 0.0
        self._commands = Frequency(_MANY)

    def wait(self, now: float) -> float:
        """The seconds that the next batch should wait for more; not positive where it should begin."""
        if not self._commands.high:
            return 0.0
        least, most = _BUSY
        strain = min(max((self._busy() - least) / (most - least), 0.0), 1.0)
        return self._began + strain * _LONGEST - now

    def begin(self, now: float, commands: int) -> None:
        """A batch of so many begins."""
        self._began = now
        self._commands.count(now, commands)
