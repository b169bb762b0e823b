"""The process that matches ends with its server, however that ends."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

SERVER = """
import asyncio
from realtime_server.reconciliation import worker
from realtime_server.reconciliation.pool import MatchingPool

async def serve():
    pool = MatchingPool()
    await pool.call(worker.begin, "a job")
    print("matching", flush=True)
    await asyncio.Event().wait()

asyncio.run(serve())
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
async def test_the_worker_of_a_server_that_is_killed_ends_too(ending: signal.Signals) -> None:
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVER, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    async with asyncio.timeout(30):
        assert await server.stdout.readline() == b"matching\n"
        server.send_signal(ending)
        await server.wait()
        # The worker has the same standard output: it comes to an end when both have.
        assert await server.stdout.read() == b""
