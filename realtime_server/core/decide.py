"""``decide(state, command, now) -> Commit | NoChange | Rejection``: the one door to the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from realtime_server.core import commands as c
from realtime_server.core import (
    comments,
    conflicts,
    edits,
    history,
    limits,
    locks,
    matches,
    record_status,
    runs,
    sessions,
    workflow,
)
from realtime_server.core import reconciliation_commands as r
from realtime_server.core.commits import Commit, Draft, seal
from realtime_server.core.outcomes import NoChange, Outcome, reject
from realtime_server.core.permissions import allowed
from realtime_server.core.state import SessionState, SessionStatus
from realtime_server.core.suggestions import suggested_records
from realtime_server.core.values import check_text
from realtime_server.errors import ErrorCode, Rejection

# Each function takes its own kind of command; the table's key says which.
_DECIDERS: Final[Mapping[type[c.Command], Callable[[SessionState, Any, int], Outcome]]] = {
    c.CreateSession: sessions.decide_create,
    c.Join: sessions.decide_join,
    c.RecordImport: sessions.decide_import,
    c.EraseName: sessions.decide_erase,
    c.EndSession: sessions.decide_end,
    c.ExpireSession: sessions.decide_expire_session,
    c.Edit: edits.decide_edit,
    c.EditBatch: edits.decide_batch,
    c.Resolve: conflicts.decide_resolve,
    c.AcquireLock: locks.decide_acquire,
    c.RenewLock: locks.decide_renew,
    c.ReleaseLock: locks.decide_release,
    c.TakeOverLock: locks.decide_takeover,
    c.ExpireLock: locks.decide_expire,
    c.AddComment: comments.decide_comment,
    c.ResolveComment: comments.decide_resolve_comment,
    c.Undo: history.decide_undo,
    c.Redo: history.decide_redo,
    r.ProposeMatches: matches.decide_propose,
    r.ConfirmMatches: matches.decide_confirm,
    r.RejectMatches: matches.decide_reject,
    r.MakeMatch: matches.decide_make,
    r.RemoveMatches: matches.decide_remove,
    r.SplitMatch: matches.decide_split,
    r.SetRecordStatus: record_status.decide_status,
    r.AssignRecords: record_status.decide_assign,
    r.SetRules: runs.decide_rules,
    r.StartRun: runs.decide_start,
    r.PauseRun: runs.decide_pause,
    r.ResumeRun: runs.decide_resume,
    r.CancelRun: runs.decide_cancel,
    r.ReportProgress: runs.decide_progress,
    r.CompleteRun: runs.decide_complete,
    r.FailRun: runs.decide_fail,
    r.Configure: workflow.decide_configure,
    r.Submit: workflow.decide_submit,
    r.Approve: workflow.decide_approve,
    r.RejectSubmission: workflow.decide_reject_submission,
    r.Reopen: workflow.decide_reopen,
    r.Certify: workflow.decide_certify,
}

#: Commands that change what is signed off: refused while it is frozen.
_CONTENT: Final = frozenset(
    {
        c.Edit,
        c.EditBatch,
        c.Undo,
        c.Redo,
        c.Resolve,
        c.RecordImport,
        r.ProposeMatches,
        r.ConfirmMatches,
        r.RejectMatches,
        r.MakeMatch,
        r.RemoveMatches,
        r.SplitMatch,
        r.SetRecordStatus,
        r.StartRun,
        r.ResumeRun,
        r.SetRules,
    }
)


def decide(state: SessionState, command: c.Command, now: int) -> Commit | NoChange | Rejection:
    """What a command leads to in a state. Pure: the same arguments give the same answer, hash included.

    ``now``: milliseconds since 1970. A commit is never dated before the one it follows, whatever the clocks say.
    The records that the command names must be loaded (`needed_records`).
    """
    refusal = _refuse(state, command)
    if refusal is not None:
        return refusal
    # The instant of the decision is the instant of its commit: leases are judged by the time that the log shows.
    now = max(now, state.at)
    outcome = _DECIDERS[type(command)](state, command, now)
    if not isinstance(outcome, Draft):
        return outcome
    try:
        return seal(
            outcome,
            session_id=state.session_id,
            project_id=command.project_id if isinstance(command, c.CreateSession) else state.project_id,
            seq=state.seq + 1,
            command_id=command.command_id,
            user_id=command.actor.user_id,
            at=now,
            prev_hash=state.hash,
        )
    except orjson.JSONEncodeError as error:
        # Half a surrogate pair in an id or a name: values and texts have been checked by their own rules.
        return reject(ErrorCode.INVALID, f"a commit is plain JSON: {error}")


def _refuse(state: SessionState, command: c.Command) -> Rejection | None:
    if not allowed(command.actor.role, type(command)):
        role = command.actor.role.value
        return reject(ErrorCode.FORBIDDEN, f"the role {role} may not do this ({type(command).__name__})", role=role)
    if state.seq == 0 and not isinstance(command, c.CreateSession):
        return reject(ErrorCode.NOT_FOUND, f"there is no session {state.session_id}")
    if state.status is not SessionStatus.ACTIVE and not isinstance(command, c.Join | c.EraseName):
        return reject(ErrorCode.SESSION_ENDED, f"the session has {state.status.value}", status=state.status.value)
    if type(command) in _CONTENT:
        frozen = workflow.refuse_frozen(state, command.actor.role)
        if frozen is not None:
            return frozen
    return _check_reason(command)


def _check_reason(command: c.Command) -> Rejection | None:
    reason = getattr(command, "reason", None)
    if reason is None:
        return None
    try:
        check_text(reason, limits.MAX_REASON)
    except ValueError as error:
        member = "edit_reason" if isinstance(command, c.Edit | c.EditBatch) else "reason"
        return reject(ErrorCode.INVALID, str(error), fields={member: [str(error)]})
    return None


def needed_records(state: SessionState, command: c.Command) -> frozenset[str]:
    """The records that must be in ``state.records``, where they exist, before the command is decided."""
    match command:
        case c.Edit(edit=edit):
            return frozenset({edit.record_id, *_weighed(state, edit.record_id, edit.field_name, edit.base_version)})
        case c.EditBatch(edits=items):
            return frozenset(edit.record_id for edit in items)
        case c.AcquireLock(record_id=record_id):
            return frozenset({record_id})
        case c.AddComment():
            parent = state.comments.get(command.parent_id) if command.parent_id is not None else None
            named = (command.record_id, parent[0] if parent else None)
            return frozenset(record_id for record_id in named if record_id is not None)
        case c.Resolve(conflict_id=conflict_id):
            place = state.conflicts.get(conflict_id)
            return frozenset() if place is None else frozenset({place[0], *_weighed(state, *place, -1)})
        case c.Undo() | c.Redo():
            entry = history.entry_of(command, history.stack_of(state, command))
            return frozenset() if entry is None else frozenset(record_id for record_id, _ in entry.fields)
        case r.ProposeMatches(items=items):
            return frozenset(record_id for item in items for record_id in (*item.ledger, *item.statement))
        case r.ConfirmMatches(match_ids=ids) | r.RejectMatches(match_ids=ids) | r.RemoveMatches(match_ids=ids):
            return matches.records_of_matches(state, ids)
        case r.SplitMatch(match_id=match_id):
            return matches.records_of_matches(state, (match_id,))
        case r.MakeMatch():
            return matches.records_with_matches(state, (*command.ledger, *command.statement))
        case r.SetRecordStatus(record_ids=ids) | r.AssignRecords(record_ids=ids):
            return frozenset(ids)
        case _:
            return frozenset()


def _weighed(state: SessionState, record_id: str, name: str, base_version: int) -> tuple[str, ...]:
    """What a suggestion looks at, where an edit of this base may come to a conflict."""
    record = state.records.get(record_id)
    field = None if record is None or record.match is None else record.fields.get(name)
    stale = field is not None and (field.conflict is not None or base_version < field.version)
    return suggested_records(record) if stale else ()


_ANSWERS: Final[Mapping[str, Callable[[Commit], Mapping[str, Any]]]] = {
    "edit": edits.edit_answer,
    "conflict": conflicts.conflict_answer,
    "lock": locks.lock_answer,
    "comment": comments.comment_answer,
    "match": matches.match_answer,
    "record": record_status.record_answer,
    "reconciliation": runs.run_answer,
}


def answer(commit: Commit) -> Mapping[str, Any]:
    """What the acknowledgement of a commit's command adds to ``ok``. From the commit alone, so that a retry, through
    any instance and at any later time, is answered with the very same."""
    return _ANSWERS.get(commit.family, sessions.plain_answer)(commit)
