"""Groups by sum: records that add up to one of the other side, where too few sums come near for that to be chance.

Three ways in which records are put together before they are added up: entries that bear one reference of their own (a
paying-in slip); records that have a reference or rare words in common with the target (instalments of an invoice);
entries of one day (a deposit without a word). How often each way is right is estimated from the data: far more targets
must be met than chance would meet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from realtime_server.core.matching import words
from realtime_server.core.matching.comparisons import lag_level
from realtime_server.core.matching.references import Group
from realtime_server.core.matching.rules import DEFAULT_MOST, Rule
from realtime_server.core.matching.sums import MAX_POOL, Pool
from realtime_server.core.matching.table import Floats, Ints
from realtime_server.core.matching.workspace import Workspace

#: Bits that two texts must have in common for one to be looked for among the other's parts.
_LEAST_BITS: Final = 6.0
#: The likest records of one target that are tried as its parts.
_LIKE_POOL: Final = 24
#: Pairs that a word may bring together; one that brings more tells nobody apart.
_MAX_SHARING: Final = 900
#: A record that has a partner this sure is not looked for in groups.
_SPOKEN_FOR: Final = 0.9
#: Days after which entries of one day are not looked for in a deposit any more.
_LAST_DAY: Final = 12
#: Entries of one slip under a rule that does not say how many: its reference holds them together, so there may be more
#: than can be told apart by their sum.
_MOST_OF_SLIP: Final = 50
#: Share of the targets that a way in meets truly, before the data has spoken, and how many targets that is worth.
_PRIOR, _PRIOR_WEIGHT = 0.05, 20.0


@dataclass(frozen=True, slots=True)
class _Hit:
    """Members that add up to a target. ``side``: of the target. ``chance``: expected number of accidental hits."""

    side: int
    target: int
    members: tuple[int, ...]
    chance: float
    way: str

    @property
    def sides(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Rows of the ledger, and of the statement."""
        target, members = (self.target,), tuple(sorted(self.members))
        return (target, members) if self.side == 0 else (members, target)


def find(work: Workspace, rule: Rule) -> list[Group]:
    """Groups of free records, the surest first; they may overlap, and the caller takes what is still free."""
    open_rows = _open_rows(work)
    hits: list[_Hit] = []
    tried: dict[str, int] = {}
    for way, found in (
        ("slip", _slips(work, rule, open_rows)),
        ("like", _likes(work, rule, open_rows)),
        ("day", _days(work, rule, open_rows)),
    ):
        targets = set()
        for side, target, solutions in found:
            targets.add((side, target))
            met = (_Hit(side, target, members, chance, way) for members, chance in solutions)
            hits += [hit for hit in met if not work.rejected(*hit.sides)]
        tried[way] = len(targets)
    groups = _judge(hits, tried)
    return sorted((_group(work, hit, sure) for hit, sure in groups), key=lambda g: (-g.sure, g.ledger, g.statement))


_Found = Iterator[tuple[int, int, list[tuple[tuple[int, ...], float]]]]


def _open_rows(work: Workspace) -> tuple[Ints, Ints]:
    """Free rows without a sure partner."""
    rows: list[Ints] = []
    for side, of_pair in enumerate((work.pairs.left, work.pairs.right)):
        other = (work.pairs.right, work.pairs.left)[side]
        usable = work.free[side][of_pair] & work.free[1 - side][other] & work.usual
        best = np.zeros(len(work.tables[side]))
        np.maximum.at(best, of_pair[usable], work.scored.sure[usable])
        rows.append(np.flatnonzero(work.free[side] & (best < _SPOKEN_FOR)))
    return rows[0], rows[1]


def _window(rule: Rule, side: int) -> tuple[int, int]:
    """Days (first, last) in which members lie, counted from a target of this side."""
    return (-rule.days_after, rule.days_before) if side == 1 else (-rule.days_before, rule.days_after)


# -- entries with a reference of their own -----------------------------------------------------------------------------


