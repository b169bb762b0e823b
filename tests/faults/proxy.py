"""A network that can be made bad: a TCP proxy with delay, connections that break, and ones that fall silent."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Passes on to ``host:port``. Change its members while it runs.

    ``delay``: seconds that bytes take each way, at least and at most. ``silent``: bytes vanish and connections stay,
    new ones too: each end believes that the other is there.
    """

    def __init__(self, target: int, seed: int) -> None:
        self.port = 0
        self.delay = (0.0, 0.0)
        self.silent = False
        self._target = target
        self._random = random.Random(seed)
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def break_connections(self, part: float) -> int:
        """Reset so large a part of them; how many."""
        broken = [pair for pair in self._pairs if self._random.random() < part]
        for pair in broken:
            for writer in pair:
                writer.transport.abort()
        return len(broken)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            away_reader, away = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        finally:
            self._tasks.discard(task)
        pair = (writer, away)
        self._pairs.add(pair)
        pumps = [asyncio.create_task(self._pump(reader, away)), asyncio.create_task(self._pump(away_reader, writer))]
        self._tasks.update(pumps)
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._tasks.difference_update(pumps)
            self._pairs.discard(pair)
            if not self.silent:
                for end in pair:
                    end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What was read is written after the delay, in order, while more is read."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1_000)

        async def write() -> None:
            due = 0.0
            while True:
                ready_at, data = await waiting.get()
                due = max(due, ready_at)
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
                if not data:
                    return
                writer.write(data)
                await writer.drain()

        async def read() -> None:
            data = b"-"
            while data:
                data = await reader.read(65_536)
                if not self.silent:
                    await waiting.put((loop.time() + self._random.uniform(*self.delay), data))

        with suppress(OSError):
            await asyncio.gather(read(), write())

    def end(self) -> None:
        self.silent = False
        self.break_connections(1.0)
        for task in self._tasks:
            task.cancel()


@asynccontextmanager
async def proxy_to(port: int, seed: int = 0) -> AsyncIterator[Proxy]:
    proxy = Proxy(port, seed)
    server = await asyncio.start_server(proxy.connected, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.end()
