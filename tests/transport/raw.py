"""A client that speaks the protocols by the byte, right or wrong as a test wants it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
from aiohttp import web

from realtime_server.transport import EngineServer, SocketServer, guarded_runner

TIMEOUT = 10.0


async def until(condition: Callable[[], object]) -> None:
    """Let the event loop turn until `condition()` holds; there is no event to wait for inside the server."""
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0)


class Closed(Exception):
    """The server closed the WebSocket; `code` is its close code, None when the connection just ended."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


def masked(opcode: int, payload: bytes, final: bool = True, mask: bytes | None = None) -> bytes:
    """One client frame."""
    mask = os.urandom(4) if mask is None else mask
    first = (0x80 if final else 0) | opcode
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, size)
    return head + mask + bytes(byte ^ mask[index & 3] for index, byte in enumerate(payload))


class RawWebSocket:
    """A WebSocket without manners."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def send(self, message: str | bytes) -> None:
        opcode, payload = (1, message.encode()) if isinstance(message, str) else (2, message)
        self.writer.write(masked(opcode, payload))
        await self.writer.drain()

    async def frame(self) -> tuple[int, bytes]:
        """The next frame, of any kind."""
        try:
            async with asyncio.timeout(TIMEOUT):
                first, second = await self.reader.readexactly(2)
                size = second & 0x7F
                assert not second & 0x80, "a server never masks"
                if size == 126:
                    (size,) = struct.unpack("!H", await self.reader.readexactly(2))
                elif size == 127:
                    (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
                return first & 0x0F, await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Closed(None) from None

    async def receive(self) -> str | bytes:
        """The next message."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 8:
                raise Closed(struct.unpack("!H", payload[:2])[0] if payload else None)
            if opcode == 1:
                return payload.decode()
            if opcode == 2:
                return payload

    async def message(self) -> str | bytes:
        """The next message that is no heartbeat; pings are answered."""
        while (received := await self.receive()) == "2":
            await self.send("3")
        return received

    async def closed(self) -> int | None:
        """Wait for the end; the close code."""
        try:
            while True:
                await self.receive()
        except Closed as end:
            return end.code

    async def eof(self) -> None:
        """Wait for the end of the TCP connection."""
        async with asyncio.timeout(TIMEOUT):
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionError:
                pass

    async def aclose(self) -> None:
        self.writer.close()
        with suppress(ConnectionError, OSError):
            await self.writer.wait_closed()


