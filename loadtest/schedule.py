"""When things are due: Poisson arrivals at a rate that follows a shape, whether or not the server keeps up.

An open loop: what is due is sent and timed from its due moment, so that a stalled server's waiting is in the figures
("coordinated omission", Gil Tene).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Final

#: Factor of the rate at a share (0 to 1) of the run.
Shape = Callable[[float, float], float]


def _steady(share: float, seconds: float) -> float:
    return 1.0


def _ramp(share: float, seconds: float) -> float:
    return max(0.02, share)


def _burst(share: float, seconds: float) -> float:
    """Five times the rate for one second in every ten."""
    return 5.0 if share * seconds % 10 >= 9 else 1.0


SHAPES: Final[Mapping[str, Shape]] = {"steady": _steady, "ramp": _ramp, "burst": _burst}


class Arrivals:
    """Due moments of one action, in µs."""

    def __init__(self, rate: float, begin: int, seconds: float, shape: Shape, seed: int) -> None:
        self.rate = rate
        self._begin, self._seconds, self._shape = begin, seconds, shape
        self._random = random.Random(seed)
        self._next = begin
        self._advance()

    def _advance(self) -> None:
        share = (self._next - self._begin) / 1e6 / self._seconds
        rate = self.rate * self._shape(min(share, 1.0), self._seconds)
        self._next += int(self._random.expovariate(rate) * 1e6) if rate > 0 else 1_000_000

    def set_rate(self, rate: float, at: int) -> None:
        """A new rate from now on."""
        self.rate = rate
        self._next = at
        self._advance()

    def due(self, at: int) -> Iterator[int]:
        """The moments up to ``at`` that were not given yet."""
        while self._next <= at:
            if self.rate > 0:
                yield self._next
            self._advance()
