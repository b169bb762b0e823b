"""Long-polling: GET waits for packets, POST brings them; one of each at a time, by the protocol."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import TYPE_CHECKING, Final

from aiohttp import web

from .answers import error, ok
from .upstream import cut, peer_is_gone

if TYPE_CHECKING:
    from .engine_server import EngineServer
    from .engine_socket import EngineSocket

SEPARATOR: Final = b"\x1e"


class BodyTooLarge(Exception):
    """A POST body past `frame_size`."""


def response(server: EngineServer, request: web.BaseRequest, parts: list[bytes]) -> web.Response:
    """A payload, compressed when it is long and the client takes that."""
    body = SEPARATOR.join(parts)
    answer = web.Response(content_type="text/plain", charset="UTF-8")
    if server.http_compression and len(body) >= server.compression_threshold:
        accepted = [item.split(";")[0].strip() for item in request.headers.get("Accept-Encoding", "").split(",")]
        if "gzip" in accepted:
            body = gzip.compress(body, 6)
            answer.headers["Content-Encoding"] = "gzip"
        elif "deflate" in accepted:
            body = zlib.compress(body)
            answer.headers["Content-Encoding"] = "deflate"
    answer.headers["Cache-Control"] = "no-store"
    answer.body = body
    return answer


class WaitingPolls:
    """The polls that wait on one server: clients that go away while they do are noticed within a second."""

    def __init__(self, server: EngineServer) -> None:
        self._server = server
        self._requests: dict[EngineSocket, web.BaseRequest] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def start(self, socket: EngineSocket, request: web.BaseRequest) -> None:
        """The poll of `socket` waits."""
        self._requests[socket] = request
        self._set_timer()

    def end(self, socket: EngineSocket) -> None:
        """It waits no more."""
        self._requests.pop(socket, None)

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        if self._timer is None and not self._stopped:
            self._timer = self._server.loop.call_later(1.0, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        for socket, request in list(self._requests.items()):
            if peer_is_gone(request):
                self._requests.pop(socket, None)
                socket.shut(self._server.reason.TRANSPORT_CLOSE, abort=True, keep_jobs=True)
        if self._requests:
            self._set_timer()


async def get(server: EngineServer, socket: EngineSocket, request: web.Request) -> web.Response:
    """Wait for packets. A second poll while one waits ends the session: the first gets a close packet, this one 400."""
    if socket.poll is not None:
        server.refused("overlapping_poll", socket.address)
        socket.shut(server.reason.TRANSPORT_ERROR)
        return error(3)
    if socket.probe is not None and socket.upgrading:
        return response(server, request, [b"6"])
    if socket.outbox:
        return response(server, request, socket.take_parts())
    poll = socket.poll = server.loop.create_future()
    server.polls.start(socket, request)
    try:
        parts = await poll
    finally:
        server.polls.end(socket)
        if socket.poll is poll:
            socket.poll = None
    if peer_is_gone(request) and not socket.upgraded:
        # It went since the last look at those who wait, and a packet ended the poll before the next one.
        socket.shut(server.reason.TRANSPORT_CLOSE, abort=True, keep_jobs=True)
    return response(server, request, parts)


async def post(server: EngineServer, socket: EngineSocket, request: web.Request) -> web.Response:
    """Take packets, when the handlers can have them: clients send no other POST until this one is answered.

    A second POST while one waits or is read ends the session, as does anything malformed.
    """
    if socket.posting:
        socket.refuse("overlapping_post")
        return error(3)
    socket.posting = True
    try:
        await socket.input_wanted()
        body = await _read(server, request)
    except BodyTooLarge:
        socket.refuse("body_too_large")
        return web.Response(status=413, body=b"")
    except TimeoutError:
        socket.refuse("body_timeout")
        cut(request)
        return error(3)
    finally:
        socket.posting = False
    if socket.closing:
        return error(3)
    packets = body.split(SEPARATOR)
    if len(packets) > server.limits.packets_per_post:
        socket.refuse("too_many_packets")
        return error(3)
    for packet in packets:
        socket.handle_text(packet)  # after one that ended the session, the others are dropped there
    return error(3) if socket.was_cut else ok()


async def _read(server: EngineServer, request: web.Request) -> bytes:
    """The whole body, in however many segments it comes.

    Raises:
        BodyTooLarge: past `frame_size`, by its announcement or its bytes.
        TimeoutError: not complete within `body_timeout`.
    """
    limit = server.limits.frame_size
    if (request.content_length or 0) > limit:
        raise BodyTooLarge
    body = b""
    async with asyncio.timeout(server.limits.body_timeout):
        while chunk := await request.content.readany():
            body += chunk
            if len(body) > limit:
                raise BodyTooLarge
    return body
