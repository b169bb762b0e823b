"""One import under way; `importing` says how it works."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from realtime_server.core.commands import Actor, RecordImport
from realtime_server.core.decide import decide
from realtime_server.ending import end_tasks
from realtime_server.errors import Rejection
from realtime_server.ports import CommitLog, ImportedRecord, NewRecord, RecordStore
from realtime_server.reconciliation.csv_rows import ImportRow, RowError
from realtime_server.reconciliation.import_chunks import (
    CHUNK_ROWS,
    Source,
    base_digest,
    base_values,
    chunk_id_of,
    import_command_id,
    record_id_of,
)
from realtime_server.reconciliation.import_edits import Change, RowEditor, RowResult, SessionEngine, changes_of
from realtime_server.reconciliation.import_summary import Counter, ImportSummary, Listeners, RowStatus
from realtime_server.reconciliation.patience import Patience

#: Edits of one import that wait for the engine at a time: a fraction of its queue, which people's edits share.
EDITS_AT_ONCE: Final = 64

Values = Mapping[str, Any]


class ImportRun:
    """Begin, take the chunks one after another, finish."""

    def __init__(
        self,
        engine: SessionEngine,
        log: CommitLog,
        records: RecordStore,
        patience: Patience,
        session_id: str,
        actor: Actor,
        source: Source,
        listeners: Listeners,
    ) -> None:
        self._engine, self._log, self._records, self._patience = engine, log, records, patience
        self._session_id, self._actor, self._source = session_id, actor, source
        self._editor = RowEditor(engine, records, patience, session_id, actor)
        self._counter = Counter(ImportSummary(source), listeners)
        #: Chunks that stored records name, met so far: is their commit in the log?
        self._committed: dict[str, bool] = {}
        #: Whether this side had records when it began: some may have former ids.
        self._had_records = False

    @property
    def summary(self) -> ImportSummary:
        return self._counter.summary

    async def begin(self) -> None:
        """Raises CollaborationError where this person cannot import into this session as it stands."""
        self._editor.since = await self._check_allowed(refresh=True)
        self._had_records = await self._has_records()

    async def take(self, chunk: list[ImportRow | RowError]) -> None:
        rows = self._counter.admit(chunk)
        if rows:
            known = await self._known(rows.keys())
            if self._had_records and len(known) < len(rows):
                rows, known = await self._under_former_ids(rows, known)
            values = {record_id: base_values(row) for record_id, row in rows.items()}
            chunk_id = chunk_id_of(values)
            if len(known) < len(rows):
                known |= await self._insert(chunk_id, rows, values, known)
            await self._look_up({record.chunk_id for record in known.values()} | {chunk_id})
            changed = self._classify(rows, known)
            mine = {name: values[name] for name in rows if name not in known or known[name].chunk_id == chunk_id}
            if mine and not self._committed[chunk_id]:
                await self._commit(chunk_id, mine)
            # Also where no record bears this chunk's id: then there is nothing to commit.
            self._committed[chunk_id] = True
            await self._edit_all(changed)
        self._counter.listeners.on_progress(self.summary)

    async def finish(self) -> None:
        """Commit the chunks of an earlier import that stored records and never got to their commit."""
        left = {chunk_id for chunk_id, committed in self._committed.items() if not committed}
        for chunk_id in left:
            del self._committed[chunk_id]
        # Asked anew: whoever stored them may be at work beside us, and just have committed them.
        await self._look_up(left)
        left = {chunk_id for chunk_id in left if not self._committed[chunk_id]}
        for chunk_id, records in (await self._stored(left)).items():
            await self._commit(chunk_id, records)

    def _classify(
        self, rows: Mapping[str, ImportRow], known: Mapping[str, ImportedRecord]
    ) -> list[tuple[ImportRow, str, list[Change]]]:
        """Count what is new or unchanged; give back the rows that say something new of a record that is there."""
        self.summary.count(RowStatus.NEW, len(rows) - len(known))
        changed = []
        for record_id, record in known.items():
            # Only the row's own values: the status is the session's, and an absent column says nothing.
            changes = changes_of(record, rows[record_id].values)
            if changes:
                changed.append((rows[record_id], record_id, changes))
            else:
                # Stored before a crash and not committed yet: for everybody else it is new.
                self.summary.count(RowStatus.UNCHANGED if self._committed[record.chunk_id] else RowStatus.NEW)
        return changed

    # -- records under former ids ------------------------------------------------------------------------------------

    async def _has_records(self) -> bool:
        """Whether this side has any: their ids begin with it."""
        after = record_id_of(self._source, "")
        page = await self._patience(self._records.page, self._session_id, after=after, limit=1)
        return any(record.source == self._source for record in page)

    async def _under_former_ids(
        self, rows: dict[str, ImportRow], known: Mapping[str, ImportedRecord]
    ) -> tuple[dict[str, ImportRow], dict[str, ImportedRecord]]:
        """Rows, and what is stored of them, by the ids of their records: one that has a former id keeps it."""
        former = {
            record_id: [record_id_of(self._source, name) for name in row.former_ids]
            for record_id, row in rows.items()
            if row.former_ids and record_id not in known
        }
        found = await self._known({name for names in former.values() for name in names}) if former else {}
        kept: dict[str, ImportRow] = {}
        for record_id, row in rows.items():
            free = (name for name in former.get(record_id, ()) if name not in rows and name not in kept)
            its_own = (name for name in free if name in found and _is_same_entry(found[name], row))
            kept[next(its_own, record_id)] = row
        return kept, {**known, **{name: record for name, record in found.items() if name in kept}}

    # -- new records -------------------------------------------------------------------------------------------------

    async def _insert(
        self,
        chunk_id: str,
        rows: Mapping[str, ImportRow],
        values: Mapping[str, Values],
        known: Mapping[str, ImportedRecord],
    ) -> dict[str, ImportedRecord]:
        """Add the records that are not there; those that another import was faster with are given back."""
        await self._check_allowed()
        missing = [
            NewRecord(record_id, self._source, row.external_id, values[record_id], chunk_id)
            for record_id, row in rows.items()
            if record_id not in known
        ]
        added = await self._patience(self._records.insert, self._session_id, missing)
        if added == len(missing):
            return {}
        stored = await self._known([record.record_id for record in missing])
        return {record_id: record for record_id, record in stored.items() if record.chunk_id != chunk_id}

    async def _commit(self, chunk_id: str, records: Mapping[str, Values]) -> None:
        command = self._announcement(chunk_id, {"new": len(records)}, base_digest(records))
        answer = await self._patience(self._engine.submit, self._session_id, command)
        self.summary.seq = max(self.summary.seq, answer["seq"])

    def _announcement(self, chunk_id: str, counts: Mapping[str, int], digest: str) -> RecordImport:
        return RecordImport(
            actor=self._actor,
            command_id=import_command_id(chunk_id),
            import_id=chunk_id,
            source=self._source,
            counts=counts,
            digest=digest,
        )

    async def _check_allowed(self, *, refresh: bool = False) -> int:
        """Ask the rules before records are stored, since storing comes first. Returns the log's end."""
        state = await self._patience(self._engine.inspect, self._session_id, lambda _: (), refresh=refresh)
        outcome = decide(state, self._announcement("", {}, ""), time.time_ns() // 1_000_000)
        if isinstance(outcome, Rejection):
            raise outcome.to_error()
        return state.seq

    # -- what is stored ----------------------------------------------------------------------------------------------

    async def _known(self, record_ids: Any) -> dict[str, ImportedRecord]:
        return await self._patience(self._records.imported, self._session_id, record_ids)

    async def _look_up(self, chunk_ids: set[str]) -> None:
        unknown = {import_command_id(chunk_id): chunk_id for chunk_id in chunk_ids - self._committed.keys()}
        if unknown:
            found = await self._patience(self._log.find, self._session_id, unknown.keys())
            self._committed.update({chunk_id: command in found for command, chunk_id in unknown.items()})

    async def _stored(self, chunk_ids: set[str]) -> dict[str, dict[str, Values]]:
        """The base of all stored records of these chunks. Reads the whole side: this is for after a crash."""
        found: dict[str, dict[str, Values]] = {}
        after: str | None = None
        while chunk_ids:
            page = await self._patience(
                self._records.page, self._session_id, after=after, limit=CHUNK_ROWS, source=self._source
            )
            if not page:
                break
            known = await self._known([record.record_id for record in page])
            for record in page:
                chunk_id = known[record.record_id].chunk_id
                if chunk_id in chunk_ids:
                    found.setdefault(chunk_id, {})[record.record_id] = record.base
            after = page[-1].record_id
        return found

    # -- records that are there --------------------------------------------------------------------------------------

    async def _edit_all(self, changed: list[tuple[ImportRow, str, list[Change]]]) -> None:
        waiting = iter(changed)

        async def work() -> None:
            for row, record_id, changes in waiting:
                self._note(row, await self._editor.apply(record_id, changes))

        workers = [asyncio.create_task(work()) for _ in range(min(EDITS_AT_ONCE, len(changed)))]
        try:
            await asyncio.gather(*workers)
        finally:
            await end_tasks(*workers)

    def _note(self, row: ImportRow, result: RowResult) -> None:
        self.summary.seq = max(self.summary.seq, result.seq)
        if result.problem is not None:
            self._counter.refuse(RowError(row.line, *result.problem))
        else:
            self.summary.count(result.status)


def _is_same_entry(record: ImportedRecord, row: ImportRow) -> bool:
    return all(record.values.get(name, (None, 0))[0] == row.values.get(name) for name in row.telling)
