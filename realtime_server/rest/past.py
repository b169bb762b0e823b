"""Records and sessions as of an earlier commit: the base with the log folded over it, in bounded memory.

A record that nobody touched since is shown as it is stored. Only the others are folded anew, from their own commits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace

from immutables import Map

from realtime_server.core.comments import evolve_comment
from realtime_server.core.commits import Commit
from realtime_server.core.conflicts import evolve_conflict
from realtime_server.core.edits import fields_set, set_field
from realtime_server.core.locks import evolve_lock
from realtime_server.core.sessions import evolve_session, touch
from realtime_server.core.state import RecordState, SessionState
from realtime_server.ports import CommitLog, RecordStore

#: Commits read at a time: a few milliseconds of decoding, so that others get their turn in between.
_STEP = 250


async def commits_between(log: CommitLog, session_id: str, after: int, until: int) -> AsyncIterator[Commit]:
    """The commits with ``after < seq <= until``, a part at a time."""
    while after < until:
        commits = await log.read(session_id, after, min(_STEP, until - after))
        for commit in commits:
            yield commit
        if not commits:
            return
        after = commits[-1].seq


def fold_record(record: RecordState, commits: Iterable[Commit]) -> RecordState:
    """A record as imported, with its commits applied in their order; what they do to other records is left out."""
    for commit in commits:
        if commit.family == "edit":
            for record_id, name, value in fields_set(commit):
                if record_id == record.record_id:
                    record = set_field(record, name, value, commit)
        elif commit.family == "conflict":
            alone = SessionState(commit.session_id, records=Map({record.record_id: record}))
            record = evolve_conflict(alone, commit).records[record.record_id]
    return record


class RecordsAsOf:
    """Records of one session as they were when commit ``seq`` was the newest."""

    def __init__(self, log: CommitLog, records: RecordStore, state: SessionState, seq: int) -> None:
        self._log, self._records, self._state, self._seq = log, records, state, seq
        self._imports: dict[str, int | None] = {}

    async def of(self, stored: Sequence[RecordState]) -> list[RecordState]:
        """These records as of then; the ones that were not imported yet are left out.

        ``stored``: as storage has them, read after ``state`` was known, so nothing in them is older than the newest
        that ``state`` does not hold itself.
        """
        newest = [self._state.records.get(record.record_id, record) for record in stored]
        there = await self._imported_by_then(newest)
        return [
            record if record.seq <= self._seq else await self._refolded(record) for record in newest if there(record)
        ]
