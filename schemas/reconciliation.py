"""Matches, runs, rules and the sign-off: what clients ask, how they are answered, and what they are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import Schema, fields

from schemas import common as c
from schemas.common import Message, Person, mapping, nested
from schemas.strict import Choice, Flag, Integer, Listed, Number, Text

MAX_BULK: Final = 500
MAX_MATCH_RECORDS: Final = 200
RUN_STATUSES: Final = ("not_started", "queued", "running", "paused", "completed", "failed", "cancelled")
WORKFLOW_STATUSES: Final = ("not_started", "in_progress", "in_review", "approved")
SETTABLE: Final = ("exception", "excluded", "unmatched")
RULE_KINDS: Final = ("pair", "reversal", "reference", "sum")


def match_id(**options: Any) -> Text:
    example = "match-57-0@ledger-000017"
    return Text("The match.", example, maximum=260, line=True, **{"required": True, **options})


def _records(description: str, *, side: str = "ledger", **options: Any) -> Listed:
    usual: dict[str, Any] = {"minimum": 0, "maximum": MAX_MATCH_RECORDS, "required": True}
    return Listed(c.record_id(required=False), description, [f"{side}-000017"], **{**usual, **options})


def run_id(**options: Any) -> Text:
    return Text("The run.", "run-5f0c7b1e9d2e", maximum=64, pattern=c.CLIENT_ID, **{"required": True, **options})


def _amount_by_currency(description: str, **options: Any) -> fields.Dict:
    return mapping(
        Text("Currency.", "EUR", maximum=3, minimum=3),
        Text("A decimal text.", "12.50", maximum=40),
        description,
        {"EUR": "12.50"},
    )


# -- what clients send -------------------------------------------------------------------------------------------------


class Asked(Message):
    """Anything asked of a session's reconciliation."""

    session_id = c.session_id()
    request_id = c.request_id()


class MatchIds(Asked):
    """Matches by id."""

    match_ids = Listed(match_id(required=False), "The matches; each is answered for.", ["match-57-0@ledger-000017"],
                       minimum=1, maximum=MAX_BULK, required=True)  # fmt: skip


class ConfirmMatches(MatchIds):
    """Confirm suggested matches."""

    reason = c.reason("Why a difference beyond the rule's tolerance is right.")


class RejectMatches(MatchIds):
    """Reject suggested matches: no run suggests them again."""

    reason = c.reason("Why.")


class RemoveMatches(MatchIds):
    """Undo confirmed matches: their records are open again."""

    reason = c.reason("Why.")


class Sides(Message):
    """The records of a match, by side."""

    ledger = _records("Records of the ledger.")
    statement = _records("Records of the statement.", side="statement")


class MakeMatch(Asked, Sides):
    """Match records by hand."""

    reason = c.reason("Needed where the two sides do not net to zero.")


_PART: Final = {"ledger": ["ledger-000017"], "statement": ["statement-000017"]}


class SplitMatch(Asked):
    """Make several matches of one. Records that no part names are open again."""

    match_id = match_id()
    parts = Listed(
        fields.Nested(Sides), "The new matches.", [_PART], minimum=1, maximum=MAX_MATCH_RECORDS, required=True
    )
    reason = c.reason("Needed where a part does not net to zero.")


class SetRecordStatus(Asked):
    """Set records aside, or take that back. The other statuses follow from matches."""

    record_ids = _records("The records; each is answered for.", minimum=1, maximum=MAX_BULK)
    status = Choice("What they become.", SETTABLE, required=True)
    reason = c.reason("Why. Required, but to take it back.")


class AssignRecords(Asked):
    """Give records to somebody to work on."""

    record_ids = _records("The records; each is answered for.", minimum=1, maximum=MAX_BULK)
    assignee = c.user_id("Who; null is nobody.", allow_none=True)


