"""A real browser without a window, driven over the DevTools protocol: as much as a page's test needs."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """One page. ``complaints``: what the browser said was wrong with it: exceptions, refused content, failed loads."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.complaints: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            data = message.json()
            if "id" in data:
                self._waiting.pop(data["id"]).set_result(data)
            elif data["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(data["params"]["exceptionDetails"]))
            elif data["method"] == "Log.entryAdded" and data["params"]["entry"]["level"] == "error":
                self.complaints.append(data["params"]["entry"]["text"])

    async def send(self, method: str, **params: Any) -> Any:
        number = next(self._ids)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        return await self._waiting[number]

    async def run(self, script: str) -> Any:
        """The value of an expression; a promise is awaited."""
        answer = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer["result"], answer
        return answer["result"]["result"].get("value")

    async def until(self, script: str, *, within: float = 20.0) -> Any:
        """The value of an expression as soon as it is true of the page."""
        async with asyncio.timeout(within):
            while not (value := await self.run(script)):  # noqa: ASYNC110 - a page announces nothing
                await asyncio.sleep(0.02)
        return value

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._socket.close()


@asynccontextmanager
async def open_page(url: str, profile: Path) -> AsyncIterator[Page]:
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "about:blank",
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(await _page_socket(process, http), max_msg_size=0) as ws,
        ):
            page = Page(ws)
            await asyncio.gather(*(page.send(f"{domain}.enable") for domain in ("Page", "Runtime", "Log")))
            await page.send("Page.navigate", url=url)
            try:
                yield page
            finally:
                await page.close()
    finally:
        process.terminate()
        await process.communicate()


async def _page_socket(process: asyncio.subprocess.Process, http: aiohttp.ClientSession) -> str:
    assert process.stderr is not None
    async with asyncio.timeout(30):
        while True:
            line = (await process.stderr.readline()).decode()
            assert line, "the browser ended"
            if "DevTools listening on ws://" in line:
                address = line.split("ws://")[1].split("/")[0]
                break
        async with http.get(f"http://{address}/json/list") as response:
            targets = await response.json()
    return str(next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page"))
