"""The command ``realtime-server serve``: one process that serves until told to stop, and leaves nothing running."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager

import click
import uvloop
from aiohttp import web

from realtime_server.app import DRAINING, SERVICES, create_app
from realtime_server.collector import collecting_when_idle
from realtime_server.demo import SESSION_ID, create_demo, demo_people, demo_text
from realtime_server.errors import ConfigurationError
from realtime_server.logs import configure_logging
from realtime_server.rest.problems import malformed
from realtime_server.settings import Settings
from realtime_server.transport import guarded_runner
from realtime_server.web_files import SIGN_IN
from realtime_server.workers import MAX_WORKERS, HandedOver, create_worker, running_workers

log = logging.getLogger(__name__)

#: Connections that may wait to be accepted: a whole team reconnects within the same second after a restart.
_BACKLOG = 4096
#: Seconds that HTTP requests in flight get at the end. Socket.IO connections are told and closed before.
_SHUTDOWN_TIMEOUT = 5.0

Create = Callable[[Settings], web.Application]
Greet = Callable[[web.Application, int], Awaitable[str]]


@click.command("serve")
@click.option("--demo", is_flag=True, help="Make a demonstration project with a session of 2,000 records.")
@click.option("--workers", type=click.IntRange(1, MAX_WORKERS), default=1, help="Processes that share the work.")
@click.option("--worker", type=int, hidden=True)
@click.option("--control", type=int, hidden=True)
def serve_command(demo: bool, workers: int, worker: int | None, control: int | None) -> None:
    """Run the server. Settings come from the environment; Ctrl-C ends it."""
    settings = Settings.from_environment(os.environ)
    configure_logging(settings)
    if worker is not None and control is not None:
        uvloop.run(serve_until_told(settings, create_worker(worker), _no_greeting, control))
        return
    if workers > 1:
        if demo:
            raise ConfigurationError("--demo is for one process: leave out --workers")
        uvloop.run(serve_with_workers(settings, workers))
        return
    uvloop.run(serve(settings, demo=demo))


async def serve(settings: Settings, *, demo: bool = False) -> None:
    """The whole server, until SIGINT or SIGTERM. Raises `ConfigurationError` where it cannot start."""

    async def greet(app: web.Application, port: int) -> str:
        if not demo:
            return _greeting(settings, port, None)
        record_id = await create_demo(app[SERVICES])
        with contextlib.suppress(ConfigurationError):
            demo_people(settings)
            app[SIGN_IN].demonstration = lambda: demo_people(settings)
        return _greeting(settings, port, record_id)

    await serve_until_told(settings, create_app, greet)


async def _no_greeting(app: web.Application, port: int) -> str:
    return ""


async def serve_with_workers(settings: Settings, count: int) -> None:
    """Several processes behind one port, until SIGINT or SIGTERM."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    with contextlib.closing(_listen(settings.ws_host, settings.ws_port)) as listener:
        async with running_workers(settings, listener, count):
            click.echo(_greeting(settings, listener.getsockname()[1], None))
            await told.wait()
            listener.close()
    click.echo("realtime-server has stopped.")


async def serve_until_told(settings: Settings, create: Create, greet: Greet, control: int | None = None) -> None:
    """Serve an application until SIGINT or SIGTERM; ``greet`` says what to print once it listens.

    ``control``: a worker's way to the process that accepts its connections.
    """
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    told: asyncio.Future[signal.Signals] = loop.create_future()
    hurry = asyncio.Event()
    serving = False

    def stop(number: signal.Signals) -> None:
        if told.done():  # a second Ctrl-C must not interrupt the clean end that the first one began
            hurry.set()
            return
        told.set_result(number)
        if not serving:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        handed = None if control is None else HandedOver(control, lambda: stop(signal.SIGINT))
        async with running(settings, create, handed) as (app, port):
            if greeting := await greet(app, port):
                click.echo(greeting)
            serving = True
            with collecting_when_idle():
                # SIGTERM tells a process to make way for others; Ctrl-C is how somebody ends the one they started.
                if await told is signal.SIGTERM and (draining := app.get(DRAINING)) is not None:
                    await _unless(hurry, draining.begin())
    except asyncio.CancelledError:
        if not told.done():
            raise
    if control is None:
        click.echo("realtime-server has stopped.")


async def _unless(hurry: asyncio.Event, drain: Coroutine[None, None, None]) -> None:
    """Drain; a second signal cuts that short."""
    draining, hurried = asyncio.ensure_future(drain), asyncio.ensure_future(hurry.wait())
    await asyncio.wait({draining, hurried}, return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    draining.cancel()
    await asyncio.gather(draining, hurried, return_exceptions=True)


@asynccontextmanager
async def running(
    settings: Settings, create: Create = create_app, handed: HandedOver | None = None
) -> AsyncIterator[tuple[web.Application, int]]:
    """The application, started and listening, and its port. The port is taken first: a busy one costs no start.

    ``handed``: connections come from there, and there is no port of its own (0).
    """
    with contextlib.ExitStack() as stack:
        listener = None
        if handed is None:
            listener = stack.enter_context(contextlib.closing(_listen(settings.ws_host, settings.ws_port)))
        app = create(settings)
        runner = guarded_runner(app, malformed=malformed, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT)
        try:
            await runner.setup()
            if handed is not None:
                assert runner.server is not None
                handed.start(runner.server)
            elif listener is not None:
                await web.SockSite(runner, listener, backlog=_BACKLOG).start()
            yield app, 0 if listener is None else listener.getsockname()[1]
        finally:
            if handed is not None:
                handed.close()
            await runner.cleanup()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigurationError(f"WS_HOST={host!r} is no address to listen on: {error.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Two may bind one port with SO_REUSEADDR, but only one may listen: this is where a busy port shows.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"port {port} is in use: stop the program that uses it, or set WS_PORT to another one"
            ) from None
        raise ConfigurationError(f"cannot listen on {host} port {port}: {error.strerror}") from None
    return listener


def address(settings: Settings, port: int) -> str:
    """Where a person on this machine finds what listens on ``port``."""
    host = "127.0.0.1" if settings.ws_host in ("0.0.0.0", "::", "") else settings.ws_host
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _greeting(settings: Settings, port: int, record_id: str | None) -> str:
    url = address(settings, port)
    lines = [
        "",
        f"realtime-server listens on {url}. Ctrl-C ends it.",
        f"  Web client  {url}/",
        f"  Socket.IO   {url}/collaboration   paths /socket.io/ and {settings.ws_path}/",
        f"  REST        {url}/api/docs",
        f"  Health      {url}/healthz   {url}/readyz   {url}/metrics",
    ]
    if record_id is not None:
        return "\n".join([*lines, *demo_text(settings, url, record_id)])
    hint = "realtime-server token --user alice --project demo --role preparer"
    return "\n".join(
        [*lines, f"  A token     {hint}", f"  An example  realtime-server serve --demo   (session {SESSION_ID})"]
    )