class Rule(Message):
    """A rule of matching. Rules apply in order; what one has matched is gone for the next."""

    rule_id = Text("Names the rule.", "exact", maximum=64, line=True, required=True)
    name = Text("What people read.", "Same amount", maximum=100, line=True, required=True)
    kind = Choice("What is matched: two records, a reversal, records of one reference, or that add up.", RULE_KINDS,
                  required=True)  # fmt: skip
    enabled = Flag("Whether it applies.", True)
    amount_tolerance = Integer("Minor units by which sums may differ.", 0, maximum=10**15)
    amount_percent = Number("Percent by which sums may differ.", 0, minimum=0, maximum=50)
    days_before = Integer("Days by which the statement may be earlier.", 10, maximum=366)
    days_after = Integer("Days by which the statement may be later.", 45, maximum=366)
    text_similarity = Integer("How alike the texts must be: 0, not at all, to 100.", 0, maximum=100)
    reference_required = Flag("Whether a reference in common is needed.", False)
    max_records = Integer("Records of one side of a group.", 8, minimum=1, maximum=100)
    min_score = Number("The least probability of what is suggested.", 0.5, minimum=0.05, maximum=1)
    auto_confirm = Flag("Whether what is unambiguous is confirmed at once.", True)
    auto_score = Number("The probability from which it is.", 0.9995, minimum=0.9, maximum=1)


EXACT: Final = {"rule_id": "exact", "name": "Same amount", "kind": "pair", "days_after": 45}


class SetRules(Asked):
    """Set all rules, in order. Not while a run is queued or running."""

    rules = Listed(fields.Nested(Rule), "The rules.", [EXACT], minimum=1, maximum=50, required=True)
    base_version = Integer("The version that the author saw; 0 are the defaults.", 0, required=True)


class StartRun(Asked):
    """Start a matching run."""


class PauseRun(Asked):
    """Pause the run."""


class ResumeRun(Asked):
    """Let a paused run go on."""


class CancelRun(Asked):
    """End the run; what it has found stays."""

    reason = c.reason("Why.")


class RunStatus(Asked):
    """Ask how far the reconciliation is."""


class Settings(Message):
    """How the sign-off goes. What is left out stays as it is. Amounts in minor units of each currency."""

    threshold = Integer("Unexplained difference that may be submitted.", 0)
    second_signature_above = Integer("From here on two signatures are needed; null: never.", 1_000_000, allow_none=True)
    auto_certify = Flag("Sign off by rule when nothing is open and nothing unexplained.", False)
    auto_certify_up_to = Integer("Only up to this amount; null: any.", 1_000_000, allow_none=True)
    due_date = Text("When it has to be done; null: not said.", "2026-12-01", maximum=10,
                    pattern="[0-9]{4}-[0-9]{2}-[0-9]{2}", allow_none=True)  # fmt: skip
    period_locked = Flag("Nothing may change any more.", False)


class Configure(Asked):
    """Change how the sign-off goes."""

    settings = nested(Settings, "What changes.", required=True)


class Submit(Asked):
    """Submit for review; the content is frozen from then on."""

    comment = c.reason("For those who sign.")


class Approve(Asked):
    """Sign."""

    comment = c.reason("With the signature.")


class RejectSubmission(Asked):
    """Send it back."""

    reason = Text("Why. Required: without it the answer is `reason_required`.", "l1 is wrong", minimum=0,
                  maximum=c.MAX_REASON, load_default="")  # fmt: skip


class Reopen(RejectSubmission):
    """Open again what was signed off."""


# -- how they are answered ---------------------------------------------------------------------------------------------


class ItemError(Message):
    """Why one item of a bulk action was refused."""

    code = Text("As in any refusal.", "already_matched", maximum=64, required=True)
    message = Text("One sentence, for people.", "l1 is matched already", maximum=2_000, required=True)
    details = fields.Dict(keys=fields.String(), metadata={"description": "More about it.", "example": {}})


class ItemResult(Message):
    """What became of one item of a bulk action."""

    ok = Flag("Whether it was done.", True, required=True)
    match_id = match_id(required=False)
    record_id = c.record_id(required=False)
    index = Integer("The item's place, where it has no name.", 0)
    error = nested(ItemError, "Why not.")


class ReconciliationDone(Message):
    """As `acks.ReconciliationDone`, which cannot be named here: it shows the reconciliation to whoever joins."""

    ok = Flag("Always true.", True)
    seq = c.seq()


class BulkDone(ReconciliationDone):
    """What became of each item."""

    results = Listed(fields.Nested(ItemResult), "One for each item, in order.", [], maximum=MAX_BULK + 1, required=True)
    match_id = match_id(required=False)


class RunControlled(ReconciliationDone):
    """The run, started, paused, resumed or cancelled."""

    run_id = run_id(required=False)
    status = Choice("Where it stood already.", RUN_STATUSES)


class RulesSet(ReconciliationDone):
    """The rules' version now."""

    version = Integer("The version.", 57)


