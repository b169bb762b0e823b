"""Edits: applied, merged, kept as a candidate of a conflict, or refused with a code. Never dropped.

A field's version is the ``seq`` of the commit that last set it, 0 as imported. An edit says which version its author
saw; what happens when that is not the latest one is the field's policy (`merging`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from realtime_server.core import limits
from realtime_server.core.commands import Edit, EditBatch, FieldEdit
from realtime_server.core.commits import Commit, Draft
from realtime_server.core.conflicts import detect, extend
from realtime_server.core.locks import refuse_locked
from realtime_server.core.merging import Policy, merge_values, policy_of
from realtime_server.core.outcomes import NoChange, Outcome, reject
from realtime_server.core.state import FieldState, RecordState, SessionState, UndoEntry, UserHistory
from realtime_server.core.values import check_field_name, check_value, same
from realtime_server.errors import ErrorCode, Rejection


@dataclass(frozen=True, slots=True)
class _Checked:
    """An edit that may be looked at: its record exists, nobody else holds it, the value can stand in the field."""

    edit: FieldEdit
    field: FieldState
    value: Any

    @property
    def current(self) -> bool:
        """Whether the author had seen the field as it is now."""
        return self.edit.base_version >= self.field.version

    @property
    def unchanged(self) -> bool:
        return same(self.value, self.field.value)


def _check(state: SessionState, user_id: str, edit: FieldEdit, now: int) -> _Checked | Rejection:
    record = state.records.get(edit.record_id)
    if record is None:
        return reject(ErrorCode.NOT_FOUND, f"there is no record {edit.record_id}", record_id=edit.record_id)
    locked = refuse_locked(state, edit.record_id, user_id, edit.lock_token, now)
    if locked is not None:
        return locked
    if edit.base_version > state.seq:
        return reject(
            ErrorCode.VERSION_UNKNOWN,
            f"base_version {edit.base_version} is ahead of the log, which stands at {state.seq}",
            seq=state.seq,
        )
    try:
        return _Checked(edit, record.field_state(edit.field_name), _checked_value(record, edit))
    except ValueError as error:
        return reject(
            ErrorCode.INVALID,
            str(error),
            record_id=edit.record_id,
            field_name=edit.field_name,
            fields={"new_value": [str(error)]},
        )


def _checked_value(record: RecordState, edit: FieldEdit) -> Any:
    name = check_field_name(edit.field_name)
    if name not in record.fields and name not in record.base and _fields_full(record):
        raise ValueError(f"a record has at most {limits.MAX_FIELDS} fields")
    value = check_value(name, edit.new_value, record.currency)
    if name == "currency" and record.value("amount") is not None:
        # The amount keeps its digits: it must be a possible amount of the new currency as well.
        check_value("amount", record.value("amount"), value)
    return value


def _fields_full(record: RecordState) -> bool:
    return len(record.base) + sum(name not in record.base for name in record.fields) >= limits.MAX_FIELDS


def decide_edit(state: SessionState, command: Edit, now: int) -> Outcome:
    checked = _check(state, command.actor.user_id, command.edit, now)
    if isinstance(checked, Rejection):
        return checked
    if checked.field.conflict is not None:
        return extend(state, checked.field, checked.field.conflict, command, checked.value, now)
    if checked.unchanged:
        return NoChange({"status": "unchanged", "seq": state.seq, "version": checked.field.version})
    policy = policy_of(command.edit.field_name, state.field_policies)
    if checked.current or policy is Policy.LAST_WRITER_WINS:
        return _applied(state, command, checked, checked.value, "edit.applied")
    if policy is Policy.FIRST_WRITER_WINS:
        return _stale(command.edit, checked.field)
    known, base = checked.field.value_at(command.edit.base_version)
    merged, value = merge_values(policy, base, checked.field.value, checked.value) if known else (False, None)
    if not merged:
        return detect(state, checked.field, policy, command, checked.value, now)
    if same(value, checked.field.value):
        return NoChange({"status": "unchanged", "seq": state.seq, "version": checked.field.version})
    return _applied(state, command, checked, value, "edit.merged")


def _stale(edit: FieldEdit, field: FieldState) -> Rejection:
    return reject(
        ErrorCode.VERSION_STALE,
        f"{edit.field_name} was changed since version {edit.base_version}",
        record_id=edit.record_id,
        field_name=edit.field_name,
        version=field.version,
        value=field.value,
    )


def _applied(state: SessionState, command: Edit, checked: _Checked, value: Any, message_type: str) -> Draft:
    data: dict[str, Any] = {
        "edit_id": command.edit_id,
        "record_id": command.edit.record_id,
        "field_name": command.edit.field_name,
        "old_value": checked.field.value,
        "new_value": value,
        "base_version": command.edit.base_version,
        "version": state.seq + 1,
    }
    if message_type == "edit.merged":
        data["submitted_value"] = checked.value
    if command.reason is not None:
        data["edit_reason"] = command.reason
    return Draft(message_type, data)


def decide_batch(state: SessionState, command: EditBatch, now: int) -> Outcome:
    """All edits or none. One commit; fields that already hold their value are left as they are."""
    problem = _check_batch(command)
    if problem is not None:
        return problem
    edits: list[dict[str, Any]] = []
    versions: list[int] = []
    for position, edit in enumerate(command.edits):
        item = _decide_in_batch(state, command, edit, now)
        if isinstance(item, Rejection):
            return replace(item, details={**item.details, "index": position})
        changed, entry = item
        versions.append(state.seq + 1 if changed else entry["version"])
        if changed:
            edits.append(entry)
    if not edits:
        return NoChange({"status": "unchanged", "seq": state.seq, "versions": versions})
    data: dict[str, Any] = {"edit_id": command.edit_id, "edits": edits, "versions": versions}
    if command.reason is not None:
        data["edit_reason"] = command.reason
    return Draft("edit.batch_applied", data)


def _check_batch(command: EditBatch) -> Rejection | None:
    if not 1 <= len(command.edits) <= limits.MAX_BATCH:
        return reject(ErrorCode.INVALID, f"a batch has 1 to {limits.MAX_BATCH} edits")
    places = [(edit.record_id, edit.field_name) for edit in command.edits]
    if len(set(places)) < len(places):
        return reject(ErrorCode.INVALID, "a batch sets each field at most once")
    if any(edit.field_name == "currency" for edit in command.edits) and len(places) > 1:
        # An amount is checked against its record's currency: the two cannot change in one breath.
        return reject(ErrorCode.INVALID, "currency is changed by an edit of its own")
    return None


def _decide_in_batch(
    state: SessionState, command: EditBatch, edit: FieldEdit, now: int
) -> tuple[bool, dict[str, Any]] | Rejection:
    """(changes something, entry of the commit), or why the batch cannot be."""
    checked = _check(state, command.actor.user_id, edit, now)
    if isinstance(checked, Rejection):
        return checked
    if checked.field.conflict is not None:
        return _stale(edit, checked.field)
    if checked.unchanged:
        return False, {"version": checked.field.version}
    value = checked.value
    policy = policy_of(edit.field_name, state.field_policies)
    if not checked.current and policy is not Policy.LAST_WRITER_WINS:
        known, base = checked.field.value_at(edit.base_version)
        merged, value = merge_values(policy, base, checked.field.value, checked.value) if known else (False, None)
        if not merged:
            return _stale(edit, checked.field)
        if same(value, checked.field.value):
            return False, {"version": checked.field.version}
    return True, {
        "record_id": edit.record_id,
        "field_name": edit.field_name,
        "old_value": checked.field.value,
        "new_value": value,
        "base_version": edit.base_version,
    }


def fields_set(commit: Commit) -> tuple[tuple[str, str, Any], ...]:
    """(record_id, field_name, value) of every field that a commit of the ``edit`` family sets."""
    data = commit.data
    if commit.message_type == "edit.batch_applied":
        return tuple((item["record_id"], item["field_name"], item["new_value"]) for item in data["edits"])
    return ((data["record_id"], data["field_name"], data["new_value"]),)


def set_field(record: RecordState, name: str, value: Any, commit: Commit) -> RecordState:
    """The record with one field set by a commit; what it held before goes to the field's history."""
    before = record.field_state(name)
    history = (*before.history, (before.version, before.value))[-limits.MAX_FIELD_HISTORY :]
    after = FieldState(value, commit.seq, commit.user_id, history, before.conflict)
    return replace(record, fields=record.fields.set(name, after), seq=commit.seq)


