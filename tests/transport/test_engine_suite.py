"""Every case of the official Engine.IO v4 test suite (github.com/socketio/engine.io-protocol), against an echo server.

With the suite's own settings: pings every 300 ms, 200 ms to answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from realtime_server.transport import EngineServer

from .raw import Harness, serving

KEYS = {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[Harness]:
    server = EngineServer(ping_interval=0.3, ping_timeout=0.2, max_http_buffer_size=1_000_000)

    async def echo(sid: str, data: object) -> None:
        await server.send(sid, data)

    server.on("message", echo)
    async with serving(server) as harness:
        yield harness


def check_handshake(packet: str, upgrades: list[str]) -> None:
    assert packet[0] == "0"
    value = json.loads(packet[1:])
    assert set(value) == KEYS
    assert isinstance(value["sid"], str)
    assert value["upgrades"] == upgrades
    assert value["pingInterval"] == 300
    assert value["pingTimeout"] == 200
    assert value["maxPayload"] == 1_000_000


async def test_polling_opens_a_session(engine: Harness) -> None:
    status, body = await engine.get("EIO=4&transport=polling")
    assert status == 200
    check_handshake(body, ["websocket"])


@pytest.mark.parametrize(
    "query",
    ["transport=polling", "EIO=abc&transport=polling", "EIO=4", "EIO=4&transport=abc"],
)
async def test_polling_fails_with_an_invalid_query(engine: Harness, query: str) -> None:
    assert (await engine.get(query))[0] == 400


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_polling_fails_with_an_invalid_request_method(engine: Harness, method: str) -> None:
    async with engine.http.request(method, f"{engine.url}{engine.path}?EIO=4&transport=polling") as response:
        assert response.status == 400


async def test_websocket_opens_a_session(engine: Harness) -> None:
    socket = await engine.websocket()
    packet = await socket.receive()
    assert isinstance(packet, str)
    check_handshake(packet, [])


@pytest.mark.parametrize(
    "query",
    ["transport=websocket", "EIO=abc&transport=websocket", "EIO=4", "EIO=4&transport=abc"],
)
async def test_websocket_fails_with_an_invalid_query(engine: Harness, query: str) -> None:
    status, _, _ = await engine.handshake(query)
    assert status == 400


@pytest.mark.parametrize(
    "payload",
    ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA=="],
    ids=["one plain text packet", "several plain text packets", "plain text and binary packets"],
)
async def test_polling_sends_and_receives_a_payload(engine: Harness, payload: str) -> None:
    session = await engine.polling()
    assert await session.post(payload) == (200, "ok")
    assert await session.poll() == (200, payload)


async def test_polling_closes_the_session_upon_an_invalid_packet(engine: Harness) -> None:
    session = await engine.polling()
    assert (await session.post("abc"))[0] == 400
    assert (await session.poll())[0] == 400


async def test_polling_closes_the_session_upon_duplicate_polls(engine: Harness) -> None:
    session = await engine.polling()
    first = asyncio.create_task(session.poll())
    await asyncio.sleep(0.005)
    assert (await session.poll())[0] == 400
    assert await first == (200, "1")
    assert (await session.poll())[0] == 400


async def test_websocket_echoes_a_plain_text_packet(engine: Harness) -> None:
    socket, _ = await engine.opened()
    await socket.send("4hello")
    assert await socket.receive() == "4hello"


async def test_websocket_echoes_a_binary_packet(engine: Harness) -> None:
    socket, _ = await engine.opened()
    await socket.send(b"\x01\x02\x03\x04")
    assert await socket.receive() == b"\x01\x02\x03\x04"


async def test_websocket_closes_the_session_upon_an_invalid_packet(engine: Harness) -> None:
    socket, _ = await engine.opened()
    await socket.send("abc")
    await socket.closed()


async def test_polling_sends_pings_and_takes_pongs(engine: Harness) -> None:
    session = await engine.polling()
    for _ in range(3):
        assert await session.poll() == (200, "2")
        assert (await session.post("3"))[0] == 200


async def test_polling_closes_the_session_upon_ping_timeout(engine: Harness) -> None:
    session = await engine.polling()
    await asyncio.sleep(0.5)
    assert (await session.poll())[0] == 400


async def test_websocket_sends_pings_and_takes_pongs(engine: Harness) -> None:
    socket, _ = await engine.opened()
    for _ in range(3):
        assert await socket.receive() == "2"
        await socket.send("3")


async def test_websocket_closes_the_session_upon_ping_timeout(engine: Harness) -> None:
    socket, _ = await engine.opened()
    await socket.closed()


async def test_polling_is_closed_by_the_client(engine: Harness) -> None:
    session = await engine.polling()
    poll = asyncio.create_task(session.poll())
    await asyncio.sleep(0.005)
    assert (await session.post("1"))[0] == 200
    assert await poll == (200, "6")
    assert (await session.poll())[0] == 400


async def test_websocket_is_closed_by_the_client(engine: Harness) -> None:
    socket, _ = await engine.opened()
    await socket.send("1")
    await socket.closed()


async def test_upgrade_from_polling_to_websocket(engine: Harness) -> None:
    session = await engine.polling()
    socket = await session.upgrade()
    await socket.send("2probe")
    assert await socket.receive() == "3probe"
    assert await session.poll() == (200, "6")
    await socket.send("5")
    await socket.send("4hello")
    assert await socket.receive() == "4hello"


async def test_upgraded_session_refuses_http_requests(engine: Harness) -> None:
    session = await engine.polling()
    socket = await session.upgrade()
    await socket.send("2probe")
    await socket.send("5")
    assert await socket.receive() == "3probe"
    assert (await session.poll())[0] == 400
    await socket.send("4hello")
    assert await socket.receive() == "4hello"


async def test_upgraded_session_closes_a_second_websocket(engine: Harness) -> None:
    session = await engine.polling()
    socket = await session.upgrade()
    await socket.send("2probe")
    await socket.send("5")
    assert await socket.receive() == "3probe"
    second = await session.upgrade()
    await second.closed()
    await socket.send("4hello")
    assert await socket.receive() == "4hello"
