"""Undo and redo of one's own edits: a new commit each, refused when the field has moved on since.

A field keeps its earlier values, so an undo needs no more than the names of the fields its edit set: what stood there
before is the newest earlier value. A redo undoes an undo.
"""

from __future__ import annotations

from typing import Any

from realtime_server.core.commands import Redo, Undo
from realtime_server.core.commits import Draft
from realtime_server.core.locks import refuse_locked
from realtime_server.core.outcomes import Outcome, reject
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
    for record_id, name in entry.fields:
        item = _restored(state, command, entry, record_id, name, now)
        if isinstance(item, Rejection):
            return item
        edits.append(item)
    mark = {f"{verb}_of": entry.seq, "edit_id": command.command_id.rpartition("/")[2]}
    if len(edits) == 1:
        return Draft("edit.applied", {**edits[0], "version": state.seq + 1, **mark})
    return Draft("edit.batch_applied", {"edits": edits, "versions": [state.seq + 1] * len(edits), **mark})


def _restored(
    state: SessionState, command: Undo | Redo, entry: UndoEntry, record_id: str, name: str, now: int
) -> dict[str, Any] | Rejection:
    locked = refuse_locked(state, record_id, command.actor.user_id, None, now)
    if locked is not None:
        return locked
    field = state.records[record_id].field_state(name)
    if field.version != entry.seq or field.conflict is not None or not field.history:
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
        "new_value": field.history[-1][1],
        "base_version": field.version,
    }
