"""Server processes behind a real nginx, and a team of stock clients that works through it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.redis_server import free_port
from tests.server.clients import JS
from tests.server.conftest import SECRET, token_of

ROOT = Path(__file__).parents[2]
NGINX_CONF = ROOT / "deploy" / "nginx.conf"


class ServerProcess:
    """``realtime-server serve``; it can be ended and started again on its port."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._arguments = arguments
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._environment = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "WS_HOST": "127.0.0.1",
            "WS_PORT": str(self.port),
            "AUTH_JWT_SECRET": SECRET.decode(),
            "WS_TRUSTED_PROXIES": "127.0.0.0/8",
            "LOG_LEVEL": "warning",
            **environment,
        }
        self.process: asyncio.subprocess.Process | None = None
        #: Where its log goes; None: to where ours goes.
        self.output: Path | None = None

    async def start(self) -> None:
        with ExitStack() as stack:
            log = None if self.output is None else stack.enter_context(self.output.open("ab"))
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "realtime_server", "serve", *self._arguments, env=self._environment,
                stdout=asyncio.subprocess.DEVNULL, stderr=log,
            )  # fmt: skip
        await answers(self.url + "/readyz")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 30)


async def answers(url: str, status: int = 200) -> None:
    """Return when the address answers so."""
    async with asyncio.timeout(60), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(url) as answer:
                    if answer.status == status:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.02)


@asynccontextmanager
async def nginx(servers: Sequence[ServerProcess], directory: Path) -> AsyncIterator[str]:
    """The nginx of ``deploy/nginx.conf`` before these servers; its URL."""
    port = free_port()
    text = NGINX_CONF.read_text()
    for number, server in enumerate(servers, 1):
        text = text.replace(f"realtime-{number}:8080", f"127.0.0.1:{server.port}")
    text = re.sub(r"\n *server realtime-\d.*", "", text)
    text = text.replace("listen 8000;", f"listen 127.0.0.1:{port};").replace("/tmp/nginx", str(directory / "nginx"))
    text = text.replace("worker_processes auto;", "worker_processes 1;\ndaemon off;")
    conf = directory / "nginx.conf"
    conf.write_text(text)
    binary = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    assert binary is not None
    process = await asyncio.create_subprocess_exec(binary, "-e", "/dev/stderr", "-c", str(conf), "-p", str(directory))
    try:
        await answers(f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


class Team:
    """See ``tests/js/team.mjs``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def result(self) -> list[dict[str, Any]]:
        """End the work: what each client saw."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        output, _ = await asyncio.wait_for(self._process.communicate(), 60)
        assert self._process.returncode == 0
        return [json.loads(line) for line in output.splitlines()]


@asynccontextmanager
async def team(url: str, count: int, *, session: str = "s1", records: str = "r", **options: Any) -> AsyncIterator[Team]:
    """So many stock clients at work in a session."""
    tokens = [token_of(f"p{number}") for number in range(count)]
    work = {"url": url, "session": session, "options": options, "tokens": tokens, "records": records}
    process = await asyncio.create_subprocess_exec(
        "node", str(JS / "team.mjs"), json.dumps(work),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**26,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"ready\n"
        yield Team(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
