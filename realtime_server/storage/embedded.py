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
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from realtime_server.ending import end_tasks
from realtime_server.errors import ConfigurationError
from realtime_server.storage.mongod_host import find_mongod, is_mongod_on
from realtime_server.storage.mongod_process import Layout, MongoAddress, MongodProcess, connectable, ping

log = logging.getLogger(__name__)

CACHE_GB = (0.25, 2.0)
"""WiredTiger's cache, the least that mongod accepts and the most that is taken here; between them a sixteenth of the
machine's memory, where mongod by itself would take half. It is filled only as far as it is used, and writes are put in
order from a twentieth of it on: with a quarter of a GB that took mongod a tenth of a core at 3,000 edits a second."""
START_TIMEOUT = 120.0
"""Seconds until mongod must answer; recovery of a long journal after a crash is part of it."""
STOP_TIMEOUT = 30.0
"""Seconds a clean shutdown may take before the process is killed; the journal makes that safe."""


class DataDirectoryInUse(ConfigurationError):
    """Another process owns this ``DATA_DIR``; the message names its pid and what to do."""


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


def default_cache_gb() -> float:
    """WiredTiger's cache on this machine, in GB (`CACHE_GB`)."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    least, most = CACHE_GB
    return round(min(max(memory / 16, least), most), 2)


@asynccontextmanager
async def embedded_mongod(
    data_dir: Path,
    *,
    cache_gb: float | None = None,
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
        mongod = MongodProcess(binary, layout, cache_gb or default_cache_gb(), start_timeout, stop_timeout)
        try:
            await mongod.start()
            keeper = asyncio.create_task(mongod.keep_running(), name="embedded-mongod")
            try:
                yield layout.address()
            finally:
                await end_tasks(keeper)
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
                await asyncio.wait_for(connectable(address.socket_path), start_timeout)
                await ping(address, start_timeout)
            except TimeoutError:
                message = f"the server that uses {data_dir} has no mongod that answers; see {address.log_path}"
                raise ConfigurationError(message) from None
        yield address


def _layout(data_dir: Path) -> Layout:
    return Layout(data_dir.resolve())


def _prepare(data_dir: Path) -> Layout:
    layout = _layout(data_dir)
    try:
        layout.dbpath.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"DATA_DIR {data_dir} cannot be used: {error.strerror}") from None
    return layout


@contextmanager
def _owned(layout: Layout) -> Iterator[None]:
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
