"""One mongod as our child: started, awaited, kept running, its log bounded, ended cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from realtime_server.ending import end_tasks
from realtime_server.errors import ConfigurationError
from realtime_server.storage.mongod_host import SOCKET_PATH_LIMIT, private_socket_directory

log = logging.getLogger(__name__)

LOG_LIMIT = 8 * 1024 * 1024
_LOG_CHECK_INTERVAL = 60.0
_MAX_RESTARTS = 5
_HEALTHY_AFTER = 600.0
_EVICTION_THREADS = 4
"""What mongod by itself begins with, on any machine."""
_SMALL_PAGES = "memory_page_max=1m"
"""What has gathered in a page is written to disk in one go, 10 MB by default: where edits are appended, a tenth of a
second of processor time every few seconds, on cores that the server has too (docs/performance.md)."""

# Runs as the child, asks for SIGTERM at its parent's death, then becomes mongod. Not `preexec_fn`: that runs Python
# between fork and exec in a process with threads, which may deadlock. The check closes the gap before prctl took hold.
LAUNCHER = """\
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(0)
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True, slots=True)
class MongoAddress:
    """Where an embedded mongod answers. `url` is what any MongoDB driver takes; `log_path` is where it says why not."""

    url: str
    socket_path: Path
    log_path: Path


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are under a resolved ``DATA_DIR``; see `embedded`."""

    data_dir: Path

    @property
    def dbpath(self) -> Path:
        return self.data_dir / "mongodb"

    @property
    def server_lock(self) -> Path:
        return self.data_dir / "server.lock"

    @property
    def log_path(self) -> Path:
        return self.data_dir / "mongodb.log"

    @property
    def socket_path(self) -> Path:
        path = self.data_dir / "mongodb.sock"
        # mongod's --bind_ip takes a list with commas, and the kernel takes a short path only.
        if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT and "," not in str(path):
            return path
        return private_socket_directory(self.dbpath) / "mongodb.sock"

    def address(self) -> MongoAddress:
        path = self.socket_path
        return MongoAddress(f"mongodb://{quote(str(path), safe='')}/", path, self.log_path)


def eviction_threads() -> int:
    """Threads that write changed pages to disk: on half of the machine's cores, so that the server keeps the others."""
    return min(max((os.cpu_count() or 1) // 2, 1), _EVICTION_THREADS)


class MongodProcess:
    """One child process, started again where it ends by itself."""

    def __init__(
        self, binary: Path, layout: Layout, cache_gb: float, start_timeout: float, stop_timeout: float
    ) -> None:
        self._binary = binary
        self._layout = layout
        self._cache_gb = cache_gb
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns once mongod has answered a ping; raises `ConfigurationError` with mongod's own reason."""
        began = time.monotonic()
        _set_log_aside(self._layout.log_path)
        said_before = _log_size(self._layout.log_path)
        process = self._process = await self._spawn()
        connected = asyncio.ensure_future(connectable(self._layout.socket_path))
        ended = asyncio.ensure_future(process.wait())
        try:
            await asyncio.wait({connected, ended}, timeout=self._start_timeout, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                reason = _exit_reason(self._layout.log_path, said_before)
                raise ConfigurationError(f"mongod did not start (exit code {ended.result()}): {reason}")
            if not connected.done():
                raise ConfigurationError(
                    f"mongod did not answer within {self._start_timeout:g} s; see {self._layout.log_path}"
                )
        finally:
            await end_tasks(connected, ended)
        await ping(self._layout.address(), self._start_timeout)
        log.info("mongod (pid %d) answers after %.2f s", process.pid, time.monotonic() - began)

    async def keep_running(self) -> None:
        """Start mongod again where it ends by itself (out of memory, say), and keep its log bounded. Ends by cancel."""
        restarts = 0
        while self._process is not None:
            began = time.monotonic()
            code = await self._until_end(self._process)
            restarts = 0 if time.monotonic() - began > _HEALTHY_AFTER else restarts + 1
            if restarts > _MAX_RESTARTS:
                log.critical("mongod ended again (exit code %s); no further try, see %s", code, self._layout.log_path)
                return
            log.error("mongod ended by itself (exit code %s); starting it again", code)
            await asyncio.sleep(0.1 * 2**restarts)
            try:
                await self.start()
            except ConfigurationError as error:
                log.error("%s", error)
                await self.stop()

    async def _until_end(self, process: asyncio.subprocess.Process) -> int:
        while True:
            try:
                return await asyncio.wait_for(process.wait(), _LOG_CHECK_INTERVAL)
            except TimeoutError:
                if _set_log_aside(self._layout.log_path):
                    process.send_signal(signal.SIGUSR1)  # with --logRotate reopen: go on in a new file of the old name

    async def stop(self) -> None:
        """Shut down cleanly; kill after `stop_timeout`. Harmless where mongod has ended already."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._stop_timeout)
        except TimeoutError:
            log.warning("mongod (pid %d) did not end within %g s; killing it", process.pid, self._stop_timeout)
            process.kill()
            await process.wait()

    async def _spawn(self) -> asyncio.subprocess.Process:
        layout = self._layout
        options = {
            "--dbpath": str(layout.dbpath),
            "--bind_ip": str(layout.socket_path),
            "--logpath": str(layout.log_path),
            "--logRotate": "reopen",
            "--wiredTigerCacheSizeGB": f"{self._cache_gb:g}",
            "--wiredTigerEngineConfigString": f"eviction=(threads_min=1,threads_max={eviction_threads()})",
            "--wiredTigerCollectionConfigString": _SMALL_PAGES,
            "--wiredTigerIndexConfigString": _SMALL_PAGES,
            # Up to 200 MB of diagnostics that only MongoDB's own support reads.
            "--setParameter": "diagnosticDataCollectionEnabled=false",
        }
        # --nounixsocket is about /tmp/mongodb-27017.sock, which may be another mongod's; ours is in --bind_ip.
        # The journal is always on in the versions we support, and newer ones refuse the option that says so.
        arguments = [part for pair in options.items() for part in pair] + ["--nounixsocket", "--logappend", "--quiet"]
        with _open_log(layout.log_path) as output:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", "-c", LAUNCHER, str(os.getpid()), str(self._binary), *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, "LC_ALL": "C"},  # mongod does not start under a locale the machine lacks
            )  # fmt: skip


async def connectable(path: Path) -> None:
    while True:
        try:
            _, writer = await asyncio.open_unix_connection(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            await asyncio.sleep(0.02)
            continue
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return


async def ping(address: MongoAddress, timeout: float) -> None:
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
        address.url, serverSelectionTimeoutMS=int(timeout * 1000)
    )
    try:
        await client.admin.command("ping")
    except PyMongoError as error:
        raise ConfigurationError(f"mongod at {address.socket_path} does not answer: {error}") from None
    finally:
        await client.close()


@contextmanager
def _open_log(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _set_log_aside(path: Path) -> bool:
    """Rename a log that has grown past its bound to ``.1``, over the one before; whether that was needed."""
    try:
        if path.stat().st_size < LOG_LIMIT:
            return False
        path.replace(path.with_name(path.name + ".1"))
    except FileNotFoundError:
        return False
    return True


def _log_size(log_path: Path) -> int:
    """Bytes; 0 where there is none yet."""
    try:
        return log_path.stat().st_size
    except FileNotFoundError:
        return 0


def _exit_reason(log_path: Path, since: int) -> str:
    """mongod's own last words after byte `since` of its log, in one line.

    The latest error or fatal entry, else the last line that is no log entry (the loader's, when a library is missing).
    """
    try:
        with log_path.open("rb") as file:
            file.seek(max(since, file.seek(0, os.SEEK_END) - 65536))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError as error:
        return f"no log at {log_path}: {error.strerror}"
    for line in reversed(lines):
        try:
            entry = json.loads(line)
        except ValueError:
            if line.strip():
                return line.strip()[:300]
            continue
        if isinstance(entry, dict) and entry.get("s") in ("E", "F"):
            attributes = entry.get("attr") or {}
            detail = attributes.get("error") or attributes.get("msg") or ""
            return f"{entry.get('msg')} {detail}".strip()[:300] + f"; see {log_path}"
    return f"see {log_path}"
