"""A mongod of our own, for a machine that has no MongoDB: it starts and ends with the process that asked for it.

Layout under ``DATA_DIR``::

    server.lock      held (flock) by the one process that owns this directory; the kernel lets go when it dies
    mongodb/         mongod's dbpath; ``mongod.lock`` in it holds the pid of the mongod that uses it
    mongodb.sock     where mongod listens: a Unix socket of mode 0700, no TCP port at all
    mongodb.log      what mongod says; ``mongodb.log.1`` is the part before. Each is at most about 8 MiB

Why a socket and not a port on 127.0.0.1: this mongod has no users, and a port is open to everybody on the machine; a
socket has an owner and a mode, cannot be taken by another program between choosing and binding, and has an address that
follows from ``DATA_DIR``, so a second process (an import, say) finds a running mongod without a state file.

Life and death. mongod runs in its own session, so that Ctrl-C in a terminal reaches the server alone and mongod is
ended after the server's last write. When the server dies without a word (``kill -9``), Linux sends mongod SIGTERM
(``PR_SET_PDEATHSIG``), on which it shuts down cleanly. Where that did not happen or is not over yet, the next start
finds the leftover by its pid and command line and ends it before it starts its own: each mongod we use is our own
child. Acknowledged writes are in the journal all the while, so nothing is lost either way.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from realtime_server.errors import ConfigurationError
from realtime_server.storage.mongod_process import (
    SOCKET_PATH_LIMIT,
    exit_reason,
    find_mongod,
    is_mongod_on,
    log_size,
    private_socket_directory,
)

log = logging.getLogger(__name__)

CACHE_GB = 0.25
"""WiredTiger's cache: the least mongod accepts, and plenty for one team's sessions beside the server's own memory."""
START_TIMEOUT = 120.0
"""Seconds until mongod must answer; recovery of a long journal after a crash is part of it."""
STOP_TIMEOUT = 30.0
"""Seconds a clean shutdown may take before the process is killed; the journal makes that safe."""
LOG_LIMIT = 8 * 1024 * 1024
_LOG_CHECK_INTERVAL = 60.0
_MAX_RESTARTS = 5
_HEALTHY_AFTER = 600.0

# Runs as the child, asks for SIGTERM at its parent's death, then becomes mongod. Not `preexec_fn`: that runs Python
# between fork and exec in a process with threads, which may deadlock. The check closes the gap before prctl took hold.
_LAUNCHER = """\
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


class DataDirectoryInUse(ConfigurationError):
    """Another process owns this ``DATA_DIR``; the message names its pid and what to do."""


@dataclass(frozen=True, slots=True)
class _Layout:
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


def running_mongod(data_dir: Path) -> int | None:
    """The pid of the mongod that runs on ``data_dir`` now, ours or a crash's leftover; None where there is none.

    A pid in ``mongod.lock`` alone proves nothing, pids are used again: the process must have this dbpath on its command
    line.
    """
    dbpath = _layout(data_dir).dbpath
    try:
        pid = int((dbpath / "mongod.lock").read_text().strip() or 0)
    except (FileNotFoundError, ValueError):
        return None
    return pid if pid > 0 and is_mongod_on(pid, dbpath) else None


@asynccontextmanager
async def embedded_mongod(
    data_dir: Path,
    *,
    cache_gb: float = CACHE_GB,
    start_timeout: float = START_TIMEOUT,
    stop_timeout: float = STOP_TIMEOUT,
) -> AsyncIterator[MongoAddress]:
    """Own ``data_dir`` and run a mongod on it while the context lasts; it answers when the context is entered.

    A mongod that ends by itself meanwhile is started again on the same address, a bounded number of times. Leaving the
    context shuts it down cleanly. Enter it in a thread that lives as long as the context (the main thread): Linux ends
    mongod with the thread that started it. Times are in seconds.

    Raises `DataDirectoryInUse` where another process owns ``data_dir``, `ConfigurationError` where no mongod is found,
    the directory cannot be used, or mongod does not come up.
    """
    binary = find_mongod()
    layout = _prepare(data_dir)
    with _owned(layout):
        await _clear_leftover(data_dir, stop_timeout)
        mongod = _Mongod(binary, layout, cache_gb, start_timeout, stop_timeout)
        try:
            await mongod.start()
            keeper = asyncio.create_task(mongod.keep_running(), name="embedded-mongod")
            try:
                yield layout.address()
            finally:
                keeper.cancel()
                await asyncio.gather(keeper, return_exceptions=True)
        finally:
            await mongod.stop()


@asynccontextmanager
async def shared_mongod(data_dir: Path, *, start_timeout: float = START_TIMEOUT) -> AsyncIterator[MongoAddress]:
    """For commands beside a server: use the mongod of the process that owns ``data_dir``, or run one meanwhile.

    Raises as `embedded_mongod`, except that an owner is welcome; one whose mongod does not answer within
    `start_timeout` seconds is a `ConfigurationError`.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            address = await stack.enter_async_context(embedded_mongod(data_dir, start_timeout=start_timeout))
        except DataDirectoryInUse:
            address = _layout(data_dir).address()
            try:
                await asyncio.wait_for(_connectable(address.socket_path), start_timeout)
                await _ping(address, start_timeout)
            except TimeoutError:
                message = f"the server that uses {data_dir} has no mongod that answers; see {address.log_path}"
                raise ConfigurationError(message) from None
        yield address