def evolve_edit(state: SessionState, commit: Commit) -> SessionState:
    places = fields_set(commit)
    records = state.records
    for record_id, name, value in places:
        # A stored record may be ahead of the log that is being replayed over it. Asked of the state before the
        # commit: a batch sets several fields of one record.
        if state.records[record_id].seq < commit.seq:
            records = records.set(record_id, set_field(records[record_id], name, value, commit))
    entry = UndoEntry(commit.seq, tuple((record_id, name) for record_id, name, _ in places))
    return replace(state, records=records, histories=_remember(state, commit, entry))


def _remember(state: SessionState, commit: Commit, entry: UndoEntry) -> Any:
    """The undo and redo stacks of the commit's author, after it."""
    history = state.histories.get(commit.user_id) or UserHistory()
    if "undo_of" in commit.data:
        undone = tuple(item for item in history.undo if item.seq != commit.data["undo_of"])
        history = UserHistory(undone, trim((*history.redo, entry)))
    elif "redo_of" in commit.data:
        redone = tuple(item for item in history.redo if item.seq != commit.data["redo_of"])
        history = UserHistory(trim((*history.undo, entry)), redone)
    else:
        history = UserHistory(trim((*history.undo, entry)), ())
    return state.histories.set(commit.user_id, history)


def trim(entries: tuple[UndoEntry, ...]) -> tuple[UndoEntry, ...]:
    """The newest entries that together point at no more fields than are allowed."""
    excess = sum(len(entry.fields) for entry in entries) - limits.MAX_UNDO_FIELDS
    first = 0
    while excess > 0:
        excess -= len(entries[first].fields)
        first += 1
    return entries[first:]


def edit_answer(commit: Commit) -> Mapping[str, Any]:
    """The acknowledgement of an edit, from its commit alone: a retry gets the same."""
    if commit.message_type == "edit.batch_applied":
        return {"status": "applied", "seq": commit.seq, "versions": commit.data["versions"]}
    status = commit.message_type.partition(".")[2]
    return {"status": status, "seq": commit.seq, "version": commit.seq, "value": commit.data["new_value"]}
