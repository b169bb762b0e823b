"""The bus and the seats on a real Redis Cluster: channels are spread over its shards, and follow when slots move."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from realtime_server.core.roles import Role
from realtime_server.engine.engine import wall_clock
from realtime_server.errors import CollaborationError
from realtime_server.presence.members import Seat
from realtime_server.presence.redis import RedisPresence
from realtime_server.redis_bus import RedisBus, open_bus
from realtime_server.storage.embedded_redis import find_redis
from tests.fanout.conftest import KEY
from tests.redis_server import RedisServer, free_port, running_redis
from tests.support import eventually

X = b"x"
SLOTS = 16_384
_VERSION = subprocess.run([str(find_redis()), "--version"], capture_output=True, text=True, check=True).stdout
_MAJOR = int(re.findall(r"v=(\d+)", _VERSION)[0])
pytestmark = pytest.mark.skipif(_MAJOR < 7, reason="sharded pub/sub came with Redis 7")


@pytest.fixture
async def shards() -> AsyncIterator[list[RedisServer]]:
    """A cluster of two, each with half of the slots."""
    buses = free_port(), free_port()  # on which the servers of a cluster talk with each other
    options = [("--cluster-enabled", "yes", "--cluster-port", str(port)) for port in buses]
    async with running_redis(*options[0]) as one, running_redis(*options[1]) as two:
        half = SLOTS // 2
        await one.command("CLUSTER ADDSLOTSRANGE", 0, half - 1)
        await two.command("CLUSTER ADDSLOTSRANGE", half, SLOTS - 1)
        await two.command("CLUSTER SET-CONFIG-EPOCH", 2)
        await one.command("CLUSTER MEET", "127.0.0.1", two.port, buses[1])
        async with asyncio.timeout(30):
            for server in (one, two):
                while not {("cluster_state", "ok"), ("cluster_size", "2")} <= await _info(server):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        yield [one, two]


async def _info(server: RedisServer) -> set[tuple[str, str]]:
    answer = await server.command("CLUSTER INFO")
    assert isinstance(answer, dict)
    return set(answer.items())


@pytest.fixture
async def buses(shards: list[RedisServer]) -> AsyncIterator[list[RedisBus]]:
    """One that was told that it is a cluster, and one that finds out."""
    async with AsyncExitStack() as stack:
        found = []
        for url in (shards[0].url.replace("redis://", "redis+cluster://"), shards[1].url):
            bus = await stack.enter_async_context(open_bus(url, "test:", KEY))
            await eventually(lambda bus=bus: bus.is_up)
            found.append(bus)
        yield found


async def _channels(server: RedisServer) -> set[bytes]:
    found = await server.command("PUBSUB SHARDCHANNELS", "test:session:*")
    assert isinstance(found, list)
    return set(found)


async def test_the_channels_are_spread_over_the_shards_and_each_message_goes_to_one(
    buses: list[RedisBus], shards: list[RedisServer]
) -> None:
    here, there = buses
    heard: list[bytes] = []
    topics = [f"session:{number}" for number in range(40)]
    for topic in topics:
        there.listen(topic, X, heard.append)
        assert await there.subscribed(topic)
    on = [await _channels(shard) for shard in shards]
    assert all(on)
    assert not on[0] & on[1]
    assert on[0] | on[1] == {b"test:session:{%d}" % number for number in range(40)}
    for topic in topics:
        here.publish(topic, X, topic.encode())
    await eventually(lambda: len(heard) == len(topics))
    assert sorted(heard) == sorted(topic.encode() for topic in topics)
    there.unlisten(topics[0], X)
    async with asyncio.timeout(10):
        while sum([len(await _channels(shard)) for shard in shards]) != 39:  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.01)


async def test_a_channel_whose_slot_moves_is_heard_at_its_new_shard(
    buses: list[RedisBus], shards: list[RedisServer]
) -> None:
    here, there = buses
    heard: list[bytes] = []
    there.listen("session:a", X, heard.append)
    assert await there.subscribed("session:a")
    resets: list[int] = []
    there.on_reset(lambda: resets.append(1))
    slot = await shards[0].command("CLUSTER KEYSLOT", "a")
    assert isinstance(slot, int)
    new = shards[1] if slot < SLOTS // 2 else shards[0]
    name = await new.command("CLUSTER MYID")
    for shard in (new, *shards):
        await shard.command("CLUSTER SETSLOT", slot, "NODE", name)

    async def told() -> bool:
        here.publish("session:a", X, b"after")
        await asyncio.sleep(0.05)
        return b"after" in heard

    async with asyncio.timeout(20):
        while not await told():
            pass
    assert await _channels(new) == {b"test:session:{a}"}
    await eventually(lambda: bool(resets))  # something may have been missed: who listens is told


async def test_a_session_on_a_cluster_holds_as_many_people_as_it_may(buses: list[RedisBus]) -> None:
    presences = [RedisPresence(lambda change: None, wall_clock, bus, lease=60) for bus in buses]

    async def enter(number: int) -> bool:
        person = f"user {number}"
        try:
            seat = Seat(f"connection {number}", person, person, Role.PREPARER, wall_clock())
            await presences[number % 2].enter(f"s{number % 4}", seat, 5)
        except CollaborationError:
            return False
        return True

    try:
        assert sum(await asyncio.gather(*(enter(number) for number in range(80)))) == 4 * 5
        for presence, session in ((presence, f"s{number}") for presence in presences for number in range(4)):
            async with asyncio.timeout(10):
                while len(await presence.members(session)) != 5:  # noqa: ASYNC110 - told within 20 ms
                    await asyncio.sleep(0.01)
    finally:
        for presence in presences:
            await presence.close()
