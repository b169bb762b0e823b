"""What `Presence` guarantees; every adapter passes these."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import count

import pytest

from realtime_server.core.roles import Role
from realtime_server.errors import CollaborationError
from realtime_server.presence.members import ChangeKind, Doing, Member, PresenceChange, Seat
from realtime_server.presence.memory import MAX_SEATS_PER_PERSON, MemoryPresence
from realtime_server.presence.ports import Presence
from realtime_server.presence.redis import RedisPresence
from realtime_server.redis_bus import open_bus
from tests.redis_server import running_redis

_connections = count()


class Told:
    """What was announced, as (kind, user), and a way to wait for more."""

    def __init__(self) -> None:
        self.changes: list[PresenceChange] = []
        self._news = asyncio.Event()

    def __call__(self, change: PresenceChange) -> None:
        self.changes.append(change)
        self._news.set()

    @property
    def kinds(self) -> list[tuple[str, str]]:
        return [(change.kind.value, change.member.user_id) for change in self.changes]

    async def until(self, fulfilled: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not fulfilled():
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def clock() -> Iterator[Callable[[], int]]:
    instants = count(1_000_000)
    return lambda: next(instants)


@pytest.fixture(params=["memory", "redis"])
async def presence(request: pytest.FixtureRequest, told: Told, clock: Callable[[], int]) -> AsyncIterator[Presence]:
    async with AsyncExitStack() as stack:
        adapter: Presence
        if request.param == "memory":
            adapter = MemoryPresence(told, clock)
        else:
            redis = await stack.enter_async_context(running_redis())
            bus = await stack.enter_async_context(open_bus(redis.url, "test:", b"k" * 32))
            assert await bus.ready()
            adapter = RedisPresence(told, clock, bus)
        yield adapter
        await adapter.close()


def seat(user: str, *, device: str | None = None, at: int = 1, connection: str = "") -> Seat:
    connection = connection or f"c{next(_connections)}"
    return Seat(connection, user, user.title(), Role.PREPARER, at, device)


async def member(presence: Presence, user: str, session: str = "s") -> Member | None:
    return next((item for item in await presence.members(session) if item.user_id == user), None)


async def test_members_are_listed_in_the_order_in_which_they_came(presence: Presence) -> None:
    for user in ("bob", "alice", "carol"):
        await presence.enter("s", seat(user), 5)
    assert [item.user_id for item in await presence.members("s")] == ["bob", "alice", "carol"]
    assert await presence.members("other") == []


async def test_a_full_session_takes_nobody_new_and_everybody_again(presence: Presence, told: Told) -> None:
    await presence.enter("s", seat("alice"), 1)
    with pytest.raises(CollaborationError) as refusal:
        await presence.enter("s", seat("bob"), 1)
    assert refusal.value.code == "session_full"
    await presence.enter("s", seat("alice"), 1)
    await presence.enter("other", seat("bob"), 1)
    assert told.kinds == [("joined", "alice"), ("updated", "alice"), ("joined", "bob")]


async def test_the_last_connection_that_leaves_is_the_person_leaving(presence: Presence, told: Told) -> None:
    first, second = seat("alice"), seat("alice")
    await presence.enter("s", first, 5)
    await presence.enter("s", second, 5)
    await presence.leave("s", first.connection_id)
    assert told.kinds[-1] == ("updated", "alice")
    await presence.leave("s", second.connection_id)
    assert told.kinds[-1] == ("left", "alice")
    assert await presence.members("s") == []
    await presence.leave("s", second.connection_id)
    assert told.kinds.count(("left", "alice")) == 1


async def test_what_was_said_last_counts_whichever_tab_said_it(presence: Presence) -> None:
    first, second = seat("alice"), seat("alice")
    await presence.enter("s", first, 5)
    await presence.enter("s", second, 5)
    await presence.update("s", second.connection_id, Doing(activity="reading", focus={"record_id": "r1"}))
    await presence.update("s", first.connection_id, Doing(activity="editing"))
    found = await member(presence, "alice")
    assert found is not None
    assert (found.activity, found.focus, found.connections) == ("editing", None, 2)


async def test_a_new_tab_does_not_wipe_what_the_person_does(presence: Presence) -> None:
    first = seat("alice")
    await presence.enter("s", first, 5)
    await presence.update("s", first.connection_id, Doing(activity="editing"))
    await presence.enter("s", seat("alice", at=9_999_999), 5)
    found = await member(presence, "alice")
    assert found is not None
    assert found.activity == "editing"


async def test_what_is_left_out_stays_and_nothing_clears(presence: Presence, told: Told) -> None:
    alice = seat("alice")
    await presence.enter("s", alice, 5)
    await presence.update("s", alice.connection_id, Doing(idle=True, activity="editing", focus={"record_id": "r1"}))
    await presence.update("s", alice.connection_id, Doing(focus=None))
    found = await member(presence, "alice")
    assert found is not None
    assert (found.idle, found.activity, found.focus) == (True, "editing", None)
    before = len(told.changes)
    await presence.update("s", alice.connection_id, Doing(focus=None))
    assert len(told.changes) == before


async def test_who_does_something_was_seen(presence: Presence, told: Told) -> None:
    alice = seat("alice")
    await presence.enter("s", alice, 5)
    presence.seen("s", alice.connection_id)
    found = await member(presence, "alice")
    assert found is not None
    assert found.seen_at > 1
    assert told.kinds == [("joined", "alice")]


async def test_a_dropped_connection_is_waited_for(presence: Presence, told: Told) -> None:
    alice = seat("alice", device="tab")
    await presence.enter("s", alice, 1)
    await presence.update("s", alice.connection_id, Doing(activity="editing"))
    await presence.leave("s", alice.connection_id, grace=60)
    with pytest.raises(CollaborationError):
        await presence.enter("s", seat("bob"), 1)
    await presence.enter("s", seat("alice", device="tab"), 1)
    found = await member(presence, "alice")
    assert found is not None
    assert (found.activity, found.connections) == ("editing", 1)
    assert ("left", "alice") not in told.kinds
    assert told.kinds.count(("joined", "alice")) == 1


async def test_who_does_not_come_back_has_left(presence: Presence, told: Told) -> None:
    alice = seat("alice")
    await presence.enter("s", alice, 5)
    await presence.leave("s", alice.connection_id, grace=0.01)
    await told.until(lambda: ("left", "alice") in told.kinds)
    assert await presence.members("s") == []


async def test_of_two_dropped_tabs_the_one_that_comes_back_is_taken_for_itself(presence: Presence, told: Told) -> None:
    left, right = seat("alice", device="left"), seat("alice", device="right")
    for item in (left, right):
        await presence.enter("s", item, 5)
        await presence.update("s", item.connection_id, Doing(activity=item.device_id))
    await presence.leave("s", left.connection_id, grace=60)
    await presence.leave("s", right.connection_id, grace=0.01)
    back = seat("alice", device="left")
    await presence.enter("s", back, 5)
    await told.until(lambda: told.changes[-1].kind is ChangeKind.UPDATED and told.changes[-1].member.activity == "left")
    found = await member(presence, "alice")
    assert found is not None
    assert (found.activity, found.connections) == ("left", 1)


async def test_one_persons_tabs_are_bounded(presence: Presence) -> None:
    for _ in range(MAX_SEATS_PER_PERSON + 5):
        await presence.enter("s", seat("alice"), 5)
    found = await member(presence, "alice")
    assert found is not None
    assert found.connections == MAX_SEATS_PER_PERSON


async def test_nothing_is_announced_after_the_end(presence: Presence, told: Told) -> None:
    alice = seat("alice")
    await presence.enter("s", alice, 5)
    await presence.close()
    await presence.leave("s", alice.connection_id)
    assert told.kinds == [("joined", "alice")]


async def test_a_connection_without_a_seat_changes_nothing(presence: Presence, told: Told) -> None:
    await presence.update("s", "nobody", Doing(idle=True))
    await presence.leave("s", "nobody")
    presence.seen("s", "nobody")
    assert told.changes == []


@pytest.mark.parametrize("order", ["over HTTP alone", "a connection first", "a connection last", "its place taken"])
async def test_who_leaves_is_known_to_have_been_connected_or_never(
    presence: Presence, told: Told, order: str
) -> None:
    said = replace(seat("pat", device="rest"), connected=False)
    tab = seat("pat")
    match order:
        case "over HTTP alone":
            seats = [said]
        case "a connection first":
            seats = [tab, said]
        case "a connection last":
            seats = [said, tab]
        case _:
            seats = [said]
            await presence.enter("s", tab, 5)
            await presence.leave("s", tab.connection_id, grace=60)
    for item in seats:
        await presence.enter("s", item, 5)
    for item in seats:
        await presence.leave("s", item.connection_id)
    await told.until(lambda: ("left", "pat") in told.kinds)
    assert told.changes[-1].member.connected == (order != "over HTTP alone")
