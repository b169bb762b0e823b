"""What aiohttp leaves open before a request reaches a handler: heads that trickle, and heads that are not HTTP.

aiohttp hands a request over only when its head is complete, so that no handler can bound the head. `guarded_runner`
makes an `AppRunner` whose connections have `head_timeout` seconds from their beginning, and from the first byte of
every further request, until the head is there. One timer serves all connections.

What cannot be parsed is refused with 400 in the application's own words, and costs one short line of the log; aiohttp
would log a traceback with the head in it, tokens and all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from .badinput import BadInputLog
from .deadlines import Deadlines
from .limits import Limits

Malformed = Callable[[str], web.Response]
"""Makes the answer to what is not HTTP, or too long; its argument says in English what is wrong."""

log = logging.getLogger(__name__)


def _plain(detail: str) -> web.Response:
    return web.Response(status=400, text=detail)


class GuardedHandler(web.RequestHandler):
    """aiohttp's protocol of one connection, watched."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        _deadlines(self).set(self)

    def data_received(self, data: bytes) -> None:
        before = self._request_count
        super().data_received(data)
        if self._manager is None:
            return
        deadlines = _deadlines(self)
        if self._request_count != before:
            deadlines.cancel(self)
        elif self._waiter is not None and not self._upgraded and data and self not in deadlines:
            deadlines.set(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._manager is not None:
            _deadlines(self).cancel(self)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        server = cast(GuardedServer, self._manager)
        server.bad_input.write("malformed request", request.remote or "an unknown address")
        too_long = isinstance(exc, LineTooLong)
        answer = server.malformed(
            "the request's line or one of its headers is too long" if too_long else "this is not an HTTP request"
        )
        answer.force_close()
        return answer


class GuardedServer(web.Server):
    """aiohttp's server with watched connections."""

    deadlines: Deadlines[GuardedHandler]
    malformed: Malformed
    bad_input: BadInputLog

    def __call__(self) -> web.RequestHandler:
        return GuardedHandler(self, loop=self._loop, **self._kwargs)


def _deadlines(handler: GuardedHandler) -> Deadlines[GuardedHandler]:
    return cast(GuardedServer, handler._manager).deadlines


class GuardedRunner(web.AppRunner):
    """An `AppRunner` that makes a `GuardedServer`."""

    def __init__(self, app: web.Application, limits: Limits, malformed: Malformed, **kwargs: Any) -> None:
        super().__init__(app, max_line_size=limits.head_line, max_field_size=limits.head_line, **kwargs)
        self._head_timeout = limits.head_timeout
        self._malformed = malformed

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = GuardedServer
        guarded = cast(GuardedServer, server)
        guarded.deadlines = Deadlines(asyncio.get_running_loop(), self._head_timeout, GuardedHandler.force_close)
        guarded.malformed = self._malformed
        guarded.bad_input = BadInputLog(log, time.monotonic)
        return server

    async def cleanup(self) -> None:
        server = self.server
        await super().cleanup()
        if isinstance(server, GuardedServer):
            server.deadlines.stop()


def guarded_runner(
    app: web.Application, limits: Limits | None = None, *, malformed: Malformed = _plain, **kwargs: Any
) -> GuardedRunner:
    """An `aiohttp.web.AppRunner` that bounds request heads; `kwargs` are `AppRunner`'s.

    `malformed`: makes the answer to a head that cannot be parsed; plain text by itself.
    """
    return GuardedRunner(app, limits or Limits(), malformed, **kwargs)
