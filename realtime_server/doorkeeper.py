"""HTTP requests as they come in: one address after another, and refusals late for whoever collects them.

A request costs this process several times what an event costs, most of it before anything is known of who sends it.
So what one address sends at once is begun one request in each turn of the event loop (`turns`), and an address that is
refused again and again gets its refusals at a fixed rate. Whoever waits for their answers is slowed down by that to
what can be borne; whoever does not is kept by the bounds on connections (`transport.addresses`).

A request of an open Socket.IO session (long-polling) goes straight to its session: that has limits of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container
from time import perf_counter
from typing import Final

from aiohttp import web

from realtime_server.quotas import Quota
from realtime_server.turns import Turns

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Requests begun in one turn of the event loop: of one address, and of all.
_EACH: Final = 1
_TOGETHER: Final = 4
#: Refusals that an address gets at once after a pause: clients of a process that was restarted all ask once for what
#: is not there any more.
_BURST: Final = 200
#: Seconds for which a refusal is kept back at most; more would hold connections for nothing.
_LONGEST: Final = 5.0
#: Refusals that are kept back at a time; past it connections are cut without an answer.
_KEPT: Final = 2_000
#: Statuses that say what became of a matter, not that the request was none: nobody is slowed down for them.
_OUTCOMES: Final = frozenset({404, 409, 410, 412, 423})


class Doorkeeper:
    """``middleware`` is the outermost of an application.

    ``address_of``: who a request is from, seen past trusted proxies. ``sessions``: ids of the open Socket.IO sessions.
    ``refusals``: so many a second one address gets in the long run; 0: as many as it asks for.
    """

    def __init__(
        self, address_of: Callable[[web.BaseRequest], str], refusals: float, sessions: Container[str] = ()
    ) -> None:
        self._address_of, self._sessions = address_of, sessions
        self._turns = Turns(_EACH, _TOGETHER)
        self._refusals = Quota("address", refusals, _BURST)
        self._kept = 0

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """aiohttp's way of one request."""
        if "sid=" in request.query_string and request.query.get("sid") in self._sessions:
            return await handler(request)
        address = self._address_of(request)
        if not self._turns.take(address):
            await self._turns.wait(address)
        self._turns.give_back(address)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            if is_refusal(error.status):
                await self._keep(request, address)
            raise
        if is_refusal(response.status):
            await self._keep(request, address)
        return response

    async def _keep(self, request: web.Request, address: str) -> None:
        """Hold a refusal back until the address may have one more."""
        wait = self._refusals.borrow(address, _LONGEST, perf_counter())
        if not wait:
            return
        if self._kept >= _KEPT:
            if request.transport is not None:
                request.transport.abort()
            return
        self._kept += 1
        try:
            await asyncio.sleep(wait)
        finally:
            self._kept -= 1


def is_refusal(status: int) -> bool:
    """Whether an answer with this status counts against whoever asked."""
    return (400 <= status < 500 and status not in _OUTCOMES) or status == 503
