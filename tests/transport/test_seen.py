"""Seen from outside: counts, prometheus metrics and hooks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from realtime_server.transport import Hooks, SocketServer

from .raw import TRANSPORTS, connect_client, open_client, serving, until


class Recording(Hooks):
    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def opened(self, sid: str, address: str, transport: str) -> None:
        self.calls.append(("opened", (sid, address, transport)))

    def upgraded(self, sid: str) -> None:
        self.calls.append(("upgraded", sid))

    def closed(self, sid: str, reason: str) -> None:
        self.calls.append(("closed", (sid, reason)))

    def refused(self, reason: str, address: str) -> None:
        self.calls.append(("refused", (reason, address)))

    def handled(self, event: str, namespace: str, seconds: float) -> None:
        assert 0 <= seconds < 10
        self.calls.append(("handled", (event, namespace)))


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_application_hears_of_everything(transport: str) -> None:
    hooks = Recording()
    server = SocketServer(hooks=hooks)
    server.on("ask", lambda sid: "answer")
    async with serving(server) as harness:
        client = await connect_client(harness, transport)
        await client.send('421["ask"]')
        await client.message()
        await client.send("4nonsense")
        await client.ended()
        await until(lambda: not server.eio.sockets)
    first = "websocket" if transport == "websocket" else "polling"
    expected: list[tuple[str, Any]] = [("opened", (client.sid, "127.0.0.1", first))]
    if transport == "upgraded":
        expected.append(("upgraded", client.sid))
    expected += [
        ("handled", ("ask", "/")),
        ("refused", ("malformed_packet", "127.0.0.1")),
        ("closed", (client.sid, "transport error")),
    ]
    assert [call for call in hooks.calls if call != ("refused", ("bad_request_1", "127.0.0.1"))] == expected


async def test_a_hook_that_raises_harms_nobody() -> None:
    class Broken(Hooks):
        def opened(self, *_: Any) -> None:
            raise RuntimeError

        def handled(self, *_: Any) -> None:
            raise RuntimeError

    server = SocketServer(hooks=Broken())
    server.on("ask", lambda sid: "answer")
    async with serving(server) as harness:
        client = await connect_client(harness, "websocket")
        await client.send('421["ask"]')
        assert await client.message() == '431["answer"]'


async def test_the_metrics_are_scraped() -> None:
    server = SocketServer()
    registry = CollectorRegistry()
    registry.register(server.collector("socket"))

    async def ask(sid: str) -> str:
        await asyncio.sleep(0.003)
        return "answer"

    server.on("ask", ask)
    async with serving(server) as harness:
        client = await connect_client(harness, "websocket")
        await connect_client(harness, "polling")
        await client.send('421["ask"]')
        await client.message()
        bad = await open_client(harness, "websocket")
        await bad.send("4nonsense")
        await bad.ended()
        await until(lambda: len(server.eio.sockets) == 2)
        text = generate_latest(registry).decode()
    for line in (
        'socket_connections{transport="websocket"} 1.0',
        'socket_connections{transport="polling"} 1.0',
        'socket_connections_opened_total{transport="websocket"} 2.0',
        'socket_connections_closed_total{reason="transport error"} 1.0',
        'socket_refused_total{reason="malformed_packet"} 1.0',
        "socket_slow_consumers_total 0.0",
        "socket_handler_errors_total 0.0",
        "socket_handler_seconds_count 1.0",
        'socket_handler_seconds_bucket{le="0.001"} 0.0',
        'socket_handler_seconds_bucket{le="+Inf"} 1.0',
        "socket_pending_output_bytes 0.0",
    ):
        assert line in text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    for name in ("frames_received", "frames_sent", "bytes_received", "bytes_sent"):
        assert float(values[f"socket_{name}_total"]) > 0
