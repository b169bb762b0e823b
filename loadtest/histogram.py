"""A high dynamic range histogram of microseconds: any duration within 0.8 %, in constant memory, added up exactly.

After Gil Tene's HdrHistogram: every power of two is divided evenly, here into 128 parts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

_PART_BITS: Final = 7
#: Everything longer than 2^36 µs (19 hours) counts as that.
_LONGEST: Final = (1 << 36) - 1


def bucket_of(microseconds: int) -> int:
    """The bucket that counts this duration; negative durations (clocks) count as 0."""
    value = min(max(microseconds, 0), _LONGEST)
    shift = max(0, value.bit_length() - _PART_BITS - 1)
    return (shift << _PART_BITS) + (value >> shift)


def highest_in(bucket: int) -> int:
    """The longest duration that the bucket counts, in microseconds."""
    shift = max(0, (bucket >> _PART_BITS) - 1)
    lowest = (bucket - (shift << _PART_BITS)) << shift
    return lowest + (1 << shift) - 1


BUCKETS: Final = bucket_of(_LONGEST) + 1


class Histogram:
    """Counts of durations. ``counts`` may be added to directly by who knows the bucket: that is the hot path."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts = [0] * BUCKETS

    def record(self, microseconds: int) -> None:
        self.counts[bucket_of(microseconds)] += 1

    def add(self, sparse: Mapping[str, int] | Iterable[tuple[int, int]]) -> None:
        """Add what `sparse` gave, of this or another process."""
        for bucket, count in sparse.items() if isinstance(sparse, Mapping) else sparse:
            self.counts[int(bucket)] += count

    def sparse(self) -> dict[str, int]:
        """Bucket -> count of the buckets that count anything (text keys, as JSON has them)."""
        return {str(bucket): count for bucket, count in enumerate(self.counts) if count}

    def clear(self) -> None:
        self.counts[:] = [0] * BUCKETS

    @property
    def total(self) -> int:
        return sum(self.counts)

    def not_below(self, milliseconds: float) -> int:
        """How many durations are as long or longer, as `quantile` would tell them."""
        limit = milliseconds * 1000
        return sum(count for bucket, count in enumerate(self.counts) if count and highest_in(bucket) >= limit)

    def quantile(self, share: float) -> float | None:
        """Milliseconds that this share of the durations did not exceed; None when there are none."""
        total = self.total
        if not total:
            return None
        wanted, seen = max(1, math.ceil(total * share - 1e-9)), 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if seen >= wanted:
                return highest_in(bucket) / 1000
        return None

    def summary(self) -> dict[str, float | int | None]:
        """``count``, and milliseconds: ``p50``, ``p90``, ``p99``, ``p999``, ``max``."""
        return {
            "count": self.total,
            "p50": self.quantile(0.5),
            "p90": self.quantile(0.9),
            "p99": self.quantile(0.99),
            "p999": self.quantile(0.999),
            "max": self.quantile(1.0),
        }
