"""Records and sessions as of an earlier commit: the base with the log folded over it, in bounded memory.

A record that nobody touched since is shown as it is stored. Only the others are folded anew, from their own commits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from immutables import Map

from realtime_server.core.commits import Commit
from realtime_server.core.evolve import evolve, set_records
from realtime_server.core.state import RecordState, SessionState
from realtime_server.ports import CommitLog, RecordStore
from realtime_server.reconciliation.import_chunks import import_command_id

#: Commits read at a time: a few milliseconds of decoding, so that others get their turn in between.
STEP: Final = 250


async def commits_between(log: CommitLog, session_id: str, after: int, until: int) -> AsyncIterator[Commit]:
    """The commits with ``after < seq <= until``, read a part at a time."""
    while after < until:
        commits = await log.read(session_id, after, min(STEP, until - after))
        for commit in commits:
            yield commit
        if not commits:
            return
        after = commits[-1].seq


def _as_imported(record: RecordState) -> RecordState:
    return RecordState(record.record_id, record.source, record.external_id, record.base)


def _blank(record_id: str) -> RecordState:
    return RecordState(record_id, "", "", {})


def fold_records(records: Map[str, RecordState], commit: Commit) -> Map[str, RecordState]:
    """These records after a commit; what it does to others is left out. The rules are the core's own."""
    others = {name for name in set_records(commit) if name not in records}
    if len(others) == len(set_records(commit)):
        return records
    conflict_id = commit.data.get("conflict_id")
    place = (commit.data.get("record_id", ""), commit.data.get("field_name", ""))
    state = SessionState(
        commit.session_id,
        seq=commit.seq - 1,
        records=records.update({name: _blank(name) for name in others}),
        # A resolution takes its conflict from the session's list; the conflict itself stands in the field.
        conflicts=Map() if conflict_id is None else Map({conflict_id: place}),
    )
    after = evolve(state, commit).records
    for name in others:
        after = after.delete(name)
    return after


@dataclass(frozen=True, slots=True)
class RecordsAsOf:
    """Records of one session as they were when commit ``seq`` was its newest. ``state``: the session now, or later.

    ``imports``: the imports' ids of the log until ``seq``, where it has been read. Then a record that came with none of
    them, and that the log does not speak of, was not there: its import is under way, or broke off.
    """

    log: CommitLog
    records: RecordStore
    state: SessionState
    seq: int
    imports: Collection[str] | None = None

    async def of(self, stored: Sequence[RecordState]) -> list[RecordState]:
        """These records as of then; the ones that had not been imported yet are left out.

        ``stored``: as storage has them, read after ``state`` was: what is older there than in ``state`` stands in
        ``state``.
        """
        newest = [self.state.records.get(record.record_id, record) for record in stored]
        touched = any(record.seq > self.seq for record in newest)
        if self.imports is None and (touched or self.seq < self.state.seq):
            later = await self._imported_later(newest)
            newest = [record for record in newest if record.record_id not in later]
        refolded = await self._refold([record for record in newest if record.seq > self.seq])
        found = [refolded.get(record.record_id, record) for record in newest]
        return found if self.imports is None else await self._of_imports(found, self.imports)

    async def _of_imports(self, records: list[RecordState], imports: Collection[str]) -> list[RecordState]:
        """The records without those that nobody has touched and that came with none of these imports."""
        untouched = [record.record_id for record in records if record.seq == 0]
        came = await self.records.imported(self.state.session_id, untouched) if untouched else {}
        return [
            record for record in records if record.record_id not in came or came[record.record_id].chunk_id in imports
        ]

    async def _imported_later(self, records: Collection[RecordState]) -> set[str]:
        """The records that came with an import after ``seq``."""
        imported = await self.records.imported(self.state.session_id, [record.record_id for record in records])
        chunks = {import_command_id(item.chunk_id): item.chunk_id for item in imported.values()}
        commits = await self.log.find(self.state.session_id, chunks.keys())
        later = {chunks[command_id] for command_id, commit in commits.items() if commit.seq > self.seq}
        return {record_id for record_id, item in imported.items() if item.chunk_id in later}

    async def _refold(self, records: Collection[RecordState]) -> Map[str, RecordState]:
        folded = Map({record.record_id: _as_imported(record) for record in records})
        after = 0
        while folded and after < self.seq:
            commits = await self.log.history(self.state.session_id, after, STEP, record_ids=list(folded))
            for commit in commits:
                if commit.seq <= self.seq:
                    folded = fold_records(folded, commit)
            after = commits[-1].seq if len(commits) == STEP else self.seq
        return folded


async def session_as_of(log: CommitLog, now: SessionState, seq: int) -> SessionState:
    """The session when commit ``seq`` was its newest, without records and undo stacks: one pass over its log.

    ``now``: the session as it is; asked for its newest commit, it is the answer.
    """
    if seq == now.seq:
        return now
    state = SessionState(now.session_id)
    async for commit in commits_between(log, now.session_id, 0, seq):
        state = _fold_session(state, commit)
    return state


def _fold_session(state: SessionState, commit: Commit) -> SessionState:
    """The session after a commit, but for its records: what stands in fields is the records' to know."""
    if commit.family not in ("edit", "conflict"):
        blanks = Map({name: _blank(name) for name in set_records(commit)})
        return replace(evolve(replace(state, records=blanks), commit), records=Map())
    after = replace(state, seq=commit.seq, hash=commit.hash, at=commit.at)
    data = commit.data
    if commit.message_type == "conflict.detected":
        return replace(
            after, conflicts=state.conflicts.set(data["conflict_id"], (data["record_id"], data["field_name"]))
        )
    if commit.message_type == "conflict.resolved":
        return replace(after, conflicts=state.conflicts.delete(data["conflict_id"]))
    return after