class Signed(ReconciliationDone):
    """Whether the signature was the last one needed."""

    final = Flag("Whether it is signed off now.", True)


# -- what they are shown -----------------------------------------------------------------------------------------------


class Counts(Message):
    """Records and matches by what has become of them, counted from what is stored."""

    matched = Integer("Matched records.", 84, required=True)
    suggested = Integer("Records in suggested matches.", 12, required=True)
    exceptions = Integer("Records set aside as exceptions.", 1, required=True)
    excluded = Integer("Excluded records.", 0, required=True)
    matches_confirmed = Integer("Confirmed matches.", 41, required=True)
    matches_suggested = Integer("Suggested matches.", 6, required=True)


class Reconciliation(Counts):
    """The matching run of a session."""

    status = Choice("How far it is.", RUN_STATUSES, required=True)
    run_id = run_id(required=False)
    started_by = c.user_id("Who started it.", required=False)
    started_at = c.instant("When.", required=False)
    updated_at = c.instant("When it last moved.", required=False)
    rules_version = Integer("The version of the rules it works by.", 0)
    total = Integer("Records of the session.", 2_000)
    processed = Integer("Records it is done with.", 1_200)
    rate = Number("Records a second.", 512.5, minimum=0, maximum=1e9)
    seconds_left = Number("How long it will take, about; null when not known.", 1.6, minimum=0, maximum=1e9,
                          allow_none=True)  # fmt: skip
    left_out = Integer("Matches left out because people held their records.", 0)
    statement_sign = Integer("-1 where the statement counts the other way.", 1, minimum=-1, maximum=1)
    message = Text("Why it failed or was cancelled.", "the wrong file", maximum=c.MAX_REASON)


class SignOff(Message):
    """A signature. One that does not hold any more stays visible."""

    user_id = c.user_id("Who.")
    name = c.person_name()
    role = Text("In which role.", "reviewer", maximum=20, required=True)
    at = c.instant("When.")
    seq = c.seq()
    final = Flag("Whether it was the last one needed.", True, required=True)
    comment = Text("With it.", None, maximum=c.MAX_REASON, allow_none=True, required=True)
    suspended_by = Integer("The `seq` of the commit since which it does not hold.", 60, allow_none=True, required=True)


class Workflow(Message):
    """The way to the sign-off."""

    status = Choice("Where it stands.", WORKFLOW_STATUSES, required=True)
    prepared_by = Listed(c.user_id(required=False), "Who changed what is to be signed: they may not sign.", ["alice"],
                         maximum=10_000, required=True)  # fmt: skip
    submitted_by = c.user_id("Who submitted it.", allow_none=True)
    submitted_at = c.instant("When.", allow_none=True)
    reason = Text("Why it was sent back or opened again.", None, maximum=c.MAX_REASON, allow_none=True, required=True)
    signoffs = Listed(fields.Nested(SignOff), "All signatures.", [], maximum=100, required=True)
    settings = nested(Settings, "How it goes.", required=True)


class Status(Message):
    """How far the reconciliation is."""

    ok = Flag("Always true.", True)
    seq = c.seq()
    run = nested(Reconciliation, "The matching run.", required=True)
    workflow = nested(Workflow, "The way to the sign-off.", required=True)
    rules_version = Integer("The version of the rules.", 0, required=True)
    records = Integer("Records of the session.", 2_000, required=True)
    difference = fields.Dict(
        keys=fields.String(), values=fields.String(), required=True,
        metadata={"description": "What neither matches nor exceptions explain, by currency. While an import "
                  "runs it may be a few seconds old.", "example": {"EUR": "12.50"}},
    )  # fmt: skip


class Rules(Message):
    """The rules, in order."""

    version = Integer("The version; 0 are the defaults.", 0, required=True)
    rules = Listed(fields.Nested(Rule), "The rules.", [], maximum=50, required=True)


class SessionRules(Rules):
    """The session's rules, in order."""

    project_version = Integer("Which version of the project's rules they are; null: the session has rules of its own, "
                              "or the defaults.", 3, allow_none=True, required=True)  # fmt: skip


class Reasoned(Message):
    """Why records were matched."""

    score = Number("The probability.", 0.9991, minimum=0, maximum=1, required=True, allow_none=True)
    reasons = Listed(Text("A reason.", "same amount", maximum=400), "Why, for people.", ["same amount", "3 days later"],
                     maximum=20, required=True)  # fmt: skip


