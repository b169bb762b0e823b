"""The matcher: two sides and a project's rules in, proposals out. The same input gives the same output, always."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from rapidfuzz import fuzz

from realtime_server.core.matching import batches, explain, model, references
from realtime_server.core.matching.blocking import Bounds, Pairs, Reach
from realtime_server.core.matching.comparisons import MENTIONED, Comparison
from realtime_server.core.matching.proposals import Proposal
from realtime_server.core.matching.references import Group
from realtime_server.core.matching.rejections import NO_REJECTIONS, Rejections
from realtime_server.core.matching.rules import AUTO_MARGIN, Kind, Rule
from realtime_server.core.matching.settled import NOTHING_SETTLED, Settled
from realtime_server.core.matching.table import Ints, Item
from realtime_server.core.matching.workspace import Workspace, prepare


def propose(
    ledger: Sequence[Item],
    statement: Sequence[Item],
    rules: Sequence[Rule],
    *,
    sign: int = 1,
    rejections: Rejections = NO_REJECTIONS,
    settled: Settled = NOTHING_SETTLED,
) -> list[Proposal]:
    """Every open record is in one proposal at most. Ordered by the rules, then by the ledger's dates.

    ``sign``: -1 where the statement counts money out as positive (`statement_sign`). ``rejections``: what is not
    proposed again. ``settled``: the records that are not open, by which the open ones are judged.
    """
    active = [rule for rule in rules if rule.enabled]
    if not active:
        return []
    chained = any(rule.kind is Kind.REVERSAL for rule in active)
    reach = reach_of(active)
    work = prepare(ledger, statement, reach, sign=sign, chained=chained, rejections=rejections, settled=settled)
    return [proposal for rule in active for proposal in _APPLY[rule.kind](work, rule)]


def reach_of(rules: Sequence[Rule]) -> Reach:
    """How far apart any of the rules lets the records of a pair be."""
    pairs = [rule for rule in rules if rule.kind is Kind.PAIR]
    plain = _bounds([rule for rule in pairs if not rule.reference_required])
    referenced = _bounds([rule for rule in pairs if rule.reference_required])
    return Reach(
        plain,
        Bounds(
            percent=max(plain.percent, referenced.percent),
            tolerance=max(plain.tolerance, referenced.tolerance),
            before=max(plain.before + _LONGER, referenced.before),
            after=max(plain.after + _LONGER, referenced.after),
        ),
    )


#: Days by which records with a reference in common may be further apart than others, and still be looked at.
_LONGER: Final = 50
#: Amounts that differ less are looked at whatever the rules say: they are rivals to be known of.
_LEAST: Final = 0.001


def _bounds(rules: Sequence[Rule]) -> Bounds:
    if not rules:
        return Bounds(percent=_LEAST)
    return Bounds(
        percent=max(_LEAST, *(rule.amount_percent / 100 for rule in rules)),
        tolerance=max(rule.amount_tolerance for rule in rules),
        before=max(rule.days_before for rule in rules),
        after=max(rule.days_after for rule in rules),
    )


#: By how many more than twice the others amounts must agree. Different ones hardly do so by chance, alike ones may: a
#: standing price against its refunds.
_MORE, _MORE_DIFFERENT = 10, 2


def statement_sign(ledger: Sequence[Item], statement: Sequence[Item], agreed: tuple[int, int] = (0, 0)) -> int:
    """1 when both sides count money in as positive; -1 when far more amounts agree with one side's sign turned.

    ``agreed``: how many stored matches go by 1, and how many by -1. What was found once is kept, unless far more speaks
    against it: when the pairs are matched, what is still open agrees by chance alone.
    """
    amounts = {(item.currency, item.minor) for item in ledger if item.minor}
    same = [item for item in statement if (item.currency, item.minor) in amounts]
    turned = [item for item in statement if (item.currency, -item.minor) in amounts]
    for_one, against = agreed[0] + len(same), agreed[1] + len(turned)
    if agreed[1] > agreed[0]:
        return 1 if for_one > 2 * against + _MORE else -1
    if against > 2 * for_one + _MORE:
        return -1
    clear = _different(turned) > 2 * _different(same) + _MORE_DIFFERENT
    return -1 if clear and not agreed[0] else 1


def _different(items: Sequence[Item]) -> int:
    return len({(item.currency, item.minor) for item in items})


# -- pairs -------------------------------------------------------------------------------------------------------------


def _apply_pair(work: Workspace, rule: Rule) -> Iterator[Proposal]:
    allowed = _allowed(work, rule)
    sure = work.scored.sure.copy()
    free = work.free[0][work.pairs.left] & work.free[1][work.pairs.right]
    if not free.all():
        # Whoever is matched already competes no more.
        rest = np.flatnonzero(free)
        pairs = Pairs(work.pairs.left[rest], work.pairs.right[rest])
        sure[:] = 0.0
        sure[rest] = model.compete((len(work.ledger), len(work.statement)), pairs, work.scored.bits[rest])
    chosen = allowed[sure[allowed] >= rule.min_score]
    taken: list[tuple[int, int, int]] = []
    for place in chosen[_surest_first(work, chosen, sure)].tolist():
        left, right = int(work.pairs.left[place]), int(work.pairs.right[place])
        if work.rows_free([left], [right]) and _text_alike(work, rule, left, right):
            work.take([left], [right])
            taken.append((left, right, place))
    usual = work.usual
    for left, right, place in sorted(taken):
        yield _pair_proposal(work, rule, left, right, place, float(sure[place]), bool(usual[place]))


def _allowed(work: Workspace, rule: Rule) -> Ints:
    """Places of the pairs of free records that the rule's conditions let through."""
    a, b = work.pairs.left, work.pairs.right
    x, y = work.ledger.minor[a], work.statement.minor[b]
    lag = work.statement.day[b] - work.ledger.day[a]
    largest = np.maximum(np.abs(x), np.abs(y))
    tolerance = np.maximum(rule.amount_tolerance, np.rint(largest * (rule.amount_percent / 100)))
    good = work.free[0][a] & work.free[1][b] & (np.abs(x - y) <= tolerance) & ((x < 0) == (y < 0))
    good &= (lag >= -rule.days_before) & (lag <= rule.days_after)
    if rule.reference_required:
        levels = next(item.levels for item in work.compared if item.name == "reference")
        good &= levels >= MENTIONED
    return np.flatnonzero(good)


