"""Edits: applied, merged, kept as a candidate of a conflict, or refused with a code. Never dropped.

A field's version is the ``seq`` of the commit that last set it, 0 as imported. An edit says which version its author
saw; what happens when that is not the latest one is the field's policy (`merging`).

Hot path: with `decide`, `evolve` and `commits.seal` every edit of every session passes here, and all sessions of a
process share one core. An edit takes 9 µs to decide and 9 µs to apply (``python -m loadtest.bench_core``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from realtime_server.core import limits
from realtime_server.core.commands import Edit, EditBatch, FieldEdit
from realtime_server.core.commits import Commit, Draft
from realtime_server.core.conflicts import detect, extend
from realtime_server.core.fields import check_amounts, check_new_value
from realtime_server.core.history import remember
from realtime_server.core.locks import refuse_locked
from realtime_server.core.merging import Policy, merge_values, policy_of
from realtime_server.core.outcomes import NoChange, Outcome, reject
from realtime_server.core.settled import refuse_settled
from realtime_server.core.state import Changes, FieldState, RecordState, SessionState, UndoEntry
from realtime_server.core.values import READ_ONLY_FIELDS, check_field_name, same
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


def _check(
    state: SessionState,
    record: RecordState | None,
    user_id: str,
    edit: FieldEdit,
    now: int,
    currency: str | None = None,
) -> _Checked | Rejection:
    """``currency``: see `check_new_value`."""
    if record is None:
        return reject(ErrorCode.NOT_FOUND, f"there is no record {edit.record_id}", record_id=edit.record_id)
    locked = refuse_locked(state, edit.record_id, user_id, edit.lock_token, now)
    if locked is not None:
        return locked
    if edit.field_name == "status":
        return _invalid(edit, "field_name", "the status follows from matches; record_status sets a record aside")
    if record.match is not None or record.disposition is not None:
        settled = refuse_settled(record, edit.field_name)
        if settled is not None:
            return settled
    if type(edit.base_version) is not int or edit.base_version < 0:
        return _invalid(edit, "base_version", "a version is an integer from 0")
    if edit.base_version > state.seq:
        return reject(
            ErrorCode.VERSION_UNKNOWN,
            f"base_version {edit.base_version} is ahead of the log, which stands at {state.seq}",
            seq=state.seq,
        )
    try:
        value = check_new_value(record, edit.field_name, edit.new_value, currency)
    except ValueError as error:
        return _invalid(edit, _at_fault(edit.field_name), str(error))
    return _Checked(edit, record.field_state(edit.field_name), value)


def _at_fault(name: Any) -> str:
    """Which member an edit that cannot be is wrong in."""
    try:
        return "field_name" if check_field_name(name) in READ_ONLY_FIELDS else "new_value"
    except ValueError:
        return "field_name"


def _invalid(edit: FieldEdit, member: str, message: str) -> Rejection:
    details = {"record_id": edit.record_id, "field_name": edit.field_name, "fields": {member: [message]}}
    return Rejection(ErrorCode.INVALID, message, details)


def decide_edit(state: SessionState, command: Edit, now: int) -> Outcome:
    edit = command.edit
    checked = _check(state, state.records.get(edit.record_id), command.actor.user_id, edit, now)
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
    """All edits or none. One commit; fields that already hold their value are left as they are.

    A currency may change together with the amounts of its record: they are checked against the new one.
    """
    problem = _check_batch(command)
    if problem is not None:
        return problem
    currencies = {edit.record_id: edit.new_value for edit in command.edits if edit.field_name == "currency"}
    records: dict[str, RecordState] = {}
    entries: list[dict[str, Any]] = []
    versions: list[int] = []
    for position, edit in enumerate(command.edits):
        record = records.get(edit.record_id) or state.records.get(edit.record_id)
        item = _decide_in_batch(state, record, command, edit, currencies.get(edit.record_id), now)
        if isinstance(item, Rejection):
            return _at(position, item)
        version, entry = item
        versions.append(version)
        if record is not None and entry is not None:
            entries.append(entry)
            # Later edits of the record find it with this one done: its bounds hold for the whole batch.
            records[edit.record_id] = _set(record, edit.field_name, entry["new_value"], version, command.actor.user_id)
    for position, edit in enumerate(command.edits):
        if edit.field_name == "currency" and edit.record_id in records:
            try:
                check_amounts(records[edit.record_id], {"currency": edit.new_value})
            except ValueError as error:
                return _at(position, _invalid(edit, "new_value", str(error)))
    if not entries:
        return NoChange({"status": "unchanged", "seq": state.seq, "versions": versions})
    data: dict[str, Any] = {"edit_id": command.edit_id, "edits": entries, "versions": versions}
    if command.reason is not None:
        data["edit_reason"] = command.reason
    return Draft("edit.batch_applied", data)


def _at(position: int, rejection: Rejection) -> Rejection:
    return replace(rejection, details={**rejection.details, "index": position})


def _check_batch(command: EditBatch) -> Rejection | None:
    if not 1 <= len(command.edits) <= limits.MAX_BATCH:
        return reject(ErrorCode.INVALID, f"a batch has 1 to {limits.MAX_BATCH} edits")
    for position, edit in enumerate(command.edits):
        try:
            check_field_name(edit.field_name)
        except ValueError as error:
            return _at(position, _invalid(edit, "field_name", str(error)))
    places = {(edit.record_id, edit.field_name) for edit in command.edits}
    if len(places) < len(command.edits):
        return reject(ErrorCode.INVALID, "a batch sets each field at most once")
    return None


def _decide_in_batch(
    state: SessionState,
    record: RecordState | None,
    command: EditBatch,
    edit: FieldEdit,
    currency: Any,
    now: int,
) -> tuple[int, dict[str, Any] | None] | Rejection:
    """(version after the batch, entry of the commit if it sets the field), or why the batch cannot be."""
    # A currency that is none is refused where its own edit is checked.
    currency = currency if isinstance(currency, str) and currency else None
    checked = _check(state, record, command.actor.user_id, edit, now, currency)
    if isinstance(checked, Rejection):
        return checked
    if checked.field.conflict is not None:
        return _stale(edit, checked.field)
    value = checked.value
    entry: dict[str, Any] = {
        "record_id": edit.record_id,
        "field_name": edit.field_name,
        "old_value": checked.field.value,
        "new_value": value,
        "base_version": edit.base_version,
    }
    policy = policy_of(edit.field_name, state.field_policies)
    if not (checked.unchanged or checked.current or policy is Policy.LAST_WRITER_WINS):
        known, base = checked.field.value_at(edit.base_version)
        merged, value = merge_values(policy, base, checked.field.value, checked.value) if known else (False, None)
        if not merged:
            return _stale(edit, checked.field)
        entry |= {"new_value": value, "submitted_value": checked.value}
    return (checked.field.version, None) if same(value, checked.field.value) else (state.seq + 1, entry)


def fields_set(commit: Commit) -> tuple[tuple[str, str, Any], ...]:
    """(record_id, field_name, value) of every field that a commit of the ``edit`` family sets."""
    data = commit.data
    if commit.message_type == "edit.batch_applied":
        return tuple((item["record_id"], item["field_name"], item["new_value"]) for item in data["edits"])
    return ((data["record_id"], data["field_name"], data["new_value"]),)


def set_field(record: RecordState, name: str, value: Any, commit: Commit) -> RecordState:
    """The record with one field set by a commit; what it held before goes to the field's history."""
    return _set(record, name, value, commit.seq, commit.user_id)