class _Mongod:
    """One child process, started again where it ends by itself."""

    def __init__(
        self, binary: Path, layout: _Layout, cache_gb: float, start_timeout: float, stop_timeout: float
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
        said_before = log_size(self._layout.log_path)
        process = self._process = await self._spawn()
        connected = asyncio.ensure_future(_connectable(self._layout.socket_path))
        ended = asyncio.ensure_future(process.wait())
        try:
            await asyncio.wait({connected, ended}, timeout=self._start_timeout, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                reason = exit_reason(self._layout.log_path, said_before)
                raise ConfigurationError(f"mongod did not start (exit code {ended.result()}): {reason}")
            if not connected.done():
                raise ConfigurationError(
                    f"mongod did not answer within {self._start_timeout:g} s; see {self._layout.log_path}"
                )
        finally:
            connected.cancel()
            ended.cancel()
            await asyncio.gather(connected, ended, return_exceptions=True)
        await _ping(self._layout.address(), self._start_timeout)
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
            # Up to 200 MB of diagnostics that only MongoDB's own support reads.
            "--setParameter": "diagnosticDataCollectionEnabled=false",
        }
        # --nounixsocket is about /tmp/mongodb-27017.sock, which may be another mongod's; ours is in --bind_ip.
        # The journal is always on in the versions we support, and newer ones refuse the option that says so.
        arguments = [part for pair in options.items() for part in pair] + ["--nounixsocket", "--logappend", "--quiet"]
        with _open_log(layout.log_path) as output:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), str(self._binary), *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, "LC_ALL": "C"},  # mongod does not start under a locale the machine lacks
            )  # fmt: skip


def _layout(data_dir: Path) -> _Layout:
    return _Layout(data_dir.resolve())


def _prepare(data_dir: Path) -> _Layout:
    layout = _layout(data_dir)
    try:
        layout.dbpath.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"DATA_DIR {data_dir} cannot be used: {error.strerror}") from None
    return layout


@contextmanager
def _owned(layout: _Layout) -> Iterator[None]:
    try:
        descriptor = os.open(layout.server_lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(f"DATA_DIR {layout.data_dir} cannot be used: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise ConfigurationError(f"DATA_DIR {layout.data_dir} cannot be locked: {error.strerror}") from None
            owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise DataDirectoryInUse(
                f"another realtime-server (pid {owner}) uses {layout.data_dir}: stop it, or set another DATA_DIR"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


async def _clear_leftover(data_dir: Path, stop_timeout: float) -> None:
    pid = running_mongod(data_dir)
    if pid is None:
        return
    log.warning("a mongod of an earlier run (pid %d) is still on %s; ending it", pid, data_dir)
    for number, patience in ((signal.SIGTERM, stop_timeout), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + patience
        # Not our child, so there is nothing to wait on: look until it is gone.
        while time.monotonic() < deadline:
            if running_mongod(data_dir) != pid:
                return
            await asyncio.sleep(0.02)
    raise ConfigurationError(f"a mongod of an earlier run (pid {pid}) on {data_dir} cannot be ended")


async def _connectable(path: Path) -> None:
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


async def _ping(address: MongoAddress, timeout: float) -> None:
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
