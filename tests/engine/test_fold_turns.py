"""Sessions are folded one at a time, and whoever is waited for goes beside the queue."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from realtime_server.core.commands import CreateSession, EndSession
from realtime_server.engine.fold_turns import PRESSING, FoldTurns, Turn
from realtime_server.ports import NewRecord
from tests.engine.conftest import ADMIN, SESSION, Bench, GatedStore, edit


class Folding:
    """Folds that last until they are let go."""

    def __init__(self) -> None:
        self.turns = FoldTurns()
        self.under_way: list[str] = []
        self._doors: dict[str, asyncio.Event] = {}

    async def begin(self, name: str) -> tuple[Turn, asyncio.Task[None]]:
        turn, self._doors[name] = Turn(), asyncio.Event()
        task = asyncio.create_task(self._fold(name, turn))
        await settle()
        return turn, task

    async def _fold(self, name: str, turn: Turn) -> None:
        async with self.turns.taken(turn):
            self.under_way.append(name)
            await self._doors[name].wait()
            self.under_way.remove(name)

    async def end(self, name: str) -> None:
        self._doors[name].set()
        await settle()


async def settle() -> None:
    """Let everything run that can: nothing here waits for the outside."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_folds_come_one_after_another_in_the_order_in_which_they_asked() -> None:
    folding = Folding()
    for name in ("first", "second", "third"):
        await folding.begin(name)
    seen = []
    for name in ("first", "second", "third"):
        seen.append(list(folding.under_way))
        await folding.end(name)
    assert seen == [["first"], ["second"], ["third"]]
    assert folding.under_way == []


async def test_a_fold_that_somebody_waits_for_goes_beside_the_one_whose_turn_it_is() -> None:
    folding = Folding()
    await folding.begin("first")
    await folding.begin("second")
    urgent, _ = await folding.begin("urgent")
    urgent.hurry()
    await settle()
    assert folding.under_way == ["first", "urgent"]
    await folding.end("first")
    assert folding.under_way == ["urgent"]  # two at a time are enough
    await folding.end("urgent")
    assert folding.under_way == ["second"]
    await folding.end("second")


async def test_whoever_gives_up_holds_up_nobody() -> None:
    folding = Folding()
    await folding.begin("first")
    _, waiting = await folding.begin("waiting")
    await folding.begin("called")
    await folding.begin("last")
    waiting.cancel()
    await settle()
    await folding.end("first")
    assert folding.under_way == ["called"]
    await folding.end("called")
    assert folding.under_way == ["last"]
    _, unlucky = await folding.begin("unlucky")
    await folding.begin("next")
    folding._doors["last"].set()
    await asyncio.sleep(0)  # "last" ends, "unlucky" is called, and cancelled before it has begun
    unlucky.cancel()
    with suppress(asyncio.CancelledError):
        await unlucky
    await settle()
    assert folding.under_way == ["next"]
    await folding.end("next")


async def test_who_is_waited_for_takes_no_rest() -> None:
    turn = Turn()
    resting = asyncio.create_task(turn.rest(3_600))
    await settle()
    assert not resting.done()
    turn.hurry()
    await settle()
    assert resting.done()


async def test_the_rests_are_as_long_as_the_longest_tail_allows() -> None:
    urgency = {"mine": 0.0, "waiting": 0.0}
    turns = FoldTurns()
    mine, waiting = Turn(lambda: urgency["mine"]), Turn(lambda: urgency["waiting"])

    def rests(of_mine: float, of_waiting: float = 0.0, *, share: float = 1.0) -> float:
        urgency.update(mine=of_mine, waiting=of_waiting)
        return turns.rest(mine, 0.010, share)

    async with turns.taken(mine):
        assert rests(-0.5) == rests(0.0) == pytest.approx(0.24)
        assert rests(0.0, 1.0) == pytest.approx(0.24)  # nobody waits yet
        queued = asyncio.create_task(turns._called(waiting))
        await settle()
        assert rests(0.1, 0.0) == rests(0.0, 0.1) == pytest.approx(0.16)
        assert rests(0.25) == rests(0.5) == pytest.approx(0.04)
        assert rests(0.0, 0.75) == pytest.approx(0.02)
        assert rests(1.0) == rests(7.0) == 0.0
        # What writes little holds nobody up: a thousand sessions with a record each come round in time.
        assert rests(0.0, share=0.04) == pytest.approx(0.048)
    assert await queued


async def test_one_session_is_folded_while_another_waits_and_edits_wait_for_neither(bench: Bench) -> None:
    records = GatedStore(bench.stores.records, str, is_open=False)
    bench.stores = replace(bench.stores, records=records)
    engine = bench.engine(checkpoint_every=5, checkpoint_after=3_600)
    names = ("one", "two", "three")
    for name in names:
        command = CreateSession(
            actor=ADMIN, command_id="ada/create", session_id=name, project_id="demo", name=name, expires_in=0
        )
        await engine.submit(name, command)
        await bench.stores.records.insert(name, [NewRecord("ledger:1", "ledger", "1", {"amount": "1.00"}, "chunk-1")])
        await engine.checkpoint(name)
    for number in range(7):
        for name in names:
            submitted = engine.submit(name, edit(ADMIN, f"{number}.50", base=number and number + 1))
            assert (await submitted)["status"] == "applied"
    await records.somebody_came.wait()
    assert records.came == ["one"]
    # A list shows what is stored: whoever asks for it does not wait for the others' turns.
    asked = asyncio.create_task(engine.checkpoint("three"))
    while records.came != ["one", "three"]:
        records.somebody_came.clear()
        await records.somebody_came.wait()
    records.gate.set()
    assert (await asked).seq == 8
    stored = await bench.stores.sessions.load("three")
    assert stored is not None
    assert stored["seq"] == 8


async def test_a_fold_is_as_urgent_as_its_sessions_tail_is_long(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    urgencies: list[float] = []

    def rest(self: FoldTurns, turn: Turn, took: float, share: float) -> float:
        urgencies.append(turn.urgency())
        return 0.0

    monkeypatch.setattr(FoldTurns, "rest", rest)
    records = GatedStore(bench.stores.records, str, is_open=False)
    bench.stores = replace(bench.stores, records=records)
    engine = bench.engine(checkpoint_every=5, tail_limit=15, checkpoint_after=3_600)
    await bench.create(engine)
    await engine.checkpoint(SESSION)  # there is nothing of records in it
    for number in range(5):
        await engine.submit(SESSION, edit(ADMIN, f"{number}.50", base=number and number + 1))
    await records.somebody_came.wait()
    for number in range(5, 8):
        await engine.submit(SESSION, edit(ADMIN, f"{number}.50", base=number + 1))
    records.gate.set()
    await engine.checkpoint(SESSION)
    assert urgencies == [pytest.approx(0.3)]  # 8 commits behind the last checkpoint: 3 of the 10 that there may be more
    records.gate.clear()
    for number in range(8, 13):
        await engine.submit(SESSION, edit(ADMIN, f"{number}.50", base=number + 1))
    # Until it is folded, lists go on showing a session that is open.
    await engine.submit(SESSION, EndSession(actor=ADMIN, command_id="ada/end"))
    records.gate.set()
    await engine.checkpoint(SESSION)
    assert urgencies[-1] == PRESSING