class MatchCandidate(Reasoned):
    """A record that could belong to the one asked about."""

    record_id = c.record_id()


class Candidates(Message):
    """What a record might match."""

    items = Listed(fields.Nested(MatchCandidate), "The likeliest first.", [], maximum=50, required=True)


class DryRunMatch(Sides, Reasoned):
    """A match that a run would find."""

    rule_id = Text("By which rule.", "exact", maximum=64, required=True)
    confirmed = Flag("Whether it would be confirmed at once.", True, required=True)


class ByRule(Message):
    """What one rule would find."""

    matches = Integer("Matches.", 100, required=True)
    confirmed = Integer("Of them confirmed at once.", 90, required=True)


class DryRun(Message):
    """What a run would do; nothing is stored."""

    seq = c.seq()
    records = Integer("Open records.", 2_000, required=True)
    records_matched = Integer("Of them in a match.", 1_900, required=True)
    matches = Integer("Matches.", 920, required=True)
    by_rule = mapping(Text("The rule.", "exact", maximum=64), fields.Nested(ByRule), "Matches by rule.", {})
    examples = Listed(fields.Nested(DryRunMatch), "The first matches of each rule.", [], maximum=1_000, required=True)


class DryRunBody(Message):
    """By which rules; the session's own without."""

    rules = Listed(fields.Nested(Rule), "The rules to try.", [EXACT], minimum=1, maximum=50)
    examples = Integer("How many matches of each rule to show.", 5, maximum=20, load_default=5)


# -- what they are told ------------------------------------------------------------------------------------------------


class MatchChange(Sides):
    """What became of a match: `was` and `status`, null for none."""

    match_id = match_id()
    sums = c.value("What it joins: a list of [source, currency, amount].", [["ledger", "EUR", "10.00"]])
    was = Choice("Before.", ("suggested", "confirmed"), allow_none=True, required=True)
    status = Choice("Now.", ("suggested", "confirmed"), allow_none=True, required=True)
    rule_id = Text("The rule that found it; null by hand.", "exact", maximum=64, allow_none=True)
    score = Number("The probability.", 0.9991, minimum=0, maximum=1, allow_none=True)
    reasons = Listed(Text("A reason.", "same amount", maximum=400), "Why, for people.", ["same amount"], maximum=20)
    reason = c.reason("What a person said.")


class MatchesChanged(Message):
    """Matches changed."""

    record_ids = Listed(c.record_id(required=False), "All records concerned.", ["ledger-000017"], maximum=100_000,
                        required=True)  # fmt: skip
    matches = Listed(fields.Nested(MatchChange), "The matches.", [], maximum=100_000, required=True)
    results = Listed(fields.Nested(ItemResult), "As the one who asked was answered.", [], maximum=MAX_BULK + 1,
                     required=True)  # fmt: skip
    run_id = run_id(required=False)
    reason = c.reason("Why.")


class StatusChange(Message):
    """One record whose status changed."""

    record_id = c.record_id()
    source = Text("The side.", "ledger", maximum=40, required=True)
    was = Choice("Before.", SETTABLE, required=True)
    status = Choice("Now.", SETTABLE, required=True)
    currency = Text("Of the amount.", "EUR", maximum=3, required=True)
    amount = Text("What is settled by it.", "10.00", maximum=40, allow_none=True, required=True)


class RecordStatusChanged(Message):
    """Records were set aside, or that was taken back."""

    record_ids = _records("The records.", maximum=MAX_BULK)
    status = Choice("What they are.", SETTABLE, required=True)
    changes = Listed(fields.Nested(StatusChange), "Each record's change.", [], maximum=MAX_BULK, required=True)
    results = Listed(
        fields.Nested(ItemResult), "As the one who asked was answered.", [], maximum=MAX_BULK, required=True
    )
    reason = c.reason("Why.")


class RecordAssigned(Message):
    """Records were given to somebody."""

    record_ids = _records("The records.", maximum=MAX_BULK)
    assignee = c.user_id("Who; null is nobody.", allow_none=True)
    results = Listed(
        fields.Nested(ItemResult), "As the one who asked was answered.", [], maximum=MAX_BULK, required=True
    )


class RunStarted(Message):
    """A run was started."""

    run_id = run_id()
    status = Choice("Where it stands.", RUN_STATUSES, required=True)
    started_by = nested(Person, "Who started it.", required=True)
    rules_version = Integer("The rules it works by.", 0, required=True)


