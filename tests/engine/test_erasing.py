"""What becomes of a session's work while a name is erased from it."""

from __future__ import annotations

import asyncio

from realtime_server.core.commands import EraseName
from realtime_server.engine.erasing import erase
from realtime_server.storage.memory import MemoryStore
from tests.engine.conftest import ADMIN, SESSION, Bench, edit, preparer


async def test_what_was_acknowledged_before_an_erasure_is_there_for_whoever_opens_the_session_next(
    bench: Bench,
) -> None:
    here = bench.engine()
    await bench.create(here)
    done = await here.submit(SESSION, edit(preparer("pat"), "500.00"))
    command = EraseName(actor=ADMIN, command_id="ada/erase", user_id="kay")
    await erase(here, bench.stores.log, MemoryStore().notices, SESSION, [command])
    there = bench.engine()  # opens it from the checkpoint, as after a crash of the other
    state = await there.inspect(SESSION, lambda _: ["ledger:1"])
    assert (state.seq, state.records["ledger:1"].value("amount")) == (3, "500.00")
    answer = await there.submit(SESSION, edit(preparer("eve"), "7.00"))
    assert (answer["status"], done["status"]) == ("conflict", "applied")


async def test_names_of_many_go_at_once(bench: Bench) -> None:
    engine = bench.engine()
    await bench.create(engine)
    for name in ("pat", "kay"):
        await engine.submit(SESSION, edit(preparer(name), "5.00", record=f"ledger:{1 + (name == 'kay')}"))
    commands = [EraseName(actor=ADMIN, command_id=f"ada/{name}", user_id=name) for name in ("pat", "kay")]
    erased, again = await asyncio.gather(
        *(erase(engine, bench.stores.log, MemoryStore().notices, SESSION, commands) for _ in range(2))
    )
    assert erased.seq == again.seq
    state = await engine.inspect(SESSION, lambda _: ["ledger:1", "ledger:2"])
    assert [state.records[f"ledger:{number}"].value("amount") for number in (1, 2)] == ["5.00", "5.00"]
