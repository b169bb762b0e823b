"""Importing a file's rows into a live session: new rows become records, changed ones edits, and nothing is done twice.

For each chunk of rows: read what imports have said of these records so far; insert those that are not there, each
stamped with the chunk's id; commit one ``record.imported`` for them; then send an edit for every field of which the
file says something new, and remember it.

A crash in between is made good by importing again. Inserting again adds what is missing; the commit has the chunk's id
in its own, so the log takes it once; edits have ids that follow from what they do. Where the file has changed since the
crash its chunks are cut differently, and records are met whose chunk never came into the log: at the end that chunk is
committed as it is stored. So every record that an import leaves in a session is vouched for by exactly one commit.
"""

from __future__ import annotations

from contextlib import aclosing

from realtime_server.core.commands import Actor
from realtime_server.ports import CommitLog, RecordStore
from realtime_server.reconciliation.import_chunks import CHUNK_ROWS, Rows, Source, read_chunks
from realtime_server.reconciliation.import_edits import SessionEngine
from realtime_server.reconciliation.import_run import ImportRun
from realtime_server.reconciliation.import_summary import NOBODY, Counter, ImportSummary, Listeners, RowStatus
from realtime_server.reconciliation.patience import PAUSES, Patience

__all__ = ["ImportSummary", "Importer", "Listeners", "RowStatus", "Rows", "Source"]


class Importer:
    """Imports rows into sessions. Holds nothing between two imports; several may run at once.

    ``pauses``: seconds before each further attempt at what is `overloaded` or `unavailable`.
    """

    def __init__(
        self,
        engine: SessionEngine,
        log: CommitLog,
        records: RecordStore,
        *,
        chunk_rows: int = CHUNK_ROWS,
        pauses: tuple[float, ...] = PAUSES,
    ) -> None:
        self._engine, self._log, self._records = engine, log, records
        self._chunk_rows = chunk_rows
        self._patience = Patience(pauses)

    async def check(self, source: Source, rows: Rows, listeners: Listeners = NOBODY) -> ImportSummary:
        """Read all rows and write nothing: a summary of what would be refused. Raises what reading raises."""
        counter = Counter(ImportSummary(source, written=False), listeners)
        async with aclosing(read_chunks(rows, self._chunk_rows)) as chunks:
            async for chunk in chunks:
                listeners.before_chunk()
                counter.summary.rows += len(counter.admit(chunk))
                listeners.on_progress(counter.summary)
        return counter.summary

    async def run(
        self,
        session_id: str,
        actor: Actor,
        source: Source,
        rows: Rows,
        *,
        all_or_nothing: bool = False,
        listeners: Listeners = NOBODY,
    ) -> ImportSummary:
        """Import rows as one side of a session, in the name of a person.

        ``all_or_nothing``: read everything first, and write nothing where a row is refused; ``rows`` is then iterated
        twice. What only the session can know, that a person holds a record locked, say, is found out while writing.

        CollaborationError for what stops the whole import: what ``listeners.before_chunk`` raises, `forbidden`,
        `not_found`, `session_ended`, a file that changed while it was read (`invalid`), `overloaded` or `unavailable`
        for longer than some seconds. By then a part may be done, and importing the same again does the rest.
        """
        if all_or_nothing:
            if iter(rows) is rows:
                raise ValueError("rows that can be read only once cannot be checked first")
            checked = await self.check(source, rows, Listeners(listeners.before_chunk, on_error=listeners.on_error))
            if checked.refused:
                return checked
        run = ImportRun(self._engine, self._log, self._records, self._patience, session_id, actor, source, listeners)
        await run.begin()
        async with aclosing(read_chunks(rows, self._chunk_rows)) as chunks:
            async for chunk in chunks:
                listeners.before_chunk()
                await run.take(chunk)
        await run.finish()
        return run.summary
