"""Every bound: whoever passes it is cut, it is counted by its reason, and a bystander's service goes on."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from realtime_server.transport import Hooks, Limits, SocketServer

from .raw import TRANSPORTS, AnyClient, Harness, connect_client, masked, open_client, serving, until

on_every_transport = pytest.mark.parametrize("transport", TRANSPORTS)


@asynccontextmanager
async def bounded(hooks: Hooks | None = None, **limits: Any) -> AsyncIterator[tuple[Harness, SocketServer, AnyClient]]:
    """A server with these limits, and a bystander that must be served as before at the end."""
    server = SocketServer(limits=Limits(**limits), hooks=hooks, namespaces="*")
    server.on("ask", lambda sid, *data: "answer", namespace="*")
    server.on("bystander", lambda sid: "served")
    async with serving(server) as harness:
        bystander = await connect_client(harness, "websocket")
        yield harness, server, bystander
        while (await ask(bystander)) != '4399["served"]':
            pass


async def ask(client: AnyClient) -> str | bytes:
    await client.send('4299["bystander"]')
    return await client.message()


async def cut(harness: Harness, client: AnyClient, reason: str) -> None:
    """`client` was cut, for `reason`, and nothing of it is left."""
    await client.ended()
    await until(lambda: client.sid not in harness.eio.sockets)
    assert harness.eio.stats.refused[reason] == 1
    assert harness.eio.addresses.total == len(harness.eio.sockets)


@on_every_transport
async def test_a_frame_or_body_that_is_too_large_is_cut(transport: str) -> None:
    async with bounded(frame_size=1000) as (harness, _, _):
        client = await connect_client(harness, transport)
        await client.send('421["ask","' + "x" * 500 + '"]')
        assert await client.message() == '431["answer"]'
        await client.send('421["ask","' + "x" * 1000 + '"]')
        await cut(harness, client, "body_too_large" if transport == "polling" else "frame_too_large")


async def test_a_frame_is_cut_by_its_announcement_before_it_arrives() -> None:
    async with bounded() as (harness, _, _):
        socket = await harness.connected()
        socket.write(b"\x81\xff" + (10**9).to_bytes(8, "big"))
        assert await socket.closed() == 1009


async def test_a_body_without_length_is_cut_when_it_grows_too_large() -> None:
    async with bounded(frame_size=1000) as (harness, _, _):
        session = await harness.polling_connected()

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"4" * 100

        assert (await harness.post(session.query, endless()))[0] == 413
        assert (await session.poll())[0] == 400


async def test_a_message_of_many_fragments_is_cut() -> None:
    async with bounded(frame_size=1000, message_size=5000) as (harness, _, _):
        socket = await harness.connected()
        socket.write(masked(1, b"4" * 900, final=False))
        for _ in range(6):
            socket.write(masked(0, b"x" * 900, final=False))
        assert await socket.closed() == 1009
        assert harness.eio.stats.refused["message_too_large"] == 1


@on_every_transport
async def test_too_many_attachments_are_cut(transport: str) -> None:
    async with bounded(attachments=2) as (harness, _, _):
        client = await connect_client(harness, transport)
        await client.send('453-["ask"]')
        await cut(harness, client, "too_many_attachments")


@on_every_transport
async def test_attachments_that_are_too_large_together_are_cut(transport: str) -> None:
    async with bounded(message_size=3000, frame_size=2500) as (harness, _, _):
        client = await connect_client(harness, transport)
        await client.send('453-["ask"]')
        for _ in range(3):
            await client.send(b"x" * 1200)
        await cut(harness, client, "message_too_large")


@on_every_transport
async def test_nesting_that_is_too_deep_is_cut(transport: str) -> None:
    async with bounded(nesting=8) as (harness, _, _):
        client = await connect_client(harness, transport)
        await client.send('421["ask",' + "[" * 7 + "]" * 7 + "]")
        assert await client.message() == '431["answer"]'
        await client.send('421["ask",' + "[" * 8 + "]" * 8 + "]")
        await cut(harness, client, "nested_too_deeply")


@on_every_transport
async def test_too_many_namespaces_are_cut(transport: str) -> None:
    async with bounded(namespaces=3) as (harness, _, _):
        client = await connect_client(harness, transport)
        for name in ("/a", "/b"):
            await client.send("40" + name)
            await client.message()
        await client.send("40/c")
        await cut(harness, client, "too_many_namespaces")


async def test_too_many_packets_in_one_body_are_cut() -> None:
    async with bounded(packets_per_post=5) as (harness, _, _):
        session = await harness.polling_connected()
        assert (await session.post(*["3"] * 6))[0] == 400
        assert harness.eio.stats.refused["too_many_packets"] == 1


@on_every_transport
@pytest.mark.parametrize("flood", ['42["ask"]', "3", "6", b"\x01"], ids=["events", "pongs", "noops", "binary"])
async def test_a_flood_of_packets_is_cut(transport: str, flood: str | bytes) -> None:
    async with bounded(event_rate=1.0, event_burst=20) as (harness, _server, _):
        client = await connect_client(harness, transport)
        if isinstance(flood, bytes):
            await client.send('450-["ask"]', *['451-["ask"]', flood] * 10)
        await client.send(*[flood] * 25)
        await cut(harness, client, "event_rate")


async def test_a_flood_of_websocket_pings_is_cut() -> None:
    async with bounded(event_rate=1.0, event_burst=20) as (harness, _, _):
        socket = await harness.connected()
        socket.write(masked(9, b"") * 25)
        assert await socket.closed() == 1008


async def test_a_client_within_its_rate_is_never_cut() -> None:
    async with bounded(event_rate=1000.0, event_burst=5) as (harness, _, _):
        client = await connect_client(harness, "websocket")
        for number in range(30):
            await client.send(f'42{number}["ask"]')
            assert await client.message() == f'43{number}["answer"]'
            await asyncio.sleep(0.002)


async def test_no_more_connections_than_the_process_may_have() -> None:
    async with bounded(connections=3) as (harness, server, _):
        sockets = [await harness.opened() for _ in range(2)]
        status, body = await harness.get("EIO=4&transport=polling")
        assert (status, json.loads(body)["message"]) == (503, "Forbidden")
        assert (await harness.handshake("EIO=4&transport=websocket"))[0] == 503
        assert server.stats.refused["too_many_connections"] == 2
        await sockets[0][0].send("1")
        await sockets[0][0].closed()
        await until(lambda: len(harness.eio.sockets) != 3)
        await harness.opened()


async def test_no_more_connections_than_an_address_may_have() -> None:
    server = SocketServer(limits=Limits(connections_per_address=2), trusted_proxies=["127.0.0.1"])
    async with serving(server) as harness:
        for address, expected in [("192.0.2.1", 200), ("192.0.2.1", 200), ("192.0.2.1", 503), ("192.0.2.2", 200)]:
            status, _ = await harness.get("EIO=4&transport=polling", headers={"X-Forwarded-For": address})
            assert status == expected


async def test_no_faster_connections_than_an_address_may_open() -> None:
    server = SocketServer(limits=Limits(connection_rate=0.001, connection_burst=2), trusted_proxies=["127.0.0.1"])
    async with serving(server) as harness:
        for address, expected in [("192.0.2.1", 200), ("192.0.2.1", 200), ("192.0.2.1", 429), ("192.0.2.2", 200)]:
            status, _ = await harness.get("EIO=4&transport=polling", headers={"X-Forwarded-For": address})
            assert status == expected
        assert server.stats.refused["connection_rate"] == 1


@on_every_transport
async def test_a_client_that_never_connects_is_cut(transport: str) -> None:
    async with bounded(connect_timeout=0.05) as (harness, _, _):
        client = await open_client(harness, transport)
        await cut(harness, client, "connect_timeout")


async def test_a_client_that_is_refused_everywhere_may_not_stay() -> None:
    async with bounded(connect_timeout=0.05) as (harness, server, _):
        server.on("connect", lambda sid, environ: False, namespace="/closed")
        client = await open_client(harness, "websocket")
        await client.send("40/closed")
        assert str(await client.message()).startswith("44/closed,")
        await cut(harness, client, "connect_timeout")


async def test_a_probe_that_never_finishes_is_closed_and_the_session_lives() -> None:
    async with bounded(upgrade_timeout=0.05) as (harness, _, _):
        session = await harness.polling_connected()
        socket = await session.upgrade()
        await socket.send("2probe")
        assert await socket.receive() == "3probe"
        await socket.closed()
        await session.post('421["ask"]')
        assert await session.message_or_noop() == '431["answer"]'


async def test_a_body_that_trickles_is_cut() -> None:
    async with bounded(body_timeout=0.1) as (harness, server, _):
        session = await harness.polling_connected()
        reader, writer = await harness.tcp()
        writer.write(
            f"POST {harness.path}?{session.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4".encode()
        )
        async with asyncio.timeout(5):
            while True:
                writer.write(b"x")
                try:
                    if reader.at_eof() or not await asyncio.wait_for(reader.read(100), 0.02):
                        break
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
        assert server.stats.refused["body_timeout"] == 1
        assert (await session.poll())[0] == 400
        writer.close()


SLOW_HEAD = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "


@pytest.mark.parametrize(
    ("start", "second"),
    # An idle connection between two requests is no trickle, so that nothing at all is sent on a first one only.
    [(b"", False), (b"G", False), (b"G", True), (SLOW_HEAD, False), (SLOW_HEAD, True)],
    ids=ascii,
)
async def test_a_head_that_trickles_is_cut(start: bytes, second: bool) -> None:
    async with bounded(head_timeout=0.1) as (harness, _, _):
        reader, writer = await harness.tcp()
        if second:
            writer.write(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"404: Not Found")
        writer.write(start)
        async with asyncio.timeout(5):
            try:
                while not reader.at_eof():
                    if start:
                        writer.write(b"x")
                    try:
                        await asyncio.wait_for(reader.read(100), 0.02)
                    except TimeoutError:
                        continue
            except ConnectionError:
                pass
        writer.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /?token=secret" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: secret" + b"x" * 70_000 + b"\r\n\r\n",
        b"GET secret HTTP/9\r\n\r\n",
        b"\x16\x03\x01secret\r\n\r\n",
    ],
    ids=["a long line", "a long header", "no such version", "TLS"],
)
async def test_a_head_that_is_no_http_is_refused_in_the_applications_words_and_not_logged(
    head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with bounded() as (harness, _, _):
        reader, writer = await harness.tcp()
        writer.write(head)
        async with asyncio.timeout(5):
            status = await reader.readline()
            answer = await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
        assert status.endswith(b" 400 Bad Request\r\n")
        assert b"secret" not in answer
    lines = [record.getMessage() for record in caplog.records if "malformed request" in record.getMessage()]
    assert lines == ["refused: malformed request from 127.0.0.1"]
    assert "secret" not in caplog.text


@on_every_transport
async def test_a_client_that_does_not_read_is_aborted_and_counted(transport: str) -> None:
    told: list[str] = []

    class Heard(Hooks):
        def slow_consumer(self, sid: str, address: str) -> None:
            told.append(sid)

    async with bounded(Heard(), pending_output=200_000) as (harness, server, _bystander):
        left = asyncio.Event()
        server.on("disconnect", lambda sid, reason: left.set())
        client = await connect_client(harness, transport)
        sid = next(s for s in server.manager.rooms["/"][None] if server.manager.rooms["/"][None][s] == client.sid)
        await server.enter_room(sid, "room")
        sent = 0
        while not left.is_set():
            server.broadcast("news", "x" * 10_000, room="room")
            sent += 1
            await asyncio.sleep(0)
            assert sent < 5000
        assert server.stats.slow_consumers == 1
        assert told == [client.sid]
        await until(lambda: client.sid not in harness.eio.sockets)
        assert server.broadcast("news", room="room") == 0


async def test_a_burst_in_one_turn_is_bounded_too() -> None:
    async with bounded(pending_output=100_000) as (harness, server, _):
        client = await connect_client(harness, "websocket")
        sid = next(s for s, e in server.manager.rooms["/"][None].items() if e == client.sid)
        for _ in range(3000):
            server.broadcast("news", "x" * 10_000, room=sid)
        await until(lambda: client.sid not in harness.eio.sockets)
        assert server.stats.slow_consumers == 1


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_volatile_events_are_dropped_first_and_nobody_is_cut_for_them(transport: str) -> None:
    async with bounded(pending_output=500_000) as (harness, server, _):
        client = await connect_client(harness, transport)
        sid = next(s for s, e in server.manager.rooms["/"][None].items() if e == client.sid)
        server.broadcast("first", room=sid)
        for _ in range(2000):
            server.broadcast("cursor", "x" * 10_000, room=sid, volatile=True)
            await asyncio.sleep(0)
        assert server.stats.volatile_dropped > 0
        assert server.stats.slow_consumers == 0
        server.broadcast("durable", room=sid)
        assert await client.message() == '42["first"]'
        while (message := await client.message()) != '42["durable"]':
            assert str(message).startswith('42["cursor"')


@on_every_transport
async def test_volatile_events_come_in_their_place_to_who_has_little_waiting(transport: str) -> None:
    async with bounded() as (harness, server, _):
        client = await connect_client(harness, transport)
        for event in ("durable", "cursor", "durable", "cursor"):
            server.broadcast(event, volatile=event == "cursor")
        for event in ("durable", "cursor", "durable", "cursor"):
            assert await client.message() == f'42["{event}"]'


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_events_wait_for_slow_handlers_up_to_a_bound_and_none_is_lost(transport: str) -> None:
    async with bounded(pending_input=4) as (harness, server, _):
        release = asyncio.Event()
        seen: list[int] = []

        async def slow(sid: str, number: int) -> None:
            await release.wait()
            seen.append(number)

        async def send() -> None:
            for number in range(0, 40, 10):
                await client.send(*(f'42["slow",{n}]' for n in range(number, number + 10)))
            await client.send('421["ask"]')

        server.on("slow", slow)
        client = await connect_client(harness, transport)
        socket = harness.eio.sockets[client.sid]
        sending = asyncio.create_task(send())
        await until(lambda: socket.lane.holds and (transport == "websocket" or socket.held_post is not None))
        # One read of a WebSocket may bring all of these few; of POSTs no second one is taken.
        assert transport == "websocket" or len(socket.lane) < 10
        release.set()
        assert await client.message() == '431["answer"]'
        await sending
        assert seen == list(range(40))


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_who_comes_and_goes_while_a_handler_waits_is_held_up_like_who_sends_events(transport: str) -> None:
    async with bounded(pending_input=4) as (harness, server, _):
        release, left = asyncio.Event(), 0

        async def slow(sid: str) -> None:
            await release.wait()

        async def disconnect(sid: str, reason: str) -> None:
            nonlocal left
            left += 1

        async def send() -> None:
            for _ in range(10):
                await client.send("41", "40")

        server.on("slow", slow)
        server.on("disconnect", disconnect)
        client = await connect_client(harness, transport)
        socket = harness.eio.sockets[client.sid]
        await client.send('42["slow"]')
        sending = asyncio.create_task(send())
        await until(lambda: socket.lane.holds)
        release.set()
        await sending
        await until(lambda: left == 10)
        await client.send('421["ask"]')
        while await client.message() != '431["answer"]':
            pass


async def test_a_post_that_waits_for_handlers_ends_with_its_session() -> None:
    async with bounded(pending_input=4, close_timeout=0.05) as (harness, server, _):
        server.on("hang", lambda sid: asyncio.Event().wait())
        session = await harness.polling_connected()
        await session.post(*['42["hang"]'] * 10)
        waiting = asyncio.create_task(session.post('421["ask"]'))
        await until(lambda: harness.eio.sockets[session.sid].held_post is not None)
        await harness.eio.disconnect(session.sid)
        assert (await waiting)[0] == 400


async def test_unanswered_calls_are_forgotten_past_a_bound() -> None:
    async with bounded(pending_acknowledgements=10) as (harness, server, _):
        client = await connect_client(harness, "websocket")
        sid = next(s for s, e in server.manager.rooms["/"][None].items() if e == client.sid)
        for _ in range(50):
            await server.emit("question", to=sid, callback=lambda *_: None)
        assert len(server.manager.callbacks[sid]) == 11  # ten, and upstream's counter


async def test_bad_input_writes_few_short_lines_without_what_was_sent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with bounded() as (harness, _, _):
        for number in range(40):
            client = await open_client(harness, "websocket")
            await client.send(f'40{{"token":"secret-{number}\x1b[31m\n"}}x')
            await client.ended()
            await harness.get(f"EIO=4&transport=polling&sid=secret-{number}%0a")
    lines = [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith(("realtime_server", "engineio", "socketio"))
    ]
    assert 0 < len(lines) <= 15
    for line in lines:
        assert len(line) < 150
        assert "secret" not in line
        assert line.isprintable()


@pytest.mark.parametrize(
    "wrong",
    [{"frame_size": 0}, {"nesting": 0}, {"connect_timeout": 0}, {"body_timeout": -1}, {"close_timeout": float("nan")}],
)
def test_a_limit_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Limits(**wrong)
