"""The whole server, and a way to it that can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.rest.conftest import Server, ada, pat, rae, server, settings

__all__ = ["ada", "pat", "rae", "server", "settings"]


class Cable:
    """Passes bytes on to a port of this machine until it is cut; whoever connects while it is cut is hung up on."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self.whole = True
        self.port = 0

    async def open(self) -> asyncio.Server:
        listener = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        return listener

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        self.whole = False
        for writer in self._writers:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.whole:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, there_writer}
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
        self._writers -= {writer, there_writer}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def cable(server: Server) -> AsyncIterator[Cable]:
    cable = Cable(server.port)
    async with await cable.open():
        yield cable
        cable.cut()
