"""What a session is at one ``seq``. Frozen; `evolve` makes the next one, sharing all that did not change.

Only records that were touched are here: the rest of an import stays in storage, and is loaded when a command names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypedDict, Unpack

from immutables import Map

from realtime_server.core.commits import GENESIS
from realtime_server.core.reconciling import Match, Reconciliation
from realtime_server.core.roles import Role

#: ISO 4217's code for "no currency". It has two decimals here.
NO_CURRENCY: Final = "XXX"


class SessionStatus(StrEnum):
    ACTIVE = "active"
    ENDED = "ended"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An edit that clashed, kept until somebody resolves the conflict."""

    edit_id: str
    user_id: str
    value: Any
    base_version: int
    seq: int
    at: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field on which people disagree. ``base_value`` is what the first candidate's author saw, where still known."""

    conflict_id: str
    record_id: str
    field_name: str
    policy: str
    base_version: int
    base_value: Any
    base_known: bool
    opened_at: int
    candidates: tuple[Candidate, ...]

    def base_for(self, candidate: Candidate, field: FieldState) -> tuple[bool, Any]:
        """(known, value): what a candidate's author saw."""
        if candidate.base_version == self.base_version:
            return self.base_known, self.base_value
        return field.value_at(candidate.base_version)


@dataclass(frozen=True, slots=True)
class FieldState:
    """A field that was set at least once, or has an open conflict.

    ``version``: the ``seq`` of the commit that set it, 0 as imported. ``history``: earlier (version, value), oldest
    first, at most `limits.MAX_FIELD_HISTORY`.
    """

    value: Any
    version: int
    user_id: str | None = None
    history: tuple[tuple[int, Any], ...] = ()
    conflict: Conflict | None = None

    def value_at(self, version: int) -> tuple[bool, Any]:
        """(known, value): what the field held for somebody who had seen every commit up to ``version``."""
        if version >= self.version:
            return True, self.value
        for earlier, value in reversed(self.history):
            if earlier <= version:
                return True, value
        return False, None

    def before(self, seq: int) -> tuple[int, Any] | None:
        """(version, value) that the field had just before a commit that set it; None when that is forgotten."""
        return next((entry for entry in reversed(self.history) if entry[0] < seq), None)


@dataclass(frozen=True, slots=True)
class RecordState:
    """A record: what was imported (``base``), and over it the fields that people changed.

    ``seq``: the last commit folded in; a replay skips what a stored record already holds.
    """

    record_id: str
    source: str
    external_id: str
    base: Mapping[str, Any]
    fields: Map[str, FieldState] = field(default_factory=Map)
    seq: int = 0
    match: Match | None = None
    #: Set aside by a person: exception or excluded.
    disposition: str | None = None
    #: Suggestions that were rejected, as `rejections.signature` names them; newest last, bounded.
    rejected: tuple[str, ...] = ()

    def field_state(self, name: str) -> FieldState:
        return self.fields.get(name) or FieldState(self.base.get(name), 0)

    def value(self, name: str) -> Any:
        state = self.fields.get(name)
        return self.base.get(name) if state is None else state.value

    @property
    def currency(self) -> str:
        """The record's currency; `NO_CURRENCY` for a record without one."""
        return self.value("currency") or NO_CURRENCY

    def values(self) -> dict[str, Any]:
        """All fields as they stand now."""
        return {**self.base, **{name: state.value for name, state in self.fields.items()}}

    def versions(self) -> dict[str, int]:
        """The versions of the fields that were set since the import; every other field has version 0."""
        return {name: state.version for name, state in self.fields.items() if state.version}


@dataclass(frozen=True, slots=True)
class Lock:
    """A lease. ``token``: the ``seq`` that granted it (a fencing token). Instants in milliseconds."""

    record_id: str
    user_id: str
    name: str
    token: int
    acquired_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Participant:
    user_id: str
    name: str
    role: Role
    since: int


