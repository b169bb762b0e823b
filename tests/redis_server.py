"""A real redis-server for tests, with the faults that a test can cause."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from realtime_server.storage.embedded_redis import find_redis

PASSWORD = "a password of the tests"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class RedisServer:
    """A redis-server on a port of its own; it comes back on the same one."""

    def __init__(
        self,
        directory: Path,
        *options: str,
        environment: Mapping[str, str] | None = None,
        binary: Path | None = None,
    ) -> None:
        self._directory, self._options = directory, options
        self._binary = binary or find_redis()
        self._environment = {**os.environ, **(environment or {})}
        self._port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return self.url_at(self._port)

    def url_at(self, port: int) -> str:
        """The same server, reached at another port."""
        return f"redis://:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{port}/0"

    async def start(self) -> None:
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--requirepass", PASSWORD, "--save", "",
                   "--appendonly", "no", "--dir", str(self._directory), *self._options]  # fmt: skip
        self._process = await asyncio.create_subprocess_exec(
            str(self._binary), *options, stdout=asyncio.subprocess.DEVNULL, env=self._environment
        )
        async with asyncio.timeout(10):
            while True:
                try:
                    await self.command("PING")
                    return
                except RedisError:
                    await asyncio.sleep(0.01)

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def command(self, *arguments: object) -> object:
        client = Redis.from_url(self.url)
        try:
            return await client.execute_command(*arguments)
        finally:
            await client.aclose()

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGCONT)
            await self.kill()


@asynccontextmanager
async def running_redis(*options: str) -> AsyncIterator[RedisServer]:
    directory = Path(tempfile.mkdtemp(prefix="redis-"))
    server = RedisServer(directory, *options)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
        shutil.rmtree(directory, ignore_errors=True)