class RunMoved(Counts):
    """How far the run is."""

    run_id = run_id()
    total = Integer("Records of the session.", 2_000, required=True)
    processed = Integer("Records it is done with.", 1_200, required=True)
    rate = Number("Records a second.", 512.5, minimum=0, maximum=1e9, required=True)
    seconds_left = Number("How long it will take, about; null when not known.", 1.6, minimum=0, maximum=1e9,
                          allow_none=True, required=True)  # fmt: skip
    statement_sign = Integer("-1 where the statement counts the other way.", 1, minimum=-1, maximum=1, required=True)
    runner = Text(
        "Which instance works on it; null: none.", None, maximum=64, minimum=0, allow_none=True, required=True
    )
    lease_until = Integer("Until when it holds it, in milliseconds since 1970.", 0, required=True)
    rules_version = Integer("The rules it works by from now on; when it is resumed.", 0)
    left_out = Integer("Matches left out because people held their records.", 0)
    message = Text("What went wrong.", "the worker ended", maximum=c.MAX_REASON)
    reason = c.reason("Why.")


class RulesChanged(Rules):
    """The rules were changed."""


class Configured(Message):
    """How the sign-off goes was changed."""

    settings = nested(Settings, "All settings, as they are now.", required=True)


class _Figures(Message):
    """The numbers of a run."""

    name = c.person_name()
    records = Integer("Records.", 2_000)
    open_records = Integer("Records that are neither matched nor set aside.", 0)
    exceptions = Integer("Records set aside as exceptions.", 1)
    difference = fields.Dict(
        keys=fields.String(), values=fields.String(),
        metadata={"description": "Unexplained, by currency.", "example": {"EUR": "0.00"}},
    )  # fmt: skip
    comment = c.reason("What was said with it.")


class Submitted(_Figures):
    """Submitted for review."""


class Approved(_Figures):
    """Signed. `reconciliation.reviewed`: another signature is needed; `reconciliation.approved`: that was the last."""

    role = Text("In which role.", "reviewer", maximum=20, required=True)
    final = Flag("Whether it was the last one needed.", True, required=True)
    automatic = Flag("Signed off by rule.", False)


class SentBack(Message):
    """Sent back, or opened again."""

    name = c.person_name()
    reason = c.reason("Why.", required=True)


RECONCILIATION_EVENTS: Final[Mapping[str, tuple[type[Schema], type[Schema]]]] = {
    "match_confirm": (ConfirmMatches, BulkDone),
    "match_reject": (RejectMatches, BulkDone),
    "match_create": (MakeMatch, BulkDone),
    "match_remove": (RemoveMatches, BulkDone),
    "match_split": (SplitMatch, BulkDone),
    "record_status": (SetRecordStatus, BulkDone),
    "record_assign": (AssignRecords, BulkDone),
    "rules_set": (SetRules, RulesSet),
    "reconciliation_start": (StartRun, RunControlled),
    "reconciliation_pause": (PauseRun, RunControlled),
    "reconciliation_resume": (ResumeRun, RunControlled),
    "reconciliation_cancel": (CancelRun, RunControlled),
    "reconciliation_status": (RunStatus, Status),
    "reconciliation_configure": (Configure, ReconciliationDone),
    "reconciliation_submit": (Submit, ReconciliationDone),
    "reconciliation_approve": (Approve, Signed),
    "reconciliation_reject": (RejectSubmission, ReconciliationDone),
    "reconciliation_reopen": (Reopen, ReconciliationDone),
}

RECONCILIATION_MESSAGES: Final[Mapping[str, type[Schema]]] = {
    **dict.fromkeys(
        (f"match.{kind}" for kind in ("suggested", "confirmed", "rejected", "created", "removed", "split")),
        MatchesChanged,
    ),
    "record.status_changed": RecordStatusChanged,
    "record.assigned": RecordAssigned,
    "reconciliation.started": RunStarted,
    **dict.fromkeys(
        (f"reconciliation.{kind}" for kind in ("paused", "resumed", "progress", "completed", "failed", "cancelled")),
        RunMoved,
    ),
    "reconciliation.rules_changed": RulesChanged,
    "reconciliation.configured": Configured,
    "reconciliation.submitted": Submitted,
    "reconciliation.reviewed": Approved,
    "reconciliation.approved": Approved,
    "reconciliation.rejected": SentBack,
    "reconciliation.reopened": SentBack,
}