class Harness:
    """A server on a free port, and clients for it."""

    def __init__(self, server: SocketServer | EngineServer, path: str) -> None:
        self.server = server
        self.eio: EngineServer = server.eio if isinstance(server, SocketServer) else server
        self.path = f"/{path}/"
        self.port = 0
        self.http: aiohttp.ClientSession
        self._sockets: list[RawWebSocket] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def tcp(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def handshake(self, query: str, headers: dict[str, str] | None = None) -> tuple[int, bytes, RawWebSocket]:
        """Ask for a WebSocket; the status, the rest of the head, and the connection."""
        reader, writer = await self.tcp()
        fields = {
            "Host": f"127.0.0.1:{self.port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            **(headers or {}),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
        writer.write(f"GET {self.path}?{query} HTTP/1.1\r\n{lines}\r\n".encode())
        async with asyncio.timeout(TIMEOUT):
            head = await reader.readuntil(b"\r\n\r\n")
        socket = RawWebSocket(reader, writer)
        self._sockets.append(socket)
        return int(head.split(b" ", 2)[1]), head, socket

    async def websocket(self, query: str = "EIO=4&transport=websocket", **headers: str) -> RawWebSocket:
        """A WebSocket, its handshake packet not yet read."""
        status, head, socket = await self.handshake(query, {name.replace("_", "-"): v for name, v in headers.items()})
        assert status == 101, head
        return socket

    async def opened(self) -> tuple[RawWebSocket, dict[str, Any]]:
        """A WebSocket session and its handshake."""
        socket = await self.websocket()
        packet = await socket.receive()
        assert isinstance(packet, str)
        assert packet[0] == "0"
        return socket, json.loads(packet[1:])

    async def connected(self, namespace: str = "/", auth: Any = None) -> RawWebSocket:
        """A WebSocket client of a namespace."""
        socket, _ = await self.opened()
        await socket.send(connect_packet(namespace, auth))
        answer = await socket.message()
        assert str(answer).startswith(connect_packet(namespace)), answer
        return socket

    async def get(self, query: str, **options: Any) -> tuple[int, str]:
        async with self.http.get(f"{self.url}{self.path}?{query}", **options) as response:
            return response.status, await response.text()

    async def post(self, query: str, body: Any, **options: Any) -> tuple[int, str]:
        async with self.http.post(f"{self.url}{self.path}?{query}", data=body, **options) as response:
            return response.status, await response.text()

    async def polling(self) -> Polling:
        """A long-polling session."""
        status, body = await self.get("EIO=4&transport=polling")
        assert (status, body[:1]) == (200, "0"), (status, body)
        return Polling(self, json.loads(body[1:]))

    async def polling_connected(self, namespace: str = "/", auth: Any = None) -> Polling:
        session = await self.polling()
        assert await session.post(connect_packet(namespace, auth)) == (200, "ok")
        answer = await session.message()
        assert answer.startswith(connect_packet(namespace)), answer
        return session

    async def close(self) -> None:
        for socket in self._sockets:
            await socket.aclose()


def connect_packet(namespace: str = "/", auth: Any = None) -> str:
    where = "" if namespace == "/" else namespace + ","
    return f"40{where}{'' if auth is None else json.dumps(auth)}"


class Polling:
    """A long-polling session."""

    def __init__(self, harness: Harness, handshake: dict[str, Any]) -> None:
        self.harness = harness
        self.handshake = handshake
        self.sid: str = handshake["sid"]
        self.query = f"EIO=4&transport=polling&sid={self.sid}"
        self._packets: list[str] = []

    async def poll(self) -> tuple[int, str]:
        return await self.harness.get(self.query)

    async def post(self, *packets: str, **options: Any) -> tuple[int, str]:
        return await self.harness.post(self.query, "\x1e".join(packets).encode(), **options)

    async def message(self) -> str:
        """The next packet that is no heartbeat."""
        while True:
            while self._packets:
                packet = self._packets.pop(0)
                if packet == "2":
                    await self.post("3")
                else:
                    return packet
            status, body = await self.poll()
            assert status == 200, (status, body)
            self._packets = body.split("\x1e")

    async def message_or_noop(self) -> str:
        """The next packet that is neither a heartbeat nor the noop of an upgrade that came to nothing."""
        while (packet := await self.message()) == "6":
            pass
        return packet

    async def upgrade(self) -> RawWebSocket:
        """A WebSocket for this session, opened and nothing more."""
        return await self.harness.websocket(f"EIO=4&transport=websocket&sid={self.sid}")


@asynccontextmanager
async def serving(server: SocketServer | EngineServer, path: str | None = None) -> AsyncIterator[Harness]:
    """`server` on a free port of this machine until the block ends."""
    path = path or ("socket.io" if isinstance(server, SocketServer) else "engine.io")
    harness = Harness(server, path)
    app = web.Application()
    server.attach(app, path)
    runner = guarded_runner(app, harness.eio.limits, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    harness.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        async with aiohttp.ClientSession() as harness.http:
            yield harness
    finally:
        await harness.close()
        await runner.cleanup()


class AnyClient:
    """One session with one interface, whatever carries it."""

    transport = ""
    sid = ""

    async def send(self, *messages: str | bytes) -> None:
        """Send messages (engine packets as text, or binary) one after another."""
        raise NotImplementedError

    async def message(self) -> str | bytes:
        """The next packet that is no heartbeat."""
        raise NotImplementedError

    async def ended(self) -> None:
        """Wait until the server has ended the session."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Go away without a word."""


class WebSocketClient(AnyClient):
    transport = "websocket"

    def __init__(self, socket: RawWebSocket, sid: str) -> None:
        self.socket, self.sid = socket, sid

    async def send(self, *messages: str | bytes) -> None:
        for message in messages:
            opcode, payload = (1, message.encode()) if isinstance(message, str) else (2, message)
            self.socket.write(masked(opcode, payload))
        await self.socket.writer.drain()

    async def message(self) -> str | bytes:
        return await self.socket.message()

    async def ended(self) -> None:
        await self.socket.closed()

    async def aclose(self) -> None:
        await self.socket.aclose()


class PollingClient(AnyClient):
    transport = "polling"

    def __init__(self, session: Polling) -> None:
        self.session, self.sid = session, session.sid

    async def send(self, *messages: str | bytes) -> None:
        packets = [
            message if isinstance(message, str) else "b" + base64.b64encode(message).decode() for message in messages
        ]
        await self.session.post(*packets)

    async def message(self) -> str | bytes:
        packet = await self.session.message()
        return base64.b64decode(packet[1:]) if packet[0] == "b" else packet

    async def ended(self) -> None:
        while True:
            status, body = await self.session.poll()
            if status == 400 or body == "1":
                break
        assert (await self.session.poll())[0] == 400


TRANSPORTS = ("websocket", "polling", "upgraded")


async def open_client(harness: Harness, transport: str) -> AnyClient:
    """A session on `transport`, its handshake read and nothing sent yet."""
    if transport == "polling":
        return PollingClient(await harness.polling())
    if transport == "websocket":
        socket, handshake = await harness.opened()
        return WebSocketClient(socket, handshake["sid"])
    session = await harness.polling()
    socket = await session.upgrade()
    await socket.send("2probe")
    assert await socket.receive() == "3probe"
    await socket.send("5")
    await until(lambda: harness.eio.transport(session.sid) == "websocket")
    return WebSocketClient(socket, session.sid)


async def connect_client(harness: Harness, transport: str, namespace: str = "/", auth: Any = None) -> AnyClient:
    """A client of a namespace on `transport`."""
    client = await open_client(harness, transport)
    await client.send(connect_packet(namespace, auth))
    answer = await client.message()
    assert str(answer).startswith(connect_packet(namespace)), answer
    return client