def _surest_first(work: Workspace, places: Ints, sure: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Ints:
    """Ties (two alike on each side) go by date: the earlier with the earlier."""
    a, b = work.pairs.left[places], work.pairs.right[places]
    return np.lexsort((b, a, -np.round(work.scored.bits[places], 6), -np.round(sure[places], 9)))


def _text_alike(work: Workspace, rule: Rule, left: int, right: int) -> bool:
    if not rule.text_similarity:
        return True
    texts = work.ledger.folded[left], work.statement.folded[right]
    return fuzz.token_set_ratio(*texts) >= rule.text_similarity


def _pair_proposal(
    work: Workspace, rule: Rule, left: int, right: int, place: int, sure: float, usual: bool
) -> Proposal:
    ahead = float(work.scored.bits[place] - work.rivals[place])
    reasons = explain.pair(work.ledger, work.statement, left, right, work.compared, place, ahead)
    ids = work.ids(0, [left]), work.ids(1, [right])
    if len(ids[0]) > 1 or len(ids[1]) > 1:
        reasons = ("an entry was taken back and repeated: together they count once", *reasons)
    confirmed = rule.auto_confirm and usual and sure >= rule.auto_score and ahead >= AUTO_MARGIN
    difference = int(work.ledger.minor[left] - work.statement.minor[right])
    return Proposal(ids[0], ids[1], rule.rule_id, _rounded(sure), difference, confirmed, reasons)


def _rounded(sure: float) -> float:
    """Six decimals, and never quite certain."""
    return min(round(float(sure), 6), 0.999999)


# -- groups ------------------------------------------------------------------------------------------------------------


def _apply_reference(work: Workspace, rule: Rule) -> Iterator[Proposal]:
    yield from _groups(work, rule, list(references.find(work, rule)))


def _apply_sum(work: Workspace, rule: Rule) -> Iterator[Proposal]:
    yield from _groups(work, rule, batches.find(work, rule))


def _groups(work: Workspace, rule: Rule, groups: Sequence[Group]) -> Iterator[Proposal]:
    for group in groups:
        if group.sure < rule.min_score or not work.rows_free(group.ledger, group.statement):
            continue
        work.take(group.ledger, group.statement)
        difference = references.total(work, 0, group.ledger) - references.total(work, 1, group.statement)
        confirmed = rule.auto_confirm and group.ahead and group.sure >= rule.auto_score
        yield Proposal(
            work.ids(0, group.ledger),
            work.ids(1, group.statement),
            rule.rule_id,
            _rounded(group.sure),
            difference,
            confirmed,
            group.reasons,
        )


#: Less sure than what agrees with the other side: the bank may know of it yet.
_TAKEN_BACK: Final = 0.9


def _apply_reversal(work: Workspace, rule: Rule) -> Iterator[Proposal]:
    """What was entered and taken back, and never came again, nets to nothing on its own side."""
    if rule.min_score > _TAKEN_BACK:
        return
    for side, chain in work.cancelled:
        ledger, statement = (chain.records, ()) if side == "ledger" else ((), chain.records)
        reasons = (f"entered, and taken back {explain.days(chain.items[-1].day - chain.items[0].day)}",)
        yield Proposal(ledger, statement, rule.rule_id, _TAKEN_BACK, 0, False, reasons)


_APPLY: Final[Mapping[Kind, Callable[[Workspace, Rule], Iterator[Proposal]]]] = {
    Kind.PAIR: _apply_pair,
    Kind.REVERSAL: _apply_reversal,
    Kind.REFERENCE: _apply_reference,
    Kind.SUM: _apply_sum,
}

__all__ = ["Comparison", "Proposal", "propose", "reach_of", "statement_sign"]
