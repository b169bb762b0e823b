"""Several processes on one host behind one port: ``serve --workers N``.

One process accepts connections, looks at the first line of the request without taking it, and hands the connection over
to a worker (its file descriptor, over a Unix socket); from then on it has nothing to do with it. So long-polling works,
whose every request must come to the process that knows the client: the first two characters of an Engine.IO ``sid`` say
which worker made it. Connections are used for one request each, or for one WebSocket, because the next request on the
same connection may be for another worker. A client that says which session it is for (``?session=…``) goes where that
session's other people go.

A worker is a whole server of its own. MongoDB and Redis are run here once, where the settings name none.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import sys
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from aiohttp import web

from realtime_server.app import DRAINING, create_app
from realtime_server.ending import end_tasks
from realtime_server.errors import ConfigurationError
from realtime_server.settings import Settings
from realtime_server.storage.embedded import embedded_mongod
from realtime_server.storage.embedded_redis import embedded_redis

log = logging.getLogger(__name__)

#: Characters of the first line that are looked at; a longer one goes to any worker, which refuses it.
_PEEK: Final = 8192
#: Seconds in which a new connection must say what it wants; between two looks at a line that is not complete yet.
_PATIENCE: Final = 10.0
_AGAIN: Final = 0.02
#: Connections that have not said anything yet; further ones are closed.
_UNDECIDED: Final = 4096
_START_TIMEOUT: Final = 60.0
#: Seconds before a worker that ended is started again: twice as long after each start that failed, up to the longest.
_RESTART_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0

_SID: Final = re.compile(rb"[?&]sid=w([0-9a-z])")
_SESSION: Final = re.compile(rb"[?&]session=([^& ]+)")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
MAX_WORKERS: Final = len(_DIGITS)


# -- the worker's side -----------------------------------------------------------------------------------------------


def create_worker(number: int) -> Callable[[Settings], web.Application]:
    """`create_app` for a worker: its number is in every ``sid``, and a connection carries one request."""

    def create(settings: Settings) -> web.Application:
        app = create_app(settings)
        app.on_response_prepare.append(_one_request)
        eio = app[DRAINING].sockets.eio
        make = eio.generate_id
        eio.generate_id = lambda: f"w{_DIGITS[number]}{make()}"
        return app

    return create


async def _one_request(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Connection"] = "close"
    response.force_close()


class HandedOver:
    """The connections that a worker is given, over the control socket ``descriptor``."""

    def __init__(self, descriptor: int, ended: Callable[[], None]) -> None:
        self._control = socket.socket(fileno=descriptor)
        self._control.setblocking(False)
        self._ended = ended
        self._tasks: set[asyncio.Task[object]] = set()

    def start(self, server: web.Server) -> None:
        """Serve them, and say that one is ready."""
        self._server = server
        asyncio.get_running_loop().add_reader(self._control.fileno(), self._receive)
        self._control.send(b"r")

    def _receive(self) -> None:
        while True:
            try:
                message, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
            except BlockingIOError:
                return
            except OSError:
                message, descriptors = b"", []
            if not message:  # the process that accepts connections is gone
                self.close()
                self._ended()
                return
            for descriptor in descriptors:
                self._serve(socket.socket(fileno=descriptor))

    def _serve(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        task: asyncio.Task[object] = loop.create_task(loop.connect_accepted_socket(self._server, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        if self._control.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._control.close()


# -- the side that accepts -------------------------------------------------------------------------------------------


class Worker:
    """A worker process. It is started again where it ends by itself."""

    def __init__(self, number: int, environment: dict[str, str]) -> None:
        self._number = number
        self._environment = environment
        self._control: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    async def start(self) -> None:
        """Returns when it is ready. ConfigurationError where it does not come up; it has said why itself."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "realtime_server", "serve",
                    "--worker", str(self._number), "--control", str(theirs.fileno()),
                    env=self._environment, pass_fds=[theirs.fileno()],
                )  # fmt: skip
            if not await _says_that_it_is_ready(ours):
                await self._end(signal.SIGKILL)
                raise ConfigurationError(f"worker {self._number} did not start")
        except BaseException:
            ours.close()
            raise
        self._control = ours

    async def keep_running(self) -> None:
        while True:
            assert self._process is not None
            code = await self._process.wait()
            if self._stopping:
                return
            log.error("worker %d ended by itself (exit code %s); starting it again", self._number, code)
            self._disconnect()
            await self._start_again()

    async def _start_again(self) -> None:
        """However often that takes: a database may be away for a while, and memory short."""
        pause = _RESTART_PAUSE
        await asyncio.sleep(pause)
        while not self._stopping:
            try:
                await self.start()
            except (ConfigurationError, OSError) as error:
                pause = min(2 * pause, _LONGEST_PAUSE)
                log.error("worker %d is not back: %s; again in %.1f s", self._number, error, pause)
                await asyncio.sleep(pause)
            else:
                return

    def _disconnect(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None

    def take(self, connection: socket.socket) -> bool:
        """Hand a connection over; False where the worker cannot take it now."""
        if self._control is None:
            return False
        try:
            socket.send_fds(self._control, [b"c"], [connection.fileno()])
        except OSError:
            return False
        return True

    async def stop(self, number: signal.Signals) -> None:
        self._stopping = True
        await self._end(number)
        self._disconnect()

    async def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            await self._process.wait()


async def _says_that_it_is_ready(control: socket.socket) -> bool:
    try:
        return bool(await asyncio.wait_for(asyncio.get_running_loop().sock_recv(control, 1), _START_TIMEOUT))
    except (OSError, TimeoutError):
        return False


class Acceptor:
    """Accepts connections on a listening socket and gives each to the worker it belongs to."""

    def __init__(self, listener: socket.socket, workers: list[Worker]) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._workers = workers
        self._next = 0
        self._undecided: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    connection, _ = await loop.sock_accept(self._listener)
                except OSError as error:
                    log.error("a connection cannot be accepted: %s", error)
                    await asyncio.sleep(_AGAIN)
                    continue
                if len(self._undecided) >= _UNDECIDED:
                    connection.close()
                    continue
                task = loop.create_task(self._hand_over(connection))
                self._undecided.add(task)
                task.add_done_callback(self._undecided.discard)
        finally:
            for task in list(self._undecided):
                task.cancel()

    async def _hand_over(self, connection: socket.socket) -> None:
        with connection:
            try:
                async with asyncio.timeout(_PATIENCE):
                    line = await _first_line(connection)
            except (OSError, TimeoutError):
                return
            if line:
                self._give(connection, line)

    def _give(self, connection: socket.socket, line: bytes) -> None:
        first = self._worker_of(line)
        if first is not None and self._workers[first].take(connection):
            return
        # Its worker is being restarted: another one tells the client that its session is gone.
        for offset in range(len(self._workers)):
            number = (self._next + offset) % len(self._workers)
            if self._workers[number].take(connection):
                self._next = number + 1
                return

    def _worker_of(self, line: bytes) -> int | None:
        """The worker that made the ``sid``, else the one of the session; None: any."""
        if found := _SID.search(line):
            number = _DIGITS.index(found[1].decode())
            return number if number < len(self._workers) else None
        if found := _SESSION.search(line):
            return zlib.crc32(found[1]) % len(self._workers)
        return None


async def _first_line(connection: socket.socket) -> bytes:
    """The first line of the request, left where it is; empty when the other end says nothing."""
    connection.setblocking(False)
    await _readable(connection)
    while True:
        seen = connection.recv(_PEEK, socket.MSG_PEEK)
        line, complete, _ = seen.partition(b"\n")
        if complete or not seen or len(seen) >= _PEEK:
            return line
        await asyncio.sleep(_AGAIN)  # it is readable already: there is no event for "more of it"


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    found = asyncio.Event()
    loop.add_reader(connection.fileno(), found.set)
    try:
        await found.wait()
    finally:
        loop.remove_reader(connection.fileno())


@asynccontextmanager
async def running_workers(settings: Settings, listener: socket.socket, count: int) -> AsyncIterator[None]:
    """So many workers behind a listening socket. At the end they drain, and what was run for them ends after them."""
    async with AsyncExitStack() as stack:
        environment = dict(os.environ)
        if settings.mongodb_url is None:
            environment["MONGODB_URL"] = (await stack.enter_async_context(embedded_mongod(settings.data_dir))).url
        if settings.redis_url is None:
            environment["REDIS_URL"] = await stack.enter_async_context(embedded_redis(settings.data_dir))
        workers = [Worker(number, environment) for number in range(count)]
        stack.push_async_callback(_all, workers, lambda worker: worker.stop(signal.SIGTERM))
        await workers[0].start()  # alone: it makes the indexes, and says what is wrong with a setting once
        await _all(workers[1:], lambda worker: worker.start())
        tasks = [asyncio.create_task(worker.keep_running()) for worker in workers]
        tasks.append(asyncio.create_task(Acceptor(listener, workers).run()))
        try:
            yield
        finally:
            tasks[-1].cancel()
            await _all(workers, lambda worker: worker.stop(signal.SIGTERM))
            await end_tasks(*tasks)


async def _all(workers: list[Worker], do: Callable[[Worker], Awaitable[None]]) -> None:
    await asyncio.gather(*(do(worker) for worker in workers))
