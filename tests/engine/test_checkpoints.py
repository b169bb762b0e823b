"""When a checkpoint is stored: at once where searches over sessions would miss something, else when there is time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from operator import itemgetter

import pytest

from realtime_server.core.commands import Command, EndSession
from realtime_server.core.reconciliation_commands import CancelRun, StartRun
from tests.engine.conftest import ADMIN, SESSION, Bench, GatedStore, edit
from tests.support import eventually

START = StartRun(actor=ADMIN, command_id="ada/run", run_id="run-1")
CANCEL = CancelRun(actor=ADMIN, command_id="ada/cancel")
END = EndSession(actor=ADMIN, command_id="ada/end")


@pytest.fixture
def sessions(bench: Bench) -> GatedStore:
    watched = GatedStore(bench.stores.sessions, itemgetter("seq"), is_open=True)
    bench.stores = replace(bench.stores, sessions=watched)
    return watched


async def test_edits_alone_make_no_checkpoint(bench: Bench, sessions: GatedStore) -> None:
    engine = bench.engine(checkpoint_after=3_600)
    await bench.create(engine)
    await eventually(lambda: sessions.stored == [1])
    for number in range(20):
        await engine.submit(SESSION, edit(ADMIN, f"{number}.50", base=number and number + 1))
    assert sessions.came == [1]


async def test_a_session_that_rests_is_stored(bench: Bench, sessions: GatedStore) -> None:
    engine = bench.engine(checkpoint_after=0.05)
    await bench.create(engine)
    await engine.submit(SESSION, edit(ADMIN, "1.50"))
    await eventually(lambda: sessions.stored[-1:] == [2])


@pytest.mark.parametrize("command", [START, END], ids=["a run is started", "the session is ended"])
async def test_what_searches_look_for_is_stored_at_once(bench: Bench, sessions: GatedStore, command: Command) -> None:
    engine = bench.engine(checkpoint_after=3_600)
    await bench.create(engine)
    await engine.submit(SESSION, edit(ADMIN, "1.50"))
    await engine.submit(SESSION, command)
    await eventually(lambda: sessions.stored[-1] == 3)
    summary = (await sessions.page(["demo"]))[0]
    assert summary.status == ("ended" if command is END else "active")
    assert await sessions.reconciling(10) == ([SESSION] if command is START else [])


async def test_a_run_that_ends_while_its_beginning_is_stored_is_not_looked_for(
    bench: Bench, sessions: GatedStore
) -> None:
    engine = bench.engine(checkpoint_after=3_600)
    await bench.create(engine)
    await engine.checkpoint(SESSION)
    sessions.gate.clear()
    sessions.somebody_came.clear()
    await engine.submit(SESSION, START)
    async with asyncio.timeout(10):
        await sessions.somebody_came.wait()
    await engine.submit(SESSION, CANCEL)
    sessions.gate.set()
    await eventually(lambda: sessions.stored[-1] == 3)
    assert await sessions.reconciling(10) == []
