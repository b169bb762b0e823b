"""Evidence in words that a person reads in passing."""

from __future__ import annotations

from collections.abc import Sequence

from realtime_server.core.matching import comparisons, words
from realtime_server.core.matching.comparisons import Comparison
from realtime_server.core.matching.table import Table


def days(lag: int) -> str:
    if lag == 0:
        return "on the same day"
    return f"{abs(lag)} day{'s' if abs(lag) > 1 else ''} {'later' if lag > 0 else 'earlier'}"


def amounts(ledger: int, statement: int) -> str:
    if ledger == statement:
        return "same amount"
    percent = 100 * abs(statement - ledger) / max(abs(ledger), abs(statement))
    more = "more" if abs(statement) > abs(ledger) else "less"
    return f"amount {percent:.2f} % {more} on the statement"


def pair(
    ledger: Table, statement: Table, left: int, right: int, compared: Sequence[Comparison], place: int, rival: float
) -> tuple[str, ...]:
    """``rival``: how many bits ahead of the next best candidate the pair is."""
    levels = {item.name: int(item.levels[place]) for item in compared}
    reasons = [
        amounts(int(ledger.minor[left]), int(statement.minor[right])),
        days(int(statement.day[right] - ledger.day[left])),
    ]
    if levels["reference"] in (comparisons.MENTIONED, comparisons.SAME):
        reasons.append(comparisons.REFERENCE_LEVELS[levels["reference"]])
    reasons.append(words.LEVELS[levels["description"]])
    reasons.append(candidates(rival))
    return tuple(reasons)


def candidates(ahead: float) -> str:
    if ahead > 60:
        return "no other candidate"
    if ahead >= 8:
        return "no other candidate comes near"
    return "other candidates come near" if ahead < 3 else "better than the other candidates"
