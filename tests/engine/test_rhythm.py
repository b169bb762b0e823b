"""Commands of a session wait for each other only while the process is short of time, and only where many come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from realtime_server.core.commits import Commit
from realtime_server.engine.engine import Engine
from realtime_server.engine.rhythm import Rhythm
from realtime_server.ports import Appended, CommitLog
from tests.engine.conftest import SESSION, Bench, edit, preparer


def _beaten(busy: float, per_second: int, *, seconds: float = 1.0) -> tuple[Rhythm, float]:
    """A session into which commands came one by one, and the time of the last."""
    rhythm = Rhythm(lambda: busy)
    now = 100.0
    for _ in range(int(per_second * seconds)):
        now += 1 / per_second
        rhythm.begin(now, 1)
    return rhythm, now


@pytest.mark.parametrize("busy", [0.0, 0.5, 0.65])
def test_with_time_to_spare_nobody_waits(busy: float) -> None:
    rhythm, now = _beaten(busy, 500)
    assert rhythm.wait(now) <= 0.0


@pytest.mark.parametrize(("busy", "expected"), [(0.75, 0.025), (0.85, 0.050), (1.0, 0.050)])
def test_the_wait_grows_with_what_is_used(busy: float, expected: float) -> None:
    rhythm, now = _beaten(busy, 500)
    assert rhythm.wait(now) == pytest.approx(expected)
    assert rhythm.wait(now + 0.015) == pytest.approx(expected - 0.015)


def test_where_few_come_nobody_waits() -> None:
    rhythm, now = _beaten(1.0, 50)
    assert rhythm.wait(now) <= 0.0


def test_whoever_comes_after_a_rest_does_not_wait() -> None:
    rhythm, now = _beaten(1.0, 500)
    assert rhythm.wait(now + 1.0) <= 0.0


def test_a_session_that_calms_down_waits_no_more() -> None:
    rhythm, now = _beaten(1.0, 500)
    for _ in range(20):
        now += 0.030
        rhythm.begin(now, 1)
    assert rhythm.wait(now) <= 0.0


class _Counted:
    """A log that notes how many commits each append brought."""

    def __init__(self, log: CommitLog) -> None:
        self._log = log
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, commits: Sequence[Commit]) -> Appended:
        self.sizes.append(len(commits))
        return await self._log.append(commits)


async def _some_turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class TestActor:
    @pytest.fixture(autouse=True)
    def long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A minute between batches, in every session: what ends sooner did not wait for it."""
        monkeypatch.setattr("realtime_server.engine.rhythm._LONGEST", 60.0)
        monkeypatch.setattr("realtime_server.engine.rhythm._MANY", 0.0)

    async def _engine(self, bench: Bench, busy: float) -> tuple[Engine, _Counted]:
        log = _Counted(bench.stores.log)
        engine = bench.engine(log=log, busy=lambda: busy)  # type: ignore[arg-type]
        await bench.create(engine)
        return engine, log

    async def test_commands_gather_until_somebody_asks(self, bench: Bench) -> None:
        engine, log = await self._engine(bench, 1.0)
        waiting = []
        for number in range(3):
            waiting.append(engine.submit(SESSION, edit(preparer("pat"), "7.00", record=f"ledger:{number + 1}")))
            await _some_turns()
        assert not any(future.done() for future in waiting)
        async with asyncio.timeout(20):
            await engine.state(SESSION)
            await asyncio.gather(*waiting)
        assert log.sizes == [1, 3]

    async def test_a_question_alone_begins_no_batch(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 1000.0
        monkeypatch.setattr("realtime_server.engine.actor.perf_counter", lambda: now)
        engine, log = await self._engine(bench, 1.0)
        async with asyncio.timeout(20):
            for question_at, edit_at in ((1100.0, 1110.0), (1200.0, 1210.0)):
                now = question_at
                await engine.state(SESSION)
                now = edit_at
                await engine.submit(SESSION, edit(preparer("pat"), f"{now}", record="ledger:1"))
        assert log.sizes == [1, 1, 1]

    async def test_closing_waits_for_nobody(self, bench: Bench) -> None:
        engine, _ = await self._engine(bench, 1.0)
        waiting = engine.submit(SESSION, edit(preparer("pat"), "7.00"))
        await _some_turns()
        assert not waiting.done()
        async with asyncio.timeout(20):
            await engine.close()
            assert (await waiting)["seq"] == 2

    async def test_with_time_to_spare_each_is_done_at_once(self, bench: Bench) -> None:
        engine, log = await self._engine(bench, 0.0)
        async with asyncio.timeout(20):
            for number in range(3):
                await engine.submit(SESSION, edit(preparer("pat"), f"{number}.50", record=f"ledger:{number + 1}"))
        assert log.sizes == [1, 1, 1, 1]
