"""Groups by reference: all records that bear one reference, on both sides, and add up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from realtime_server.core.matching import explain
from realtime_server.core.matching.rules import Rule
from realtime_server.core.matching.workspace import Workspace

#: How sure a complete group is whose sums agree, and one that agrees within its rule's tolerance: the shares that were
#: right on generated books (loadtest.bench_matching), rounded down.
_EXACT, _WITHIN = 0.9999, 0.99


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of both sides that belong together. ``sure``: as a score; ``ahead``: whether nothing else is possible."""

    ledger: tuple[int, ...]
    statement: tuple[int, ...]
    sure: float
    ahead: bool
    reasons: tuple[str, ...]


def find(work: Workspace, rule: Rule) -> Iterator[Group]:
    """Complete groups of free records, more than one on at least one side."""
    by_reference: dict[tuple[str, int], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, table in enumerate(work.tables):
        for row, references in enumerate(table.references):
            if work.free[side][row]:
                for reference in references:
                    by_reference[reference, int(table.currency[row])][side].append(row)
    for (reference, _), (ledger, statement) in sorted(by_reference.items()):
        if _possible(work, rule, ledger, statement) and not work.rejected(ledger, statement):
            yield _group(work, rule, reference, ledger, statement)


def _possible(work: Workspace, rule: Rule, ledger: Sequence[int], statement: Sequence[int]) -> bool:
    if not ledger or not statement or max(len(ledger), len(statement)) > rule.max_records:
        return False
    if len(ledger) == 1 and len(statement) == 1 and not rule.amount_percent and not rule.amount_tolerance:
        return False
    sums = total(work, 0, ledger), total(work, 1, statement)
    if not rule.allows(*sums) or (sums[0] < 0) != (sums[1] < 0) or not sums[0]:
        return False
    lags = (
        work.statement.day[list(statement)].min() - work.ledger.day[list(ledger)].max(),
        (work.statement.day[list(statement)].max() - work.ledger.day[list(ledger)].min()),
    )
    return bool(lags[0] >= -rule.days_before and lags[1] <= rule.days_after)


def total(work: Workspace, side: int, rows: Sequence[int]) -> int:
    return int(work.tables[side].minor[list(rows)].sum())


def _group(work: Workspace, rule: Rule, reference: str, ledger: Sequence[int], statement: Sequence[int]) -> Group:
    sums = total(work, 0, ledger), total(work, 1, statement)
    exact = sums[0] == sums[1]
    reasons = [f"all records with reference {reference[:40]}"]
    if len(ledger) > 1 or len(statement) > 1:
        reasons.append(f"{len(ledger)} on the ledger, {len(statement)} on the statement")
    reasons.append("sums agree" if exact else explain.amounts(*sums).replace("amount", "sum"))
    return Group(tuple(ledger), tuple(statement), _EXACT if exact else _WITHIN, exact, tuple(reasons))
