"""The reconciliation: runs, rules, matches, the sign-off. The commands are the socket's, with the same answers."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

from realtime_server.core import reconciliation_commands as r
from realtime_server.core.commands import Command
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.reconciliation.rule_documents import read_rules
from realtime_server.reconciliation.run import RunService
from realtime_server.rest.commands import command_id, submit
from realtime_server.rest.operations import Answer, Call, Operation, operation
from realtime_server.rest.records import RECORD
from realtime_server.rest.sessions import SESSION
from schemas import reconciliation as schemas
from schemas import reconciliation_rest as bodies

RUN: Final = f"{SESSION}/reconciliation"
MATCHES: Final = f"{SESSION}/matches"
_TAG: Final = "reconciliation"

_ENDED, _FROZEN, _REASON = ErrorCode.SESSION_ENDED, ErrorCode.FROZEN, ErrorCode.REASON_REQUIRED
_WORK: Final = (_ENDED, _FROZEN)
_MATCHING: Final = (
    *_WORK,
    ErrorCode.LOCKED,
    ErrorCode.ALREADY_MATCHED,
    ErrorCode.UNBALANCED,
)


def _runs(call: Call) -> RunService:
    if call.services.runs is None:
        raise CollaborationError(ErrorCode.UNAVAILABLE, "this process reconciles nothing; ask the server")
    return call.services.runs


async def _ask(call: Call, verb: str, kind: type[Command], **members: Any) -> Answer:
    state = await call.session()
    command = kind(actor=call.actor(state.project_id), command_id=command_id(call, verb), **members)
    return await submit(call, state.session_id, command)


# -- the run -----------------------------------------------------------------------------------------------------------


@operation("POST", f"{RUN}/start", tag=_TAG, answer=bodies.RunDone, command=r.StartRun, keyed=True, refusals=_WORK)
async def start_run(call: Call) -> Answer:
    """Start a matching run.

    One run at a time. It works beside people, and leaves alone what they hold.
    """
    return await _ask(call, "start", r.StartRun, run_id=f"run-{uuid4().hex[:12]}")


@operation("POST", f"{RUN}/pause", tag=_TAG, answer=bodies.RunDone, command=r.PauseRun, keyed=True, refusals=(_ENDED,))
async def pause_run(call: Call) -> Answer:
    """Pause the run."""
    return await _ask(call, "pause", r.PauseRun)


@operation("POST", f"{RUN}/resume", tag=_TAG, answer=bodies.RunDone, command=r.ResumeRun, keyed=True, refusals=_WORK)
async def resume_run(call: Call) -> Answer:
    """Let a paused run go on."""
    return await _ask(call, "resume", r.ResumeRun)


@operation("POST", f"{RUN}/cancel", tag=_TAG, body=bodies.ReasonBody, body_required=False, answer=bodies.RunDone,
           command=r.CancelRun, keyed=True, refusals=(_ENDED,))  # fmt: skip
async def cancel_run(call: Call) -> Answer:
    """End the run; what it has found stays."""
    return await _ask(call, "cancel", r.CancelRun, reason=call.body.get("reason"))


@operation("GET", f"{RUN}/status", tag=_TAG, answer=bodies.StatusNow)
async def get_status(call: Call) -> Answer:
    """See how far the reconciliation is.

    The run with its counts, the way to the sign-off, and the unexplained difference by currency.
    """
    state = await call.session()
    return Answer(await _runs(call).status(state.session_id))


@operation("GET", f"{RUN}/rules", tag=_TAG, answer=schemas.SessionRules)
async def get_rules(call: Call) -> Answer:
    """Read the rules of matching, in order."""
    state = await call.session()
    return Answer(await _runs(call).rules(state.session_id))


@operation("PUT", f"{RUN}/rules", tag=_TAG, body=bodies.RulesBody, answer=bodies.RulesDone, command=r.SetRules,
           keyed=True, refusals=(*_WORK, ErrorCode.VERSION_STALE))  # fmt: skip
async def set_rules(call: Call) -> Answer:
    """Set the rules of matching.

    All of them, in order; the project's stay as they are. `base_version` is the version that the author saw. While a
    run works by them they cannot be changed: pause it, or let it end. What is wrong is named by rule and field:
    `details.fields.rules["2"].min_score`, counted from 0.
    """
    rules = read_rules(call.body["rules"])
    return await _ask(call, "rules", r.SetRules, rules=rules, base_version=call.body["base_version"])


@operation("POST", f"{RUN}/dry-run", tag=_TAG, body=schemas.DryRunBody, body_required=False, answer=schemas.DryRun,
           heavy=True)  # fmt: skip
async def dry_run(call: Call) -> Answer:
    """See what a run would do.

    By the session's rules, or by those sent. Nothing is stored.
    """
    state = await call.session()
    rules = read_rules(call.body["rules"]) if "rules" in call.body else None
    return Answer(await _runs(call).dry_run(state.session_id, rules, call.body.get("examples", 5)))


@operation("GET", f"{RECORD}/candidates", tag=_TAG, query=bodies.CandidatesQuery, answer=schemas.Candidates, heavy=True)
async def list_candidates(call: Call) -> Answer:
    """List records that could belong to this one.

    Open records of the other side, the likeliest first, each with its reasons.
    """
    state = await call.session()
    found = await _runs(call).candidates_for(state.session_id, call.path["record_id"], call.query["limit"])
    return Answer({"items": found})


# -- matches -----------------------------------------------------------------------------------------------------------


@operation("POST", MATCHES, tag=_TAG, body=bodies.MatchBody, answer=bodies.MatchesDone, command=r.MakeMatch, keyed=True,
           refusals=_MATCHING)  # fmt: skip
async def make_match(call: Call) -> Answer:
    """Match records by hand.

    Any number of each side. A reason is needed where the sides do not net to zero.
    """
    ledger, statement = _sides(call.body)
    return await _ask(call, "match", r.MakeMatch, ledger=ledger, statement=statement, reason=call.body.get("reason"))


def _sides(item: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(item["ledger"]), tuple(item["statement"])


@operation("POST", f"{MATCHES}/confirm", tag=_TAG, body=bodies.MatchesBody, answer=bodies.MatchesDone,
           command=r.ConfirmMatches, keyed=True, refusals=_WORK)  # fmt: skip
async def confirm_matches(call: Call) -> Answer:
    """Confirm suggested matches, with an answer for each."""
    return await _ask(call, "confirm", r.ConfirmMatches, **_named(call))


@operation("POST", f"{MATCHES}/reject", tag=_TAG, body=bodies.MatchesBody, answer=bodies.MatchesDone,
           command=r.RejectMatches, keyed=True, refusals=_WORK)  # fmt: skip
async def reject_matches(call: Call) -> Answer:
    """Reject suggested matches, with an answer for each."""
    return await _ask(call, "reject", r.RejectMatches, **_named(call))


@operation("POST", f"{MATCHES}/remove", tag=_TAG, body=bodies.MatchesBody, answer=bodies.MatchesDone,
           command=r.RemoveMatches, keyed=True, refusals=_WORK)  # fmt: skip
async def remove_matches(call: Call) -> Answer:
    """Undo confirmed matches, with an answer for each."""
    return await _ask(call, "remove", r.RemoveMatches, **_named(call))


def _named(call: Call) -> dict[str, Any]:
    return {"match_ids": tuple(call.body["match_ids"]), "reason": call.body.get("reason")}


@operation("POST", f"{MATCHES}/{{match_id}}/split", tag=_TAG, body=bodies.SplitBody, answer=bodies.MatchesDone,
           command=r.SplitMatch, keyed=True, refusals=_MATCHING)  # fmt: skip
async def split_match(call: Call) -> Answer:
    """Make several matches of one."""
    parts = tuple(_sides(item) for item in call.body["parts"])
    members = {"match_id": call.path["match_id"], "parts": parts, "reason": call.body.get("reason")}
    return await _ask(call, "split", r.SplitMatch, **members)


@operation("POST", f"{SESSION}/status-changes", tag=_TAG, body=bodies.RecordStatusBody, answer=bodies.MatchesDone,
           command=r.SetRecordStatus, keyed=True, refusals=(*_WORK, _REASON))  # fmt: skip
async def set_record_status(call: Call) -> Answer:
    """Set records aside, or take that back, with an answer for each."""
    members = {"record_ids": tuple(call.body["record_ids"]), "status": call.body["status"]}
    return await _ask(call, "status", r.SetRecordStatus, **members, reason=call.body.get("reason"))


@operation("POST", f"{SESSION}/assignments", tag=_TAG, body=bodies.AssignBody, answer=bodies.MatchesDone,
           command=r.AssignRecords, keyed=True, refusals=(_ENDED,))  # fmt: skip
async def assign_records(call: Call) -> Answer:
    """Give records to somebody, with an answer for each."""
    members = {"record_ids": tuple(call.body["record_ids"]), "assignee": call.body["assignee"]}
    return await _ask(call, "assign", r.AssignRecords, **members)


# -- the sign-off ------------------------------------------------------------------------------------------------------


@operation("POST", f"{RUN}/submit", tag=_TAG, body=bodies.RemarkBody, body_required=False, answer=bodies.SignOffDone,
           command=r.Submit, keyed=True, refusals=(*_WORK, ErrorCode.UNBALANCED))  # fmt: skip
async def submit_reconciliation(call: Call) -> Answer:
    """Submit for review.

    Refused while a conflict is open, a run is under way, or the unexplained difference is above the threshold.
    """
    state = await call.session()
    actor = call.actor(state.project_id)
    comment = call.body.get("comment")
    return Answer(dict(await _runs(call).submit(state.session_id, actor, command_id(call, "submit"), comment)))


@operation("POST", f"{RUN}/approve", tag=_TAG, body=bodies.RemarkBody, body_required=False, answer=bodies.SignedDone,
           command=r.Approve, keyed=True, refusals=(_ENDED, ErrorCode.SEPARATION_OF_DUTIES))  # fmt: skip
async def approve_reconciliation(call: Call) -> Answer:
    """Sign what was submitted. Nobody signs what they prepared."""
    return await _ask(call, "approve", r.Approve, comment=call.body.get("comment"))


@operation("POST", f"{RUN}/reject", tag=_TAG, body=bodies.ReasonBody, body_required=False, answer=bodies.SignOffDone,
           command=r.RejectSubmission, keyed=True, refusals=(_ENDED, _REASON))  # fmt: skip
async def reject_reconciliation(call: Call) -> Answer:
    """Send back what was submitted, with a reason."""
    return await _ask(call, "send-back", r.RejectSubmission, reason=call.body.get("reason"))


@operation("POST", f"{RUN}/reopen", tag=_TAG, body=bodies.ReasonBody, body_required=False, answer=bodies.SignOffDone,
           command=r.Reopen, keyed=True, refusals=(_ENDED, _FROZEN, _REASON))  # fmt: skip
async def reopen_reconciliation(call: Call) -> Answer:
    """Open again what was signed off, with a reason."""
    return await _ask(call, "reopen", r.Reopen, reason=call.body.get("reason"))


@operation("PATCH", f"{RUN}/settings", tag=_TAG, body=schemas.Settings, answer=bodies.SignOffDone, command=r.Configure,
           keyed=True, refusals=(_ENDED, _FROZEN))  # fmt: skip
async def configure_reconciliation(call: Call) -> Answer:
    """Change how the sign-off goes. What is left out stays as it is."""
    return await _ask(call, "settings", r.Configure, settings=call.body)


OPERATIONS: Final[tuple[Operation, ...]] = (
    start_run, pause_run, resume_run, cancel_run, get_status, get_rules, set_rules, dry_run, list_candidates,
    make_match, confirm_matches, reject_matches, remove_matches, split_match, set_record_status, assign_records,
    submit_reconciliation, approve_reconciliation, reject_reconciliation, reopen_reconciliation,
    configure_reconciliation,
)  # fmt: skip
