"""A real redis-server, and buses as different processes have them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from realtime_server.redis_bus import RedisBus, open_bus
from tests.redis_server import RedisServer, running_redis
from tests.support import eventually

KEY = b"k" * 32


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with running_redis() as server:
        yield server


OpenBus = Callable[..., Awaitable[RedisBus]]


@pytest.fixture
async def bus_of(redis: RedisServer) -> AsyncIterator[OpenBus]:
    """Open a bus on the redis-server; it closes with the test."""
    async with AsyncExitStack() as stack:

        async def open_one(*, key: bytes = KEY, prefix: str = "test:") -> RedisBus:
            bus = await stack.enter_async_context(open_bus(redis.url, prefix, key))
            await eventually(lambda: bus.is_up)
            return bus

        yield open_one
