"""How sessions end: disconnect handlers in order but not too late, last words for those between two polls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .deadlines import Deadlines

if TYPE_CHECKING:
    from .engine_server import EngineServer
    from .engine_socket import EngineSocket
    from .websocket import WebSocketLink


class Endings:
    """The ends of one server's sessions."""

    def __init__(self, server: EngineServer) -> None:
        self._server = server
        self._loop = server.loop
        self._timeout = server.limits.close_timeout
        self._due: Deadlines[EngineSocket] = Deadlines(server.loop, self._timeout, self._end_at_once)
        self._farewells: dict[str, list[bytes]] = {}
        self._farewells_due: Deadlines[str] = Deadlines(server.loop, self._timeout, self._drop_farewell)
        self._emptied: asyncio.Future[None] | None = None

    def end_in_order(self, socket: EngineSocket) -> None:
        """Run the disconnect handlers after what the client sent before, but not later than `close_timeout`."""
        self._due.set(socket)
        socket.lane.put(self.end, socket)

    def _end_at_once(self, socket: EngineSocket) -> None:
        """A handler of this client still runs: its disconnect handlers wait no longer."""
        self._server.start_background_task(self.end, socket)

    async def end(self, socket: EngineSocket) -> None:
        """Run the disconnect handlers once, then forget the session."""
        if not socket.begin_disconnect():
            return
        server = self._server
        self._due.cancel(socket)
        try:
            await server._trigger_event("disconnect", socket.sid, socket.reason)
        finally:
            socket.closed = True
            server.polls.end(socket)
            if server.sockets.pop(socket.sid, None) is not None:
                server.addresses.leave(socket.address)
                server.stats.connections_closed[socket.reason] += 1
                server.hook(server.hooks.closed, socket.sid, socket.reason)
            socket.lane.end()
            if self._emptied is not None and not server.sockets and not self._emptied.done():
                self._emptied.set_result(None)

    def keep_farewell(self, socket: EngineSocket, parts: list[bytes]) -> None:
        """A long-polling client that is between two polls gets its last packets with the next one."""
        self._farewells[socket.sid] = parts
        self._farewells_due.set(socket.sid)

    def take_farewell(self, sid: str) -> list[bytes] | None:
        """What `keep_farewell` kept, once."""
        self._farewells_due.cancel(sid)
        return self._farewells.pop(sid, None)

    def _drop_farewell(self, sid: str) -> None:
        self._farewells.pop(sid, None)

    async def end_all(self, reason: str) -> None:
        """End every session (clients see the WebSocket close code 1001); done when the connections are closed."""
        server = self._server
        sockets = list(server.sockets.values())
        links = [socket.link for socket in sockets if socket.link is not None]
        for socket in sockets:
            socket.shut(reason, code=1001)
        if server.sockets:
            self._emptied = self._loop.create_future()
            await asyncio.wait([self._emptied], timeout=2 * self._timeout)
        await self._goodbye(links)
        self._due.stop()
        self._farewells_due.stop()

    async def _goodbye(self, links: list[WebSocketLink]) -> None:
        """Wait until the connections are closed, `close_timeout` at most, and drop those that are not."""
        deadline = self._loop.time() + self._timeout
        while any(link.transport is not None for link in links) and self._loop.time() < deadline:  # noqa: ASYNC110 - rare
            await asyncio.sleep(0.01)
        for link in links:
            link.abort()
        await asyncio.sleep(0)
