"""Whether a command whose id is in the log already is that command again, or another one under a used id.

A retry is answered from the commit it made. Another command under the same id cannot be done (the id is taken) and must
not be answered as if it had been: it is refused as `invalid`. Compared is what the author asked for and the commit
tells: the kind, its target, and the value. Where an amount, a text or a list has a canonical form, that is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from realtime_server.core import commands as c
from realtime_server.core import reconciliation_commands as r
from realtime_server.core.commits import Commit
from realtime_server.core.outcomes import reject
from realtime_server.core.values import stored_as
from realtime_server.errors import ErrorCode, Rejection


def refuse_used_id(command: c.Command, commit: Commit) -> Rejection | None:
    """Why ``commit``, which bears the command's id, does not answer the command; None when it does.

    Ids that no client chose are not compared: they are made of what they stand for.
    """
    compare = _COMPARISONS.get(type(command))
    if compare is None or not command.repeatable or compare(command, commit):
        return None
    name = "edit_id" if isinstance(command, c.Edit | c.EditBatch) else "request_id"
    message = f"this {name} was used for something else, by commit {commit.seq}: send the request under another one"
    return reject(ErrorCode.INVALID, message, fields={name: [message]}, seq=commit.seq)


def _edit(command: c.Edit, commit: Commit) -> bool:
    """Not compared: ``base_version``, which a shell may fill in anew for a retry, and the reason."""
    data, edit = commit.data, command.edit
    if commit.message_type in ("edit.applied", "edit.merged"):
        item: Mapping[str, Any] = data
        value = data.get("submitted_value", data["new_value"])
    elif commit.message_type in ("conflict.detected", "conflict.extended"):
        item = data["candidate"] if "candidate" in data else data["candidates"][0]
        value = item["value"]
    else:
        return False
    place = (data["record_id"], data["field_name"])
    return _is_own(data) and place == (edit.record_id, edit.field_name) and stored_as(place[1], edit.new_value, value)


def _batch(command: c.EditBatch, commit: Commit) -> bool:
    """The commit has no edits that changed nothing, but a version for each."""
    data = commit.data
    if commit.message_type != "edit.batch_applied" or not _is_own(data) or len(data["versions"]) != len(command.edits):
        return False
    asked = {(edit.record_id, edit.field_name): edit.new_value for edit in command.edits}
    return all(
        (item["record_id"], item["field_name"]) in asked
        and stored_as(
            item["field_name"],
            asked[item["record_id"], item["field_name"]],
            item.get("submitted_value", item["new_value"]),
        )
        for item in data["edits"]
    )


def _is_own(data: Mapping[str, Any]) -> bool:
    """An edit that somebody wrote, and not one that an undo or a redo made."""
    return "undo_of" not in data and "redo_of" not in data


def _undoing(mark: str) -> Callable[[Any, Commit], bool]:
    def compare(command: c.Undo | c.Redo, commit: Commit) -> bool:
        return mark in commit.data and command.seq in (None, commit.data[mark])

    return compare


def _made(*message_types: str, **members: str) -> Callable[[Any, Commit], bool]:
    """A commit of one of these types whose ``data`` has in each member what the command's attribute says."""

    def compare(command: Any, commit: Commit) -> bool:
        return commit.message_type in message_types and all(
            commit.data[member] == getattr(command, attribute) for member, attribute in members.items()
        )

    return compare


_COMPARISONS: Final[Mapping[type[c.Command], Callable[[Any, Commit], bool]]] = {
    c.CreateSession: _made("session.created", name="name"),
    c.Join: _made("session.updated"),
    c.Edit: _edit,
    c.EditBatch: _batch,
    c.Undo: _undoing("undo_of"),
    c.Redo: _undoing("redo_of"),
    c.AcquireLock: _made("lock.acquired", "lock.renewed", record_id="record_id"),
    c.RenewLock: _made("lock.renewed", record_id="record_id", token="token"),
    c.ReleaseLock: _made("lock.released", record_id="record_id", token="token"),
    # Of one's own lock, taking over is renewing.
    c.TakeOverLock: _made("lock.taken_over", "lock.renewed", record_id="record_id"),
    c.ExpireLock: _made("lock.expired", "lock.released", record_id="record_id", token="token"),
    c.Resolve: _made("conflict.resolved", conflict_id="conflict_id", strategy="strategy"),
    c.AddComment: _made("comment.added", text="text"),
    c.ResolveComment: _made("comment.resolved", comment_id="comment_id"),
    c.RecordImport: _made("record.imported", digest="digest"),
    c.EraseName: _made("session.name_erased", user_id="user_id"),
    c.EndSession: _made("session.ended"),
    c.ExpireSession: _made("session.expired"),
    r.ProposeMatches: _made("match.suggested", run_id="run_id"),
    r.ConfirmMatches: _made("match.confirmed"),
    r.RejectMatches: _made("match.rejected"),
    r.RemoveMatches: _made("match.removed"),
    r.MakeMatch: _made("match.created"),
    r.SplitMatch: _made("match.split"),
    r.SetRecordStatus: _made("record.status_changed", status="status"),
    r.AssignRecords: _made("record.assigned", assignee="assignee"),
    r.SetRules: _made("reconciliation.rules_changed"),
    # The server makes a new ``run_id`` for every request, so for a retry too.
    r.StartRun: _made("reconciliation.started"),
    r.PauseRun: _made("reconciliation.paused"),
    r.ResumeRun: _made("reconciliation.resumed"),
    r.CancelRun: _made("reconciliation.cancelled"),
    r.ReportProgress: _made("reconciliation.progress"),
    r.CompleteRun: _made("reconciliation.completed"),
    r.FailRun: _made("reconciliation.failed"),
    r.Configure: _made("reconciliation.configured"),
    r.Submit: _made("reconciliation.submitted"),
    r.Approve: _made("reconciliation.approved", "reconciliation.reviewed"),
    r.RejectSubmission: _made("reconciliation.rejected"),
    r.Reopen: _made("reconciliation.reopened"),
    r.Certify: _made("reconciliation.approved"),
}
