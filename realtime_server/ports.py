"""What the engine needs of the outside: few methods each, with the guarantee and how it fails.

Every adapter passes the one contract suite in ``tests/contract``. All methods raise `CollaborationError(UNAVAILABLE)`
when the service behind them does not answer in time; after that the outcome of a write is unknown, and the caller finds
out by reading.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from realtime_server.core.commits import Commit
from realtime_server.core.matching.rules import Rule
from realtime_server.core.notifications import Notice
from realtime_server.core.roles import Role
from realtime_server.core.state import Lock, RecordState


@dataclass(frozen=True, slots=True, order=True)
class Ended:
    """That a session ended or expired, ``at`` (milliseconds since 1970)."""

    at: int
    session_id: str


@dataclass(frozen=True, slots=True)
class Appended:
    """How far an append came.

    ``count``: so many commits, from the first, are durable (journaled on a majority). When it is less than was given,
    the next one was refused, and nothing after it was written: either its ``seq`` is taken (another instance was
    faster), or its ``command_id`` is in the log already (a retry of what was done). The caller reads the tail and
    decides again.
    """

    count: int


class CommitLog(Protocol):
    """The log of every session: ordered, gapless, append-only, the one truth."""

    async def append(self, commits: Sequence[Commit]) -> Appended:
        """Append consecutive commits of one session, in order; returns after they are journaled on a majority.

        Unique: ``(session_id, seq)`` and ``(session_id, command_id)``. What is durable is a prefix of ``commits``.
        """

    async def read(self, session_id: str, after: int, limit: int) -> list[Commit]:
        """At most ``limit`` commits with ``seq > after``, in order, gapless from ``after + 1`` (or empty).

        Only what a majority of the database has: nothing that is read here can be taken back by a failover. A log
        from which somebody removed a commit raises CollaborationError(INTERNAL).
        """

    async def heads(self, session_ids: Collection[str]) -> dict[str, int]:
        """The newest ``seq`` of each of these logs, by session id; sessions without a commit are absent. One query."""

    async def find(self, session_id: str, command_ids: Collection[str]) -> dict[str, Commit]:
        """The commits of these commands, by command id; commands that never happened are absent."""

    async def history(
        self,
        session_id: str,
        after: int,
        limit: int,
        *,
        record_ids: Collection[str] | None = None,
        user_id: str | None = None,
    ) -> list[Commit]:
        """At most ``limit`` commits with ``seq > after``, in order: those that touch one of the records, by the user.

        A commit touches the records that its ``data`` names as ``record_id``, ``record_ids``, or in its ``edits``.
        """

    def scan(self, session_id: str, after: int = 0) -> AsyncIterator[Commit]:
        """The log from ``after + 1`` on, streamed in ``seq`` order exactly as stored: gaps and foreign entries too.

        An entry that somebody damaged comes as it is, however wrong: never trust one that `ChainVerifier` has not seen.
        """

    async def erase_name(self, session_id: str, user_id: str) -> int:
        """Take a person's name off every commit of the log; how many had it. Journaled on return.

        Names stand beside what is hashed, so the chain stays as it is. After a failure some are left; again is safe.
        """

    async def naming(self, user_id: str, after: str | None, limit: int) -> list[str]:
        """Ids of at most ``limit`` sessions whose logs name the person, ascending, beginning after one."""

    async def ended(self, until: int, after: Ended | None, limit: int) -> list[Ended]:
        """At most ``limit`` sessions that ended by that instant, the earliest first, beginning after one."""

    async def still_named(self, session_ids: Collection[str]) -> list[str]:
        """Those of the sessions whose logs name anybody, ascending. Costs next to nothing for all others."""

    async def people_named(self, session_id: str) -> list[str]:
        """Ids of everybody whom the log names, ascending."""


class Hints(Protocol):
    """What processes tell each other of logs that have grown, so that nobody waits for the next look at the log.

    Hints may be lost, late, doubled or out of order; the log is the truth. No method blocks or raises.
    """

    def follow(self, session_id: str) -> None:
        """From now on this session's hints are wanted here."""

    def unfollow(self, session_id: str) -> None:
        """The opposite of `follow`, once for each."""

    def tell(self, session_id: str, seq: int, commits: Sequence[Commit]) -> None:
        """The log is durable up to ``seq``. ``commits``: the newest of it, in order, as far as at hand."""