def _slips(work: Workspace, rule: Rule, open_rows: tuple[Ints, Ints]) -> _Found:
    for side in (0, 1):
        groups: dict[tuple[str, int], list[int]] = defaultdict(list)
        table, others = work.tables[side], work.tables[1 - side]
        for row in open_rows[side]:
            if table.own[row]:
                groups[table.references[row][0], int(table.currency[row])].append(int(row))
        most = _MOST_OF_SLIP if rule.max_records == DEFAULT_MOST else rule.max_records
        several = [rows for _, rows in sorted(groups.items()) if 1 < len(rows) <= most]
        if not several:
            continue
        targets = open_rows[1 - side]
        by_target: dict[int, list[tuple[tuple[int, ...], float]]] = defaultdict(list)
        first, last = _window(rule, side)
        for rows in several:
            total = int(table.minor[rows].sum())
            lags = others.day[targets] - table.day[rows].max()
            near = targets[
                (others.currency[targets] == table.currency[rows[0]]) & (lags >= first) & (lags <= min(last, 20))
            ]
            width = max(abs(total) // 20, 50)
            distance = np.abs(others.minor[near] - total)
            chance = (float(((distance > 0) & (distance <= width)).sum()) + 0.5) / (2 * width + 1)
            for target in near[distance == 0]:
                by_target[int(target)].append((tuple(rows), chance))
        for target in targets:
            yield 1 - side, int(target), by_target.get(int(target), [])


# -- records that have something in common with the target -------------------------------------------------------------


def _likes(work: Workspace, rule: Rule, open_rows: tuple[Ints, Ints]) -> _Found:
    left, right, bits = _related(work, open_rows)
    for side, (targets, members) in enumerate(((left, right), (right, left))):
        pools: dict[int, list[int]] = defaultdict(list)
        # The likest first: a pool has room for so many.
        for place in np.lexsort((members, -bits, targets)).tolist():
            pools[int(targets[place])].append(int(members[place]))
        table, others = work.tables[side], work.tables[1 - side]
        days, minor = others.day.tolist(), others.minor.tolist()
        for target, rows in sorted(pools.items()):
            pool = _parts(rule, side, int(table.day[target]), int(table.minor[target]), days, minor, rows)
            if len(pool) < 2:
                continue
            solver = Pool(np.abs(others.minor[pool]), rule.max_records)
            solutions = solver.solve(abs(int(table.minor[target])))
            yield side, target, [(tuple(pool[i] for i in item.members), item.chance) for item in solutions]


def _parts(
    rule: Rule, side: int, day: int, target: int, days: list[int], minor: list[int], rows: Sequence[int]
) -> list[int]:
    """The rows that could be a part of the target: its sign, less than it, in the window of days."""
    first, last = _window(rule, side)
    found: list[int] = []
    for row in rows:
        amount = minor[row]
        if (amount < 0) == (target < 0) and 0 < abs(amount) < abs(target) and first <= days[row] - day <= last:
            found.append(row)
            if len(found) == _LIKE_POOL:
                break
    return sorted(found)


def _related(work: Workspace, open_rows: tuple[Ints, Ints]) -> tuple[Ints, Ints, Floats]:
    """Pairs of free rows with a reference in common, or enough words; and the bits in common."""
    shared: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate(open_rows):
        table = work.tables[side]
        for row in rows.tolist():
            for key in (*(f"#{item}" for item in table.references[row]), *_keys(table.folded[row])):
                shared[key][side].append(row)
    by_reference: set[tuple[int, int]] = set()
    by_word: set[tuple[int, int]] = set()
    for key, (lefts, rights) in shared.items():
        if len(lefts) * len(rights) <= _MAX_SHARING:
            (by_reference if key.startswith("#") else by_word).update((a, b) for a in lefts for b in rights)
    pairs = np.array(sorted(by_word | by_reference), dtype=np.int64).reshape(-1, 2)
    _, bits = words.compare(work.texts, pairs[:, 0], pairs[:, 1])
    stated = np.array([(int(a), int(b)) in by_reference for a, b in pairs], dtype=np.bool_)
    same = work.ledger.currency[pairs[:, 0]] == work.statement.currency[pairs[:, 1]]
    kept = np.flatnonzero(same & (stated | (bits >= _LEAST_BITS)))
    return pairs[kept, 0], pairs[kept, 1], np.where(stated[kept], 50.0, 0.0) + bits[kept]


def _keys(text: str) -> set[str]:
    """By what texts are brought together: words, and two words in a row, by their first letters."""
    stems = [part[: words.STEM_LETTERS] for part in text.split() if len(part) > 2]
    return {stem for stem in stems if len(stem) > 3} | {" ".join(two) for two in pairwise(stems)}


# -- entries of one day ------------------------------------------------------------------------------------------------


def _days(work: Workspace, rule: Rule, open_rows: tuple[Ints, Ints]) -> _Found:
    """Ledger entries of one day that a later deposit holds. Never the other way: a bank does not batch by day."""
    table, others = work.statement, work.ledger
    pools: dict[tuple[int, bool, int], list[int]] = defaultdict(list)
    for row in open_rows[0].tolist():
        pools[int(others.currency[row]), bool(others.minor[row] < 0), int(others.day[row])].append(row)
    likely = _lag_shares(work)
    solvers = {
        key: (rows, Pool(np.abs(others.minor[rows]), rule.max_records))
        for key, rows in pools.items()
        if 1 < len(rows) <= MAX_POOL
    }
    for target in open_rows[1].tolist():
        currency, minor, day = int(table.currency[target]), int(table.minor[target]), int(table.day[target])
        found: list[tuple[tuple[int, ...], float]] = []
        for lag in range(-1, min(rule.days_after, _LAST_DAY) + 1):
            entry = solvers.get((currency, minor < 0, day - lag))
            if entry is not None and minor:
                rows, solver = entry
                share = likely[lag + 1]
                found += [(tuple(rows[i] for i in s.members), s.chance / share) for s in solver.solve(abs(minor))]
        yield 1, target, found


def _lag_shares(work: Workspace) -> Floats:
    """How likely a deposit comes so many days after its entries, from one day before on: as sure pairs came."""
    lags = np.arange(-1, _LAST_DAY + 1)
    levels = lag_level(lags)
    width = np.bincount(levels, minlength=levels.max() + 1)[levels]
    share = work.scored.learned["date"][levels] / width + 0.002
    return np.asarray(share / share.sum())


# -- judgement ---------------------------------------------------------------------------------------------------------


def _judge(hits: Sequence[_Hit], tried: dict[str, int]) -> list[tuple[_Hit, float]]:
    """The probability of each hit: it is the true one, against chance, and against the target's other hits."""
    rates = dict.fromkeys(tried, _PRIOR)
    by_target: dict[tuple[int, int], list[_Hit]] = defaultdict(list)
    for hit in hits:
        by_target[hit.side, hit.target].append(hit)
    result: list[tuple[_Hit, float]] = []
    for _ in range(20):
        result = []
        met: dict[str, float] = defaultdict(float)
        for group in by_target.values():
            odds = [rates[hit.way] / (1 - rates[hit.way]) / hit.chance for hit in group]
            # The same members found in two ways are one hypothesis, and the better way tells.
            merged: dict[tuple[int, ...], tuple[float, _Hit]] = {}
            for odd, hit in zip(odds, group, strict=True):
                key = tuple(sorted(hit.members))
                if key not in merged or merged[key][0] < odd:
                    merged[key] = (odd, hit)
            total = 1.0 + sum(odd for odd, _ in merged.values())
            for odd, hit in merged.values():
                result.append((hit, odd / total))
                met[hit.way] += odd / total
        rates = {
            way: min((met[way] + _PRIOR * _PRIOR_WEIGHT) / (count + _PRIOR_WEIGHT), 0.5) for way, count in tried.items()
        }
    return result


_WAYS: Final = {
    "slip": "bear one reference, and add up to it",
    "like": "have reference or words in common with it, and add up to it",
    "day": "are of one day, and add up to it",
}


def _group(work: Workspace, hit: _Hit, sure: float) -> Group:
    ledger, statement = hit.sides
    where = "statement" if hit.side == 0 else "ledger"
    reasons = (f"{len(hit.members)} records of the {where} {_WAYS[hit.way]}", in_words(hit.chance))
    return Group(ledger, statement, sure, sure > 0.99, reasons)


def in_words(chance: float) -> str:
    """How many such sums there would be by chance."""
    if chance < 1e-6:
        return "hardly by chance"
    if chance < 0.5:
        return f"by chance once in {float(f'{1 / chance:.1g}'):,.0f} times"
    return f"by chance {chance:,.0f} such sums" if chance >= 1.5 else "by chance one such sum"
