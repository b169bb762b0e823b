"""The WebSocket of a simulated person: read by `_reading.Sockets` where that can be, else picows'.

A wire calls its client: `opened(wire)`, `read(payload, at)` by way of `Readings`, `closed(wire)` once, whoever ends it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import socket
import ssl
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from loadtest.recorder import now

if TYPE_CHECKING:
    from loadtest._reading import Sockets
    from loadtest.client import Client
    from loadtest.reading import Readings

_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
#: Seconds until an upgrade is answered.
_HANDSHAKE: Final = 30
_LONGEST_HEAD: Final = 16_384
#: Of RFC 6455, section 1.3.
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Wire(Protocol):
    """One connection."""

    def send(self, payload: bytes, *, binary: bool = False) -> None:
        """Send one message."""

    def close(self) -> None:
        """End the connection without a word, as a lost network does; what was sent before is on its way."""

    def pause_reading(self) -> None:
        """Read nothing any more, as a program that hangs."""


def frame(kind: int, payload: bytes) -> bytes:
    """A frame of a client, whose mask is 0: a mask like any other, which costs the generator nothing."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | kind, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((0x80 | kind, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | kind, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload


class SocketWire:
    """A socket that `Sockets` reads. What it has no room for waits, as in any transport."""

    def __init__(self, sockets: Sockets, loop: asyncio.AbstractEventLoop, sock: socket.socket, client: Client) -> None:
        self._sockets, self._loop, self._socket, self._client = sockets, loop, sock, client
        self._unsent = b""
        self._open = True

    def begin(self, rest: bytes) -> None:
        """Read from now on; ``rest`` came with the answer to the upgrade."""
        self._client.opened(self)
        self._sockets.watch(self._socket.fileno(), self._client, rest)

    def send(self, payload: bytes, *, binary: bool = False) -> None:
        self._send(frame(_BINARY if binary else _TEXT, payload))

    def control(self, kind: int, payload: bytes) -> None:
        """A control frame came."""
        if kind == _PING:
            self._send(frame(_PONG, payload))
        elif kind == _CLOSE:
            self.close()

    def _send(self, data: bytes) -> None:
        if not self._open:
            return
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        if sent < len(data):
            self._unsent = data[sent:]
            self._loop.add_writer(self._socket, self._send_rest)

    def _send_rest(self) -> None:
        data, self._unsent = self._unsent, b""
        self._loop.remove_writer(self._socket)
        self._send(data)

    def close(self) -> None:
        if self._open:
            self._open = False
            if self._unsent:
                self._loop.remove_writer(self._socket)
            self._sockets.forget(self._socket.fileno())
            self._socket.close()
            # Not now: whoever ends a connection is in the middle of something.
            self._loop.call_soon(self._client.closed, self)

    def pause_reading(self) -> None:
        self._sockets.forget(self._socket.fileno())


class PicowsWire(WSListener):  # type: ignore[misc]  # a Cython class
    """picows' transport."""

    def __init__(self, readings: Readings, client: Client) -> None:
        self._readings, self._client = readings, client
        self._transport: WSTransport = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._client.opened(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        else:
            self._readings.take(self._client, frame.get_payload_as_bytes(), now())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._client.closed(self)

    def send(self, payload: bytes, *, binary: bool = False) -> None:
        self._transport.send(WSMsgType.BINARY if binary else WSMsgType.TEXT, payload)

    def close(self) -> None:
        self._transport.disconnect()

    def pause_reading(self) -> None:
        self._transport.underlying_transport.pause_reading()


class Wires:
    """Connects the clients of one process."""

    def __init__(self, readings: Readings, sockets: Sockets | None, *, insecure: bool = False) -> None:
        self._readings, self._sockets, self._insecure = readings, sockets, insecure
        self._watching = False
        self._places: dict[str, tuple[Any, ...]] = {}
        """What names stand for, asked once."""

    async def connect(self, client: Client, url: str, address: str | None = None) -> None:
        """Raises what the network does, TimeoutError, and ValueError for an answer that is no upgrade.

        ``address``: the local one, if it matters.
        """
        if self._sockets is None or url.startswith("wss:"):
            await self._connect_picows(client, url, address)
        else:
            await self._connect_socket(self._sockets, client, url, address)

    async def _connect_picows(self, client: Client, url: str, address: str | None) -> None:
        options: dict[str, Any] = {} if address is None else {"local_addr": (address, 0)}
        if url.startswith("wss:"):
            options["ssl_context"] = _unverified() if self._insecure else ssl.create_default_context()
        wire = PicowsWire(self._readings, client)
        await ws_connect(lambda: wire, url, websocket_handshake_timeout=_HANDSHAKE, **options)

    async def _connect_socket(self, sockets: Sockets, client: Client, url: str, address: str | None) -> None:
        loop = asyncio.get_running_loop()
        if not self._watching:
            self._watching = True
            loop.add_reader(sockets.fileno(), sockets.ready)
        parts = urlsplit(url)
        if parts.netloc not in self._places:
            found = await loop.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
            self._places[parts.netloc] = next((entry for entry in found if entry[0] == socket.AF_INET), found[0])
        family, kind, protocol, _, place = self._places[parts.netloc]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if address is not None:
                sock.bind((address, 0))
            async with asyncio.timeout(_HANDSHAKE):
                await loop.sock_connect(sock, place)
                rest = await _upgrade(loop, sock, parts.netloc, f"{parts.path or '/'}?{parts.query}")
        except BaseException:
            sock.close()
            raise
        SocketWire(sockets, loop, sock, client).begin(rest)


async def _upgrade(loop: asyncio.AbstractEventLoop, sock: socket.socket, host: str, target: str) -> bytes:
    """What came behind the answer."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    request = (
        f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
    await loop.sock_sendall(sock, request.encode())
    got = b""
    while (end := got.find(b"\r\n\r\n")) < 0:
        more = await loop.sock_recv(sock, _LONGEST_HEAD)
        if not more or len(got) > _LONGEST_HEAD:
            raise ValueError(f"no answer to the upgrade: {got[:200]!r}")
        got += more
    head = got[:end].decode("latin-1").split("\r\n")
    accept = base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode()
    if head[0].split(" ")[1:2] != ["101"] or not any(
        name.lower() == "sec-websocket-accept" and value.strip() == accept
        for name, _, value in (line.partition(":") for line in head[1:])
    ):
        raise ValueError(f"not upgraded: {got[:200]!r}")
    return got[end + 4 :]


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