class Elsewhere(Protocol):
    """Tells other processes what concerns people. Best effort; no method blocks or raises."""

    def follow(self, user_id: str) -> None:
        """From now on what concerns this person is wanted here."""

    def unfollow(self, user_id: str) -> None:
        """The opposite of `follow`, once for each."""

    def say(self, user_id: str, message: Mapping[str, Any]) -> None:
        """To every other process that follows the person. ``message``: JSON."""

    def announce(self, message: Mapping[str, Any]) -> None:
        """To every other process, whomever it follows. ``message``: JSON."""


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session as lists show it, as of its newest checkpoint: while it is live its engine knows better.

    Instants in milliseconds since 1970; ``expires_at`` None: never.
    """

    session_id: str
    project_id: str
    name: str
    status: str
    created_by: str
    created_at: int
    last_activity: int
    expires_at: int | None
    seq: int


@dataclass(frozen=True, slots=True)
class SessionOverview(SessionSummary):
    """A session as its status shows it. ``locks``: those whose lease may have run out meanwhile, too."""

    field_policies: Mapping[str, str]
    open_conflicts: int
    locks: tuple[Lock, ...]


class Overviews(Protocol):
    """Live sessions as other processes show them, so that their status is to be had without opening them.

    Both raise `CollaborationError(UNAVAILABLE)`.
    """

    async def show(self, overviews: Collection[SessionOverview], gone: Collection[str]) -> None:
        """Show these, stop showing others (ids), and say that whatever else is shown by this process still holds.

        It holds for less than a second after the call: a process that ends, or cannot write, is not believed then.
        """

    async def of(self, session_ids: Collection[str]) -> dict[str, SessionOverview]:
        """Those of the sessions that are live at some process, the newest of each."""


class SessionStore(Protocol):
    """Checkpoints: a session's state without its records, so that opening it needs only the log's tail."""

    async def load(self, session_id: str) -> Mapping[str, Any] | None:
        """The newest checkpoint (`core.snapshot.state_document`), or None."""

    async def save(self, checkpoint: Mapping[str, Any]) -> None:
        """Store a checkpoint, journaled on return. One with a lower ``seq`` than the stored one changes nothing."""

    async def page(
        self, project_ids: Collection[str], *, after: str | None = None, limit: int = 100
    ) -> list[SessionSummary]:
        """Sessions of these projects by ``session_id`` ascending, beginning after one."""

    async def reconciling(self, limit: int) -> list[str]:
        """Ids of active sessions that had a matching run under way at their last checkpoint, ascending."""

    async def expirable(self, now: int, limit: int) -> list[str]:
        """Ids of active sessions whose stored ``expires_at`` has passed, the longest past first.

        ``now`` in milliseconds. The log may know better: it decides. Not those that are kept, by any process.
        """

    async def keep(self, session_ids: Collection[str], ending: int, until: int) -> None:
        """Somebody has these sessions open: those whose stored ``expires_at`` is no later than ``ending`` are not
        `expirable` before ``until``. Both in milliseconds.
        """


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record as a file had it. ``chunk_id`` names the part of the import it came with (and its commit)."""

    record_id: str
    source: str
    external_id: str
    values: Mapping[str, Any]
    chunk_id: str


@dataclass(frozen=True, slots=True)
class ImportedRecord:
    """What imports have said of a record so far.

    ``values``: field -> (value, version): as the latest import had it; version 0 as first imported, else the ``seq`` of
    the import's own edit.
    """

    record_id: str
    chunk_id: str
    values: Mapping[str, tuple[Any, int]] = field(default_factory=dict)


class RecordStore(Protocol):
    """The records of every session: what was imported, and over it what the materialiser has folded in."""

    async def load(self, session_id: str, record_ids: Collection[str]) -> dict[str, RecordState]:
        """These records as stored; unknown ones are absent. No record is newer than the log."""

    async def save(self, session_id: str, records: Sequence[RecordState]) -> None:
        """Fold: a record with a lower or equal ``seq`` than the stored one changes nothing. Journaled on return.

        Only what people changed is stored (``fields`` and ``seq``); what was imported stays as it is. A record that is
        not stored is not created. Each record is folded by itself: after a failure some are, and saving again is safe.
        """

    async def insert(self, session_id: str, records: Sequence[NewRecord]) -> int:
        """Add records that are not there yet, each at most once; how many were added. Existing ones stay as they are.

        After a failure some are added, and inserting the same again adds the rest.
        """

    async def imported(self, session_id: str, record_ids: Collection[str]) -> dict[str, ImportedRecord]:
        """What imports have said of these records; unknown ones are absent."""

    async def mark_imported(self, session_id: str, record_id: str, values: Mapping[str, tuple[Any, int]]) -> None:
        """Remember what an import said of some fields of an existing record, and the version its edit made.

        A lower version than the remembered one changes nothing; a record that is not stored is not created.
        """

    async def page(
        self, session_id: str, *, after: str | None = None, limit: int = 100, source: str | None = None
    ) -> list[RecordState]:
        """Records by ``record_id`` ascending, beginning after one."""

    async def count(self, session_id: str) -> int:
        """How many records the session has."""


@dataclass(frozen=True, slots=True)
class SavedMapping:
    """How a project's files of one side are read, as somebody has settled it.

    ``reading``: by name (`reconciliation.saved_mappings`), JSON. ``saved_at``: milliseconds since 1970.
    """

    reading: Mapping[str, Any]
    saved_by: str
    saved_at: int


