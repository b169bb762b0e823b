"""Opening a session costs what happened since its checkpoint, which is bounded, and not what it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from realtime_server.core.commits import Commit
from realtime_server.core.state import RecordState
from realtime_server.ports import Appended, CommitLog
from tests.engine.conftest import ADMIN, SESSION, Bench, edit

RECORDS = 200
TAIL = 7


class CountingLog:
    """The real log, and how many commits were read from it."""

    def __init__(self, log: CommitLog) -> None:
        self._log = log
        self.read_commits = 0

    async def append(self, commits: Sequence[Commit]) -> Appended:
        return await self._log.append(commits)

    async def read(self, session_id: str, after: int, limit: int) -> list[Commit]:
        commits = await self._log.read(session_id, after, limit)
        self.read_commits += len(commits)
        return commits

    async def find(self, session_id: str, command_ids: Collection[str]) -> dict[str, Commit]:
        return await self._log.find(session_id, command_ids)

    def scan(self, session_id: str, after: int = 0):  # type: ignore[no-untyped-def]
        return self._log.scan(session_id, after)


async def test_a_session_is_opened_from_its_checkpoint_and_without_the_records_nobody_touched(bench: Bench) -> None:
    earlier = bench.engine()
    await bench.create(earlier, records=RECORDS)
    for number in range(1, RECORDS + 1):
        await earlier.submit(SESSION, edit(ADMIN, "999.99", record=f"ledger:{number}"))
    await earlier.close()
    doomed = bench.engine(checkpoint_every=1_000, checkpoint_after=3_600)
    for number in range(1, TAIL + 1):
        await doomed.submit(SESSION, edit(ADMIN, "777.77", record=f"ledger:{number}", base=number + 1))
    # No close(): what a crash leaves behind.
    log = CountingLog(bench.stores.log)
    engine = bench.engine(log=log)
    state = await engine.state(SESSION)
    assert state.seq == 1 + RECORDS + TAIL
    assert log.read_commits == TAIL
    # Those of the tail, and a first stretch read ahead of whoever goes through the list.
    assert {f"ledger:{number}" for number in range(1, TAIL + 1)} <= set(state.records)
    assert len(state.records) < RECORDS / 4
    picture = await engine.inspect(SESSION, lambda _: {"ledger:99"})
    assert picture.records["ledger:99"].value("amount") == "999.99"
    assert picture.records["ledger:1"].value("amount") == "777.77"
    assert len(picture.records) < RECORDS / 2


class SlowRecords:
    """The real records behind a disk that takes its time to write them."""

    def __init__(self, records: Any) -> None:
        self._records = records

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    async def save(self, session_id: str, records: Collection[RecordState]) -> None:
        await asyncio.sleep(0.05)
        await self._records.save(session_id, records)


class WatchedLog(CountingLog):
    """Knows how far the log was ahead of its checkpoint at most."""

    def __init__(self, log: CommitLog, bench: Bench) -> None:
        super().__init__(log)
        self._bench = bench
        self.longest_tail = 0

    async def append(self, commits: Sequence[Commit]) -> Appended:
        checkpoint = await self._bench.stores.sessions.load(SESSION)
        if checkpoint is not None:
            self.longest_tail = max(self.longest_tail, commits[-1].seq - checkpoint["seq"])
        return await super().append(commits)


async def test_edits_wait_rather_than_leave_a_long_tail_to_whoever_opens_the_session_after_a_crash(
    bench: Bench,
) -> None:
    bench.stores = replace(bench.stores, records=SlowRecords(bench.stores.records))
    log = WatchedLog(bench.stores.log, bench)
    engine = bench.engine(log=log, checkpoint_every=10, tail_limit=40, batch_size=10)
    await bench.create(engine, records=RECORDS)
    edits = [engine.submit(SESSION, edit(ADMIN, "999.99", record=f"ledger:{n}")) for n in range(1, RECORDS + 1)]
    assert [answer["status"] for answer in await asyncio.gather(*edits)] == ["applied"] * RECORDS
    assert 10 <= log.longest_tail <= 40 + 10
