"""What the matcher answers: groups of records that belong together, with the rule, how sure it is, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Proposal:
    """``score``: the probability that exactly these belong together. ``difference``: ledger less statement, in minor
    units. ``confirmed``: so unambiguous that the rule confirms it. ``reasons``: sentences for a person."""

    ledger: tuple[str, ...]
    statement: tuple[str, ...]
    rule_id: str
    score: float
    difference: int
    confirmed: bool
    reasons: tuple[str, ...]

    @property
    def records(self) -> tuple[str, ...]:
        return self.ledger + self.statement
