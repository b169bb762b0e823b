"""The bench's server on python-socketio as it comes. Usage: python -m loadtest.transport.servers.stock"""

from __future__ import annotations

import asyncio
from typing import Any

import socketio
import uvloop
from aiohttp import web

from . import announce, tune


def build() -> socketio.AsyncServer:
    server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*", ping_interval=120)

    async def join(sid: str, room: str) -> bool:
        await server.enter_room(sid, room)
        return True

    async def edit(sid: str, data: Any) -> None:
        await server.emit("edit", data, room=data["room"], skip_sid=sid)

    async def ask(sid: str, data: Any) -> dict[str, Any]:
        return {"ok": True, "seq": data["t"]}

    server.on("join", join)
    server.on("edit", edit)
    server.on("ask", ask)
    return server


async def main() -> None:
    app = web.Application()
    build().attach(app, "socket.io")
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    announce(site)
    tune()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
