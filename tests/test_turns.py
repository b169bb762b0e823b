"""Whose turn it is, when one source brings more than fits into a turn of the event loop."""

from __future__ import annotations

import asyncio

import pytest

from realtime_server.turns import Turns


async def _turn() -> None:
    """Until the loop has turned, and what was set off by that has run."""
    for _ in range(3):
        await asyncio.sleep(0)


class Work:
    """Waits for turns and notes who began; places are given back at once."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.begun: list[str] = []

    async def begin(self, key: str) -> None:
        if not self.turns.take(key):
            await self.turns.wait(key)
        self.begun.append(key)
        self.turns.give_back(key)


async def test_a_key_begins_so_many_in_one_turn_of_the_loop_and_the_rest_in_later_ones() -> None:
    turns = Turns(2)
    assert [turns.take("a") for _ in range(3)] == [True, True, False]
    turns.give_back("a")
    turns.give_back("a")
    assert not turns.take("a"), "a place is free from the next turn on"
    await _turn()
    assert turns.take("a")


async def test_a_place_is_kept_until_it_is_given_back() -> None:
    turns = Turns(1)
    assert turns.take("a")
    await _turn()
    assert not turns.take("a")
    turns.give_back("a")
    await _turn()
    assert turns.take("a")


async def test_keys_do_not_wait_for_each_other() -> None:
    turns = Turns(1)
    assert [turns.take(key) for key in ("a", "a", "b", "b", "c")] == [True, False, True, False, True]


async def test_those_who_wait_go_in_order_and_nobody_overtakes_them() -> None:
    turns = Turns(1)
    order: list[int] = []

    async def wait(number: int) -> None:
        await turns.wait("a")
        order.append(number)
        turns.give_back("a")

    waiting = [asyncio.create_task(wait(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert len(turns) == 5
    assert not turns.take("a")
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2, 3, 4]
    assert len(turns) == 0


async def test_together_they_begin_no_more_in_one_turn_and_take_turns() -> None:
    work = Work(Turns(10, together=2))
    keys = ["a"] * 6 + ["b"] * 2
    tasks = [asyncio.create_task(work.begin(key)) for key in keys]
    await asyncio.sleep(0)
    assert len(work.begun) == 2
    await asyncio.gather(*tasks)
    assert sorted(work.begun) == sorted(keys)
    assert "b" in work.begun[2:4], "a newcomer does not wait for everything that came before it"


async def test_more_places_than_there_are_wait_until_all_are_free() -> None:
    turns = Turns(4)
    assert turns.take("a")
    assert not turns.take("a", 9)
    large = asyncio.create_task(turns.wait("a", 9))
    await _turn()
    assert not large.done()
    turns.give_back("a")
    await large
    assert not turns.take("a")
    turns.give_back("a", 9)
    await _turn()
    assert turns.take("a", 4)


@pytest.mark.parametrize("granted", [False, True])
async def test_whoever_stops_waiting_leaves_the_place_to_the_next(granted: bool) -> None:
    turns = Turns(1)
    assert turns.take("a")
    first, second = asyncio.create_task(turns.wait("a")), asyncio.create_task(turns.wait("a"))
    await asyncio.sleep(0)
    if granted:
        turns.give_back("a")
        await asyncio.sleep(0)  # the first has the place, and does not know yet
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    if not granted:
        turns.give_back("a")
    await second
    assert not turns.take("a")


async def test_nothing_is_kept_of_keys_that_want_nothing() -> None:
    turns = Turns(2)
    work = Work(turns)
    await asyncio.gather(*(work.begin(f"key-{number % 7}") for number in range(50)))
    await _turn()
    assert not turns._taken
    assert not turns._waiting
