"""The standard library's event loop does as well as uvloop."""

from __future__ import annotations

import asyncio

import pytest

from realtime_server.transport import Limits, SocketServer

from .raw import TRANSPORTS, connect_client, serving


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_client_is_served_on_the_standard_loop(transport: str) -> None:
    async def serve() -> None:
        server = SocketServer(ping_interval=0.05)

        async def ask(sid: str, data: object) -> object:
            await asyncio.sleep(0.01)
            return data

        server.on("ask", ask)
        async with serving(server) as harness:
            client = await connect_client(harness, transport)
            for number in range(10):
                await client.send(f'42{number}["ask",{number}]')
                assert await client.message() == f"43{number}[{number}]"

    asyncio.run(serve())


def test_a_slow_consumer_is_cut_on_the_standard_loop() -> None:
    async def serve() -> None:
        server = SocketServer(limits=Limits(pending_output=100_000))
        left = asyncio.Event()
        server.on("disconnect", lambda sid, reason: left.set())
        async with serving(server) as harness:
            await connect_client(harness, "websocket")
            while not left.is_set():
                server.broadcast("news", "x" * 10_000)
                await asyncio.sleep(0)
            assert server.stats.slow_consumers == 1

    asyncio.run(serve())
