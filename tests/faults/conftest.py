"""Several whole servers on one database and one Redis, which a test can take away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.redis_server import RedisServer, running_redis
from tests.server.conftest import Server, StartServer, node_modules, start_server

__all__ = ["Instances", "instances", "node_modules", "redis", "start_server"]


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with running_redis() as server:
        yield server


Instances = Callable[..., Awaitable[list[Server]]]


@pytest.fixture
async def instances(start_server: StartServer, redis: RedisServer) -> Instances:
    """Start so many servers with a session ``s1`` of 20 records."""

    async def start(count: int = 2, **environment: str) -> list[Server]:
        servers = [await start_server(REDIS_URL=redis.url, **environment) for _ in range(count)]
        await servers[0].create_session(records=20)
        return servers

    return start
