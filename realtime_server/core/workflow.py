"""The way to the sign-off: ``not_started → in_progress → in_review → approved``, back with a reason.

Who prepared is whoever really changed something, whatever their role: none of them may sign. After the submission the
content is frozen. What an administrator changes after the sign-off (a late bank line, a correction) suspends the
signatures; they stay visible, with the commit that suspended them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final

from realtime_server.core import limits
from realtime_server.core.clock import to_iso
from realtime_server.core.commits import SYSTEM_USER, Commit, Draft
from realtime_server.core.dates import canonical_date
from realtime_server.core.money import format_minor_units
from realtime_server.core.nameless import name_of
from realtime_server.core.outcomes import NoChange, Outcome, reject
from realtime_server.core.reconciliation_commands import (
    Approve,
    Certify,
    Configure,
    RejectSubmission,
    Reopen,
    Submit,
)
from realtime_server.core.reconciling import (
    Reconciliation,
    Settings,
    SignOff,
    Workflow,
    WorkflowStatus,
    difference,
)
from realtime_server.core.roles import Role
from realtime_server.core.state import SessionState
from realtime_server.errors import ErrorCode, Rejection

#: message types by which somebody changes what is to be signed.
_CONTENT_FAMILIES: Final = frozenset({"edit", "match"})
_CONTENT_TYPES: Final = frozenset(
    {"conflict.resolved", "record.imported", "record.status_changed", "reconciliation.submitted"}
)


def is_content(message_type: str) -> bool:
    """Whether a commit of this type changes what is to be signed."""
    return message_type.partition(".")[0] in _CONTENT_FAMILIES or message_type in _CONTENT_TYPES


def refuse_frozen(state: SessionState, role: Role) -> Rejection | None:
    """Why the content may not be changed now."""
    reconciliation = state.reconciliation
    status = reconciliation.workflow.status
    if reconciliation.settings.period_locked:
        return reject(ErrorCode.FROZEN, "the period is locked")
    if status is WorkflowStatus.IN_REVIEW:
        return reject(
            ErrorCode.FROZEN, "submitted for review: nothing changes until it is sent back", status=status.value
        )
    if status is WorkflowStatus.APPROVED and role is not Role.ADMIN:
        return reject(ErrorCode.FROZEN, "signed off: reopen it to change something", status=status.value)
    return None


def decide_configure(state: SessionState, command: Configure, now: int) -> Outcome:
    settings = state.reconciliation.settings
    try:
        changed = replace(settings, **_checked(command.settings))
    except ValueError as error:
        return reject(ErrorCode.INVALID, str(error), fields={"settings": [str(error)]})
    if changed == settings:
        return NoChange({"seq": state.seq})
    if state.reconciliation.workflow.status is WorkflowStatus.IN_REVIEW and not set(command.settings) <= _ALWAYS:
        return reject(ErrorCode.FROZEN, "what is in review is judged by the settings it was submitted with")
    if changed.period_locked and not settings.period_locked:
        under_way = _refuse_during_run(state.reconciliation)
        if under_way is not None:
            return under_way
    return Draft("reconciliation.configured", {"settings": settings_view(changed)})


#: Settings that change nothing about what is being judged.
_ALWAYS: Final = frozenset({"due_date", "period_locked"})


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(values) - {item.name for item in fields(Settings)})
    if unknown:
        raise ValueError(f"there is no setting {', '.join(unknown)}")
    checked = dict(values)
    for name in ("threshold", "second_signature_above", "auto_certify_up_to"):
        value = checked.get(name, 0)
        empty = value is None and name != "threshold"
        if not empty and (
            isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limits.MAX_INTEGER
        ):
            raise ValueError(f"{name} is a whole number of minor units, from 0")
    for name in ("auto_certify", "period_locked"):
        if not isinstance(checked.get(name, False), bool):
            raise ValueError(f"{name} is true or false")
    due = checked.get("due_date")
    if due is not None:
        try:
            checked["due_date"] = canonical_date(due)
        except ValueError as error:
            raise ValueError(f"due_date: {error}") from None
    return checked


def settings_view(settings: Settings) -> dict[str, Any]:
    return {item.name: getattr(settings, item.name) for item in fields(Settings)}


def _judge(state: SessionState, command: Submit | Certify) -> dict[str, Any] | Rejection:
    """What is to be signed, in figures; a refusal when the figures are older than the last change of an amount."""
    reconciliation = state.reconciliation
    if command.counted_at < reconciliation.amounts_seq or command.counted_at > state.seq:
        return reject(ErrorCode.UNAVAILABLE, "amounts changed while they were added up; try again")
    if state.conflicts:
        message = f"{len(state.conflicts)} conflicts are open: resolve them first"
        return reject(ErrorCode.INVALID, message, open_conflicts=len(state.conflicts))
    under_way = _refuse_during_run(reconciliation)
    if under_way is not None:
        return under_way
    run = reconciliation.run
    totals = {(source, currency): minor for source, currency, minor in command.totals}
    sign = run.statement_sign if run is not None else 1
    unexplained = difference(totals, reconciliation.tally.settled, sign)
    settled = sum(reconciliation.tally.records.get(name, 0) for name in ("matched", "exception", "excluded"))
    return {
        "records": command.records,
        "open_records": command.records - settled,
        "difference": {currency: format_minor_units(minor, currency) for currency, minor in unexplained.items()},
        "unexplained": unexplained,
        "exceptions": reconciliation.tally.records.get("exception", 0),
    }


def _refuse_during_run(reconciliation: Reconciliation) -> Rejection | None:
    """What a run finds could not be stored any more."""
    run = reconciliation.run
    if run is None or not run.active:
        return None
    return reject(ErrorCode.INVALID, "a matching run is under way: let it end, or cancel it", run_id=run.run_id)


def decide_submit(state: SessionState, command: Submit, now: int) -> Outcome:
    frozen = refuse_frozen(state, Role.PREPARER)
    if frozen is not None:
        return frozen
    figures = _judge(state, command)
    if isinstance(figures, Rejection):
        return figures
    unexplained = figures.pop("unexplained")
    threshold = state.reconciliation.settings.threshold
    if any(abs(minor) > threshold for minor in unexplained.values()):
        message = "the unexplained difference is above the threshold"
        return reject(ErrorCode.UNBALANCED, message, difference=figures["difference"])
    data = {**figures, "name": name_of(state, command.actor)}
    if command.comment is not None:
        data["comment"] = command.comment
    return Draft("reconciliation.submitted", data)


def decide_approve(state: SessionState, command: Approve, now: int) -> Outcome:
    reconciliation, actor = state.reconciliation, command.actor
    workflow = reconciliation.workflow
    if workflow.status is not WorkflowStatus.IN_REVIEW:
        return _wrong_status(workflow, "approve")
    if actor.user_id in workflow.prepared_by:
        message = "you changed what is to be signed: somebody else signs it"
        return reject(ErrorCode.SEPARATION_OF_DUTIES, message)
    signed = [item for item in workflow.standing if not item.final]
    if any(item.user_id == actor.user_id for item in signed):
        return reject(ErrorCode.SEPARATION_OF_DUTIES, "you signed already: the second signature is somebody else's")
    final = not _two_needed(reconciliation) or (bool(signed) and actor.role in (Role.APPROVER, Role.ADMIN))
    if signed and not final:
        return reject(ErrorCode.FORBIDDEN, "the second signature is an approver's", role=actor.role.value)
    data: dict[str, Any] = {"name": name_of(state, actor), "role": actor.role.value, "final": final}
    if command.comment is not None:
        data["comment"] = command.comment
    return Draft("reconciliation.approved" if final else "reconciliation.reviewed", data)


def _two_needed(reconciliation: Reconciliation) -> bool:
    above = reconciliation.settings.second_signature_above
    return above is not None and reconciliation.tally.largest >= above


def _wrong_status(workflow: Workflow, action: str) -> Rejection:
    message = f"one cannot {action} what is {workflow.status.value.replace('_', ' ')}"
    return reject(ErrorCode.INVALID, message, status=workflow.status.value)


def _reason_missing(what: str) -> Rejection:
    return reject(ErrorCode.REASON_REQUIRED, f"say why you {what} it", fields={"reason": ["is empty"]})


def decide_reject_submission(state: SessionState, command: RejectSubmission, now: int) -> Outcome:
    workflow = state.reconciliation.workflow
    if workflow.status is not WorkflowStatus.IN_REVIEW:
        return _wrong_status(workflow, "reject")
    if not (command.reason or "").strip():
        return _reason_missing("reject")
    return Draft("reconciliation.rejected", {"name": name_of(state, command.actor), "reason": command.reason})


def decide_reopen(state: SessionState, command: Reopen, now: int) -> Outcome:
    workflow = state.reconciliation.workflow
    if workflow.status is not WorkflowStatus.APPROVED:
        return _wrong_status(workflow, "reopen")
    if state.reconciliation.settings.period_locked:
        return reject(ErrorCode.FROZEN, "the period is locked")
    if not (command.reason or "").strip():
        return _reason_missing("reopen")
    return Draft("reconciliation.reopened", {"name": name_of(state, command.actor), "reason": command.reason})


def decide_certify(state: SessionState, command: Certify, now: int) -> Outcome:
    """Never with an open record, an unexplained difference, an open conflict, or anything that a person settled: a
    match that they made or gave a reason for, a record that they set aside."""
    reconciliation = state.reconciliation
    frozen = refuse_frozen(state, Role.PREPARER)
    if frozen is not None:
        return frozen
    settings = reconciliation.settings
    if not settings.auto_certify:
        return reject(ErrorCode.INVALID, "the settings do not allow a sign-off by rule")
    figures = _judge(state, command)
    if isinstance(figures, Rejection):
        return figures
    unexplained = figures.pop("unexplained")
    if any(unexplained.values()) or figures["open_records"] or figures["exceptions"]:
        message = "something is open, or unexplained: a person judges that"
        return reject(ErrorCode.UNBALANCED, message, **figures)
    by_hand, excluded = reconciliation.tally.by_hand, reconciliation.tally.records.get("excluded", 0)
    if by_hand or excluded:
        message = "people matched records by hand, or excluded some: a person judges that"
        return reject(ErrorCode.INVALID, message, by_hand=by_hand, excluded=excluded)
    if settings.auto_certify_up_to is not None and reconciliation.tally.largest > settings.auto_certify_up_to:
        return reject(ErrorCode.INVALID, "the amounts are above what may be signed off by rule")
    actor = command.actor
    data = {**figures, "name": name_of(state, actor), "role": actor.role.value, "final": True, "automatic": True}
    return Draft("reconciliation.approved", data)


# -- what it makes of the state ----------------------------------------------------------------------------------------


def evolve_workflow(before: Reconciliation, commit: Commit) -> Reconciliation:
    data, workflow = commit.data, before.workflow
    match commit.message_type:
        case "reconciliation.configured":
            return replace(before, settings=Settings(**data["settings"]))
        case "reconciliation.submitted":
            after = replace(
                workflow,
                status=WorkflowStatus.IN_REVIEW,
                submitted_by=commit.user_id,
                submitted_at=commit.at,
                reason=None,
                signoffs=_suspended(workflow.signoffs, commit.seq),
            )
        case "reconciliation.reviewed" | "reconciliation.approved":
            sign = SignOff(
                commit.user_id, data["name"], data["role"], commit.at, commit.seq, data["final"], data.get("comment")
            )
            signoffs = (*workflow.signoffs, sign)[-limits.MAX_SIGNOFFS :]
            status = WorkflowStatus.APPROVED if data["final"] else workflow.status
            after = replace(workflow, status=status, signoffs=signoffs)
        case _:
            # Rejected or reopened: work goes on, and whatever was signed does not hold any more.
            after = replace(
                workflow,
                status=WorkflowStatus.IN_PROGRESS,
                signoffs=_suspended(workflow.signoffs, commit.seq),
                reason=data["reason"],
            )
    return replace(before, workflow=after)


def _suspended(signoffs: tuple[SignOff, ...], seq: int) -> tuple[SignOff, ...]:
    return tuple(item if item.suspended_by is not None else replace(item, suspended_by=seq) for item in signoffs)


def note_change(before: Reconciliation, commit: Commit) -> Reconciliation:
    """After a commit that changed the content: who prepared, and what becomes of a sign-off."""
    workflow = before.workflow
    known = commit.user_id in workflow.prepared_by or commit.user_id == SYSTEM_USER
    if known and workflow.status in (WorkflowStatus.IN_PROGRESS, WorkflowStatus.IN_REVIEW):
        return before  # what nearly every edit comes to
    prepared = workflow.prepared_by if commit.user_id == SYSTEM_USER else workflow.prepared_by | {commit.user_id}
    if workflow.status is WorkflowStatus.APPROVED:
        signoffs = _suspended(workflow.signoffs, commit.seq)
        after = replace(workflow, status=WorkflowStatus.IN_PROGRESS, prepared_by=prepared, signoffs=signoffs)
    else:
        # Bringing the records in is no work on them yet.
        begun = workflow.status is WorkflowStatus.NOT_STARTED and commit.message_type != "record.imported"
        status = WorkflowStatus.IN_PROGRESS if begun else workflow.status
        after = replace(workflow, status=status, prepared_by=prepared)
    return replace(before, workflow=after)


def workflow_view(reconciliation: Reconciliation) -> dict[str, Any]:
    """The way to the sign-off as clients see it."""
    workflow = reconciliation.workflow
    return {
        "status": workflow.status.value,
        "prepared_by": sorted(workflow.prepared_by),
        "submitted_by": workflow.submitted_by,
        "submitted_at": None if workflow.submitted_at is None else to_iso(workflow.submitted_at),
        "reason": workflow.reason,
        "signoffs": [_signoff_view(item) for item in workflow.signoffs],
        "settings": settings_view(reconciliation.settings),
    }


def _signoff_view(item: SignOff) -> dict[str, Any]:
    return {
        "user_id": item.user_id,
        "name": item.name,
        "role": item.role,
        "at": to_iso(item.at),
        "seq": item.seq,
        "final": item.final,
        "comment": item.comment,
        "suspended_by": item.suspended_by,
    }