def _set(record: RecordState, name: str, value: Any, version: int, user_id: str) -> RecordState:
    before = record.fields.get(name)
    if before is None:
        after = FieldState(value, version, user_id, ((0, record.base.get(name)),))
    else:
        history = (*before.history, (before.version, before.value))[-limits.MAX_FIELD_HISTORY :]
        after = FieldState(value, version, user_id, history, before.conflict)
    fields = record.fields.set(name, after)
    # Written out: `dataclasses.replace` takes three times as long, on the path of every edit.
    return RecordState(
        record.record_id,
        record.source,
        record.external_id,
        record.base,
        fields,
        version,
        record.match,
        record.disposition,
        record.rejected,
    )


def evolve_edit(state: SessionState, commit: Commit) -> Changes:
    places = fields_set(commit)
    records = state.records
    for record_id, name, value in places:
        # A stored record may be ahead of the log that is being replayed over it. Asked of the state before the
        # commit: a batch sets several fields of one record.
        if state.records[record_id].seq < commit.seq:
            records = records.set(record_id, set_field(records[record_id], name, value, commit))
    fields = tuple((record_id, name) for record_id, name, _ in places)
    entry = UndoEntry(commit.seq, fields, (commit.seq,) * len(fields))
    return Changes(records=records, histories=remember(state, commit, entry))


def edit_answer(commit: Commit) -> Mapping[str, Any]:
    """The acknowledgement of an edit, from its commit alone: a retry gets the same."""
    if commit.message_type == "edit.batch_applied":
        return {"status": "applied", "seq": commit.seq, "versions": commit.data["versions"]}
    status = commit.message_type.partition(".")[2]
    return {"status": status, "seq": commit.seq, "version": commit.seq, "value": commit.data["new_value"]}
