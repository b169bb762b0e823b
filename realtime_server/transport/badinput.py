"""The log lines that bad input is allowed: short, few, and harmless to a terminal."""

from __future__ import annotations

import logging
from collections.abc import Callable

from .limits import TokenBucket

_PER_SECOND = 1.0
_BURST = 10


class BadInputLog:
    """Writes at most ten lines at once and one a second after that, and says how many it left out.

    A line names the kind of fault and the address, never what was sent: that may hold a token, and it may be long.
    """

    def __init__(self, logger: logging.Logger, clock: Callable[[], float]) -> None:
        self._logger = logger
        self._clock = clock
        self._bucket = TokenBucket(_PER_SECOND, _BURST, clock())
        self._left_out = 0

    def write(self, reason: str, address: str) -> None:
        """One line, or none when there were too many lately."""
        if not self._bucket.take(self._clock()):
            self._left_out += 1
            return
        left_out, self._left_out = self._left_out, 0
        self._logger.warning(
            "refused: %s from %s%s",
            printable(reason),
            printable(address),
            f" ({left_out} similar lines left out)" if left_out else "",
        )


def printable(text: str, longest: int = 80) -> str:
    """`text` cut to `longest` characters, with everything that is not printable ASCII escaped."""
    return text[:longest].encode("unicode_escape").decode("ascii")
