"""What the rules work on: both sides as tables, scored pairs, and which records are still free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from realtime_server.core.matching import blocking, comparisons, model, reversals, table
from realtime_server.core.matching.blocking import Pairs, Reach
from realtime_server.core.matching.comparisons import Comparison
from realtime_server.core.matching.model import Scored
from realtime_server.core.matching.rejections import NO_REJECTIONS, Rejections
from realtime_server.core.matching.reversals import Chain
from realtime_server.core.matching.settled import NOTHING_SETTLED, Settled
from realtime_server.core.matching.table import Bools, Floats, Item, Side, Table
from realtime_server.core.matching.words import Words, read

#: Evidence against an entry that repeats an earlier one (same reference, amount and text), in bits: the first is meant.
_REPEATED_BITS = 8.0
#: Share of the true pairs that a difference of amounts must have to count as usual.
_USUAL_SHARE = 0.002
#: Days within which the same entry twice is a duplicate, and not the next instalment.
_REPEATED_WITHIN = 10


@dataclass(slots=True)
class Workspace:
    """``free``: rows of each side that are open, and that no rule has matched yet; the rows of ``pairs`` were all open.
    ``chains``: by the id of what stands for one.
    ``rejections``: ``pairs`` has none of them; groups are asked for (`rejected`)."""

    ledger: Table
    statement: Table
    texts: Words
    pairs: Pairs
    compared: Sequence[Comparison]
    scored: Scored
    chains: dict[str, Chain]
    cancelled: list[tuple[Side, Chain]]
    rejections: Rejections
    free: tuple[Bools, Bools]
    rivals: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.rivals = _rivals(self.pairs, self.scored.bits, (len(self.ledger), len(self.statement)))

    @property
    def usual(self) -> Bools:
        """Pairs whose amounts differ no more than true pairs of these books are found to differ."""
        amounts = next(item for item in self.compared if item.name == "amount")
        return np.asarray(self.scored.learned["amount"][amounts.levels] >= _USUAL_SHARE)

    @property
    def tables(self) -> tuple[Table, Table]:
        return self.ledger, self.statement

    def take(self, ledger: Sequence[int], statement: Sequence[int]) -> None:
        self.free[0][list(ledger)] = False
        self.free[1][list(statement)] = False

    def rows_free(self, ledger: Sequence[int], statement: Sequence[int]) -> bool:
        return bool(self.free[0][list(ledger)].all() and self.free[1][list(statement)].all())

    def ids(self, side: int, rows: Sequence[int]) -> tuple[str, ...]:
        """The records of rows, a chain with all its entries."""
        return tuple(name for row in rows for name in _records(self.tables[side].items[row], self.chains))

    def rejected(self, ledger: Sequence[int], statement: Sequence[int]) -> bool:
        """Whether a person said that these rows do not belong together."""
        return self.rejections.forbid(self.ids(0, ledger) + self.ids(1, statement))


def _records(item: Item, chains: Mapping[str, Chain]) -> tuple[str, ...]:
    chain = chains.get(item.record_id)
    return (item.record_id,) if chain is None else chain.records


def prepare(
    ledger: Sequence[Item],
    statement: Sequence[Item],
    reach: Reach,
    *,
    sign: int = 1,
    chained: bool = True,
    rejections: Rejections = NO_REJECTIONS,
    settled: Settled = NOTHING_SETTLED,
) -> Workspace:
    """``sign``: -1 where the statement counts money out as positive. ``chained``: join reversals to one record each.
    ``rejections``: what is not looked at, so that it stands in nobody's way. ``settled``: what is not open."""
    chains: dict[str, Chain] = {}
    cancelled: list[tuple[Side, Chain]] = []
    sides: list[Sequence[Item]] = []
    for name, items in (("ledger", ledger), ("statement", statement)):
        side: Side = "ledger" if name == "ledger" else "statement"
        sides.append(_collapse(side, items, chains, cancelled, rejections) if chained else items)
    currencies: dict[str, int] = {}
    left = table.build([*sides[0], *settled.ledger], currencies)
    right = table.build([*sides[1], *settled.statement], currencies, sign)
    free = _open(left, settled.ledger), _open(right, settled.statement)
    pairs = _without_rejected(_candidates(left, right, free, reach), left, right, chains, rejections)
    texts = read(left.folded, right.folded, np.concatenate(free))
    compared = comparisons.compare(left, right, texts, pairs, _known(left, right, settled))
    against = -_REPEATED_BITS * (_repeated(left)[pairs.left] + _repeated(right)[pairs.right])
    opened = int(free[0].sum()), int(free[1].sum())
    scored = model.score((len(left), len(right)), opened, pairs, compared, against)
    return Workspace(left, right, texts, pairs, compared, scored, chains, cancelled, rejections, free)


