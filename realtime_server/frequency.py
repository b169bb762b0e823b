"""Whether something comes often enough just now that it pays to wait for more of it."""

from __future__ import annotations

from typing import Final

#: Seconds over which is counted.
_COUNTED_OVER: Final = 0.25


class Frequency:
    """Counts in stretches of a quarter of a second. Times in seconds, of one clock that does not go back.

    ``many``: so many a second are many.
    """

    __slots__ = ("_counted", "_many", "_since", "high")

    def __init__(self, many: float) -> None:
        self._many = many
        self._since = 0.0
        self._counted = 0
        self.high = False
        """Whether in the last whole stretch many came."""

    def count(self, now: float, number: int) -> None:
        """So many come now."""
        self._counted += number
        passed = now - self._since
        if passed >= _COUNTED_OVER:
            self.high = self._counted >= self._many * passed
            self._since, self._counted = now, 0
