"""Rows that say something new of records that are there: ordinary edits, so that nobody's work is overwritten.

An import edits on the basis of what imports last set. Where nobody has touched the field since, the edit is applied;
where a person has, the field's policy decides, and for money that is a conflict.

Every edit has an id that follows from what it does, so that an import that runs again after a crash repeats itself
harmlessly. An edit that did not set the field (it was merged, or became a candidate) leaves the version that imports
know as it is, and so the same change could come again months later under the same id, and be taken for done. The log
tells: an answer older than this import is looked at, and where it no longer holds the edit is sent under a new id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from realtime_server.core.commands import Actor, Command, Edit, EditBatch, FieldEdit, command_id_of
from realtime_server.core.state import SessionState
from realtime_server.core.values import MONEY_FIELDS, same
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import ImportedRecord, RecordStore
from realtime_server.reconciliation.import_summary import RowStatus
from realtime_server.reconciliation.patience import Patience

Needs = Callable[[SessionState], Collection[str]]


class SessionEngine(Protocol):
    """What an import needs of the engine."""

    def submit(self, session_id: str, command: Command) -> Awaitable[Mapping[str, Any]]:
        """Decide a command; raises CollaborationError."""

    async def inspect(self, session_id: str, needs: Needs = ..., *, refresh: bool = True) -> SessionState:
        """The session as it stands, with the records that ``needs`` names."""


@dataclass(slots=True)
class RowResult:
    """``problem``: the first field that was refused, and why. ``seq``: the newest commit that answered."""

    status: RowStatus = RowStatus.UNCHANGED
    problem: tuple[str, str] | None = None
    seq: int = 0

    def add(self, status: RowStatus, seq: int = 0) -> None:
        self.status = max(self.status, status)
        self.seq = max(self.seq, seq)

    def refuse(self, field_name: str, message: str) -> None:
        self.status = RowStatus.REFUSED
        self.problem = self.problem or (field_name, message)


@dataclass(frozen=True, slots=True)
class Change:
    """A field of which the file says something else than imports said before: ``said``, at ``version``."""

    field_name: str
    said: Any
    version: int
    value: Any


_STATUSES: Final = {
    "applied": RowStatus.CHANGED,
    "merged": RowStatus.CHANGED,
    "unchanged": RowStatus.UNCHANGED,
    "conflict": RowStatus.CONFLICTING,
}
#: Refusals of one edit that say nothing about the next one.
_OF_THE_ROW: Final = frozenset({ErrorCode.INVALID, ErrorCode.LOCKED, ErrorCode.LOCK_LOST, ErrorCode.UNBALANCED})


def changes_of(record: ImportedRecord, values: Mapping[str, Any]) -> list[Change]:
    """What the file says anew. A field that the file no longer has is left alone; an empty new one is not a change."""
    changes = []
    for name, value in values.items():
        said, version = record.values.get(name, (None, 0))
        if not same(said, value) and not (said is None and value == ""):
            changes.append(Change(name, said, version, value))
    return changes


class RowEditor:
    """Edits records of one session in the name of one person. ``since``: the log's end when the import began."""

    def __init__(
        self, engine: SessionEngine, records: RecordStore, patience: Patience, session_id: str, actor: Actor
    ) -> None:
        self._engine, self._records, self._patience = engine, records, patience
        self._session_id, self._actor = session_id, actor
        self.since = 0

    async def apply(self, record_id: str, changes: list[Change]) -> RowResult:
        """Send the edits of one row, one after another, and remember what imports have said now.

        Raises CollaborationError for what concerns the whole import: an ended session, a missing permission, a
        database that does not answer.
        """
        result = RowResult()
        marks: dict[str, tuple[Any, int]] = {}
        together = _together(changes)
        if together:
            await self._attempt(result, marks, self._edit_together(record_id, together), together)
        for change in changes:
            if change not in together:
                await self._attempt(result, marks, self._edit(record_id, change), [change])
        if marks:
            await self._patience(self._records.mark_imported, self._session_id, record_id, marks)
        return result

    async def _attempt(
        self,
        result: RowResult,
        marks: dict[str, tuple[Any, int]],
        edit: Awaitable[tuple[RowStatus, int, list[int]]],
        changes: list[Change],
    ) -> None:
        try:
            status, seq, versions = await edit
        except CollaborationError as error:
            if error.code is ErrorCode.VERSION_STALE and len(changes) > 1:
                names = " and ".join(change.field_name for change in changes)
                result.refuse("currency", f"{names} change together, but one was changed here: change them by hand")
            elif error.code is ErrorCode.VERSION_STALE:
                # The session's rule for this field: whoever came first keeps it.
                result.add(RowStatus.KEPT)
                marks[changes[0].field_name] = (changes[0].value, changes[0].version)
            elif error.code in _OF_THE_ROW:
                result.refuse(changes[0].field_name, error.message)
            else:
                raise
            return
        result.add(status, seq)
        for change, version in zip(changes, versions, strict=True):
            marks[change.field_name] = (change.value, version)

    async def _edit(self, record_id: str, change: Change) -> tuple[RowStatus, int, list[int]]:
        """(what became of it, seq, [the version at which imports last set the field])."""
        edit_id = self._edit_id(record_id, [change])
        field_edit = _field_edit(record_id, change)
        while True:
            answer = await self._submit(
                Edit(
                    actor=self._actor,
                    command_id=command_id_of(self._actor.user_id, edit_id),
                    edit_id=edit_id,
                    edit=field_edit,
                )
            )
            status, seq = answer["status"], answer["seq"]
            if status not in ("merged", "conflict"):
                return _STATUSES[status], seq, [answer["version"]]
            if seq > self.since or (status == "conflict" and await self._is_candidate(field_edit, edit_id)):
                return _STATUSES[status], seq, [change.version]
            edit_id = _hashed([edit_id, seq])

    async def _edit_together(self, record_id: str, changes: list[Change]) -> tuple[RowStatus, int, list[int]]:
        edit_id = self._edit_id(record_id, changes)
        edits = [_field_edit(record_id, change) for change in changes]
        answer = await self._submit(
            EditBatch(
                actor=self._actor,
                command_id=command_id_of(self._actor.user_id, edit_id),
                edit_id=edit_id,
                edits=tuple(edits),
            )
        )
        return _STATUSES[answer["status"]], answer["seq"], list(answer["versions"])

    async def _submit(self, command: Command) -> Mapping[str, Any]:
        return await self._patience(self._engine.submit, self._session_id, command)

    async def _is_candidate(self, edit: FieldEdit, edit_id: str) -> bool:
        state = await self._patience(self._engine.inspect, self._session_id, lambda _: {edit.record_id}, refresh=False)
        record = state.records.get(edit.record_id)
        conflict = record.field_state(edit.field_name).conflict if record is not None else None
        return conflict is not None and any(item.edit_id == edit_id for item in conflict.candidates)

    def _edit_id(self, record_id: str, changes: list[Change]) -> str:
        parts = [[change.field_name, change.said, change.value, change.version] for change in changes]
        return _hashed([self._actor.user_id, record_id, parts])


def _field_edit(record_id: str, change: Change) -> FieldEdit:
    return FieldEdit(
        record_id=record_id, field_name=change.field_name, new_value=change.value, base_version=change.version
    )


def _together(changes: list[Change]) -> list[Change]:
    """A currency and the amounts in it change in one breath, or 10.50 pounds could not become 1,050 yen."""
    names = {change.field_name for change in changes}
    if "currency" not in names or MONEY_FIELDS.isdisjoint(names):
        return []
    return [change for change in changes if change.field_name == "currency" or change.field_name in MONEY_FIELDS]


def _hashed(parts: list[Any]) -> str:
    return "import-" + hashlib.sha256(orjson.dumps(parts)).hexdigest()[:32]
