"""What one writes by hand on stock python-socketio: as ``node.cjs``, in Python."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import Any

import socketio
import uvloop
from aiohttp import web
from pymongo import AsyncMongoClient, ReturnDocument, WriteConcern


async def fill(database: Any) -> None:
    await database.records.create_index([("session_id", 1), ("record_id", 1)], unique=True)
    await database.history.create_index([("session_id", 1), ("record_id", 1), ("version", 1)])
    for session in range(int(os.environ["SESSIONS"])):
        await database.records.insert_many(
            [
                {
                    "session_id": f"session-{session:04d}",
                    "record_id": f"ledger:{row:06d}",
                    "version": 0,
                    "fields": {"amount": f"{row}.50", "currency": "GBP", "description": f"Card payment {row}"},
                }
                for row in range(int(os.environ["RECORDS"]))
            ]
        )


def handlers(io: socketio.AsyncServer, database: Any) -> None:
    users: dict[str, str] = {}

    @io.on("connect", namespace="/collaboration")
    async def connect(sid: str, environ: dict[str, Any], auth: dict[str, str]) -> None:
        users[sid] = auth["token"]

    @io.on("join", namespace="/collaboration")
    async def join(sid: str, request: dict[str, Any]) -> dict[str, Any]:
        await io.enter_room(sid, request["session_id"], namespace="/collaboration")
        return {"ok": True, "seq": 0}

    @io.on("edit", namespace="/collaboration")
    async def edit(sid: str, request: dict[str, Any]) -> dict[str, Any]:
        place = {"session_id": request["session_id"], "record_id": request["record_id"]}
        record = await database.records.find_one_and_update(
            place,
            {"$set": {f"fields.{request['field_name']}": request["new_value"]}, "$inc": {"version": 1}},
            projection={"version": 1},
            return_document=ReturnDocument.AFTER,
        )
        if record is None:
            return {"ok": False, "error": {"code": "not_found"}}
        names = ("edit_id", "record_id", "field_name", "new_value")
        data = {**{name: request[name] for name in names}, "version": record["version"]}
        at = datetime.now(UTC)
        await database.history.insert_one({**place, "user_id": users[sid], "timestamp": at, **data})
        envelope = {
            "message_type": "edit.applied", "session_id": request["session_id"], "project_id": "p",
            "user_id": users[sid], "timestamp": at.isoformat(), "data": data,
        }  # fmt: skip
        await io.emit("edit", envelope, room=request["session_id"], namespace="/collaboration")
        return {"ok": True, "status": "applied", "version": record["version"]}


async def main() -> None:
    client: Any = AsyncMongoClient(os.environ["MONGODB_URL"])
    durable = WriteConcern(w="majority", j=True)
    database = client.get_database("peer", write_concern=durable)
    await fill(database)
    io = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")
    handlers(io, database)
    app = web.Application()
    io.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # a thousand clients' tasks have nothing to say


if __name__ == "__main__":
    uvloop.run(main())
