"""What a project wants matched, and how: an ordered list of rules, versioned as a whole.

Records that a rule has matched are gone for the rules after it. A rule says what may be matched; how sure a match is,
and whether another record could be meant as well, the model says (`model`, `sums`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final

from realtime_server.core.numbers import plain_number

MAX_RULES: Final = 50
MAX_NAME: Final = 100
#: Records of one side in a group, for a rule that does not say it.
DEFAULT_MOST: Final = 8
#: A match is confirmed by itself from here on, unless its rule asks for more.
AUTO_SCORE: Final = 0.9995
#: and only when the next best candidate of either record is less likely by this factor, in bits.
AUTO_MARGIN: Final = 8.0


class RuleError(ValueError):
    """A rule that cannot be. ``fields``: what is wrong, a plain sentence for each field; the first is the message."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(next(iter(fields.values())))
        self.fields = dict(fields)


class Kind(StrEnum):
    PAIR = "pair"
    """One record of each side."""
    REVERSAL = "reversal"
    """An entry, what took it back, and its repetition: together they count as one."""
    REFERENCE = "reference"
    """Records that bear one reference, and add up."""
    SUM = "sum"
    """Records that add up to one of the other side, and have something in common."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``amount_tolerance``: minor units, and ``amount_percent``: percent of the larger sum; the larger of both holds.

    ``days_before``, ``days_after``: how much earlier or later than the ledger the statement may be.
    ``text_similarity``: 0 to 100 (rapidfuzz ``token_set_ratio``), 0 asks for none. ``reference_required``: a reference
    in common. ``max_records``: of one side. ``min_score``: the least probability of what is suggested.
    ``auto_confirm``: confirmed without a person, where ``auto_score`` is reached and no other candidate comes near.
    """

    rule_id: str
    name: str
    kind: Kind
    enabled: bool = True
    amount_tolerance: int = 0
    amount_percent: float = 0
    days_before: int = 10
    days_after: int = 45
    text_similarity: int = 0
    reference_required: bool = False
    max_records: int = DEFAULT_MOST
    min_score: float = 0.5
    auto_confirm: bool = False
    auto_score: float = AUTO_SCORE

    def allows(self, ledger: int, statement: int) -> bool:
        """Whether two sums are near enough for this rule."""
        return abs(ledger - statement) <= self.tolerance(ledger, statement)

    def tolerance(self, ledger: int, statement: int) -> int:
        """Minor units by which a match of this rule may be off."""
        largest = max(abs(ledger), abs(statement))
        return max(self.amount_tolerance, round(largest * self.amount_percent / 100))


#: For somebody who configures nothing. Percentages: card processors keep 1 to 4 percent, intermediary banks and
#: exchange a few more; clearing takes days, cheques weeks (good for six months, most come within six weeks).
DEFAULT_RULES: Final[tuple[Rule, ...]] = (
    Rule("reference", "Same reference, same amount", Kind.PAIR, days_before=30, days_after=90, reference_required=True,
         auto_confirm=True),
    Rule("exact", "Same amount", Kind.PAIR, auto_confirm=True),
    Rule("reversal", "Voided and reissued, returned and presented again", Kind.REVERSAL),
    Rule("reference-group", "One reference, several records", Kind.REFERENCE, days_before=30, days_after=90,
         max_records=50, auto_confirm=True),
    Rule("sum", "Batches and instalments", Kind.SUM, days_before=5, days_after=60, min_score=0.8),
    Rule("fee", "One reference, less fees", Kind.REFERENCE, amount_percent=6, days_before=5, days_after=45,
         max_records=50),
    Rule("near", "Amount differs a little", Kind.PAIR, amount_percent=20, auto_confirm=True),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RuleSet:
    """``version``: 0 for the defaults, then the ``seq`` of the commit that set the rules. ``project_version``: which
    version of the project's rules they are, while they are."""

    rules: tuple[Rule, ...] = DEFAULT_RULES
    version: int = 0
    project_version: int | None = None

    def rule(self, rule_id: str) -> Rule | None:
        return next((item for item in self.rules if item.rule_id == rule_id), None)


def document(rule: Rule) -> dict[str, Any]:
    """A rule as plain JSON. (What is whole is written so, whichever way it came: `numbers`.)"""
    return {**asdict(rule), "kind": rule.kind.value}


def from_document(values: Mapping[str, Any]) -> Rule:
    """The inverse of `document`; members that are missing have their default. `RuleError` names what is wrong."""
    known = {item.name for item in fields(Rule)}
    wrong = {name: f"a rule has no {name}" for name in sorted(set(values) - known)}
    wrong |= {name: f"a rule has a {name}" for name in ("rule_id", "name", "kind") if name not in values}
    if values.get("kind", Kind.PAIR) not in tuple(Kind):
        wrong["kind"] = f"a rule's kind is one of {', '.join(Kind)}"
    if wrong:
        raise RuleError(wrong)
    return check(Rule(**{**values, "kind": Kind(values["kind"])}))


_BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "amount_tolerance": (0, 10**15),
    "amount_percent": (0, 50),
    "days_before": (0, 366),
    "days_after": (0, 366),
    "text_similarity": (0, 100),
    "max_records": (1, 100),
    "min_score": (0.05, 1),
    "auto_score": (0.9, 1),
}
_FRACTIONS: Final = frozenset({"amount_percent", "min_score", "auto_score"})


def check(rule: Rule) -> Rule:
    """The rule itself, numbers in their types. `RuleError` names everything that cannot be."""
    wrong: dict[str, str] = {}
    changes: dict[str, Any] = {}
    for name, limit in (("rule_id", 64), ("name", MAX_NAME)):
        text = getattr(rule, name)
        if not isinstance(text, str) or not text.strip() or len(text) > limit or not text.isprintable():
            wrong[name] = f"a rule's {name} is a text of 1 to {limit} characters"
    for name, (least, most) in _BOUNDS.items():
        value = getattr(rule, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            wrong[name] = f"{name} lies between {least:g} and {most:g}"
        elif name in _FRACTIONS:
            changes[name] = plain_number(value)
        elif value != int(value):
            wrong[name] = f"{name} is a whole number"
        else:
            changes[name] = int(value)
    for name in ("enabled", "reference_required", "auto_confirm"):
        if not isinstance(getattr(rule, name), bool):
            wrong[name] = f"{name} is true or false"
    if rule.kind is Kind.SUM:
        exact = "a rule of kind sum is exact: with a tolerance, anything adds up"
        wrong |= {name: exact for name in ("amount_tolerance", "amount_percent") if getattr(rule, name)}
    if wrong:
        raise RuleError(wrong)
    return replace(rule, **changes)


def check_all(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """ValueError when a list of rules cannot be."""
    if not 1 <= len(rules) <= MAX_RULES:
        raise ValueError(f"a project has 1 to {MAX_RULES} rules")
    if len({rule.rule_id for rule in rules}) < len(rules):
        raise ValueError("every rule has its own rule_id")
    return tuple(check(rule) for rule in rules)
