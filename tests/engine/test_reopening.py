"""A session that failed in this process is opened again, and whoever listens here has missed nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest

from realtime_server.core.commits import Commit
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import Appended, CommitLog
from tests.engine.conftest import ADMIN, SESSION, Bench, edit


class FailingLog:
    """The real log, which raises ``failure`` while there is one."""

    def __init__(self, log: CommitLog) -> None:
        self._log = log
        self.failure: Exception | None = None

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def append(self, commits: Sequence[Commit]) -> Appended:
        self._fail()
        return await self._log.append(commits)

    async def read(self, session_id: str, after: int, limit: int) -> list[Commit]:
        self._fail()
        return await self._log.read(session_id, after, limit)

    async def find(self, session_id: str, command_ids: Collection[str]) -> dict[str, Commit]:
        self._fail()
        return await self._log.find(session_id, command_ids)


async def _write(bench: Bench, first: int, count: int) -> None:
    for number in range(first, first + count):
        await bench.engines[1].submit(SESSION, edit(ADMIN, f"{number}", name="note_of_mine", base=number))


@pytest.mark.parametrize("limit", [1_000, 2])
async def test_listeners_are_told_what_others_wrote_while_the_session_was_closed_here(bench: Bench, limit: int) -> None:
    log = FailingLog(bench.stores.log)
    engine = bench.engine(log=log, replay_limit=limit)  # type: ignore[arg-type]
    await bench.create(engine)
    engine.watch(SESSION)
    bench.engine()
    log.failure = RuntimeError("a defect")
    with pytest.raises(CollaborationError) as failed:
        await engine.state(SESSION)
    assert failed.value.code is ErrorCode.INTERNAL
    await _write(bench, 1, 2)
    # The database is away while it is opened again, and again: what was missed is not forgotten over that.
    log.failure = CollaborationError(ErrorCode.UNAVAILABLE, "the database is away")
    with pytest.raises(CollaborationError):
        await engine.state(SESSION)
    await _write(bench, 3, 1)
    log.failure = None
    assert (await engine.state(SESSION)).seq == 4
    await _write(bench, 4, 1)
    await engine.state(SESSION)
    assert [commit.seq for commit in bench.published[0]] == ([1, 2, 3, 4, 5] if limit > 2 else [1, 3, 4, 5])
    engine.unwatch(SESSION)


async def test_a_session_that_nobody_follows_any_more_is_opened_without_telling(bench: Bench) -> None:
    log = FailingLog(bench.stores.log)
    engine = bench.engine(log=log)  # type: ignore[arg-type]
    await bench.create(engine)
    engine.watch(SESSION)
    bench.engine()
    log.failure = RuntimeError("a defect")
    with pytest.raises(CollaborationError):
        await engine.state(SESSION)
    engine.unwatch(SESSION)
    log.failure = None
    await _write(bench, 1, 1)
    await engine.state(SESSION)
    assert [commit.seq for commit in bench.published[0]] == [1]
