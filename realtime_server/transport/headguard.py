"""Cutting connections whose request line or headers trickle, which aiohttp would wait for for an hour.

aiohttp hands a request over only when its head is complete, so that no handler can bound the head. `guarded_runner`
makes an `AppRunner` whose connections have `head_timeout` seconds from their beginning, and from the first byte of
every further request, until the head is there. One timer serves all connections.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from aiohttp import web

from .deadlines import Deadlines
from .limits import Limits


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


class GuardedServer(web.Server):
    """aiohttp's server with watched connections."""

    deadlines: Deadlines[GuardedHandler]

    def __call__(self) -> web.RequestHandler:
        return GuardedHandler(self, loop=self._loop, **self._kwargs)


def _deadlines(handler: GuardedHandler) -> Deadlines[GuardedHandler]:
    return cast(GuardedServer, handler._manager).deadlines


class GuardedRunner(web.AppRunner):
    """An `AppRunner` that makes a `GuardedServer`."""

    def __init__(self, app: web.Application, head_timeout: float, **kwargs: Any) -> None:
        super().__init__(app, **kwargs)
        self._head_timeout = head_timeout

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = GuardedServer
        guarded = cast(GuardedServer, server)
        guarded.deadlines = Deadlines(asyncio.get_running_loop(), self._head_timeout, GuardedHandler.force_close)
        return server

    async def cleanup(self) -> None:
        server = self.server
        await super().cleanup()
        if isinstance(server, GuardedServer):
            server.deadlines.stop()


def guarded_runner(app: web.Application, limits: Limits | None = None, **kwargs: Any) -> GuardedRunner:
    """An `aiohttp.web.AppRunner` that cuts trickling request heads; `kwargs` are `AppRunner`'s."""
    return GuardedRunner(app, (limits or Limits()).head_timeout, **kwargs)
