from __future__ import annotations

import time

import pytest

from realtime_server.command_engine import command_engine
from realtime_server.core.commands import AcquireLock, EraseName
from realtime_server.engine.erasing import erase
from realtime_server.storage.mongo import open_store
from tests.engine.conftest import ADMIN, SESSION, Bench, Stores, preparer

AN_HOUR = 3_600_000


async def test_a_command_goes_by_the_databases_clock_where_its_own_machines_is_wrong(
    mongodb_url: str, database_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(mongodb_url, database_name) as store, command_engine(store) as server:
        await Bench(Stores(store.log, store.sessions, store.records)).create(server)
        lock = AcquireLock(actor=preparer("ann"), command_id="ann/l", record_id="ledger:1", duration=AN_HOUR // 2)
        await server.submit(SESSION, lock)
        right = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: right() + AN_HOUR * 1_000_000)
        async with command_engine(store) as command:
            assert (await command.state(SESSION)).locks  # an export, say: whoever looks ends what is over
            erasure = EraseName(actor=ADMIN, command_id="ada/e", user_id="ann")
            await erase(command, store.log, store.notices, SESSION, [erasure])
        monkeypatch.undo()
        state = await server.state(SESSION)
        assert (list(state.locks), state.seq) == (["ledger:1"], 3)
        assert abs(state.last_activity - right() // 1_000_000) < AN_HOUR // 4
