"""Sessions over polls and upgrades: what is sent arrives, in order and once, whatever the transports do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from realtime_server.transport import EngineServer, Limits, SocketServer

from .raw import TRANSPORTS, Harness, Polling, connect_client, masked, open_client, serving, until


@pytest_asyncio.fixture
async def echo() -> AsyncIterator[Harness]:
    engine = EngineServer()
    engine.on("message", lambda sid, data: engine.send(sid, data))
    async with serving(engine) as harness:
        yield harness


async def waiting_poll(harness: Harness, session: Polling) -> asyncio.Task[tuple[int, str]]:
    """A poll that has reached the server and waits."""
    poll = asyncio.create_task(session.poll())
    await until(lambda: harness.eio.sockets[session.sid].poll is not None)
    return poll


async def test_a_poll_waits_for_a_packet(echo: Harness) -> None:
    session = await echo.polling()
    poll = await waiting_poll(echo, session)
    await session.post("4hello")
    assert await poll == (200, "4hello")


@pytest.mark.parametrize("pieces", [1, 2, 7])
async def test_a_body_in_several_segments_is_read_whole(echo: Harness, pieces: int) -> None:
    session = await echo.polling()
    body = b"4" + b"x" * 20_000
    reader, writer = await echo.tcp()
    head = f"POST {echo.path}?{session.query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode())
    size = len(body) // pieces + 1
    for start in range(0, len(body), size):
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(body[start : start + size])
    answer = await reader.readuntil(b"ok")
    assert answer.startswith(b"HTTP/1.1 200")
    assert await session.poll() == (200, body.decode())
    writer.close()


async def test_a_chunked_body_is_read_whole(echo: Harness) -> None:
    session = await echo.polling()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"4hello"[:3]
            yield b"4hello"[3:] + b"\x1e"
        yield b"4end"

    assert await echo.post(session.query, chunks()) == (200, "ok")
    assert (await session.poll())[1].split("\x1e") == ["4hello"] * 10 + ["4end"]


async def test_a_second_post_while_one_is_read_ends_the_session(echo: Harness) -> None:
    session = await echo.polling()
    reader, writer = await echo.tcp()
    head = f"POST {echo.path}?{session.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n4h"
    writer.write(head.encode())
    await until(lambda: echo.eio.sockets[session.sid].posting)
    assert (await session.post("4second"))[0] == 400
    writer.write(b"ello")
    assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    assert (await session.poll())[0] == 400
    writer.close()


async def test_a_client_that_leaves_its_poll_is_noticed(echo: Harness) -> None:
    session = await echo.polling()
    gone = asyncio.get_running_loop().create_future()
    echo.eio.on("disconnect", lambda sid, reason: gone.set_result(reason))
    poll = await waiting_poll(echo, session)
    poll.cancel()
    assert await gone == "transport close"


async def test_a_client_that_leaves_its_poll_is_noticed_though_a_packet_ends_that(echo: Harness) -> None:
    session = await echo.polling()
    gone = asyncio.get_running_loop().create_future()
    echo.eio.on("disconnect", lambda sid, reason: gone.set_result(reason))
    poll = await waiting_poll(echo, session)
    (request,) = echo.eio.polls._requests.values()
    poll.cancel()
    await until(lambda: request.transport is None)
    await echo.eio.send(session.sid, "news")
    async with asyncio.timeout(5):
        assert await gone == "transport close"


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("count", [1, 2, 50])
async def test_everything_arrives_in_order(echo: Harness, transport: str, count: int) -> None:
    client = await open_client(echo, transport)
    sent = [f"4message {number}" if number % 3 else f"{number}".encode() for number in range(count)]
    await client.send(*sent)
    assert [await client.message() for _ in sent] == sent


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_server_says_goodbye_when_it_ends_a_session(echo: Harness, transport: str) -> None:
    client = await open_client(echo, transport)
    engine = echo.eio
    await engine.send(client.sid, "last words")
    await engine.disconnect(client.sid)
    assert await client.message() == "4last words"
    assert await client.message() == "1"
    await client.ended()
    assert engine.sockets == {}


async def test_the_server_ends_a_session_that_is_waiting_in_a_poll(echo: Harness) -> None:
    session = await echo.polling()
    poll = await waiting_poll(echo, session)
    await echo.eio.disconnect(session.sid)
    assert await poll == (200, "1")


async def test_disconnect_without_a_session_ends_them_all(echo: Harness) -> None:
    sockets = [(await echo.opened())[0] for _ in range(3)]
    await echo.eio.disconnect()
    for socket in sockets:
        assert await socket.closed() == 1000


async def test_an_unmasked_frame_is_a_protocol_error(echo: Harness) -> None:
    socket, _ = await echo.opened()
    socket.write(b"\x81\x024a")
    assert await socket.closed() == 1002


@pytest.mark.parametrize("payload", [b"", b"x", b"x" * 125])
async def test_a_websocket_ping_is_answered(echo: Harness, payload: bytes) -> None:
    socket, _ = await echo.opened()
    socket.write(masked(9, payload))
    assert await socket.frame() == (10, payload)


@pytest.mark.parametrize("payload", [b"", (1000).to_bytes(2, "big") + b"bye", (4001).to_bytes(2, "big")])
async def test_a_websocket_close_is_answered_in_kind(echo: Harness, payload: bytes) -> None:
    socket, _ = await echo.opened()
    socket.write(masked(8, payload))
    assert await socket.frame() == (8, payload[:2])
    await socket.eof()


async def test_a_fragmented_message_is_one_message(echo: Harness) -> None:
    socket, _ = await echo.opened()
    socket.write(masked(1, b"4he", final=False) + masked(9, b"p") + masked(0, b"l", final=False) + masked(0, b"lo"))
    assert await socket.frame() == (10, b"p")
    assert await socket.receive() == "4hello"


async def test_text_that_is_no_utf_8_ends_the_session(echo: Harness) -> None:
    socket, _ = await echo.opened()
    socket.write(masked(1, b"4\xff\xfe"))
    assert await socket.closed() == 1007


# -- upgrades


async def test_a_waiting_poll_gets_a_noop_when_the_probe_arrives(echo: Harness) -> None:
    session = await echo.polling()
    poll = await waiting_poll(echo, session)
    socket = await session.upgrade()
    await socket.send("2probe")
    assert await socket.receive() == "3probe"
    assert await poll == (200, "6")


async def test_what_is_sent_during_an_upgrade_waits_for_its_end(echo: Harness) -> None:
    session = await echo.polling()
    socket = await session.upgrade()
    await socket.send("2probe")
    assert await socket.receive() == "3probe"
    await session.post("4one", "4two")
    assert await session.poll() == (200, "6")
    await socket.send("5")
    assert [await socket.receive(), await socket.receive()] == ["4one", "4two"]


async def test_what_was_sent_during_an_upgrade_that_failed_comes_with_the_next_poll(echo: Harness) -> None:
    session = await echo.polling()
    socket = await session.upgrade()
    await socket.send("2probe")
    assert await socket.receive() == "3probe"
    await session.post("4one")
    await socket.aclose()
    assert await session.message_or_noop() == "4one"


@pytest.mark.parametrize(
    "packets", [["2"], ["2prob"], ["5"], ["4hello"], ["2probe", "4hello"], ["2probe", "2probe"], ["3probe"]]
)
async def test_a_wrong_probe_closes_its_websocket_and_leaves_the_session(echo: Harness, packets: list[str]) -> None:
    session = await echo.polling()
    socket = await session.upgrade()
    for packet in packets:
        await socket.send(packet)
    await socket.closed()
    await session.post("4still here")
    assert await session.message_or_noop() == "4still here"
    again = await session.upgrade()
    await again.send("2probe")
    assert await again.receive() == "3probe"


async def test_a_binary_probe_closes_its_websocket(echo: Harness) -> None:
    session = await echo.polling()
    socket = await session.upgrade()
    await socket.send(b"2probe")
    await socket.closed()


async def test_a_second_probe_beside_a_first_is_closed_and_the_first_goes_on(echo: Harness) -> None:
    session = await echo.polling()
    first = await session.upgrade()
    second = await session.upgrade()
    await second.closed()
    await first.send("2probe")
    assert await first.receive() == "3probe"
    await first.send("5")
    await first.send("4hello")
    assert await first.receive() == "4hello"


async def test_a_websocket_for_a_session_that_began_on_one_is_closed(echo: Harness) -> None:
    socket, handshake = await echo.opened()
    second = await echo.websocket(f"EIO=4&transport=websocket&sid={handshake['sid']}")
    await second.closed()
    await socket.send("4hello")
    assert await socket.receive() == "4hello"


async def test_the_session_ends_and_takes_its_probe_along(echo: Harness) -> None:
    session = await echo.polling()
    socket = await session.upgrade()
    await socket.send("2probe")
    assert await socket.receive() == "3probe"
    await echo.eio.disconnect(session.sid)
    await socket.closed()


async def test_the_transport_is_reported_as_it_changes(echo: Harness) -> None:
    session = await echo.polling()
    assert echo.eio.transport(session.sid) == "polling"
    socket = await session.upgrade()
    await socket.send("2probe")
    await socket.receive()
    await socket.send("5")
    await socket.send("4hello")
    await socket.receive()
    assert echo.eio.transport(session.sid) == "websocket"


# -- heartbeats


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_silent_client_is_dropped_after_interval_and_timeout(transport: str) -> None:
    server = SocketServer(ping_interval=0.05, ping_timeout=0.1)
    left = asyncio.get_running_loop().create_future()
    server.on("disconnect", lambda sid, reason: left.set_result(reason))
    async with serving(server) as harness:
        await connect_client(harness, transport)
        assert await left == "ping timeout"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_that_answers_pings_stays(transport: str) -> None:
    server = SocketServer(ping_interval=0.02, ping_timeout=5)
    server.on("ask", lambda sid: "answer")
    async with serving(server) as harness:
        client = await connect_client(harness, transport)
        # Each round trip answers a ping or two on its way.
        while harness.eio.stats.frames_sent < 12:
            await client.send('421["ask"]')
            assert await client.message() == '431["answer"]'
            await asyncio.sleep(0.02)
        assert harness.eio.stats.connections_closed == {}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_whose_pong_waits_behind_its_own_events_stays(transport: str) -> None:
    server = SocketServer(ping_interval=0.02, ping_timeout=0.1, limits=Limits(pending_input=4))
    release = asyncio.Event()
    server.on("slow", lambda sid: release.wait())
    server.on("ask", lambda sid: "answer")
    async with serving(server) as harness:
        client = await connect_client(harness, transport)
        await client.send(*['42["slow"]'] * 10, '421["ask"]')
        answer = asyncio.create_task(client.message())  # pings are answered, and the pong is not read
        await asyncio.sleep(0.5)
        release.set()
        assert await answer == '431["answer"]'
        assert harness.eio.stats.connections_closed == {}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_silent_client_is_dropped_though_its_events_are_never_handled(transport: str) -> None:
    limits = Limits(pending_input=4, close_timeout=0.05)
    server = SocketServer(ping_interval=0.02, ping_timeout=0.02, limits=limits)
    left = asyncio.get_running_loop().create_future()
    server.on("hang", lambda sid: asyncio.Event().wait())
    server.on("disconnect", lambda sid, reason: left.set_result(reason))
    async with serving(server) as harness:
        client = await connect_client(harness, transport)
        await client.send(*['42["hang"]'] * 10)
        assert await left == "ping timeout"


async def test_pings_do_not_wait_for_a_slow_handler() -> None:
    server = SocketServer(ping_interval=0.02, ping_timeout=5)
    release = asyncio.Event()

    async def slow(sid: str) -> None:
        await release.wait()

    server.on("slow", slow)
    async with serving(server) as harness:
        socket = await harness.connected()
        await socket.send('42["slow"]')
        for _ in range(3):
            assert await socket.receive() == "2"
            await socket.send("3")
        release.set()


async def test_a_jump_of_the_wall_clock_drops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    server = SocketServer(ping_interval=0.02, ping_timeout=5)
    async with serving(server) as harness:
        socket = await harness.connected()
        monkeypatch.setattr("time.time", lambda: 4e9)
        for _ in range(3):
            assert await socket.receive() == "2"
            await socket.send("3")
        assert len(harness.eio.sockets) == 1


async def test_json_of_engine_messages_is_decoded_as_upstream_decodes_it(echo: Harness) -> None:
    seen: list[Any] = []
    echo.eio.on("message", lambda sid, data: seen.append(data))
    socket, _ = await echo.opened()
    for message in ["4text", '4{"a":1}', "4[1]", "4123"]:
        await socket.send(message)
    await socket.send(b"\x01")
    await socket.send("1")
    await socket.closed()
    assert seen == ["text", {"a": 1}, [1], "123", b"\x01"]
    assert json.dumps(seen[:2])
