"""How sure a pair is: weights learned from the data, and candidates that compete for each other.

A pair's evidence is the sum over the comparisons of ``log2(m / u)``: ``m``, how likely the outcome is between records
that belong together, learned here; ``u``, by chance (`comparisons`). (I. P. Fellegi, A. B. Sunter: A Theory for Record
Linkage, JASA 64, 1969.) Nobody labels anything: ``m`` is estimated by expectation maximisation, and from the pairs that
are matched already.

Since a record belongs to one other at most, how sure a pair is depends on who else could have either of the two. The
posterior over all one-to-one assignments is that of a monomer-dimer system; its marginals are computed by belief
propagation, which converges on every graph for this model and is exact on trees (M. Bayati, C. Nair: A rigorous proof
of the cavity method for counting matchings, 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from realtime_server.core.matching.blocking import Pairs
from realtime_server.core.matching.comparisons import Comparison
from realtime_server.core.matching.table import Floats, Ints

#: Rounds of expectation maximisation; the weights move by less than a hundredth after eight.
ROUNDS: Final = 10
#: Rounds of messages within each, and for the final answer.
_MESSAGES, _FINAL_MESSAGES = 6, 30
#: Odds are held below this, where a sum with 1 in double precision still keeps 12 bits of the 1.
_MAX_BITS: Final = 40.0
#: Pairs below these odds take no part in the competition: a thousand of them together would not change a decision.
_MIN_BITS: Final = -14.0


@dataclass(frozen=True, slots=True)
class Scored:
    """``bits``: log2 of the odds that a pair belongs together, seen alone. ``sure``: its probability, with all others
    that want either record. ``learned``: for each comparison, ``m`` by level."""

    bits: Floats
    sure: Floats
    learned: dict[str, Floats]


def score(
    sizes: tuple[int, int],
    opened: tuple[int, int],
    pairs: Pairs,
    comparisons: Sequence[Comparison],
    extra: Floats | None = None,
) -> Scored:
    """``sizes``: rows of both sides, and ``opened``: how many of them are open, which the rows of all ``pairs`` are.
    ``extra``: further evidence of each pair, in bits."""
    learned = {item.name: _estimate(item, np.zeros(len(pairs))) for item in comparisons}
    # How many of the open belong together is estimated from them alone: matched ones say nothing of that.
    matched = 0.7 * min(opened)
    bits = np.zeros(len(pairs))
    sure = np.zeros(len(pairs))
    if not len(pairs):
        return Scored(bits, sure, learned)
    for _ in range(ROUNDS):
        bits = _evidence(opened, matched, comparisons, learned, extra)
        sure = _compete(sizes, pairs, bits, _MESSAGES)
        matched = float(sure.sum())
        learned = {item.name: _estimate(item, sure) for item in comparisons}
    bits = _evidence(opened, matched, comparisons, learned, extra)
    return Scored(bits, _compete(sizes, pairs, bits, _FINAL_MESSAGES), learned)


def _evidence(
    opened: tuple[int, int],
    matched: float,
    comparisons: Sequence[Comparison],
    learned: dict[str, Floats],
    extra: Floats | None,
) -> Floats:
    """log2 of the odds of each pair: one of the others is its partner (prior), and what the comparisons say."""
    shares = [min(max(matched / max(size, 1), 0.05), 0.98) for size in opened]
    prior = matched / (opened[0] * opened[1]) / ((1 - shares[0]) * (1 - shares[1]))
    bits = np.full(len(comparisons[0].levels), np.log2(max(prior, 1e-12)))
    for item in comparisons:
        bits += np.log2(learned[item.name])[item.levels] - item.chance
    return bits if extra is None else bits + extra


def _estimate(item: Comparison, sure: Floats) -> Floats:
    counts = np.bincount(item.levels, weights=sure, minlength=len(item.prior))[: len(item.prior)]
    total = counts + item.known + item.prior * item.prior_weight
    return np.asarray(total / total.sum())


def _compete(sizes: tuple[int, int], pairs: Pairs, bits: Floats, rounds: int) -> Floats:
    """The probability of each pair among all one-to-one assignments of both sides."""
    take = np.flatnonzero(bits > _MIN_BITS)
    odds = np.exp2(np.minimum(bits[take], _MAX_BITS))
    left, right = pairs.left[take], pairs.right[take]
    # Message along a pair: how free the one record is, when the pair itself is left out.
    from_left = np.ones(len(take))
    from_right = np.ones(len(take))
    for _ in range(rounds):
        from_left = _freedom(sizes[0], left, odds * from_right)
        from_right = _freedom(sizes[1], right, odds * from_left)
    together = odds * from_left * from_right
    sure = np.zeros(len(bits))
    sure[take] = together / (1.0 + together)
    return sure


def compete(sizes: tuple[int, int], pairs: Pairs, bits: Floats) -> Floats:
    """The probability of each pair among these alone: for what is left when others are matched."""
    return _compete(sizes, pairs, bits, _FINAL_MESSAGES)


def _freedom(size: int, rows: Ints, wanted: Floats) -> Floats:
    total = np.bincount(rows, weights=wanted, minlength=size)
    return np.asarray(1.0 / (1.0 + np.maximum(total[rows] - wanted, 0.0)))
