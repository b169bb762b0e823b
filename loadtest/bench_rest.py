"""What reading costs over HTTP in a large session, and that a reader does not hold the event loop up.

    MONGODB_URL=mongodb://… python -m loadtest.bench_rest [--records 100000] [--edits 20000]

Makes a session in a database of its own (dropped afterwards), with edits spread over its records, and prints the time
of each kind of request, and the longest time meanwhile for which the event loop could do nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import aiohttp
from pymongo import AsyncMongoClient

from realtime_server.app import SERVICES, Services
from realtime_server.auth.issue import issue_token
from realtime_server.core.commands import Actor, CreateSession, Edit, FieldEdit
from realtime_server.core.roles import Role
from realtime_server.ports import NewRecord
from realtime_server.serving import running
from realtime_server.settings import Settings

SESSION = "large"
ADA = Actor("ada", "Ada", Role.ADMIN)


async def fill(services: Services, records: int, edits: int) -> None:
    await services.engine.submit(
        SESSION,
        CreateSession(
            actor=ADA, command_id="ada/create", session_id=SESSION, project_id="demo", name="Large", expires_in=86_400
        ),
    )
    for first in range(0, records, 10_000):
        batch = [_record(number) for number in range(first, min(first + 10_000, records))]
        await services.store.records.insert(SESSION, batch)
    for first in range(0, edits, 500):
        numbers = range(first, min(first + 500, edits))
        await asyncio.gather(*(services.engine.submit(SESSION, _edit(number, records)) for number in numbers))


def _record(number: int) -> NewRecord:
    values = {
        "amount": f"{number}.00", "currency": "GBP", "date": "2026-11-01", "description": f"Payment {number}",
        "reference": f"REF-{number:08}", "status": "unmatched",
    }  # fmt: skip
    return NewRecord(f"ledger:{number:08}", "ledger", f"{number:08}", values, "chunk")


def _edit(number: int, records: int) -> Edit:
    record_id = f"ledger:{number * 7919 % records:08}"
    edit = FieldEdit(record_id=record_id, field_name="notes", new_value=f"note {number}", base_version=0)
    return Edit(actor=ADA, command_id=f"ada/e{number}", edit_id=f"e{number}", edit=edit)


class Loop:
    """The longest time in which the event loop did nothing else."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        while True:
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.perf_counter() - started - 0.001)


async def measure(name: str, loop: Loop, request: Callable[[], Awaitable[Any]], times: int = 1) -> None:
    took = []
    loop.longest = 0.0
    for _ in range(times):
        started = time.perf_counter()
        await request()
        took.append(time.perf_counter() - started)
    took.sort()
    print(f"{name:<52}{took[len(took) // 2] * 1000:>10.1f} ms   loop held {loop.longest * 1000:>6.1f} ms")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--edits", type=int, default=20_000)
    options = parser.parse_args()
    secret = secrets.token_hex(32)
    database = f"bench_{uuid4().hex}"
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings.from_environment(
            {
                "WS_HOST": "127.0.0.1",
                "WS_PORT": "0",
                "MONGODB_URL": os.environ["MONGODB_URL"],
                "MONGODB_DATABASE": database,
                "AUTH_JWT_SECRET": secret,
                "DATA_DIR": directory,
                "COLLABORATION_USER_RATE": "0",
                "COLLABORATION_SESSION_RATE": "0",
            }
        )
        try:
            async with running(settings) as (app, port):
                await fill(app[SERVICES], options.records, options.edits)
                token = issue_token(secret.encode(), "ada", None, {"demo": Role.ADMIN}, 3600)
                async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http:
                    await bench(http, f"http://127.0.0.1:{port}/api/collaboration/sessions/{SESSION}", options)
        finally:
            async with AsyncMongoClient[Any](os.environ["MONGODB_URL"]) as client:
                await client.drop_database(database)


async def bench(http: aiohttp.ClientSession, url: str, options: argparse.Namespace) -> None:
    loop = Loop()
    watching = asyncio.create_task(loop.watch())

    async def get(path: str, **params: Any) -> Any:
        async with http.get(f"{url}{path}", params=params) as response:
            body = await response.json()
            assert response.status == 200, body
            return body

    async def everything(path: str, **params: Any) -> int:
        count, cursor = 0, {}
        while True:
            page = await get(path, **params, **cursor)
            count += len(page["items"])
            if page["next_cursor"] is None:
                return count
            cursor = {"cursor": page["next_cursor"]}

    print(f"{options.records:,} records, {options.edits:,} edits")
    await measure("the session", loop, lambda: get(""), 20)
    await measure("one record", loop, lambda: get("/records/ledger:00000017"), 50)
    await measure("a page of 100 records", loop, lambda: get("/records", limit=100), 20)
    await measure("a page of 1,000 records", loop, lambda: get("/records", limit=1000), 5)
    await measure("all records, 1,000 a page", loop, lambda: everything("/records", limit=1000))
    await measure("search that finds one record, all pages", loop, lambda: everything("/records", q="REF-00099999"))
    middle = options.edits // 2
    await measure("state as it stood half way, first page of 100", loop, lambda: get("/state", at=middle, limit=100), 3)
    await measure("the same, 1,000 records", loop, lambda: get("/state", at=middle, limit=1000), 3)
    await measure(
        "history, 100 of one person from the middle", loop, lambda: get("/history", user_id="ada", since=middle)
    )
    await measure("history of one field, first page", loop, lambda: get("/history", field_name="none"))
    await measure("analytics, the first time", loop, lambda: get("/analytics"))
    await measure("analytics, again", loop, lambda: get("/analytics"), 5)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    asyncio.run(main())
