from __future__ import annotations

import asyncio

import pytest

from realtime_server.errors import ConfigurationError
from realtime_server.redis_bus import MAX_BODY, RedisBus, open_bus
from tests.fanout.conftest import KEY, OpenBus
from tests.redis_server import RedisServer
from tests.support import eventually

X = b"x"


async def _listening(bus: RedisBus, topic: str) -> list[bytes]:
    heard: list[bytes] = []
    bus.listen(topic, X, heard.append)
    assert await bus.subscribed(topic)
    return heard


async def test_who_listens_hears_in_order_and_nobody_hears_themselves(bus_of: OpenBus) -> None:
    here, there = await bus_of(), await bus_of()
    mine, theirs = await _listening(here, "a"), await _listening(there, "a")
    sent = [str(number).encode() for number in range(1_000)]
    for body in sent:
        here.publish("a", X, body)
    await eventually(lambda: len(theirs) == len(sent))
    assert theirs == sent
    assert mine == []


async def test_a_topic_is_subscribed_only_while_somebody_here_listens(bus_of: OpenBus, redis: RedisServer) -> None:
    bus = await bus_of()

    async def channels() -> object:
        return await redis.command("PUBSUB", "CHANNELS", "test:session:*")

    await _listening(bus, "session:a")
    await _listening(bus, "session:b")
    assert sorted(await channels()) == [b"test:session:a", b"test:session:b"]
    bus.unlisten("session:a", X)
    async with asyncio.timeout(5):
        while await channels() != [b"test:session:b"]:  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.01)


async def test_the_work_of_an_instance_grows_with_its_own_sessions_alone(bus_of: OpenBus) -> None:
    buses = [await bus_of() for _ in range(4)]
    heard = [await _listening(bus, f"session:{number}") for number, bus in enumerate(buses)]
    for number in range(4):
        for _ in range(50):
            buses[(number + 1) % 4].publish(f"session:{number}", X, str(number).encode())
    await eventually(lambda: all(len(own) == 50 for own in heard))
    assert [set(own) for own in heard] == [{str(number).encode()} for number in range(4)]
    assert [bus.counts["received"] for bus in buses] == [50] * 4


@pytest.mark.parametrize(
    "foreign",
    [b"", b"{}", b"\x80\x04K*.", b"x" * 100, b"\xff" * 2_000],
    ids=["empty", "json", "pickle", "text", "noise"],
)
async def test_what_else_is_on_a_channel_is_ignored_and_counted(
    bus_of: OpenBus, redis: RedisServer, foreign: bytes
) -> None:
    bus, other = await bus_of(), await bus_of()
    heard = await _listening(bus, "a")
    await redis.command("PUBLISH", "test:a", foreign)
    other.publish("a", X, b"ours")
    await eventually(lambda: heard == [b"ours"])
    assert bus.counts["ignored"] == 1


async def test_a_deployment_with_another_database_is_not_heard(bus_of: OpenBus) -> None:
    ours, also_ours, theirs = await bus_of(), await bus_of(), await bus_of(key=b"t" * 32)
    heard = await _listening(ours, "a")
    theirs.publish("a", X, b"from another database")
    await eventually(lambda: ours.counts["ignored"] == 1)
    also_ours.publish("a", X, b"ours")
    await eventually(lambda: heard == [b"ours"])


async def test_a_message_of_one_topic_is_no_message_of_another(bus_of: OpenBus, redis: RedisServer) -> None:
    bus, other = await bus_of(), await bus_of()
    heard = await _listening(bus, "a")
    await redis.command("PUBLISH", "test:a", other.seal("b", X, b"meant for b"))
    await eventually(lambda: bus.counts["ignored"] == 1)
    assert heard == []


async def test_a_body_that_makes_no_sense_is_ignored_and_what_follows_is_heard(bus_of: OpenBus) -> None:
    bus, other = await bus_of(), await bus_of()
    heard: list[int] = []
    bus.listen("a", X, lambda body: heard.append(int(body)))
    assert await bus.subscribed("a")
    other.publish("a", X, b"no number")
    other.publish("a", X, b"7")
    await eventually(lambda: heard == [7])
    assert bus.counts["ignored"] == 1


async def test_what_is_too_large_is_not_sent(bus_of: OpenBus) -> None:
    bus, other = await bus_of(), await bus_of()
    heard = await _listening(bus, "a")
    other.publish("a", X, bytes(MAX_BODY + 1))
    other.publish("a", X, b"small")
    await eventually(lambda: heard == [b"small"])
    assert other.counts["dropped"] == 1


@pytest.mark.parametrize("fault", ["killed", "paused"])
async def test_a_redis_that_was_away_is_heard_again_and_listeners_know_of_the_gap(
    bus_of: OpenBus, redis: RedisServer, fault: str
) -> None:
    bus, other = await bus_of(), await bus_of()
    heard = await _listening(bus, "a")
    resets: list[int] = []
    bus.on_reset(lambda: resets.append(len(heard)))
    if fault == "killed":
        await redis.kill()
    else:
        redis.pause()
    await eventually(lambda: not bus.is_up and not other.is_up)
    other.publish("a", X, b"lost")
    if fault == "killed":
        await redis.start()
    else:
        redis.resume()
    await eventually(lambda: bus.is_up and other.is_up)
    assert resets == [0]
    assert await bus.subscribed("a")
    other.publish("a", X, b"after")
    await eventually(lambda: heard == [b"after"])


async def test_a_redis_that_is_not_there_stops_nobody() -> None:
    async with open_bus("redis://127.0.0.1:1/0", "test:", KEY) as bus:
        bus.listen("a", X, lambda body: None)
        bus.publish("a", X, b"nobody hears this")
        assert not await bus.subscribed("a")
        assert not bus.is_up


async def test_a_url_that_is_none_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        async with open_bus("redis://localhost:port/0", "test:", KEY):
            pass