class MappingStore(Protocol):
    """What projects have settled about their files: one mapping for each side."""

    async def load(self, project_id: str, source: str) -> SavedMapping | None:
        """The mapping that was saved last, or None."""

    async def save(self, project_id: str, source: str, mapping: SavedMapping) -> None:
        """Put it in place of the one before, journaled on return. Of two at once, either stays, whole."""

    async def delete(self, project_id: str, source: str) -> bool:
        """Forget it; whether there was one."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """No token of ``user_id`` that was issued up to ``before`` (Unix seconds) is believed in the project.

    ``project_id`` None: in none. ``by``, ``reason``: who said so, and why.
    """

    user_id: str
    project_id: str | None
    before: int
    by: str
    reason: str | None = None


class RevocationStore(Protocol):
    """Whose tokens are not believed any more: one entry for each person and project, the latest."""

    async def add(self, revocation: Revocation) -> None:
        """Put it in place of the one before, journaled on return. An earlier ``before`` never replaces a later one."""

    async def changed(self, mark: int) -> tuple[list[Revocation], int]:
        """What was added since ``mark`` was given out (0: everything), and the next mark.

        Some come again that were given before; none that is durable is left out for longer than the next call.
        """

    async def count(self, project_id: str | None, limit: int) -> int:
        """How many people have one in the project, counted up to ``limit``."""


@dataclass(frozen=True, slots=True)
class SavedRules:
    """One version of a project's rules of matching: 1, 2, 3, …; never changed. ``saved_at``: milliseconds."""

    project_id: str
    version: int
    rules: tuple[Rule, ...]
    saved_by: str
    saved_at: int
    comment: str | None = None


class RuleStore(Protocol):
    """The projects' rules of matching, in versions."""

    async def load(self, project_id: str, version: int | None = None) -> SavedRules | None:
        """That version, or the newest; None where there is none, or not any more."""

    async def save(self, rules: SavedRules) -> bool:
        """Add the version after the newest, journaled on return; the newest 100 are kept.

        False, and nothing happens, when ``rules.version`` is not the one after the newest: somebody was faster.
        """

    async def versions(self, project_id: str) -> list[SavedRules]:
        """The versions that are kept, newest first."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose notifications are meant: a person, with the role in each project that is meant."""

    user_id: str
    roles: Mapping[str, Role]


@dataclass(frozen=True, slots=True)
class Place:
    """A notification's place in a person's list: unread before read, newest before older."""

    read: bool
    at: int
    notice_id: str


class NoticeStore(Protocol):
    """Notifications, kept until they are old or too many. Each reader has a mark of their own on each.

    Bounded: a person has the newest 500 of a project, the holders of a role together another 500, all for some days.
    """

    async def add(self, notices: Sequence[Notice]) -> set[str]:
        """Keep notifications, journaled on return; the ids of those that were not there. The others stay as they are.

        After a failure some are kept, and adding the same again adds the rest.
        """

    async def page(
        self, reader: Reader, *, after: Place | None = None, limit: int = 100, unread: bool = False
    ) -> list[tuple[Notice, bool]]:
        """(notification, is it read): what is not read first, of each the newest first, beginning after a place."""

    async def count_unread(self, reader: Reader, limit: int = 1_000) -> int:
        """How many are not read, counted up to ``limit``."""

    async def mark_read(
        self, reader: Reader, notice_ids: Collection[str] | None = None, *, until: int | None = None
    ) -> int:
        """Mark some or all of this reader's as read; how many were not. ``until``: those of that instant or earlier."""

    async def erase_name(self, session_id: str, user_id: str) -> int:
        """Whatever this person did in the session, was done by their id from now on; how many said their name."""


class Turns(Protocol):
    """Work that one process does for all: whose turn it is, by the database's clock."""

    async def take(self, work: str, lease: float) -> bool:
        """Whether it is this process's turn now. Then it is nobody else's for ``lease`` seconds, or until `put_off`.

        A process that takes its turn and dies keeps the others waiting no longer than that.
        """

    async def put_off(self, work: str, pause: float) -> None:
        """It is done: nobody's turn comes for ``pause`` seconds."""


@dataclass(frozen=True, slots=True)
class ImportStatus:
    """How far an import over HTTP is (`schemas.reconciliation_rest.ImportProgress`). Instants in milliseconds."""

    session_id: str
    progress_id: str
    source: str
    status: str
    user_id: str
    started_at: int
    updated_at: int
    bytes_received: int = 0
    bytes_total: int | None = None
    rows: int = 0
    rows_total: int | None = None
    new: int = 0
    changed: int = 0
    refused: int = 0
    message: str | None = None


class ImportStatusStore(Protocol):
    """How far imports are, for whoever asks any instance. Kept for a day; not journaled: it is worth nothing later."""

    async def save(self, status: ImportStatus) -> None:
        """Put it in place of what was known of this import."""

    async def load(self, session_id: str, progress_id: str) -> ImportStatus | None:
        """How far it is; None for one that nobody knows of."""

    async def newest(self, session_id: str, limit: int = 100) -> list[ImportStatus]:
        """The session's imports, newest first."""
