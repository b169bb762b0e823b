"""Which of a pool of amounts add up to a target, and how easily that happens by chance.

Any pool of a dozen amounts has thousands of sums, so a sum that fits proves something only when few come near. How many
would fit by chance is read off the pool itself: so many of its sums lie within a few percent of the target, spread over
so many minor units.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations
from math import comb
from typing import Final

import numpy as np
import numpy.typing as npt

from realtime_server.core.matching.table import Ints

#: Sums looked at for one pool: 20,000 take about half a millisecond. Larger pools are searched for smaller groups.
MAX_SUMS: Final = 20_000
#: Records of one pool; a larger one says nothing, for by chance everything adds up.
MAX_POOL: Final = 80
_ROUND: Final = tuple(factor * 10**power for power in range(8) for factor in (1, 5))
#: How near a sum must lie to count as near, as a share of the target.
_NEAR: Final = 0.05


@dataclass(frozen=True, slots=True)
class Solution:
    """``members``: positions in the pool. ``chance``: groups of this size or smaller expected to fit by accident."""

    members: tuple[int, ...]
    chance: float


def largest_group(pool: int, limit: int) -> int:
    """The most members a group from a pool of this size is searched for; below 2 there is nothing to search."""
    if not 2 <= pool <= MAX_POOL:
        return 0
    total, size = 0, 1
    while size < min(limit, pool) and total + comb(pool, size + 1) <= MAX_SUMS:
        size += 1
        total += comb(pool, size)
    return size if size > 1 else 0


@lru_cache(maxsize=256)
def _choices(pool: int, size: int) -> npt.NDArray[np.int8]:
    members = chain.from_iterable(combinations(range(pool), size))
    return np.fromiter(members, dtype=np.int8, count=comb(pool, size) * size).reshape(-1, size)


def _roundness(amounts: Ints) -> int:
    """Round prices make equal sums likely: chance counts in steps of the roundest number that divides them all."""
    common = int(np.gcd.reduce(amounts)) if len(amounts) else 0
    return max((step for step in _ROUND if common % step == 0), default=1)


class Pool:
    """The sums of one pool, searched for several targets. ``amounts``: positive minor units."""

    def __init__(self, amounts: Ints, limit: int) -> None:
        self._amounts = amounts
        self._sums: list[tuple[int, Ints]] = []
        for size in range(2, largest_group(len(amounts), limit) + 1):
            self._sums.append((size, amounts[_choices(len(amounts), size)].sum(axis=1)))
        self._step = _roundness(amounts)

    def solve(self, target: int, most: int = 5) -> list[Solution]:
        """Groups that add up to the target exactly, smallest first, at most so many."""
        width = max(int(target * _NEAR), 50 * self._step)
        near = 0.5
        found: list[Solution] = []
        for size, sums in self._sums:
            distance = np.abs(sums - target)
            near += float((distance <= width).sum())
            hits = np.flatnonzero(distance == 0)
            chance = max(near - len(hits) - len(found), 0.5) * self._step / (2 * width + self._step)
            for hit in hits[: most - len(found)]:
                members = tuple(int(place) for place in _choices(len(self._amounts), size)[hit])
                found.append(Solution(members, chance))
            if len(found) >= most:
                break
        return found
