"""What a session knows of its reconciliation: tallies, the run, the rules, the sign-off. Frozen, like all state.

The matches themselves stand in the records they join (`RecordState.match`): what is in memory follows what was touched.
A match's id ends in one of its records, so that it can be found again. Tallies are kept up from the commits alone, so
that a replay over records that are stored already comes to the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from immutables import Map

from realtime_server.core.matching.rules import RuleSet

#: Separates a match's number from the record it is found by.
_ANCHOR: Final = "@"


class MatchStatus(StrEnum):
    SUGGESTED = "suggested"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class Match:
    """Records of both sides that belong together, as every one of them remembers it.

    ``sums``: (source, currency, minor units). ``rule_id`` None: made by hand. ``seq``: the commit that last set it.
    """

    match_id: str
    status: MatchStatus
    ledger: tuple[str, ...]
    statement: tuple[str, ...]
    sums: tuple[tuple[str, str, int], ...]
    rule_id: str | None
    score: float | None
    reasons: tuple[str, ...]
    user_id: str
    seq: int
    reason: str | None = None

    @property
    def records(self) -> tuple[str, ...]:
        return self.ledger + self.statement


def match_id_of(seq: int, position: int, record_id: str) -> str:
    """``"match-<seq>-<position>@<record_id>"``."""
    return f"match-{seq}-{position}{_ANCHOR}{record_id}"


def anchor_of(match_id: str) -> str:
    """The record in which a match is found; the id itself when it is none of ours."""
    return match_id.partition(_ANCHOR)[2] or match_id


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE: Final = frozenset({RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.PAUSED})


@dataclass(frozen=True, slots=True)
class Run:
    """A matching run. Instants in milliseconds. ``rules_version``: of the rules it works by. ``runner``: who does the
    work, until ``lease_until`` at least."""

    run_id: str
    status: RunStatus
    started_by: str
    started_at: int
    updated_at: int
    rules_version: int
    total: int = 0
    processed: int = 0
    rate: float = 0.0
    seconds_left: float | None = None
    left_out: int = 0
    statement_sign: int = 1
    message: str | None = None
    runner: str | None = None
    lease_until: int = 0

    @property
    def active(self) -> bool:
        return self.status in ACTIVE


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of what is settled. ``records``: status -> records (unmatched ones are the rest). ``matches``: status ->
    matches. ``by_hand``: of the confirmed ones, those that people made or gave a reason for; too many rather than too
    few in logs of older versions, which do not say of a match that is undone who had made it. ``settled``: (source,
    currency) -> minor units of matched, exception and excluded records. ``gross``: the same without regard to sign, for
    each match and each record set aside."""

    records: Map[str, int] = field(default_factory=Map)
    matches: Map[str, int] = field(default_factory=Map)
    by_hand: int = 0
    settled: Map[tuple[str, str], int] = field(default_factory=Map)
    gross: Map[tuple[str, str], int] = field(default_factory=Map)

    @property
    def largest(self) -> int:
        """Minor units that are settled of one source and currency, of whichever most are. Receipts and payments do not
        take each other away."""
        return max((*self.gross.values(), *(abs(minor) for minor in self.settled.values())), default=0)


class WorkflowStatus(StrEnum):
    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    IN_REVIEW = "in_review"
    APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class SignOff:
    """A signature. ``suspended_by``: the commit that changed what was signed; it stays visible."""

    user_id: str
    name: str
    role: str
    at: int
    seq: int
    final: bool
    comment: str | None = None
    suspended_by: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """``threshold``: unexplained difference that may be submitted, minor units, in each currency.
    ``second_signature_above``: settled minor units of one currency (`Tally.largest`) from which two signatures are
    needed, the last one an approver's; None: never. ``auto_certify``: sign off by rule when nothing is open, nothing
    unexplained and nothing settled by hand, up to ``auto_certify_up_to`` minor units. ``due_date``: ISO date.
    ``period_locked``: nothing may change at all."""

    threshold: int = 0
    second_signature_above: int | None = None
    auto_certify: bool = False
    auto_certify_up_to: int | None = None
    due_date: str | None = None
    period_locked: bool = False


@dataclass(frozen=True, slots=True)
class Workflow:
    """``prepared_by``: everybody who changed what is to be signed, whatever their role. ``submitted_at``: ms."""

    status: WorkflowStatus = WorkflowStatus.NOT_STARTED
    prepared_by: frozenset[str] = frozenset()
    submitted_by: str | None = None
    submitted_at: int | None = None
    signoffs: tuple[SignOff, ...] = ()
    reason: str | None = None

    @property
    def standing(self) -> tuple[SignOff, ...]:
        """Signatures that hold."""
        return tuple(item for item in self.signoffs if item.suspended_by is None)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """``amounts_seq``: the last commit that added records, or changed an amount or a currency."""

    rules: RuleSet = field(default_factory=RuleSet)
    run: Run | None = None
    tally: Tally = field(default_factory=Tally)
    workflow: Workflow = field(default_factory=Workflow)
    settings: Settings = field(default_factory=Settings)
    amounts_seq: int = 0


def sides_agree(match: Match) -> int:
    """1 where both sides of a match come to the same sign, -1 where one of them counts the other way, 0 where it does
    not say: it has one side, or one that comes to nothing."""
    ledger = sum(minor for source, _, minor in match.sums if source == "ledger")
    statement = sum(minor for source, _, minor in match.sums if source != "ledger")
    return (ledger * statement > 0) - (ledger * statement < 0)


def difference(
    totals: Mapping[tuple[str, str], int], settled: Mapping[tuple[str, str], int], sign: int = 1
) -> dict[str, int]:
    """What neither matches nor exceptions explain, by currency: open ledger records less open statement records."""
    result: dict[str, int] = {}
    for (source, currency), total in sorted(totals.items()):
        open_amount = total - settled.get((source, currency), 0)
        result[currency] = result.get(currency, 0) + (open_amount if source == "ledger" else -sign * open_amount)
    return result


def plain(value: Any) -> Any:
    """Tuples as lists, so that what is stored and what is sent are the same."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value
