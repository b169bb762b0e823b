"""python-socketio's own ways to clients, on several instances: emit, rooms, call, disconnect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import socketio
from aiohttp import web

from realtime_server.redis_bus import RedisBus, open_bus
from realtime_server.transport import SocketServer
from realtime_server.transport.shared_manager import SharedManager
from tests.faults.conftest import RedisServer
from tests.support import eventually


class Instance:
    """A server with a shared manager, and a client of it."""

    def __init__(self, server: SocketServer, bus: RedisBus, client: socketio.AsyncClient) -> None:
        self.server, self.bus, self.client = server, bus, client
        self.told: list[tuple[Any, ...]] = []
        self.ended = asyncio.Event()
        client.on("*", self._hear)
        client.on("disconnect", lambda reason: self.ended.set())
        client.on("question", lambda data: f"{data}!")

    def _hear(self, event: str, *data: Any) -> None:
        self.told.append((event, *data))

    @property
    def sid(self) -> str:
        return str(self.client.get_sid())

    async def in_room(self, room: str) -> None:
        await self.server.enter_room(self.sid, room)
        assert await self.bus.subscribed(f"room:/:{room}")


@asynccontextmanager
async def _instance(redis: RedisServer) -> AsyncIterator[Instance]:
    async with open_bus(redis.url, "test:", b"k" * 32) as bus:
        assert await bus.ready()
        server = SocketServer(client_manager=SharedManager())
        server.on("connect", lambda sid, environ: None)
        server.manager.connect_wire(bus)
        app = web.Application()
        server.attach(app)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        client = socketio.AsyncClient(reconnection=False)
        instance = Instance(server, bus, client)
        await client.connect(f"http://127.0.0.1:{runner.addresses[0][1]}", transports=["websocket"])
        assert await bus.subscribed(f"room:/:{instance.sid}")
        try:
            yield instance
        finally:
            await client.disconnect()
            await runner.cleanup()


@pytest.fixture
async def pair(redis: RedisServer) -> AsyncIterator[tuple[Instance, Instance]]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(_instance(redis)), await stack.enter_async_context(_instance(redis))


async def test_an_emit_reaches_everybody_a_room_or_one_client_wherever_they_are(
    pair: tuple[Instance, Instance],
) -> None:
    here, there = pair
    await there.in_room("blue")
    await here.server.emit("news", {"to": "all"})
    await here.server.emit("news", {"to": "blue"}, room="blue")
    await here.server.emit("news", b"binary", to=there.sid)
    await here.server.emit("news", {"to": "others"}, room=["blue", "red"], skip_sid=here.sid)
    expected = [("news", {"to": "all"}), ("news", {"to": "blue"}), ("news", b"binary"), ("news", {"to": "others"})]
    await eventually(lambda: there.told == expected)
    await eventually(lambda: here.told == expected[:1])


async def test_a_client_of_another_instance_can_be_asked_moved_and_disconnected(
    pair: tuple[Instance, Instance],
) -> None:
    here, there = pair
    assert await here.server.call("question", "well", to=there.sid, timeout=5) == "well!"
    await here.server.enter_room(there.sid, "green")
    await eventually(lambda: "green" in there.server.rooms(there.sid))
    await here.server.close_room("green")
    await eventually(lambda: "green" not in there.server.rooms(there.sid))
    await here.server.disconnect(there.sid)
    async with asyncio.timeout(5):
        await there.ended.wait()
    assert not here.ended.is_set()


async def test_a_room_without_members_here_is_not_heard_of(pair: tuple[Instance, Instance]) -> None:
    here, there = pair
    await there.in_room("blue")
    await there.server.leave_room(there.sid, "blue")
    await eventually(lambda: "room:/:blue" not in there.bus._listeners)
    heard = there.bus.counts["received"]
    await here.server.emit("news", 1, room="blue")
    await here.server.emit("news", 2)
    await eventually(lambda: there.told == [("news", 2)])
    assert there.bus.counts["received"] == heard + 1


async def test_what_is_no_message_of_a_manager_is_ignored_and_counted(pair: tuple[Instance, Instance]) -> None:
    here, there = pair
    for body in (b"\x80\x04K*.", b"[]", b'{"method": "quit"}'):
        here.bus.publish("sockets", b"s", body)
    await here.server.emit("news", "after")
    await eventually(lambda: there.told == [("news", "after")])
    assert there.bus.counts["ignored"] == 3
