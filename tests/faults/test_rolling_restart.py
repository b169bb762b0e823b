"""Servers that make way for others, one after another, while people work."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from realtime_server.core.commits import verify
from realtime_server.storage.mongo import open_store
from tests.faults.processes import ServerProcess, answers, nginx, team
from tests.redis_server import RedisServer
from tests.server.conftest import Server, StartServer

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="needs nginx")


async def check(mongodb_url: str, database: str, results: list[dict[str, Any]]) -> int:
    """Every acknowledged edit is in the log once, and every client saw every commit in order; how many edits."""
    async with open_store(mongodb_url, database, create_indexes=False) as store:
        log = [commit async for commit in store.log.scan("s1")]
    assert verify("s1", log) is None
    logged: dict[str, list[int]] = {}
    for commit in log:
        if commit.message_type == "edit.applied":
            logged.setdefault(commit.data["edit_id"], []).append(commit.seq)
    acknowledged: dict[str, int] = {}
    for result in results:
        acknowledged |= result["acknowledged"]
        assert result["seqs"] == list(range(result["seqs"][0], result["seqs"][-1] + 1))
        assert result["errors"] == []
    assert {edit_id: logged.get(edit_id) for edit_id in acknowledged} == {
        edit_id: [seq] for edit_id, seq in acknowledged.items()
    }
    last = max(acknowledged.values())
    assert all(result["seqs"][-1] >= last for result in results)
    return len(acknowledged)


@pytest.fixture
async def first(start_server: StartServer) -> Server:
    """A server to make the session with; it takes no part afterwards."""
    server = await start_server()
    await server.create_session(records=20)
    return server


@needs_nginx
@pytest.mark.usefixtures("node_modules", "first")
@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"]], ids="-".join)
async def test_a_rolling_restart_loses_nothing_and_keeps_nobody_away_for_long(
    mongodb_url: str, database_name: str, redis: RedisServer, tmp_path: Path, transports: list[str]
) -> None:
    environment = {
        "MONGODB_URL": mongodb_url,
        "MONGODB_DATABASE": database_name,
        "REDIS_URL": redis.url,
        "WS_DRAIN_TIME": "1",
    }
    servers = [ServerProcess(**environment) for _ in range(3)]
    try:
        await asyncio.gather(*(server.start() for server in servers))
        async with (
            nginx(servers, tmp_path) as url,
            team(url, 12, transports=transports, reconnectionDelay=200, reconnectionDelayMax=1000) as people,
        ):
            for server in servers:
                assert await server.stop() == 0
                await server.start()
            results = await people.result()
        assert await check(mongodb_url, database_name, results) > 50
        assert sum(result["away"] for result in results) > 0
    finally:
        for server in servers:
            if server.process is not None:
                await server.stop(signal.SIGKILL)


@needs_nginx
@pytest.mark.usefixtures("node_modules", "first")
async def test_a_killed_instance_costs_its_people_seconds_and_no_edit(
    mongodb_url: str, database_name: str, redis: RedisServer, tmp_path: Path
) -> None:
    environment = {"MONGODB_URL": mongodb_url, "MONGODB_DATABASE": database_name, "REDIS_URL": redis.url}
    servers = [ServerProcess(**environment) for _ in range(2)]
    try:
        await asyncio.gather(*(server.start() for server in servers))
        async with (
            nginx(servers, tmp_path) as url,
            team(url, 8, transports=["websocket"], reconnectionDelay=200) as people,
        ):
            for server in servers:
                await server.stop(signal.SIGKILL)
                await server.start()
            results = await people.result()
        assert await check(mongodb_url, database_name, results) > 20
    finally:
        for server in servers:
            if server.process is not None:
                await server.stop(signal.SIGKILL)


async def test_a_draining_server_is_not_ready_and_takes_nobody(
    start_server: StartServer,
) -> None:
    server = await start_server(WS_DRAIN_TIME="0")
    await server.create_session()
    alice = await server.member("alice")
    await server.draining.begin()
    await alice.until(lambda: alice.ended)
    await answers(server.url + "/readyz", 503)
    await answers(server.url + "/socket.io/?EIO=4&transport=polling", 503)
    await answers(server.url + "/socket.io/?EIO=4&transport=polling&sid=gone", 503)
    await answers(server.url + "/healthz")