def _open(side: Table, settled: Sequence[Item]) -> Bools:
    done = {item.record_id for item in settled}
    return np.array([item.record_id not in done for item in side.items], dtype=np.bool_)


def _candidates(left: Table, right: Table, free: tuple[Bools, Bools], reach: Reach) -> Pairs:
    """Pairs of open rows that are worth a look."""
    rows = np.flatnonzero(free[0]), np.flatnonzero(free[1])
    found = blocking.find(left.only(rows[0]), right.only(rows[1]), reach)
    return Pairs(rows[0][found.left], rows[1][found.right])


def _known(left: Table, right: Table, settled: Settled) -> Pairs:
    """Rows of the pairs that are matched; without those of which a record cannot be read."""
    rows = [{item.record_id: row for row, item in enumerate(side.items)} for side in (left, right)]
    both = [(rows[0][a], rows[1][b]) for a, b in settled.pairs if a in rows[0] and b in rows[1]]
    columns = np.array(both, dtype=np.int64).reshape(-1, 2)
    return Pairs(columns[:, 0], columns[:, 1])


def _without_rejected(
    pairs: Pairs, left: Table, right: Table, chains: Mapping[str, Chain], rejections: Rejections
) -> Pairs:
    if not rejections.marks:
        return pairs
    firsts = [_records(item, chains)[0] for item in left.items]
    concerned = np.array([rejections.concern(record_id) for record_id in firsts], dtype=np.bool_)
    kept = np.ones(len(pairs), dtype=np.bool_)
    for place in np.flatnonzero(concerned[pairs.left]).tolist():
        both = left.items[pairs.left[place]], right.items[pairs.right[place]]
        kept[place] = not rejections.forbid([name for item in both for name in _records(item, chains)])
    return pairs if kept.all() else Pairs(pairs.left[kept], pairs.right[kept])


def _collapse(
    side: Side,
    items: Sequence[Item],
    chains: dict[str, Chain],
    cancelled: list[tuple[Side, Chain]],
    rejections: Rejections,
) -> Sequence[Item]:
    # Entries that were said not to take each other back are records like others.
    found = [chain for chain in reversals.find(items) if not rejections.forbid(chain.records)]
    if not found:
        return items
    gone = {item.record_id for chain in found for item in chain.items}
    kept = [item for item in items if item.record_id not in gone]
    for chain in found:
        if chain.nets_to_nothing:
            cancelled.append((side, chain))
        else:
            standing = chain.standing_for(side)
            chains[standing.record_id] = chain
            kept.append(standing)
    return kept


def _repeated(side: Table) -> Floats:
    """How many earlier entries of the same side say the very same; 0 for most."""
    last: dict[tuple[str, int, str], list[int]] = defaultdict(list)
    counts = np.zeros(len(side))
    for row, item in enumerate(side.items):
        if not side.own[row]:
            continue
        earlier = last[side.references[row][0], item.minor, item.currency]
        counts[row] = sum(item.day - day <= _REPEATED_WITHIN for day in earlier)
        earlier.append(item.day)
    return np.minimum(counts, 3.0)


def _rivals(pairs: Pairs, bits: Floats, sizes: tuple[int, int]) -> Floats:
    """For each pair the bits of the best other pair of either of its records; -99 when there is none."""
    worst = np.full(len(pairs), -99.0)
    for rows, size in ((pairs.left, sizes[0]), (pairs.right, sizes[1])):
        if not len(rows):
            continue
        ordered = np.lexsort((-bits, rows))
        in_order = rows[ordered]
        first = np.concatenate((np.array([True]), in_order[1:] != in_order[:-1]))
        best, second = np.full(size, -99.0), np.full(size, -99.0)
        best_place = np.zeros(size, dtype=np.int64)
        best[in_order[first]] = bits[ordered[first]]
        best_place[in_order[first]] = ordered[first]
        behind = np.flatnonzero(first) + 1
        behind = behind[behind < len(rows)]
        behind = behind[~first[behind]]
        second[in_order[behind]] = bits[ordered[behind]]
        is_best = best_place[rows] == np.arange(len(rows))
        worst = np.maximum(worst, np.where(is_best, second[rows], best[rows]))
    return worst
