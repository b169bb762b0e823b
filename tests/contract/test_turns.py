"""The contract of `ports.Turns`, over every adapter."""

from __future__ import annotations

import asyncio

import pytest

from realtime_server.ports import Turns
from tests.contract.conftest import Store


@pytest.fixture
def turns(store: Store) -> Turns:
    return store.turns


async def test_of_many_who_ask_at_once_one_gets_the_turn(turns: Turns) -> None:
    for _ in range(5):
        taken = await asyncio.gather(*(turns.take("sweep", 600) for _ in range(20)))
        assert sum(taken) == 1
        await turns.put_off("sweep", 0)


async def test_a_turn_lasts_as_long_as_its_lease_where_nobody_ends_it(turns: Turns) -> None:
    assert await turns.take("sweep", 0)
    assert await turns.take("sweep", 600)
    assert not await turns.take("sweep", 600)


async def test_nobodys_turn_comes_while_it_is_put_off(turns: Turns) -> None:
    assert await turns.take("sweep", 600)
    await turns.put_off("sweep", 600)
    assert not await turns.take("sweep", 600)
    await turns.put_off("sweep", 0)
    assert await turns.take("sweep", 600)


async def test_one_works_turn_is_not_anothers(turns: Turns) -> None:
    await turns.put_off("never taken", 600)
    assert await turns.take("never taken", 600)
    assert await turns.take("sweep", 600)
