"""The ports' guarantees in one process's memory, with nothing behind them: for tests of the engine and of the rules.

Every method gives up its turn of the event loop first, so that what can interleave with a database interleaves here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from realtime_server.core.commits import Commit
from realtime_server.core.names import without
from realtime_server.core.sessions import ENDS
from realtime_server.core.state import RecordState, SessionStatus
from realtime_server.core.values import check_field_name
from realtime_server.ports import Appended, Ended, ImportedRecord, NewRecord, Revocation, SavedMapping, SessionSummary
from realtime_server.storage.documents import checkpoint_document, summary_from_document, touched_records
from realtime_server.storage.memory_projects import (
    MemoryImportStatusStore,
    MemoryNoticeStore,
    MemoryRuleStore,
    MemoryTurns,
)


@dataclass(slots=True)
class _Log:
    commits: list[Commit] = field(default_factory=list)
    by_command: dict[str, Commit] = field(default_factory=dict)


class MemoryCommitLog:
    """`ports.CommitLog` in memory."""

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}

    async def append(self, commits: Sequence[Commit]) -> Appended:
        await asyncio.sleep(0)
        for count, commit in enumerate(commits):
            log = self._logs.setdefault(commit.session_id, _Log())
            # The log is gapless, so every number up to the last one is taken.
            taken = bool(log.commits) and commit.seq <= log.commits[-1].seq
            if taken or commit.command_id in log.by_command:
                return Appended(count)
            log.commits.append(commit)
            log.by_command[commit.command_id] = commit
        return Appended(len(commits))

    async def read(self, session_id: str, after: int, limit: int) -> list[Commit]:
        return await self.history(session_id, after, limit)

    async def heads(self, session_ids: Collection[str]) -> dict[str, int]:
        await asyncio.sleep(0)
        found = {session_id: self._commits(session_id) for session_id in session_ids}
        return {session_id: commits[-1].seq for session_id, commits in found.items() if commits}

    async def find(self, session_id: str, command_ids: Collection[str]) -> dict[str, Commit]:
        await asyncio.sleep(0)
        known = self._commits_by_command(session_id)
        return {command_id: known[command_id] for command_id in command_ids if command_id in known}

    async def history(
        self,
        session_id: str,
        after: int,
        limit: int,
        *,
        record_ids: Collection[str] | None = None,
        user_id: str | None = None,
    ) -> list[Commit]:
        await asyncio.sleep(0)
        found = [
            commit
            for commit in self._commits(session_id)
            if commit.seq > after
            and (record_ids is None or not set(record_ids).isdisjoint(touched_records(commit.data)))
            and (user_id is None or commit.user_id == user_id)
        ]
        return found[: max(limit, 0)]

    async def scan(self, session_id: str, after: int = 0) -> AsyncIterator[Commit]:
        for commit in tuple(self._commits(session_id)):
            await asyncio.sleep(0)
            if commit.seq > after:
                yield commit

    async def erase_name(self, session_id: str, user_id: str) -> int:
        await asyncio.sleep(0)
        log = self._logs.get(session_id, _Log())
        named = [place for place, commit in enumerate(log.commits) if _names(commit, user_id)]
        for place in named:
            commit = log.commits[place]
            log.commits[place] = replace(commit, names=without(commit.names, user_id))
            log.by_command[commit.command_id] = log.commits[place]
        return len(named)

    async def naming(self, user_id: str, after: str | None, limit: int) -> list[str]:
        await asyncio.sleep(0)
        found = (name for name, log in self._logs.items() if any(_names(commit, user_id) for commit in log.commits))
        return sorted(name for name in found if after is None or name > after)[: max(limit, 0)]

    async def ended(self, until: int, after: Ended | None, limit: int) -> list[Ended]:
        await asyncio.sleep(0)
        ends = (item for log in self._logs.values() for item in log.commits if item.message_type in ENDS)
        found = sorted(Ended(item.at, item.session_id) for item in ends if item.at <= until)
        return [item for item in found if after is None or item > after][: max(limit, 0)]

    async def still_named(self, session_ids: Collection[str]) -> list[str]:
        await asyncio.sleep(0)
        return sorted({name for name in session_ids if any(commit.names for commit in self._commits(name))})

    async def people_named(self, session_id: str) -> list[str]:
        await asyncio.sleep(0)
        return sorted({user_id for commit in self._commits(session_id) for user_id, _ in commit.names})

    def _commits(self, session_id: str) -> Sequence[Commit]:
        log = self._logs.get(session_id)
        return () if log is None else log.commits

    def _commits_by_command(self, session_id: str) -> Mapping[str, Commit]:
        log = self._logs.get(session_id)
        return {} if log is None else log.by_command


def _names(commit: Commit, user_id: str) -> bool:
    return any(item[0] == user_id for item in commit.names)


class MemorySessionStore:
    """`ports.SessionStore` in memory. Kept as text: what is loaded shares nothing with what was saved."""

    def __init__(self) -> None:
        self._checkpoints: dict[str, bytes] = {}
        self._kept: dict[str, int] = {}

    async def load(self, session_id: str) -> Mapping[str, Any] | None:
        await asyncio.sleep(0)
        text = self._checkpoints.get(session_id)
        return None if text is None else dict(orjson.loads(text))

    async def save(self, checkpoint: Mapping[str, Any]) -> None:
        await asyncio.sleep(0)
        stored = self._checkpoints.get(checkpoint["session_id"])
        if stored is None or orjson.loads(stored)["seq"] <= checkpoint["seq"]:
            self._checkpoints[checkpoint["session_id"]] = orjson.dumps(checkpoint)
            self._kept.pop(checkpoint["session_id"], None)

    async def page(
        self, project_ids: Collection[str], *, after: str | None = None, limit: int = 100
    ) -> list[SessionSummary]:
        await asyncio.sleep(0)
        found = [
            summary_from_document(document)
            for document in self._documents()
            if document["project_id"] in project_ids and (after is None or document["session_id"] > after)
        ]
        return sorted(found, key=lambda item: item.session_id)[: max(limit, 0)]

    async def expirable(self, now: int, limit: int) -> list[str]:
        await asyncio.sleep(0)
        found = [item for item in self._ending(now) if self._kept.get(item[1], 0) <= now]
        return [session_id for _, session_id in found[: max(limit, 0)]]

    async def keep(self, session_ids: Collection[str], ending: int, until: int) -> None:
        await asyncio.sleep(0)
        for _, session_id in self._ending(ending):
            if session_id in session_ids:
                self._kept[session_id] = max(until, self._kept.get(session_id, 0))

    def _ending(self, by: int) -> list[tuple[int, str]]:
        """(when, session) of the active ones whose time is over by then, the longest past first."""
        return sorted(
            (document["expires_at"], document["session_id"])
            for document in self._documents()
            if document["status"] == SessionStatus.ACTIVE
            and document["expires_at"] is not None
            and document["expires_at"] <= by
        )

    async def reconciling(self, limit: int) -> list[str]:
        await asyncio.sleep(0)
        found = [
            document["session_id"]
            for document in self._documents()
            if document["status"] == SessionStatus.ACTIVE and (document["reconciliation"]["run"] or {}).get("active")
        ]
        return sorted(found)[: max(limit, 0)]

    def _documents(self) -> list[dict[str, Any]]:
        return [checkpoint_document(orjson.loads(text)) for text in self._checkpoints.values()]


@dataclass(frozen=True, slots=True)
class _Stored:
    record: RecordState
    chunk_id: str
    imported: Mapping[str, tuple[Any, int]]


class MemoryRecordStore:
    """`ports.RecordStore` in memory."""

    def __init__(self) -> None:
        self._sessions: dict[str, dict[str, _Stored]] = {}

    def _records(self, session_id: str) -> dict[str, _Stored]:
        return self._sessions.get(session_id, {})

    async def load(self, session_id: str, record_ids: Collection[str]) -> dict[str, RecordState]:
        await asyncio.sleep(0)
        stored = self._records(session_id)
        return {record_id: stored[record_id].record for record_id in record_ids if record_id in stored}

    async def save(self, session_id: str, records: Sequence[RecordState]) -> None:
        await asyncio.sleep(0)
        stored = self._records(session_id)
        for record in records:
            item = stored.get(record.record_id)
            if item is not None and item.record.seq < record.seq:
                known = item.record
                folded = replace(record, source=known.source, external_id=known.external_id, base=known.base)
                stored[record.record_id] = replace(item, record=folded)

    async def insert(self, session_id: str, records: Sequence[NewRecord]) -> int:
        await asyncio.sleep(0)
        stored = self._sessions.setdefault(session_id, {})
        before = len(stored)
        for new in records:
            values = orjson.loads(orjson.dumps(dict(new.values)))
            record = RecordState(new.record_id, new.source, new.external_id, values)
            imported = {name: (value, 0) for name, value in values.items()}
            stored.setdefault(new.record_id, _Stored(record, new.chunk_id, imported))
        return len(stored) - before

    async def imported(self, session_id: str, record_ids: Collection[str]) -> dict[str, ImportedRecord]:
        await asyncio.sleep(0)
        stored = self._records(session_id)
        known = [(record_id, stored[record_id]) for record_id in record_ids if record_id in stored]
        return {record_id: ImportedRecord(record_id, item.chunk_id, item.imported) for record_id, item in known}

    async def mark_imported(self, session_id: str, record_id: str, values: Mapping[str, tuple[Any, int]]) -> None:
        await asyncio.sleep(0)
        item = self._records(session_id).get(record_id)
        if item is None:
            return
        newer = {
            check_field_name(name): (value, version)
            for name, (value, version) in values.items()
            if version >= item.imported.get(name, (None, 0))[1]
        }
        self._sessions[session_id][record_id] = replace(item, imported={**item.imported, **newer})

    async def page(
        self, session_id: str, *, after: str | None = None, limit: int = 100, source: str | None = None
    ) -> list[RecordState]:
        await asyncio.sleep(0)
        found = sorted(
            (item.record for item in self._records(session_id).values()), key=lambda record: record.record_id
        )
        chosen = [
            record
            for record in found
            if (after is None or record.record_id > after) and (source is None or record.source == source)
        ]
        return chosen[: max(limit, 0)]

    async def count(self, session_id: str) -> int:
        await asyncio.sleep(0)
        return len(self._records(session_id))


class MemoryMappingStore:
    """`ports.MappingStore` in memory."""

    def __init__(self) -> None:
        self._mappings: dict[tuple[str, str], SavedMapping] = {}

    async def load(self, project_id: str, source: str) -> SavedMapping | None:
        await asyncio.sleep(0)
        found = self._mappings.get((project_id, source))
        return None if found is None else replace(found, reading=orjson.loads(orjson.dumps(dict(found.reading))))

    async def save(self, project_id: str, source: str, mapping: SavedMapping) -> None:
        await asyncio.sleep(0)
        reading = orjson.loads(orjson.dumps(dict(mapping.reading)))
        self._mappings[project_id, source] = replace(mapping, reading=reading)

    async def delete(self, project_id: str, source: str) -> bool:
        await asyncio.sleep(0)
        return self._mappings.pop((project_id, source), None) is not None


class MemoryRevocationStore:
    """`ports.RevocationStore` in memory. The mark counts what was added."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str | None], tuple[int, Revocation]] = {}
        self._added = 0

    async def add(self, revocation: Revocation) -> None:
        await asyncio.sleep(0)
        self._added += 1
        place = (revocation.user_id, revocation.project_id)
        known = self._found.get(place)
        before = revocation.before if known is None else max(known[1].before, revocation.before)
        self._found[place] = (self._added, replace(revocation, before=before))

    async def changed(self, mark: int) -> tuple[list[Revocation], int]:
        await asyncio.sleep(0)
        return [item for added, item in self._found.values() if added > mark], self._added

    async def count(self, project_id: str | None, limit: int) -> int:
        await asyncio.sleep(0)
        return min(limit, sum(1 for _, project in self._found if project == project_id))


@dataclass(frozen=True, slots=True)
class MemoryStore:
    """The stores; each instance is an empty database of its own."""

    log: MemoryCommitLog = field(default_factory=MemoryCommitLog)
    sessions: MemorySessionStore = field(default_factory=MemorySessionStore)
    records: MemoryRecordStore = field(default_factory=MemoryRecordStore)
    mappings: MemoryMappingStore = field(default_factory=MemoryMappingStore)
    revocations: MemoryRevocationStore = field(default_factory=MemoryRevocationStore)
    rules: MemoryRuleStore = field(default_factory=MemoryRuleStore)
    notices: MemoryNoticeStore = field(default_factory=MemoryNoticeStore)
    imports: MemoryImportStatusStore = field(default_factory=MemoryImportStatusStore)
    turns: MemoryTurns = field(default_factory=MemoryTurns)
