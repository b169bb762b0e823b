"""Presence of several processes: one entry per person, wherever their tabs are, and nobody who is not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count
from typing import TypeVar

import pytest

from realtime_server.engine.engine import wall_clock
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.presence.members import Doing
from realtime_server.presence.redis import RedisPresence
from realtime_server.presence.redis_seats import Seats
from realtime_server.redis_bus import RedisBus, open_bus
from tests.presence.test_presence import Told, seat
from tests.redis_server import RedisServer, running_redis
from tests.support import eventually

T = TypeVar("T")


async def until(read: Callable[[], Awaitable[T]], fulfilled: Callable[[T], bool]) -> None:
    """Return as soon as what is read is as expected; nobody says when that is."""
    async with asyncio.timeout(10):
        while not fulfilled(await read()):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)


class Process:
    """What one server process has of presence."""

    def __init__(self, bus: RedisBus, presence: RedisPresence, told: Told) -> None:
        self.bus, self.presence, self.told = bus, presence, told

    async def people(self) -> dict[str, int]:
        """Who is there, with how many connections, in the order in which they came."""
        return {member.user_id: member.connections for member in await self.presence.members("s")}

    async def sees(self, people: dict[str, int]) -> None:
        await until(self.people, lambda found: list(found.items()) == list(people.items()))

    async def die(self) -> None:
        """End without a word, as far as the others can tell."""
        for task in [*self.presence._tasks, *self.bus._tasks]:
            task.cancel()


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with running_redis() as server:
        yield server


StartProcess = Callable[..., Awaitable[Process]]


@pytest.fixture
async def process(redis: RedisServer) -> AsyncIterator[StartProcess]:
    async with AsyncExitStack() as stack:

        async def start(*, lease: float = 0.6, renew: float = 0.1) -> Process:
            bus = await stack.enter_async_context(open_bus(redis.url, "test:", b"k" * 32))
            assert await bus.ready()
            told = Told()
            presence = RedisPresence(told, wall_clock, bus, lease=lease, renew=renew)
            stack.push_async_callback(presence.close)
            return Process(bus, presence, told)

        yield start


async def test_everybody_is_seen_everywhere_once_with_all_their_tabs(process: StartProcess) -> None:
    first, second, third = [await process() for _ in range(3)]
    await first.presence.enter("s", seat("alice"), 5)
    await second.presence.enter("s", seat("bob"), 5)
    await third.presence.enter("s", seat("alice"), 5)
    for each in (first, second, third):
        await each.sees({"alice": 2, "bob": 1})
    assert first.told.kinds.count(("joined", "alice")) == 1
    assert second.told.kinds.count(("joined", "bob")) == 1


async def test_what_somebody_does_and_leaving_are_seen_everywhere(process: StartProcess) -> None:
    first, second = await process(), await process()
    alice, bob = seat("alice"), seat("bob")
    await first.presence.enter("s", alice, 5)
    await second.presence.enter("s", bob, 5)
    await first.presence.update("s", alice.connection_id, Doing(activity="editing", focus={"record_id": "r1"}))
    await second.told.until(lambda: any(change.member.activity == "editing" for change in second.told.changes))
    await first.presence.leave("s", alice.connection_id)
    await second.told.until(lambda: ("left", "alice") in second.told.kinds)
    assert await second.people() == {"bob": 1}


async def test_a_session_holds_as_many_people_as_it_may_on_all_instances_together(process: StartProcess) -> None:
    processes = [await process() for _ in range(3)]

    async def enter(number: int) -> bool:
        try:
            await processes[number % 3].presence.enter("s", seat(f"user {number}"), 10)
        except CollaborationError as error:
            refused.append(error)
            return False
        return True

    refused: list[CollaborationError] = []
    assert sum(await asyncio.gather(*(enter(number) for number in range(60)))) == 10
    assert {error.code for error in refused} == {ErrorCode.SESSION_FULL}
    assert all(error.details == {"maximum": 10} for error in refused)
    for each in processes:
        await eventually(lambda: len(each.told.changes) > 0)  # noqa: B023 - awaited here
    inside = next(iter(await processes[0].people()))
    for each in processes:  # who is there already always gets in
        await each.presence.enter("s", seat(inside), 10)


async def test_five_hundred_who_come_at_once_are_all_there_once(process: StartProcess) -> None:
    processes = [await process(lease=10) for _ in range(3)]
    numbers = count()

    async def come_and_come_again() -> None:
        number = next(numbers)
        first, then = processes[number % 3].presence, processes[(number + 1) % 3].presence
        before, after = seat(f"user {number}", device="tab"), seat(f"user {number}", device="tab")
        await first.enter("s", before, 1_000)
        await first.leave("s", before.connection_id, grace=30)
        await then.enter("s", after, 1_000)

    await asyncio.gather(*(come_and_come_again() for _ in range(500)))
    expected = {f"user {number}": 1 for number in range(500)}
    for each in processes:
        await until(each.people, lambda found: found == expected)


async def test_who_comes_back_at_another_instance_within_the_grace_time_was_never_gone(process: StartProcess) -> None:
    first, second, watcher = [await process() for _ in range(3)]
    await watcher.presence.enter("s", seat("wendy"), 5)
    before, after = seat("alice", device="tab"), seat("alice", device="tab")
    await first.presence.enter("s", before, 5)
    await first.presence.update("s", before.connection_id, Doing(activity="editing"))
    await watcher.sees({"wendy": 1, "alice": 1})
    await first.presence.leave("s", before.connection_id, grace=60)
    await watcher.sees({"wendy": 1, "alice": 0})
    await second.presence.enter("s", after, 5)
    await watcher.sees({"wendy": 1, "alice": 1})
    found = {member.user_id: member for member in await watcher.presence.members("s")}["alice"]
    assert found.activity == "editing"
    assert ("left", "alice") not in watcher.told.kinds
    assert watcher.told.kinds.count(("joined", "alice")) == 1


async def test_people_of_a_killed_instance_are_gone_when_its_lease_is(process: StartProcess) -> None:
    first, second = await process(), await process()
    await second.presence.enter("s", seat("bob"), 2)
    await first.presence.enter("s", seat("alice"), 2)
    await second.sees({"bob": 1, "alice": 1})
    await first.die()
    await second.told.until(lambda: ("left", "alice") in second.told.kinds)
    await second.presence.enter("s", seat("carol"), 2)
    assert await second.people() == {"bob": 1, "carol": 1}


async def test_people_of_an_instance_that_restarts_are_waited_for(process: StartProcess) -> None:
    first, second = await process(), await process()
    await second.presence.enter("s", seat("bob"), 5)
    await first.presence.enter("s", seat("alice", device="tab"), 5)
    await second.sees({"bob": 1, "alice": 1})
    await first.presence.close()
    await second.sees({"bob": 1, "alice": 0})
    restarted = await process()
    await restarted.presence.enter("s", seat("alice", device="tab"), 5)
    await second.sees({"bob": 1, "alice": 1})
    assert ("left", "alice") not in second.told.kinds


@pytest.mark.parametrize("fault", ["killed", "flushed"])
async def test_nobody_leaves_because_redis_was_away_or_is_empty(
    process: StartProcess, redis: RedisServer, fault: str
) -> None:
    first, second = await process(), await process()
    await first.presence.enter("s", seat("alice"), 5)
    await second.presence.enter("s", seat("bob"), 5)
    await first.sees({"alice": 1, "bob": 1})
    if fault == "killed":
        await redis.kill()
        await eventually(lambda: not first.bus.is_up and not second.bus.is_up)
        await first.presence.enter("s", seat("carol"), 5)  # by what this process knows
        await redis.start()
    else:
        await redis.command("FLUSHALL")
        await first.presence.enter("s", seat("carol"), 5)
    await second.sees({"alice": 1, "bob": 1, "carol": 1})
    seats = Seats(first.bus)

    async def stored() -> set[str]:
        return {item.seat.user_id for item in await seats.of_session("s")}

    await until(stored, lambda found: found == {"alice", "bob", "carol"})
    # Whoever judges has been renewing for a lease by now.
    await eventually(lambda: not first.presence._unsure and not second.presence._unsure)
    assert set(await first.people()) == set(await second.people()) == {"alice", "bob", "carol"}
    assert "left" not in {kind for kind, _ in first.told.kinds + second.told.kinds}


async def test_who_left_while_redis_was_away_is_not_there_when_it_is_back(
    process: StartProcess, redis: RedisServer
) -> None:
    first, second = await process(), await process()
    alice = seat("alice")
    await first.presence.enter("s", alice, 5)
    await first.presence.enter("s", seat("ann"), 5)
    await second.presence.enter("s", seat("bob"), 5)
    await second.sees({"alice": 1, "ann": 1, "bob": 1})
    await redis.kill()
    await eventually(lambda: not first.bus.is_up)
    await first.presence.leave("s", alice.connection_id)
    await redis.start()
    await second.told.until(lambda: ("left", "alice") in second.told.kinds)
    assert await second.people() == {"ann": 1, "bob": 1}


async def test_a_session_that_nobody_here_is_in_costs_nothing_and_can_be_asked_about(process: StartProcess) -> None:
    first, second = await process(), await process()
    alice = seat("alice")
    await first.presence.enter("s", alice, 5)
    assert await second.people() == {"alice": 1}
    for number in range(20):
        await first.presence.update("s", alice.connection_id, Doing(activity=f"{number}"))
    assert second.bus.counts["received"] == 0
    await first.presence.leave("s", alice.connection_id)
    await until(second.people, lambda found: not found)
    assert second.told.changes == []
