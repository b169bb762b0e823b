"""How fast sessions append at the same time: ``python -m tests.storage.benchmark_appends``; takes some seconds.

Prints commits per second, this process's processor time per commit, and how long an append takes, on an embedded mongod
on the same machine.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import uvloop

from realtime_server.core.commits import Commit
from realtime_server.storage.embedded import embedded_mongod
from realtime_server.storage.mongo import MongoStore, open_store
from tests.storage.logs import edits

#: (sessions, commits of one append, appends of each session)
SHAPES = ((1, 1, 300), (1, 50, 100), (5, 2, 200), (20, 1, 200), (20, 5, 100), (100, 1, 50))


async def measure(store: MongoStore, sessions: int, size: int, rounds: int) -> None:
    logs = [edits(size * rounds, session_id=f"{sessions}-{size}-{number}") for number in range(sessions)]
    took: list[float] = []

    async def session(log: list[Commit]) -> None:
        for first in range(0, len(log), size):
            began = time.perf_counter()
            await store.log.append(log[first : first + size])
            took.append(time.perf_counter() - began)

    began, processor = time.perf_counter(), time.process_time()
    await asyncio.gather(*(session(log) for log in logs))
    elapsed, processor = time.perf_counter() - began, time.process_time() - processor
    count = sessions * size * rounds
    took.sort()
    print(
        f"{sessions:4} sessions x {size:2}: {count / elapsed:7,.0f} commits/s, {processor / count * 1e6:4.0f} us each, "
        f"p50 {took[len(took) // 2] * 1e3:5.1f} ms, p99 {took[len(took) * 99 // 100] * 1e3:5.1f} ms"
    )


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with embedded_mongod(Path(directory)) as address, open_store(address.url, "benchmark") as store:
            for shape in SHAPES:
                await measure(store, *shape)


if __name__ == "__main__":
    uvloop.run(main())
