"""What is compared of a pair, and how likely each outcome is between records that have nothing to do with each other.

Every comparison gives a level. How likely a level is by chance (the ``u`` of Fellegi and Sunter) is counted for each
pair on its own: so many records of the other side have this very amount, or lie so many days away, or begin with the
same letters. A popular amount or name is thereby worth little without anybody saying so. Settled records are counted
too: they were as likely to come by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from realtime_server.core.matching import words as w
from realtime_server.core.matching.blocking import Pairs
from realtime_server.core.matching.table import Floats, Ints, Table

Levels = npt.NDArray[np.int8]
Weights = npt.NDArray[np.float32]

#: Upper bounds of the relative difference of two amounts, as ``|ln(statement / ledger)|``; 0 is the same amount.
AMOUNT_EDGES: Final = (0.0, 0.002, 0.01, 0.02, 0.04, 0.06, 0.09, 0.13, 0.20)
#: First days of the bins of the lag: statement less ledger.
LAG_EDGES: Final = (-400, -20, -10, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 14, 18, 22, 27, 32, 46, 400)

REFERENCE_LEVELS: Final = ("no reference to compare", "references differ", "a reference in the text", "same reference")
ABSENT, DIFFERENT, MENTIONED, SAME = range(len(REFERENCE_LEVELS))


@dataclass(frozen=True, slots=True)
class Comparison:
    """``levels``: the outcome for each pair. ``chance``: log2 of ``u`` for it. ``prior``: share of each level among
    true pairs before the data has spoken, worth ``prior_weight`` pairs. ``known``: how many of the pairs that are known
    to belong together have each level."""

    name: str
    levels: Levels
    chance: Weights
    prior: Floats
    prior_weight: float
    known: Floats = field(default_factory=lambda: np.zeros(1))


def compare(left: Table, right: Table, texts: w.Words, pairs: Pairs, known: Pairs) -> tuple[Comparison, ...]:
    """``known``: pairs that belong together."""
    both = pairs.followed_by(known)
    compared = (
        _amounts(left, right, both),
        _lags(left, right, both),
        _texts(texts, both),
        _references(left, right, both),
    )
    return tuple(_with_known(item, len(pairs)) for item in compared)


def _with_known(item: Comparison, pairs: int) -> Comparison:
    """The levels of the pairs that come after the first ``pairs`` counted."""
    known = np.bincount(item.levels[pairs:], minlength=len(item.prior)).astype(np.float64)
    return replace(item, levels=item.levels[:pairs], chance=item.chance[:pairs], known=known)


def _log2(counts: npt.NDArray[np.float64], size: int) -> Weights:
    return np.log2(np.maximum(counts, 0.5) / max(size, 1)).astype(np.float32)


# -- amounts -----------------------------------------------------------------------------------------------------------


def amount_level(difference: Floats) -> Levels:
    """0: the same; 1 …: the statement is more, by steps; then: it is less, by the same steps. Last: further apart."""
    step = np.searchsorted(AMOUNT_EDGES, np.abs(difference), side="left")
    steps = len(AMOUNT_EDGES) - 1
    level = np.where(difference < 0, step + steps, step)
    return np.where(step > steps, 2 * steps + 1, np.where(step == 0, 0, level)).astype(np.int8)


def _amounts(left: Table, right: Table, pairs: Pairs) -> Comparison:
    a, b = pairs.left, pairs.right
    x, y = left.minor[a], right.minor[b]
    same_sign = (x < 0) == (y < 0)
    logs = [np.log(np.maximum(np.abs(t.minor), 0.5).astype(np.float64)) for t in (left, right)]
    difference = np.where(same_sign, logs[1][b] - logs[0][a], 9.0)
    difference = np.where(x == y, 0.0, np.where(difference == 0.0, 1e-9, difference))
    levels = amount_level(difference)
    step = np.minimum(np.searchsorted(AMOUNT_EDGES, np.abs(difference), side="left"), len(AMOUNT_EDGES) - 1)
    forth = _around(right, logs[1], logs[0], left)
    back = _around(left, logs[0], logs[1], right)
    # Half of a two-sided ring: levels tell more from less.
    share = np.where(step == 0, 1.0, 0.5)
    chance = np.maximum(
        _log2(forth[a, step] * share, len(right)),
        _log2(back[b, step] * share, len(left)),
    )
    beyond = levels == 2 * (len(AMOUNT_EDGES) - 1) + 1
    half = [0.5, 0.06, 0.08, 0.06, 0.06, 0.04, 0.03, 0.015, 0.005]
    prior = np.array([half[0], *[h / 2 for h in half[1:]] * 2, 0.002])
    return Comparison("amount", levels, np.where(beyond, 0.0, chance).astype(np.float32), prior / prior.sum(), 20.0)


def _around(others: Table, other_logs: Floats, logs: Floats, mine: Table) -> Floats:
    """For each of my rows and each step of `AMOUNT_EDGES`, how many others (same currency, sign) lie in that ring."""
    key = others.currency * 128.0 + (others.minor < 0) * 64.0
    column = np.sort(key + other_logs)
    own = mine.currency * 128.0 + (mine.minor < 0) * 64.0 + logs
    tiny = 1e-9
    within = np.empty((len(mine), len(AMOUNT_EDGES)))
    for place, edge in enumerate(AMOUNT_EDGES):
        low = np.searchsorted(column, own - edge - tiny, side="left")
        high = np.searchsorted(column, own + edge + tiny, side="right")
        within[:, place] = high - low
    return np.diff(within, axis=1, prepend=0.0)


# -- days --------------------------------------------------------------------------------------------------------------


def lag_level(lag: Ints) -> Levels:
    return np.clip(np.searchsorted(LAG_EDGES, lag, side="right") - 1, 0, len(LAG_EDGES) - 2).astype(np.int8)


def _lags(left: Table, right: Table, pairs: Pairs) -> Comparison:
    levels = lag_level(right.day[pairs.right] - left.day[pairs.left])
    edges = np.array(LAG_EDGES)
    forth = _in_days(right.day, left.day, edges)[pairs.left, levels]
    back = _in_days(-left.day, -right.day, edges)[pairs.right, levels]
    chance = np.maximum(_log2(forth, len(right)), _log2(back, len(left)))
    return Comparison("date", levels, chance, _lag_prior(), 20.0)


def _in_days(others: Ints, mine: Ints, edges: Ints) -> Floats:
    """For each of my rows, how many others are so many days later, by the bins of ``edges``."""
    ordered = np.sort(others)
    low = np.searchsorted(ordered, mine[:, None] + edges[None, :], side="left")
    return np.diff(low, axis=1).astype(np.float64)


def _lag_prior() -> Floats:
    """Before the data has spoken: most lines follow within days, few come before, a tail of weeks (cheques)."""
    first, last = np.array(LAG_EDGES[:-1]), np.array(LAG_EDGES[1:])
    middle = (first + last - 1) / 2
    per_day = np.where(middle < 0, 0.25 * np.exp(middle / 2), np.exp(-middle / 3) + 0.01 * np.exp(-middle / 20))
    mass = per_day * np.minimum(last - first, 60) + 1e-5
    return np.asarray(mass / mass.sum())


# -- texts -------------------------------------------------------------------------------------------------------------


def _texts(texts: w.Words, pairs: Pairs) -> Comparison:
    levels, bits = w.compare(texts, pairs.left, pairs.right)
    prior = np.array([0.08, 0.06, 0.12, 0.12, 0.14, 0.14, 0.08, 0.12, 0.14])
    chance = np.where(levels == w.DIFFER, 0.0, -bits).astype(np.float32)
    return Comparison("description", levels, chance, prior / prior.sum(), 20.0)


# -- references --------------------------------------------------------------------------------------------------------


def _references(left: Table, right: Table, pairs: Pairs) -> Comparison:
    numbers: dict[str, int] = {}
    columns = [_reference_numbers(table.references, numbers) for table in (left, right)]
    counts = [np.bincount(column[column > 0], minlength=len(numbers) + 1) for column in columns]
    a, b = pairs.left, pairs.right
    levels = np.zeros(len(pairs), dtype=np.int8)
    chance = np.zeros(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), w.CHUNK):
        part = slice(start, start + w.CHUNK)
        levels[part], chance[part] = _compare_references(left, right, columns, counts, a[part], b[part])
    # "Differ" is held against a pair only as far as the data shows that true pairs do agree.
    prior = np.array([0.5, 0.1, 0.2, 0.2])
    return Comparison("reference", levels, chance, prior, 10.0)


def _reference_numbers(references: Sequence[tuple[str, ...]], numbers: dict[str, int]) -> npt.NDArray[np.int64]:
    width = max((len(item) for item in references), default=0) or 1
    column = np.zeros((len(references), width), dtype=np.int64)
    for row, items in enumerate(references):
        for place, item in enumerate(items):
            column[row, place] = numbers.setdefault(item, len(numbers) + 1)
    return column


def _compare_references(
    left: Table, right: Table, columns: list[Ints], counts: list[npt.NDArray[np.int64]], a: Ints, b: Ints
) -> tuple[Levels, Weights]:
    mine, theirs = columns[0][a], columns[1][b]
    shared = np.zeros(len(a), dtype=np.int64)
    for place in range(mine.shape[1]):
        number = mine[:, place : place + 1]
        found = ((number == theirs) & (number > 0)).any(axis=1)
        shared = np.where((shared == 0) & found, mine[:, place], shared)
    both_own = left.own[a] & right.own[b]
    same = both_own & (mine[:, 0] == theirs[:, 0])
    levels = np.select([same, shared > 0, both_own], [SAME, MENTIONED, DIFFERENT], ABSENT).astype(np.int8)
    forth = _log2(counts[1][shared].astype(np.float64), len(right))
    back = _log2(counts[0][shared].astype(np.float64), len(left))
    chance = np.where(shared > 0, np.maximum(forth, back), 0.0)
    # By chance: two references differ almost always, so that saying "differ" costs what its rarity among matches is.
    return levels, chance.astype(np.float32)
