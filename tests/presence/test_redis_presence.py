"""Presence of several processes: one entry per person, wherever their tabs are, and nobody who is not there."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from itertools import count, cycle
from typing import TypeVar

import orjson
import pytest

from realtime_server.engine.engine import wall_clock
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.presence.members import Doing, Seat
from realtime_server.presence.redis import RedisPresence
from realtime_server.presence.redis_seats import Seats, SharedSeat
from realtime_server.redis_bus import RedisBus, open_bus
from realtime_server.redis_hearing import SILENCE
from tests.presence.test_presence import Told, seat
from tests.proxy import proxy_to
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

        async def start(*, lease: float = 0.6, renew: float = 0.1, url: str | None = None) -> Process:
            bus = await stack.enter_async_context(open_bus(url or redis.url, "test:", b"k" * 32))
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


async def test_drafts_are_seen_everywhere_by_who_comes_later_and_after_a_change_of_instance(
    process: StartProcess,
) -> None:
    first, second = await process(), await process()
    alice, moved = seat("alice", device="tab"), seat("alice", device="tab")
    await first.presence.enter("s", alice, 5)
    await second.presence.enter("s", seat("bob"), 5)
    drafts = (("r1", "amount"), ("r2", "date"))
    said = [{"record_id": record_id, "field_name": name} for record_id, name in (*drafts, drafts[0])]
    await first.presence.update("s", alice.connection_id, Doing(drafts=said))
    await second.told.until(lambda: any(change.member.drafts == drafts for change in second.told.changes))
    third = await process()
    assert await drafts_of(third, "alice") == drafts  # asked about, with nobody there
    await third.presence.enter("s", seat("carol"), 5)
    assert await drafts_of(third, "alice") == drafts
    await first.presence.leave("s", alice.connection_id, grace=60)
    await second.sees({"alice": 0, "bob": 1, "carol": 1})
    await second.presence.enter("s", moved, 5)
    await third.sees({"alice": 1, "bob": 1, "carol": 1})
    assert await drafts_of(third, "alice") == drafts
    await second.presence.update("s", moved.connection_id, Doing(drafts=None))
    await until(lambda: drafts_of(third, "alice"), lambda found: found == ())


async def drafts_of(process: Process, user_id: str) -> tuple[tuple[str, str], ...]:
    return next(item.drafts for item in await process.presence.members("s") if item.user_id == user_id)


@pytest.mark.parametrize("drafts", [[["r1"]], [["r1", "amount", "more"]], ["r1"], [["r1", 7]], 7, {"r1": 1}])
async def test_drafts_that_are_none_are_ignored_and_so_is_whoever_says_so(
    process: StartProcess, redis: RedisServer, drafts: object
) -> None:
    mine, other = await process(), await process()
    alice = SharedSeat(other.bus.instance, 1, seat("alice")).to_json()
    key, field = mine.bus.key("presence", "s"), f"{other.bus.instance}\0c\0alice"
    await redis.command("HSET", key, field, orjson.dumps({**alice, "drafts": drafts}))
    await mine.presence.enter("s", seat("bob"), 5)
    assert await mine.people() == {"bob": 1}
    assert mine.bus.counts["ignored"] > 0


async def admitted(processes: Sequence[Process], names: Iterable[str], maximum: int = 10) -> list[str]:
    """Who of these is let in when they all come at once, one after another at the next process."""

    async def enter(process: Process, name: str) -> str | None:
        try:
            await process.presence.enter("s", seat(name), maximum)
        except CollaborationError as error:
            if error.code is not ErrorCode.SESSION_FULL:
                raise
            return None
        return name

    entering = (enter(process, name) for process, name in zip(cycle(processes), names, strict=False))
    return [name for name in await asyncio.gather(*entering) if name is not None]


def people(count: int, name: str = "user") -> list[str]:
    return [f"{name} {number}" for number in range(count)]


async def test_a_session_holds_as_many_people_as_it_may_on_all_instances_together(process: StartProcess) -> None:
    processes = [await process(lease=60) for _ in range(3)]
    inside = await admitted(processes, people(60))
    assert len(inside) == 10
    for each in processes:  # who is there already always gets in
        await each.presence.enter("s", seat(inside[0]), 10)


async def test_a_session_holds_as_many_as_it_may_while_redis_does_not_answer_for_seconds(
    process: StartProcess, redis: RedisServer
) -> None:
    async with proxy_to(redis.port) as proxy:
        processes = [await process(lease=60, url=redis.url_at(proxy.port)) for _ in range(3)]
        for number, each in enumerate(processes):
            await each.presence.enter("s", seat(f"first {number}"), 10)
        proxy.hold()
        coming = asyncio.create_task(admitted(processes, people(60)))
        await eventually(lambda: not any(each.bus.is_up for each in processes))
        proxy.release()
        assert len(await coming) == 7


async def test_a_session_holds_as_many_as_it_may_with_a_redis_that_is_far_away(
    process: StartProcess, redis: RedisServer
) -> None:
    async with proxy_to(redis.port) as proxy:
        processes = [await process(lease=60, url=redis.url_at(proxy.port)) for _ in range(3)]
        proxy.delay = 0.1
        assert len(await admitted(processes, people(30))) == 10


async def test_a_process_that_was_busy_does_not_take_redis_for_away(process: StartProcess) -> None:
    first, second = [await process(lease=60) for _ in range(2)]
    full = await admitted([second], people(10))
    coming = asyncio.create_task(admitted([first], ["late"]))
    await asyncio.sleep(0)
    time.sleep(1.25 * SILENCE)  # noqa: ASYNC251 - the loop is held up, which is what is tried
    assert await coming == []
    assert first.bus.is_up
    assert len(full) == 10


async def test_while_redis_is_away_each_process_gives_out_the_places_that_were_free(
    process: StartProcess, redis: RedisServer
) -> None:
    processes = [await process(lease=60) for _ in range(3)]
    inside = await admitted(processes, people(8))
    for each in processes:
        await until(each.people, lambda found: len(found) == 8)
    await redis.kill()
    more = await admitted(processes, people(15, "more"))
    assert len(more) == 3 * 2
    await redis.start()
    for each in processes:  # nobody has to go, and nobody new comes
        await until(each.people, lambda found: set(found) == {*inside, *more})
    assert await admitted(processes, people(9, "late")) == []
    assert await admitted(processes, inside) == inside


async def test_a_redis_that_was_emptied_gives_no_place_away_twice(process: StartProcess, redis: RedisServer) -> None:
    processes = [await process(lease=60, renew=30) for _ in range(3)]
    assert len(await admitted(processes, people(10))) == 10
    for each in processes:
        await until(each.people, lambda found: len(found) == 10)
    await redis.command("FLUSHALL")
    assert await admitted(processes, people(9, "late")) == []


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


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fault", ["flushed", "connections lost"])
async def test_nobody_stays_behind_who_moved_between_instances_while_redis_forgot_or_hung_up(
    process: StartProcess, redis: RedisServer, seed: int, fault: str
) -> None:
    chance = random.Random(seed)
    processes = [await process(lease=2.0, renew=0.3) for _ in range(2)]
    there: dict[str, tuple[Process, Seat]] = {}
    ended = False

    async def wander(name: str) -> None:
        while True:
            at, taken = chance.choice(processes), seat(name, device="tab")
            await at.presence.enter("s", taken, 1_000)
            there[name] = at, taken
            await asyncio.sleep(chance.uniform(0, 0.1))
            if ended:
                return
            del there[name]
            await at.presence.leave("s", taken.connection_id, grace=0.5)
            await asyncio.sleep(chance.uniform(0, 0.05))

    wandering = [asyncio.create_task(wander(name)) for name in people(20)]
    for _ in range(30):
        await asyncio.sleep(chance.uniform(0.05, 0.15))
        if fault == "flushed":
            await redis.command("FLUSHALL")
        else:
            await redis.command("CLIENT", "KILL", "TYPE", chance.choice(["normal", "pubsub"]))
    ended = True
    await asyncio.gather(*wandering)
    for name in people(20)[::2]:
        at, taken = there[name]
        await at.presence.leave("s", taken.connection_id)
    expected = dict.fromkeys(people(20)[1::2], 1)
    for each in processes:
        await until(each.people, lambda found: found == expected)


async def test_who_leaves_while_they_are_read_is_not_seen_again(
    process: StartProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await process(lease=60), await process(lease=60)
    alice = seat("alice")
    await first.presence.enter("s", alice, 5)
    was_read, go_on = asyncio.Event(), asyncio.Event()
    read = second.presence._seats.of_session

    async def read_and_wait(session_id: str) -> list[SharedSeat]:
        found = await read(session_id)
        was_read.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(second.presence._seats, "of_session", read_and_wait)
    entering = asyncio.create_task(second.presence.enter("s", seat("bob"), 5))
    await was_read.wait()
    heard = second.bus.counts["received"]
    await first.presence.leave("s", alice.connection_id)
    await eventually(lambda: second.bus.counts["received"] > heard)
    go_on.set()
    await entering
    assert await second.people() == {"bob": 1}


async def test_what_an_instance_still_had_to_say_of_somebody_who_is_elsewhere_by_now_is_not_stored(
    process: StartProcess,
) -> None:
    first, second = await process(lease=60), await process(lease=60)
    before, after = seat("alice", device="tab"), seat("alice", device="tab")
    await second.presence.enter("s", seat("bob"), 5)
    await first.presence.enter("s", seat("ann"), 5)
    await first.presence.enter("s", before, 5)
    await first.presence.leave("s", before.connection_id, grace=60)
    await second.sees({"bob": 1, "ann": 1, "alice": 0})
    await second.presence.enter("s", after, 5)
    # Whatever comes first: the first one says anew who it has, or hears that alice is at the second.
    first.presence._anew.set()
    await first.sees({"bob": 1, "ann": 1, "alice": 1})
    await second.presence.leave("s", after.connection_id)
    for each in (first, second):
        await each.sees({"bob": 1, "ann": 1})
    third = await process()
    await third.sees({"bob": 1, "ann": 1})


async def test_people_of_an_instance_that_was_wrongly_taken_for_dead_are_there_again(process: StartProcess) -> None:
    first, second = await process(lease=60), await process(lease=60)
    alice = seat("alice")
    await first.presence.enter("s", alice, 5)
    await second.presence.enter("s", seat("bob"), 5)
    await second.sees({"alice": 1, "bob": 1})
    for _ in range(2):  # as in two rounds in which the first one's lease had run out
        second.presence._give_up_dead({second.bus.instance})
    await second.told.until(lambda: ("left", "alice") in second.told.kinds)
    await second.sees({"bob": 1, "alice": 1})
    await first.sees({"alice": 1, "bob": 1})
    await first.presence.leave("s", alice.connection_id)
    await second.sees({"bob": 1})


async def test_whoever_leaves_and_comes_again_by_the_same_connection_is_there(process: StartProcess) -> None:
    first, second = await process(lease=60), await process(lease=60)
    alice = seat("alice")
    await second.presence.enter("s", seat("bob"), 5)
    for _ in range(20):
        await first.presence.enter("s", alice, 5)
        await first.presence.leave("s", alice.connection_id)
    await first.presence.enter("s", alice, 5)
    first.presence._anew.set()
    await eventually(lambda: not first.presence._anew.is_set())
    await second.sees({"bob": 1, "alice": 1})
    third = await process()
    await third.sees({"bob": 1, "alice": 1})
