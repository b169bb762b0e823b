"""The status of a session, and lists, at a process that has not opened it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from realtime_server.app import SERVICES, Services, create_rest_app
from realtime_server.core.roles import Role
from realtime_server.fanout.redis_overviews import RedisOverviews
from realtime_server.serving import running
from realtime_server.settings import Settings
from tests.faults.conftest import Instances
from tests.redis_server import RedisServer
from tests.server.conftest import Server, record_edit, token_of


class Sidecar:
    """The HTTP interface by itself, beside the servers."""

    def __init__(self, services: Services, http: aiohttp.ClientSession, url: str) -> None:
        self.services, self._http, self._url = services, http, url

    @property
    def open_sessions(self) -> int:
        return self.services.engine.open_sessions

    async def get(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {token_of('ada', role=Role.ADMIN)}"}
        async with self._http.get(f"{self._url}/api/collaboration{path}", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def status(self) -> Any:
        return await self.get("/sessions/s1")

    async def listed(self) -> Any:
        items = (await self.get("/sessions"))["items"]
        return next(item for item in items if item["session_id"] == "s1")


@pytest.fixture
async def beside(instances: Instances) -> AsyncIterator[tuple[Server, Sidecar]]:
    (server,) = await instances(1, CHECKPOINT_EVERY="1000")
    settings: Settings = server.services.settings
    async with running(settings, create_rest_app) as (app, port), aiohttp.ClientSession() as http:
        yield server, Sidecar(app[SERVICES], http, f"http://127.0.0.1:{port}")


async def _shows(read: Any, seq: int) -> Any:
    async with asyncio.timeout(10):
        while (found := await read())["seq"] < seq:  # noqa: ASYNC110 - shown in rounds
            await asyncio.sleep(0.01)
    return found


async def test_status_and_lists_follow_a_live_session_that_is_not_opened(beside: tuple[Server, Sidecar]) -> None:
    server, sidecar = beside
    ann = await server.member("ann")
    lock = await ann.done("lock", record_id="r1")
    seq = lock["seq"]
    for number in range(5):
        edit = record_edit(f"e{number}", f"v{number}", record="r2", field=f"f{number}")
        seq = (await ann.done("edit", **edit))["seq"]
    bus = sidecar.services.bus
    assert bus is not None
    async with asyncio.timeout(10):
        while "s1" not in await RedisOverviews(bus).of(["s1"]):  # noqa: ASYNC110 - shown in rounds
            await asyncio.sleep(0.01)
    shown = await _shows(sidecar.status, seq)
    assert [item["record_id"] for item in shown["locks"]] == ["r1"]
    assert (await _shows(sidecar.listed, seq))["last_activity"] == shown["last_activity"]
    state = await server.services.engine.state("s1")
    assert (shown["seq"], shown["name"], shown["status"]) == (state.seq, state.name, "active")
    assert (shown["role"], shown["records"]) == ("admin", 20)
    assert sidecar.open_sessions == 0


async def test_a_process_that_has_ended_or_lost_redis_is_not_believed(
    beside: tuple[Server, Sidecar], redis: RedisServer
) -> None:
    server, sidecar = beside
    ann = await server.member("ann")
    await redis.kill()
    ack = await ann.done("edit", **record_edit("e1", "new"))
    assert (await sidecar.status())["seq"] == ack["seq"]  # from the log, at once
    await redis.start()
    ack = await ann.done("edit", **record_edit("e2", "newer", field="other"))
    assert (await _shows(sidecar.listed, ack["seq"]))["seq"] == ack["seq"]


async def test_a_session_that_nobody_is_in_is_shown_from_its_checkpoint_when_nothing_happened_since(
    beside: tuple[Server, Sidecar],
) -> None:
    server, sidecar = beside
    state = await server.services.engine.state("s1")
    await server.services.engine._actors["s1"].close()
    assert (await sidecar.status())["seq"] == state.seq
    assert sidecar.open_sessions == 0
    ann = await server.member("ann")
    seq = (await ann.done("edit", **record_edit("e1", "new")))["seq"]
    await ann.close()
    await _shows(sidecar.status, seq)


async def test_what_this_process_did_itself_is_shown_at_once(beside: tuple[Server, Sidecar]) -> None:
    server, sidecar = beside
    await server.member("ann")
    for number in range(10):
        body = {"text": f"comment {number}"}
        headers = {"Authorization": f"Bearer {token_of('ada', role=Role.ADMIN)}"}
        url = f"{sidecar._url}/api/collaboration/sessions/s1/comments"
        async with sidecar._http.post(url, json=body, headers=headers) as answer:
            seq = (await answer.json())["seq"]
        assert (await sidecar.status())["seq"] == seq


async def test_what_else_is_under_the_keys_is_ignored_and_counted(
    beside: tuple[Server, Sidecar], redis: RedisServer
) -> None:
    server, sidecar = beside
    bus = server.services.bus
    assert bus is not None
    await redis.command("HSET", bus.key("summary", "s1"), bus.instance, b'{"session_id": "s1", "seq": 999}')
    assert (await sidecar.status())["seq"] < 999
    found = sidecar.services.bus
    assert found is not None
    assert found.counts["ignored"] >= 1
