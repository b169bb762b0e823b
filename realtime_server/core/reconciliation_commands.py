"""What can be asked of a session's reconciliation: matches, the run that finds them, rules, and the sign-off.

They are commands like all others (`commands`); they stand apart because there are many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from realtime_server.core.commands import Command
from realtime_server.core.matching.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A match that a run found. ``confirmed``: its rule wants it confirmed at once."""

    ledger: tuple[str, ...]
    statement: tuple[str, ...]
    rule_id: str
    score: float
    confirmed: bool = False
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeMatches(Command):
    """One chunk of a run. What cannot be (a record is matched, locked, gone) is left out, and the answer says so."""

    run_id: str
    items: tuple[Found, ...]
    runner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmMatches(Command):
    """``reason``: why a difference beyond the rule's tolerance is right."""

    match_ids: tuple[str, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectMatches(Command):
    """Suggestions that are wrong: no run suggests the same again."""

    match_ids: tuple[str, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeMatch(Command):
    """By hand. ``reason``: needed where the sides do not net to zero."""

    ledger: tuple[str, ...]
    statement: tuple[str, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveMatches(Command):
    """Undo confirmed matches: their records are open again."""

    match_ids: tuple[str, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitMatch(Command):
    """One match becomes several; records that no part names are open again. ``parts``: (ledger, statement) each."""

    match_id: str
    parts: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRecordStatus(Command):
    """``status``: exception or excluded, with a reason; unmatched takes that back."""

    record_ids: tuple[str, ...]
    status: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignRecords(Command):
    """``assignee``: a user id, or None for nobody."""

    record_ids: tuple[str, ...]
    assignee: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRules(Command):
    """The whole list, in order. ``base_version``: the version that the author saw."""

    rules: tuple[Rule, ...]
    base_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRun(Command):
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRun(Command):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRun(Command):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRun(Command):
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportProgress(Command):
    """By the runner, which thereby holds the run for ``lease`` milliseconds more; another one takes over only when the
    lease has ended. ``rules_version``: by which it works; None: whichever. ``rate``: records a second;
    ``seconds_left``: an estimate, None while there is none."""

    run_id: str
    runner: str = ""
    lease: int = 15_000
    rules_version: int | None = None
    total: int
    processed: int
    rate: float = 0.0
    seconds_left: float | None = None
    statement_sign: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteRun(Command):
    """``left_out``: matches that were found but whose records people held to the end."""

    run_id: str
    total: int
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FailRun(Command):
    run_id: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure(Command):
    """Changes of the workflow's settings; see `workflow.Settings` for the members."""

    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit(Command):
    """``totals``: (source, currency, minor units) of all records, counted by the service when the log stood at
    ``counted_at``; the client sends neither."""

    totals: tuple[tuple[str, str, int], ...]
    records: int
    counted_at: int
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve(Command):
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectSubmission(Command):
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen(Command):
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certify(Command):
    """Sign off without a person, where the settings allow it. ``totals``, ``records``, ``counted_at``: as `Submit`."""

    totals: tuple[tuple[str, str, int], ...]
    records: int
    counted_at: int
    extra: Mapping[str, Any] = field(default_factory=dict)
