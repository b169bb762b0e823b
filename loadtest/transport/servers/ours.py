"""The bench's server on `realtime_server.transport`. Usage: python -m loadtest.transport.servers.ours [emit]"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop
from aiohttp import web

from realtime_server.transport import Limits, SocketServer

from . import announce, tune


def build(use_emit: bool) -> SocketServer:
    # The generator is one address and one client per connection sends more than people do: only the rates are lifted.
    limits = Limits(event_rate=None, connection_rate=None, connections_per_address=None)
    server = SocketServer(limits=limits, cors_allowed_origins="*", ping_interval=120)

    async def join(sid: str, room: str) -> bool:
        await server.enter_room(sid, room)
        return True

    async def edit(sid: str, data: Any) -> None:
        server.broadcast("edit", data, room=data["room"], skip_sid=sid)

    async def edit_by_emit(sid: str, data: Any) -> None:
        await server.emit("edit", data, room=data["room"], skip_sid=sid)

    async def ask(sid: str, data: Any) -> dict[str, Any]:
        return {"ok": True, "seq": data["t"]}

    server.on("join", join)
    server.on("edit", edit_by_emit if use_emit else edit)
    server.on("ask", ask)
    return server


async def main() -> None:
    app = web.Application()
    build("emit" in sys.argv[1:]).attach(app, "socket.io")
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    announce(site)
    tune()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
