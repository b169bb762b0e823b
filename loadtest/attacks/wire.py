"""A raw Socket.IO connection over aiohttp: enough to do things right, and to do them wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import aiohttp
import orjson

SOCKET: Final = "/socket.io/?EIO=4&transport=websocket"
_CONNECT: Final = "40/collaboration,"
_ACK: Final = "43/collaboration,"
_EVENT: Final = "42/collaboration,"


class Refused(Exception):
    """The server did not let the connection in, or ended it."""


class Connection:
    """``heard`` is called with every broadcast: its event and envelope. Without `listen` nothing is read."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.answers: dict[str, int] = {}
        self._number = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, http: aiohttp.ClientSession, url: str, token: str) -> Connection:
        """A connection that was let in. `Refused` otherwise."""
        try:
            socket = await http.ws_connect(url + SOCKET, max_msg_size=0, autoping=True)
            await socket.receive()
            await socket.send_str(_CONNECT + orjson.dumps({"token": token}).decode())
            answer = await socket.receive()
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Refused(str(error)) from None
        if not isinstance(answer.data, str) or not answer.data.startswith(_CONNECT):
            await socket.close()
            raise Refused(str(answer.data))
        return cls(socket)

    def listen(self, heard: Callable[[str, Any], None] | None = None) -> None:
        """From now on read what comes."""
        self._reading = asyncio.create_task(self._read(heard))

    async def _read(self, heard: Callable[[str, Any], None] | None) -> None:
        async for message in self.socket:
            text = message.data
            if not isinstance(text, str):
                continue
            if text == "2":
                await self.socket.send_str("3")
            elif text.startswith(_ACK):
                number, _, body = text[len(_ACK) :].partition("[")
                answer = orjson.loads("[" + body)[0]
                code = "ok" if answer["ok"] else answer["error"]["code"]
                self.answers[code] = self.answers.get(code, 0) + 1
                future = self._waiting.pop(int(number), None)
                if future is not None and not future.done():
                    future.set_result(answer)
            elif heard is not None and text.startswith(_EVENT):
                event, payload = orjson.loads(text[len(_EVENT) :])
                heard(event, payload)
        ended = ConnectionError(f"the server closed the connection: {self.socket.close_code}")
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ended)

    async def send(self, event: str, **request: Any) -> asyncio.Future[dict[str, Any]]:
        """Emit; the future is the acknowledgement, for whoever listens."""
        self._number += 1
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = future
        body = orjson.dumps([event, request]).decode()
        await self.socket.send_str(f"{_EVENT}{self._number}{body}")
        return future

    async def ask(self, event: str, **request: Any) -> dict[str, Any]:
        """Emit, and wait for the acknowledgement."""
        async with asyncio.timeout(10):
            return await (await self.send(event, **request))

    async def close(self) -> None:
        """Go, whatever the server does."""
        with suppress(Exception):
            async with asyncio.timeout(1):
                await self.socket.close()
        if self._reading is not None:
            self._reading.cancel()
