"""Which pairs are worth a look: the same amount, a reference in common, or a like text with a like amount.

Every way in is a join on sorted keys, so the work grows with the pairs found, and each has a bound on them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from realtime_server.core.matching.table import Floats, Ints, Table

#: Letters of a beginning that two texts must share to be looked at although their amounts differ: few, where few
#: texts begin so.
BEGINNINGS: Final = (3, 7, 12)
#: A beginning that a larger share of either side has tells too little; a longer one is asked for.
MAX_SHARE: Final = 0.02
#: A reference or word that more records of one side have than this tells nobody apart.
MAX_SHARING: Final = 60
#: Pairs kept by one way in, and pairs looked at for it. Wider nets are drawn in to the nearest dates and amounts.
MAX_PAIRS: Final = 1_500_000
MAX_LOOKS: Final = 40_000_000
#: Pairs that are expanded at a time: it bounds the memory.
_CHUNK: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far apart two records may be and still be looked at.

    ``percent``: relative difference of amounts, as a share, and ``tolerance``: in minor units; the larger holds.
    ``before``, ``after``: days by which the statement may be earlier or later than the ledger.
    """

    percent: float = 0.15
    tolerance: int = 0
    before: int = 10
    after: int = 45


@dataclass(frozen=True, slots=True)
class Reach:
    """``plain``: of any two records. ``referenced``: of two that have a reference in common."""

    plain: Bounds
    referenced: Bounds


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows of the left and right tables, each pair once, ordered."""

    left: Ints
    right: Ints

    def __len__(self) -> int:
        return len(self.left)

    def followed_by(self, others: Pairs) -> Pairs:
        return Pairs(np.concatenate((self.left, others.left)), np.concatenate((self.right, others.right)))


def find(left: Table, right: Table, reach: Reach) -> Pairs:
    if not len(left) or not len(right):
        return Pairs(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    found = [
        _same_amount(left, right, reach.plain),
        _same_reference(left, right, reach.referenced),
        _same_beginning(left, right, reach.plain),
        _same_word(left, right, reach.plain),
    ]
    keys = np.sort(np.concatenate([a * len(right) + b for a, b in found]))
    keys = keys[np.concatenate((np.array([True]), keys[1:] != keys[:-1]))] if len(keys) else keys
    return Pairs(keys // len(right), keys % len(right))


def _expand(low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """For each row the positions low <= p < high, as (row, position)."""
    counts = np.maximum(high - low, 0)
    rows = np.repeat(np.arange(len(low)), counts)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    return rows, np.repeat(low, counts) + np.arange(len(rows)) - starts


def _chunks(low: Ints, high: Ints) -> Iterator[tuple[Ints, Ints]]:
    """As `_expand`, a bounded number of pairs at a time."""
    ends = np.cumsum(np.maximum(high - low, 0))
    start = 0
    while start < len(low):
        done = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, done + _CHUNK, side="right")), start + 1)
        rows, places = _expand(low[start:stop], high[start:stop])
        yield rows + start, places
        start = stop


def _in_time(left: Table, right: Table, a: Ints, b: Ints, before: int, after: int) -> tuple[Ints, Ints]:
    lag = right.day[b] - left.day[a]
    near = (lag >= -before) & (lag <= after)
    return a[near], b[near]


def _same_amount(left: Table, right: Table, bounds: Bounds) -> tuple[Ints, Ints]:
    """Joined on currency, amount and a window of days: (currency, amount) numbered, then days within the number."""
    both = np.stack(
        (np.concatenate((left.currency, right.currency)), np.concatenate((left.minor, right.minor))), axis=1
    )
    _, number = np.unique(both, axis=0, return_inverse=True)
    number = number.reshape(-1).astype(np.int64)
    first = min(left.day.min(), right.day.min()) - bounds.before - bounds.after
    span = max(left.day.max(), right.day.max()) - first + bounds.before + bounds.after + 1
    keys = number * span + np.concatenate((left.day, right.day)) - first
    left_keys, right_keys = keys[: len(left)], keys[len(left) :]
    ordered = np.argsort(right_keys, kind="stable")
    in_order = right_keys[ordered]
    before, after = bounds.before, bounds.after
    while True:
        low = np.searchsorted(in_order, left_keys - before, side="left")
        high = np.searchsorted(in_order, left_keys + after, side="right")
        if int((high - low).sum()) <= MAX_PAIRS or before + after <= 2:
            break
        before, after = before // 2, max(after // 2, 1)
    rows, positions = _expand(low, high)
    return rows, ordered[positions]


def _same_reference(left: Table, right: Table, bounds: Bounds) -> tuple[Ints, Ints]:
    by_reference: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, table in enumerate((left, right)):
        for row, references in enumerate(table.references):
            for reference in references:
                by_reference[reference][side].append(row)
    a: list[int] = []
    b: list[int] = []
    for lefts, rights in by_reference.values():
        if lefts and rights and len(lefts) <= MAX_SHARING and len(rights) <= MAX_SHARING:
            a.extend(row for row in lefts for _ in rights)
            b.extend(rights * len(lefts))
    rows, others = np.array(a, dtype=np.int64), np.array(b, dtype=np.int64)
    # Beyond the reach a reference in common speaks of a part or a sum, and that is for groups.
    x, y = left.minor[rows], right.minor[others]
    same = (left.currency[rows] == right.currency[others]) & ((x < 0) == (y < 0))
    largest = np.maximum(np.abs(x), np.abs(y))
    same &= np.abs(x - y) <= np.maximum(largest * bounds.percent, bounds.tolerance)
    return _in_time(left, right, rows[same], others[same], bounds.before, bounds.after)


def _same_beginning(left: Table, right: Table, bounds: Bounds) -> tuple[Ints, Ints]:
    columns = tuple(np.zeros(len(table), dtype=np.int64) for table in (left, right))
    names: dict[str, int] = {}
    for letters in BEGINNINGS:
        beginnings = [[text[:letters] for text in table.folded] for table in (left, right)]
        counts = [Counter(side) for side in beginnings]
        telling = {
            name
            for name in counts[0].keys() & counts[1].keys()
            if name and all(counts[side][name] <= len(beginnings[side]) * MAX_SHARE + 20 for side in (0, 1))
        }
        for column, side in zip(columns, beginnings, strict=True):
            for row, name in enumerate(side):
                if not column[row] and name in telling:
                    column[row] = names.setdefault(name, len(names) + 1)
    a, b = columns
    everything = np.arange(len(left)), np.arange(len(right))
    return _like_amounts(left, right, (a, b), everything, bounds)


def _same_word(left: Table, right: Table, bounds: Bounds) -> tuple[Ints, Ints]:
    """A word in common that few records have, and a like amount: names that stand in another order, or after a code."""
    common: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, table in enumerate((left, right)):
        for row, text in enumerate(table.folded):
            for word in {part[:7] for part in text.split() if len(part) >= 4}:
                common[word][side].append(row)
    limit = max(MAX_SHARING, len(left) // 200)
    numbers: tuple[tuple[list[int], list[int]], tuple[list[int], list[int]]] = ([], []), ([], [])
    for number, (lefts, rights) in enumerate(common.values(), start=1):
        if lefts and rights and len(lefts) <= limit and len(rights) <= limit:
            for side, rows in enumerate((lefts, rights)):
                numbers[side][0].extend([number] * len(rows))
                numbers[side][1].extend(rows)
    columns = np.array(numbers[0][0], dtype=np.int64), np.array(numbers[1][0], dtype=np.int64)
    places = np.array(numbers[0][1], dtype=np.int64), np.array(numbers[1][1], dtype=np.int64)
    return _like_amounts(left, right, columns, places, bounds)


def _like_amounts(
    left: Table, right: Table, keys: tuple[Ints, Ints], rows: tuple[Ints, Ints], bounds: Bounds
) -> tuple[Ints, Ints]:
    """Joined on a key (0: none), currency and sign, with amounts that differ by at most the bounds."""
    tables = (left, right)
    kept = [keys[side] > 0 for side in (0, 1)]
    group = [_group(keys[side][kept[side]], tables[side], rows[side][kept[side]]) for side in (0, 1)]
    picked = [rows[side][kept[side]] for side in (0, 1)]
    size = [np.abs(tables[side].minor[picked[side]]) for side in (0, 1)]
    # Logarithms of 18-digit amounts stay below 50: a step of 64 keeps the groups apart in one sorted column.
    columns = [group[side] * 64.0 + _logarithm(size[side]) for side in (0, 1)]
    ordered = np.argsort(columns[1], kind="stable")
    in_order = columns[1][ordered]
    width, tolerance = float(-np.log1p(-min(bounds.percent, 0.9))), bounds.tolerance
    while True:
        # A tolerance in minor units is another share of every amount. Columns of many groups are exact to some 1e-7.
        least = group[0] * 64.0 + _logarithm(size[0] - tolerance) - 1e-6
        most = group[0] * 64.0 + _logarithm(size[0] + tolerance) + 1e-6
        low = np.searchsorted(in_order, np.minimum(columns[0] - width, least), side="left")
        high = np.searchsorted(in_order, np.maximum(columns[0] + width, most), side="right")
        if int((high - low).sum()) <= MAX_LOOKS or (width < 1e-3 and not tolerance):
            break
        width, tolerance = max(width / 2, 5e-4), tolerance // 2
    return _near(left, right, picked[0], picked[1][ordered], (low, high), bounds)


def _near(left: Table, right: Table, a: Ints, b: Ints, ranges: tuple[Ints, Ints], bounds: Bounds) -> tuple[Ints, Ints]:
    """The pairs of ranges of ``b`` with each of ``a`` that are near enough in time; when too many, the nearest days."""
    kept: list[tuple[Ints, Ints]] = []
    before, after, count = bounds.before, bounds.after, 0
    for positions, places in _chunks(*ranges):
        found = _in_time(left, right, a[positions], b[places], before, after)
        kept.append(found)
        count += len(found[0])
        while count > MAX_PAIRS and before + after > 2:
            before, after = before // 2, max(after // 2, 1)
            kept = [_in_time(left, right, *pair, before, after) for pair in kept]
            count = sum(len(pair[0]) for pair in kept)
    rows = np.concatenate([pair[0] for pair in kept]) if kept else np.zeros(0, dtype=np.int64)
    others = np.concatenate([pair[1] for pair in kept]) if kept else np.zeros(0, dtype=np.int64)
    same = left.currency[rows] == right.currency[others]
    return rows[same], others[same]


def _group(keys: Ints, table: Table, rows: Ints) -> Ints:
    return (keys * 64 + table.currency[rows] % 64) * 2 + (table.minor[rows] < 0)


def _logarithm(size: Ints) -> Floats:
    return np.log(np.maximum(size, 1).astype(np.float64))
