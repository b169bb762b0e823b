"""Somebody who can write to Redis, and not to the database: they disturb nobody and are believed in nothing."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import orjson
import pytest

from tests.redis_server import RedisServer, running_redis
from tests.server.conftest import StartServer, record_edit

HOSTILE = [
    b"", b"x", b"\x00" * 100, b"\xff\xfe", b"{" * 10_000, b"[" * 100_000,
    orjson.dumps({"method": "disconnect", "sid": "*", "namespace": "/collaboration"}),
    orjson.dumps({"session_id": "s1", "seq": 2**62, "commits": [{"seq": 1, "message_type": "edit.applied"}]}),
    secrets.token_bytes(1_000_000),
]  # fmt: skip


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with running_redis() as server:
        yield server


async def test_whatever_is_published_on_any_channel_is_ignored_and_service_goes_on(
    start_server: StartServer, redis: RedisServer
) -> None:
    servers = [await start_server(REDIS_URL=redis.url) for _ in range(2)]
    await servers[0].create_session()
    alice, bob = await servers[0].member("alice"), await servers[1].member("bob")
    bus = servers[0].services.bus
    assert bus is not None
    channels = [name.decode() for name in await redis.command("PUBSUB", "CHANNELS", "*")]
    assert any("s1" in name for name in channels)
    for channel in channels:
        for body in HOSTILE:
            await redis.command("PUBLISH", channel, body)
    for number in range(5):
        ack = await alice.done("edit", **record_edit(f"e{number}", f"value {number}", field=f"f{number}"))
        assert ack["status"] == "applied"
        await bob.hears_seq(ack["seq"])
    for client in (alice, bob):
        assert client.ended is None
        assert {item["user_id"] for item in client.envelopes()} <= {"alice", "bob", "system"}
        assert max(client.seqs()) < 100
    assert bus.counts["ignored"] >= len(HOSTILE)
