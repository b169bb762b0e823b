"""The WebSocket of a simulated person, against a real server: both kinds behave alike."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web

from loadtest.reading import Reader, Readings, sockets_class
from loadtest.wires import SocketWire, Wire, Wires
from tests.certificates import self_signed

KINDS = [
    pytest.param(False, id="picows"),
    pytest.param(
        True,
        id="sockets",
        marks=pytest.mark.skipif(
            sockets_class is None,
            reason="the compiled part is missing: there was no C compiler, or no header of Python, at the installation",
        ),
    ),
]
Handler = Callable[[web.WebSocketResponse], Awaitable[None]]


class Person(Reader):
    """Keeps what comes."""

    def __init__(self) -> None:
        self.wire: Wire | None = None
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()
        self.end = asyncio.get_running_loop().create_future()

    def opened(self, wire: Wire) -> None:
        self.wire = wire

    def read(self, payload: bytes, at: int) -> None:
        self.messages.put_nowait(payload)

    def control(self, kind: int, payload: bytes) -> None:
        assert isinstance(self.wire, SocketWire)
        self.wire.control(kind, payload)

    def ended(self) -> None:
        assert self.wire is not None
        self.wire.close()

    def closed(self, wire: Wire) -> None:
        assert wire is self.wire
        self.end.set_result(None)  # a second time would raise


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The address of a WebSocket server."""

    async def accept(request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse(max_msg_size=0)
        await answer.prepare(request)
        await handler(answer)
        return answer

    app = web.Application()
    app.router.add_get("/ws", accept)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield f"{'ws' if tls is None else 'wss'}://127.0.0.1:{runner.addresses[0][1]}/ws?EIO=4"
    finally:
        await runner.cleanup()


def make(compiled: bool, *, insecure: bool = False) -> Wires:
    readings = Readings()
    sockets = sockets_class(readings) if compiled and sockets_class is not None else None
    return Wires(readings, sockets, insecure=insecure)


async def connected(compiled: bool, url: str) -> Person:
    person = Person()
    await make(compiled).connect(person, url)  # type: ignore[arg-type]  # no Client, but all that a wire asks of one
    return person


@pytest.mark.parametrize("compiled", KINDS)
async def test_messages_of_any_length_come_and_go(compiled: bool) -> None:
    async def echo(ws: web.WebSocketResponse) -> None:
        await ws.send_str("welcome")  # with the upgrade, or right behind it
        async for message in ws:
            await (ws.send_bytes if message.type is WSMsgType.BINARY else ws.send_str)(message.data)

    async with serving(echo) as url:
        person = await connected(compiled, url)
        assert person.wire is not None
        sent = [b"x" * size for size in (0, 1, 125, 126, 65_535, 65_536, 8_000_000)]
        for payload in sent:
            person.wire.send(payload)
        person.wire.send(b"\xff\x00", binary=True)
        got = [await asyncio.wait_for(person.messages.get(), 20) for _ in range(len(sent) + 2)]
        assert got == [b"welcome", *sent, b"\xff\x00"]
        person.wire.close()
        await asyncio.wait_for(person.end, 20)


@pytest.mark.parametrize("compiled", KINDS)
async def test_a_ping_is_answered_and_a_close_is_an_end(compiled: bool) -> None:
    answered = asyncio.Event()

    async def ping(ws: web.WebSocketResponse) -> None:
        ws._autoping = False
        await ws.ping(b"still there")
        message = await ws.receive()
        if (message.type, bytes(message.data)) == (WSMsgType.PONG, b"still there"):
            answered.set()
        await ws.close()

    async with serving(ping) as url:
        person = await connected(compiled, url)
        await asyncio.wait_for(person.end, 20)
        assert answered.is_set()


@pytest.mark.parametrize("compiled", KINDS)
async def test_a_connection_that_breaks_is_an_end(compiled: bool) -> None:
    async def abort(ws: web.WebSocketResponse) -> None:
        assert ws._req is not None and ws._req.transport is not None
        ws._req.transport.abort()

    async with serving(abort) as url:
        person = await connected(compiled, url)
        await asyncio.wait_for(person.end, 20)


@pytest.mark.parametrize("compiled", KINDS)
async def test_an_answer_that_is_no_upgrade_is_an_error(compiled: bool) -> None:
    async def nobody(ws: web.WebSocketResponse) -> None:
        raise AssertionError("not asked")

    async with serving(nobody) as url:
        with pytest.raises(Exception, match=r"(?i)upgrade"):
            await connected(compiled, url.replace("/ws", "/elsewhere"))


async def test_an_address_where_nobody_listens_is_an_error() -> None:
    for wires in (make(True), make(False)):
        with pytest.raises(OSError, match=r"(?i)connect"):
            await wires.connect(Person(), "ws://127.0.0.1:1/ws")  # type: ignore[arg-type]


@pytest.mark.parametrize("compiled", KINDS)
async def test_over_tls_messages_come_and_go_and_a_certificate_must_be_trusted(compiled: bool, tmp_path: Path) -> None:
    async def echo(ws: web.WebSocketResponse) -> None:
        async for message in ws:
            await ws.send_str(message.data)

    async with serving(echo, self_signed(tmp_path)) as url:
        person = Person()
        await make(compiled, insecure=True).connect(person, url)  # type: ignore[arg-type]
        assert person.wire is not None
        sent = [b"", b"x" * 70_000, b"last"]
        for payload in sent:
            person.wire.send(payload)
        assert [await asyncio.wait_for(person.messages.get(), 20) for _ in sent] == sent
        person.wire.close()
        await asyncio.wait_for(person.end, 20)
        with pytest.raises(ssl.SSLCertVerificationError):
            await make(compiled).connect(Person(), url)  # type: ignore[arg-type]
