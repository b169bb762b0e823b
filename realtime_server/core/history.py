"""Undo and redo of one's own edits: a new commit each, refused when the field has moved on since.

A field keeps its earlier values, so an undo needs no more than the names of the fields its edit set: what stood there
before is the newest value older than that edit. A redo undoes an undo. An undo brings a field back to an earlier value
under a new version, so the commit says which version that was (``restored_version``): the edit that had made it can be
undone next.
"""

from __future__ import annotations

from typing import Any

from immutables import Map

from realtime_server.core import limits
from realtime_server.core.commands import GENERATED, Redo, Undo
from realtime_server.core.commits import Commit, Draft
from realtime_server.core.fields import check_amounts
from realtime_server.core.locks import refuse_locked
from realtime_server.core.outcomes import Outcome, reject
from realtime_server.core.settled import refuse_settled
from realtime_server.core.state import SessionState, UndoEntry, UserHistory
from realtime_server.errors import ErrorCode, Rejection


def decide_undo(state: SessionState, command: Undo, now: int) -> Outcome:
    history = state.histories.get(command.actor.user_id) or UserHistory()
    return _decide(state, command, history.undo, "undo", now)


def decide_redo(state: SessionState, command: Redo, now: int) -> Outcome:
    history = state.histories.get(command.actor.user_id) or UserHistory()
    return _decide(state, command, history.redo, "redo", now)


def entry_of(command: Undo | Redo, entries: tuple[UndoEntry, ...]) -> UndoEntry | None:
    """The entry that a command means: the one it names by ``seq``, else the newest."""
    return next((item for item in reversed(entries) if command.seq in (None, item.seq)), None)


def stack_of(state: SessionState, command: Undo | Redo) -> tuple[UndoEntry, ...]:
    history = state.histories.get(command.actor.user_id) or UserHistory()
    return history.undo if isinstance(command, Undo) else history.redo


def _decide(state: SessionState, command: Undo | Redo, entries: tuple[UndoEntry, ...], verb: str, now: int) -> Outcome:
    entry = entry_of(command, entries)
    if entry is None:
        return reject(ErrorCode.NOTHING_TO_UNDO, f"there is no edit of yours to {verb}")
    edits: list[dict[str, Any]] = []
    for (record_id, name), version in zip(entry.fields, entry.versions, strict=True):
        item = _restored(state, command, entry, record_id, name, version, now)
        if isinstance(item, Rejection):
            return item
        edits.append(item)
    problem = _misfit(state, edits)
    if problem is not None:
        return problem
    mark = {f"{verb}_of": entry.seq, "edit_id": command.command_id.rpartition("/")[2].removeprefix(GENERATED)}
    if len(edits) == 1:
        return Draft("edit.applied", {**edits[0], "version": state.seq + 1, **mark})
    return Draft("edit.batch_applied", {"edits": edits, "versions": [state.seq + 1] * len(edits), **mark})


def _restored(
    state: SessionState, command: Undo | Redo, entry: UndoEntry, record_id: str, name: str, version: int, now: int
) -> dict[str, Any] | Rejection:
    locked = refuse_locked(state, record_id, command.actor.user_id, None, now)
    if locked is not None:
        return locked
    record = state.records[record_id]
    settled = refuse_settled(record, name)
    if settled is not None:
        return settled
    field = record.field_state(name)
    before = field.before(entry.seq)
    if field.version != version or field.conflict is not None or before is None:
        return reject(
            ErrorCode.NOTHING_TO_UNDO,
            f"{name} has moved on since commit {entry.seq}",
            record_id=record_id,
            field_name=name,
            seq=entry.seq,
            version=field.version,
        )
    return {
        "record_id": record_id,
        "field_name": name,
        "old_value": field.value,
        "new_value": before[1],
        "base_version": field.version,
        "restored_version": before[0],
    }


def _misfit(state: SessionState, edits: list[dict[str, Any]]) -> Rejection | None:
    """Why the values of then cannot be the values of now: amounts, where the currency has changed in between."""
    for record_id in {item["record_id"]: None for item in edits}:
        changes = {item["field_name"]: item["new_value"] for item in edits if item["record_id"] == record_id}
        try:
            check_amounts(state.records[record_id], changes)
        except ValueError as error:
            return reject(ErrorCode.INVALID, str(error), record_id=record_id)
    return None


def remember(state: SessionState, commit: Commit, entry: UndoEntry) -> Map[str, UserHistory]:
    """The undo and redo stacks after a commit of somebody's edits."""
    history = state.histories.get(commit.user_id) or UserHistory()
    data = commit.data
    if "undo_of" in data:
        undo, redo = _without(history, data["undo_of"], commit)
        history = history_of(undo, trim((*redo, entry)))
    elif "redo_of" in data:
        undo, redo = _without(history, data["redo_of"], commit)
        history = history_of(trim((*undo, entry)), redo)
    else:
        undo, size = (*history.undo, entry), history.size + len(entry.fields)
        history = UserHistory(undo, (), size) if size <= limits.MAX_UNDO_FIELDS else history_of(trim(undo), ())
    return _forget_users(state.histories.set(commit.user_id, history))


def history_of(undo: tuple[UndoEntry, ...], redo: tuple[UndoEntry, ...]) -> UserHistory:
    return UserHistory(undo, redo, sum(len(entry.fields) for entry in undo))


def _without(history: UserHistory, seq: int, commit: Commit) -> tuple[tuple[UndoEntry, ...], tuple[UndoEntry, ...]]:
    """The stacks after their entry ``seq`` was undone (or redone): what had made the values that are back can be undone
    (or redone) next, at the fields' new versions."""
    data = commit.data
    items = data["edits"] if commit.message_type == "edit.batch_applied" else (data,)
    back = {(item["record_id"], item["field_name"]): item["restored_version"] for item in items}

    def moved(entry: UndoEntry) -> UndoEntry:
        pairs = zip(entry.fields, entry.versions, strict=True)
        versions = tuple(commit.seq if back.get(place) == version else version for place, version in pairs)
        return UndoEntry(entry.seq, entry.fields, versions)

    return (
        tuple(moved(item) for item in history.undo if item.seq != seq),
        tuple(moved(item) for item in history.redo if item.seq != seq),
    )


def _forget_users(histories: Map[str, UserHistory]) -> Map[str, UserHistory]:
    """Bounded: when full, a tenth goes at once, those who edited longest ago."""
    if len(histories) <= limits.MAX_UNDO_USERS:
        return histories
    newest = sorted(histories.items(), key=lambda item: max(entry.seq for entry in (*item[1].undo, *item[1].redo)))
    return Map(dict(newest[-(limits.MAX_UNDO_USERS - limits.MAX_UNDO_USERS // 10) :]))


def trim(entries: tuple[UndoEntry, ...]) -> tuple[UndoEntry, ...]:
    """The newest entries that together point at no more fields than are allowed; a tenth of room when one must go."""
    excess = sum(len(entry.fields) for entry in entries) - limits.MAX_UNDO_FIELDS
    if excess <= 0:
        return entries
    excess += limits.MAX_UNDO_FIELDS // 10
    first = 0
    while excess > 0:
        excess -= len(entries[first].fields)
        first += 1
    return entries[first:]