@dataclass(frozen=True, slots=True)
class UndoEntry:
    """A commit of one's own that can be undone: the fields it set. Their earlier values are in the fields' history.

    ``versions``: what the versions of these fields must be for the undo: ``seq``, until one's own undo of a later edit
    brings the field back to where this commit had left it.
    """

    seq: int
    fields: tuple[tuple[str, str], ...]
    versions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UserHistory:
    """One person's stacks, newest last. ``size``: how many fields ``undo`` points at, so that nobody has to count."""

    undo: tuple[UndoEntry, ...] = ()
    redo: tuple[UndoEntry, ...] = ()
    size: int = 0


class Changes(TypedDict, total=False):
    """The members of a `SessionState` that can change."""

    project_id: str
    name: str
    created_by: str
    created_at: int
    status: SessionStatus
    expires_in: int
    last_activity: int
    at: int
    field_policies: Mapping[str, str]
    seq: int
    hash: str
    participants: Map[str, Participant]
    nameless: Map[str, int]
    records: Map[str, RecordState]
    locks: Map[str, Lock]
    conflicts: Map[str, tuple[str, str]]
    resolved: Map[str, int]
    comments: Map[str, tuple[str | None, bool]]
    precedents: Map[tuple[str, str, str], tuple[int, int, int]]
    histories: Map[str, UserHistory]
    reconciliation: Reconciliation


@dataclass(frozen=True)
class SessionState:
    """``seq`` 0 is a session that does not exist yet: its first commit is ``session.created``.

    Without slots, for `changed`: every commit makes a new state.
    """

    session_id: str
    project_id: str = ""
    name: str = ""
    created_by: str = ""
    created_at: int = 0
    status: SessionStatus = SessionStatus.ACTIVE
    expires_in: int = 0
    last_activity: int = 0
    #: When the last commit was made: time in a log never runs backwards.
    at: int = 0
    field_policies: Mapping[str, str] = field(default_factory=dict)
    seq: int = 0
    hash: str = GENESIS
    participants: Map[str, Participant] = field(default_factory=Map)
    #: Whose name was erased (`nameless`): user_id -> when, in milliseconds. Bounded.
    nameless: Map[str, int] = field(default_factory=Map)
    records: Map[str, RecordState] = field(default_factory=Map)
    locks: Map[str, Lock] = field(default_factory=Map)
    #: Open conflicts: conflict_id -> (record_id, field_name). The conflict itself stands in the field.
    conflicts: Map[str, tuple[str, str]] = field(default_factory=Map)
    #: Closed ones: conflict_id -> seq of the resolution. Oldest forgotten first.
    resolved: Map[str, int] = field(default_factory=Map)
    #: How conflicts were decided (`precedents`): (field_name, two roles) -> current, candidate, other. Bounded.
    precedents: Map[tuple[str, str, str], tuple[int, int, int]] = field(default_factory=Map)
    #: comment_id -> (record_id or None, is it resolved). Oldest forgotten first.
    comments: Map[str, tuple[str | None, bool]] = field(default_factory=Map)
    histories: Map[str, UserHistory] = field(default_factory=Map)
    reconciliation: Reconciliation = field(default_factory=Reconciliation)

    def changed(self, **changes: Unpack[Changes]) -> SessionState:
        """The state with some members changed: `dataclasses.replace` at a tenth of its price."""
        after = object.__new__(SessionState)
        object.__setattr__(after, "__dict__", {**self.__dict__, **changes})
        return after

    @property
    def expires_at(self) -> int | None:
        """When the session expires if nothing happens, in milliseconds; None when it never does."""
        return self.last_activity + self.expires_in * 1000 if self.expires_in else None

    def open_conflict(self, conflict_id: str) -> Conflict | None:
        """The open conflict, if its record is loaded."""
        place = self.conflicts.get(conflict_id)
        if place is None or place[0] not in self.records:
            return None
        return self.records[place[0]].field_state(place[1]).conflict
