"""One WebSocket on a TCP connection that was taken over from aiohttp after its handshake.

aiohttp parses the request and routes it; from the 101 on, the connection speaks to `WebSocketLink` directly. There is
no task, no queue and no copy between the socket and the packet: a frame is parsed and handed on in `data_received`.

Hot path: `data_received` (see docs/performance.md).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from typing import Any, Final, Protocol

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from . import frames, upstream
from .limits import Limits

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class Sink(Protocol):
    """What a link delivers to."""

    def receive_text(self, payload: bytes) -> None: ...
    def receive_binary(self, payload: bytes) -> None: ...
    def control_received(self) -> None: ...
    def link_failed(self, code: int, reason: str) -> None: ...
    def link_closed(self) -> None: ...
    def writing_paused(self) -> None: ...
    def writing_resumed(self) -> None: ...
    def writing_ended(self) -> None: ...


class BadHandshake(Exception):
    """A request that asks for a WebSocket in a way RFC 6455 does not allow."""


class Detached(web.StreamResponse):
    """The response aiohttp is given for a connection it no longer has: there is nothing left to send."""

    def __init__(self) -> None:
        super().__init__(status=101)
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes | bytearray | memoryview = b"") -> None:
        return None


def wants_websocket(request: web.BaseRequest) -> bool:
    """True when the request has the two headers that ask for a WebSocket."""
    headers = request.headers
    return headers.get("Upgrade", "").strip().lower() == "websocket" and "upgrade" in [
        token.strip().lower() for token in headers.get("Connection", "").split(",")
    ]


def accept_key(request: web.BaseRequest) -> bytes:
    """The `Sec-WebSocket-Accept` answer to a request.

    Raises:
        BadHandshake: wrong version or key.
    """
    key = request.headers.get("Sec-WebSocket-Key", "").strip()
    try:
        valid = len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        valid = False
    if not valid or request.headers.get("Sec-WebSocket-Version", "").strip() != "13":
        raise BadHandshake
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest())


def open_link(request: web.BaseRequest, accept: bytes, link: WebSocketLink) -> Detached:
    """Answer 101 and give the connection to `link`, at once and without a step of the event loop between.

    Raises:
        ConnectionResetError: the client has gone.
    """
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client has gone")
    transport.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    early = upstream.detach(request)
    transport.set_protocol(link)
    link.connection_made(transport)
    transport.resume_reading()
    if early:
        asyncio.get_running_loop().call_soon(link.data_received, early)
    return Detached()


class WebSocketLink(asyncio.Protocol):
    """Frames in, frames out. Answers pings, does the closing handshake, and delivers messages to its `sink`."""

    __slots__ = ("_limits", "_parser", "_timer", "closing", "paused", "peer_code", "sink", "transport")

    def __init__(self, sink: Sink, limits: Limits) -> None:
        self.sink = sink
        self.closing = False
        self.paused = False
        self.peer_code: int | None = None
        self.transport: asyncio.Transport | None = None
        self._limits = limits
        self._parser: frames.FrameParser | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def descriptor(self) -> int:
        """The socket, to be written to while writing is not `paused`; -1 for one that only the transport can write to.

        What `plain_outlets.py` asks for holds: from here on writing is paused as soon as the transport has anything
        waiting, and `Sink.writing_ended` is called before the socket is closed.
        """
        transport = self.transport
        if transport is None or transport.get_extra_info("sslcontext") is not None:
            return -1
        transport.set_write_buffer_limits(high=0)
        if transport.get_write_buffer_size() and not self.paused:
            self.pause_writing()  # a transport says so once, and may have said it to aiohttp
        number: int = transport.get_extra_info("socket").fileno()
        return number

    def data_received(self, data: bytes) -> None:
        size, start = len(data), 0
        # One whole, final, masked text frame is what nearly every read brings; its length has seven bits or sixteen.
        if data[0] == 0x81 and self._parser is None and not self.closing:
            if 6 <= size < 132:
                start = 6 if data[1] == 0x80 + size - 6 else 0
            elif 134 <= size <= self._limits.frame_size + 8 and data[1] == 0xFE:
                start = 8 if int.from_bytes(data[2:4], "big") == size - 8 else 0
        if start:
            payload = bytearray(data[start:])
            upstream.mask_in_place(data[start - 4 : start], payload)
            self.sink.receive_text(bytes(payload))
        else:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        parser = self._parser
        if parser is None:
            parser = self._parser = frames.FrameParser(self._limits.frame_size, self._limits.message_size)
        messages, error = parser.feed(data)
        for opcode, payload in messages:
            if opcode == frames.CLOSE:
                self._closed_by_peer(payload)
                return
            if self.closing:
                continue
            if opcode == frames.TEXT:
                self.sink.receive_text(payload)
            elif opcode == frames.BINARY:
                self.sink.receive_binary(payload)
            else:
                self.sink.control_received()
                if opcode == frames.PING and not self.closing and not self.paused:
                    self.write(frames.build(frames.PONG, payload))
        if error is not None:
            if self.closing:
                self._end()
            else:
                self.sink.link_failed(error.code, error.reason)
        elif parser.is_idle:
            self._parser = None

    def write(self, data: bytes) -> None:
        """Write finished frames."""
        if self.transport is not None:
            self.transport.write(data)

    def close(self, code: int = 1000) -> None:
        """Say goodbye and wait `close_timeout` at most for the answer. Nothing is delivered any more."""
        if self.closing or self.transport is None:
            return
        self.closing = True
        self._parser = None if self._parser is None or self._parser.is_idle else self._parser
        self.transport.write(frames.build(frames.CLOSE, code.to_bytes(2, "big")))
        self.transport.resume_reading()
        self._timer = asyncio.get_running_loop().call_later(self._limits.close_timeout, self.abort)

    def abort(self) -> None:
        """Drop the connection and whatever waits to be written."""
        self.closing = True
        if self.transport is not None:
            self.transport.abort()

    def _closed_by_peer(self, payload: bytes) -> None:
        # 1005 is RFC 6455's name for a close frame without a code.
        self.peer_code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
        if not self.closing and self.transport is not None:
            self.closing = True
            self.transport.write(frames.build(frames.CLOSE, payload[:2]))
            self._timer = asyncio.get_running_loop().call_later(self._limits.close_timeout, self.abort)
            self.sink.link_closed()
        self._end()

    def _end(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.sink.writing_ended()
        self._parser = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.closing:
            self.closing = True
            self.sink.link_closed()

    def pause_writing(self) -> None:
        self.paused = True
        self.sink.writing_paused()

    def resume_writing(self) -> None:
        self.paused = False
        self.sink.writing_resumed()
