"""The Engine.IO v4 server: engineio's `AsyncServer` with its transports, queues and timers replaced.

What stays upstream's: the constructor's arguments, `on`, `attach`, `send`, `send_packet`, sessions, background tasks.
What is ours: everything between the HTTP request and the event handlers. Only aiohttp is served.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any
from weakref import WeakSet

import engineio
from aiohttp import web
from engineio import packet as engine_packet

from . import http
from .addresses import AddressLimiter, TrustedProxies
from .badinput import BadInputLog
from .deadlines import Deadlines
from .engine_socket import EngineSocket, Probe
from .frames import Frame
from .hooks import Hooks
from .lane import Workers
from .limits import Limits
from .metrics import TransportCollector, TransportStats
from .websocket import WebSocketLink

logger = logging.getLogger("realtime_server.transport")

Receiver = Callable[[EngineSocket, bytes], None]

#: Seconds. A timer is no finer than a millisecond; and nobody should feel that output is gathered.
_LEAST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.003


class EngineServer(engineio.AsyncServer):  # type: ignore[misc]  # engineio has no types
    """An Engine.IO server for aiohttp. Takes engineio's arguments and these:

    Args:
        limits: the bounds; `max_http_buffer_size`, when given, sets `limits.frame_size`.
        trusted_proxies: networks whose `X-Forwarded-*` headers are believed (none by default).
        hooks: where the application hears of connections and refusals.

    `async_handlers` is accepted and without effect: one client's messages are always handled in order, and no
    client waits for another's. JSONP (`j=`) is refused: Engine.IO v4 has none, and it would go round the origin check.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        trusted_proxies: Iterable[str] = (),
        hooks: Hooks | None = None,
        max_http_buffer_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        limits = limits or Limits()
        if max_http_buffer_size is not None:
            limits = http.with_frame_size(limits, max_http_buffer_size)
        if kwargs.pop("async_mode", None) not in (None, "aiohttp"):
            raise ValueError("only async_mode='aiohttp' is served")
        kwargs.pop("json", None)  # upstream would set it for every engineio object in the process
        super().__init__(async_mode="aiohttp", monitor_clients=False, max_http_buffer_size=limits.frame_size, **kwargs)
        self.limits = limits
        self.hooks = hooks or Hooks()
        self.stats = TransportStats()
        self.sockets: dict[str, EngineSocket] = {}
        self.text_received: Receiver = self._text_received
        self.binary_received: Receiver = self._binary_received
        self.expects_connect = False  # Engine.IO alone knows no CONNECT; `SocketServer` does
        self.loop: asyncio.AbstractEventLoop
        self.pings: Deadlines[EngineSocket]
        self.pongs: Deadlines[EngineSocket]
        self.connects: Deadlines[EngineSocket]
        self.probes: Deadlines[Probe]
        self.workers: Workers
        self.proxies = TrustedProxies(trusted_proxies)
        self.addresses = AddressLimiter(limits)
        self._endings: Deadlines[EngineSocket]
        self._farewells: dict[str, list[bytes]] = {}
        self._farewell_ends: Deadlines[str]
        self._polls: dict[EngineSocket, web.BaseRequest] = {}
        self._poll_sweep: asyncio.TimerHandle | None = None
        self._dirty: list[EngineSocket] = []
        """Sockets with something to write; `_flush` is scheduled while there are any."""
        self._next_flush = 0.0
        self._marked_at = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._apps: WeakSet[web.Application] = WeakSet()
        self._started = False
        self._stopping = self._draining = False
        self._emptied: asyncio.Future[None] | None = None
        self._bad_input: BadInputLog

    # -- setting up

    def attach(self, app: web.Application, engineio_path: str = "engine.io") -> None:
        """Serve under `/<engineio_path>/`; may be called again for further paths. Sessions end with the application."""
        path = "/" + engineio_path.strip("/")
        app.router.add_route("*", path + "/", self.handle_request)
        app.router.add_route("*", path, self.handle_request)
        if app not in self._apps:
            self._apps.add(app)
            app.on_shutdown.append(self._app_shutdown)

    async def _app_shutdown(self, _: web.Application) -> None:
        await self.shutdown()

    def start(self) -> None:
        """Bind to the running event loop; done by the first request."""
        if self._started:
            return
        self._started = True
        loop = self.loop = asyncio.get_running_loop()
        self.pings = Deadlines(loop, self.ping_interval, EngineSocket.ping)
        self.pongs = Deadlines(loop, self.ping_timeout, EngineSocket.ping_timed_out)
        self.connects = Deadlines(loop, self.limits.connect_timeout, self._connect_timed_out)
        self.probes = Deadlines(loop, self.limits.upgrade_timeout, Probe.fail)
        self._endings = Deadlines(loop, self.limits.close_timeout, self._end_at_once)
        self._farewell_ends = Deadlines(loop, self.limits.close_timeout, self._drop_farewell)
        self._bad_input = BadInputLog(logger, loop.time)
        self.workers = Workers(loop, self.job_failed)

    async def drain(self, seconds: float) -> None:
        """Take no new sessions, and end those that are open one by one, evenly over so many seconds.

        Clients see their transport end (WebSocket close code 1001), which makes them connect again, to another
        process. Returns when all have been told.
        """
        self._draining = True
        sockets = list(self.sockets.values())
        began = asyncio.get_running_loop().time()
        for number, socket in enumerate(sockets):
            wait = began + seconds * number / len(sockets) - self.loop.time()
            if wait > 0.01:
                await asyncio.sleep(wait)
            socket.shut(self.reason.SERVER_DISCONNECT, code=1001)

    async def shutdown(self) -> None:
        """End every session (clients see the WebSocket close code 1001) and stop the timers."""
        self._stopping = True
        if not self._started:
            return
        sockets = list(self.sockets.values())
        links = [socket.link for socket in sockets if socket.link is not None]
        for socket in sockets:
            socket.shut(self.reason.SERVER_DISCONNECT, code=1001)
        if self.sockets:
            self._emptied = self.loop.create_future()
            await asyncio.wait([self._emptied], timeout=2 * self.limits.close_timeout)
        await self._goodbye(links)
        for deadlines in (self.pings, self.pongs, self.connects, self.probes, self._endings, self._farewell_ends):
            deadlines.stop()
        if self._poll_sweep is not None:
            self._poll_sweep.cancel()
            self._poll_sweep = None
        self.workers.close()
        for task in self._tasks:
            task.cancel()

    async def _goodbye(self, links: list[WebSocketLink]) -> None:
        """Wait until the connections are closed, `close_timeout` at most, and drop those that are not."""
        deadline = self.loop.time() + self.limits.close_timeout
        while any(link.transport is not None for link in links) and self.loop.time() < deadline:  # noqa: ASYNC110 - rare
            await asyncio.sleep(0.01)
        for link in links:
            link.abort()
        await asyncio.sleep(0)

    # -- requests

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Serve one HTTP request of the protocol (the aiohttp handler)."""
        self.start()
        return await http.handle(self, request)

    def client_address(self, request: web.BaseRequest) -> str:
        """The address the request is from, seen past trusted proxies."""
        return self.proxies.client(http.peer_address(request), request.headers)

    @property
    def is_stopping(self) -> bool:
        """Whether new sessions are refused."""
        return self._stopping or self._draining

    def new_socket(self, address: str) -> EngineSocket:
        """A session that is not connected yet; its place was taken with `addresses.admit`."""
        socket = EngineSocket(self, self.generate_id(), address)
        self.sockets[socket.sid] = socket
        return socket

    def discard(self, socket: EngineSocket) -> None:
        """A session that never came to be."""
        if self.sockets.pop(socket.sid, None) is not None:
            self.addresses.leave(socket.address)
        socket.closing = socket.closed = True

    def open_packet(self, socket: EngineSocket, transport: str) -> Frame:
        """The handshake; times are whole milliseconds, for fractions of a second too."""
        body = {
            "sid": socket.sid,
            "upgrades": self._upgrades(socket.sid, transport),
            "pingInterval": round((self.ping_interval + self.ping_interval_grace_period) * 1000),
            "pingTimeout": round(self.ping_timeout * 1000),
            "maxPayload": self.limits.frame_size,
        }
        encoded: str = engine_packet.Packet(engine_packet.OPEN, body).encode()
        return Frame.message(encoded.encode())

    def opened(self, socket: EngineSocket, transport: str) -> None:
        """The handshake has been answered."""
        self.pings.set(socket)
        if self.expects_connect:
            self.connects.set(socket)
        self.stats.connections_opened[transport] += 1
        self.hook(self.hooks.opened, socket.sid, socket.address, transport)

    def upgraded(self, socket: EngineSocket) -> None:
        self.stats.upgrades += 1
        self.hook(self.hooks.upgraded, socket.sid)

    def transport(self, sid: str) -> str:
        """`websocket` or `polling`."""
        return "websocket" if self._get_socket(sid).upgraded else "polling"

    # -- sending

    async def send(self, sid: str, data: Any) -> None:
        """Send a message to a client; see engineio."""
        await self.send_packet(sid, engine_packet.Packet(engine_packet.MESSAGE, data=data))

    async def send_packet(self, sid: str, pkt: engine_packet.Packet) -> None:
        """Send one of engineio's packets to a client; nothing happens when the client has gone."""
        socket = self.sockets.get(sid)
        if socket is not None:
            await socket.send(pkt)

    def mark(self, socket: EngineSocket) -> None:
        """`socket` has something to write: at the end of this turn of the event loop, or a few ms later under load.

        Writing is a system call for each client, and under load the larger part of a broadcast's cost. After writing
        for a while we therefore do other work for twice as long, and what is queued meanwhile leaves in one write.
        """
        if not self._dirty:
            self._schedule_flush()
        self._dirty.append(socket)

    def mark_all(self, sockets: list[EngineSocket]) -> None:
        """`mark` for many."""
        if not self._dirty:
            self._schedule_flush()
        self._dirty += sockets

    def _schedule_flush(self) -> None:
        self._marked_at = perf_counter()
        pause = self._next_flush - self._marked_at
        if pause < _LEAST_PAUSE:
            self.loop.call_soon(self._flush)
        else:
            self.loop.call_later(pause, self._flush)

    def _flush(self) -> None:
        began = perf_counter()
        dirty, self._dirty = self._dirty, []
        frames = size = 0
        for socket in dirty:
            link = socket.link
            if link is None or link.paused or (transport := link.transport) is None:
                socket.flush()
                continue
            outbox = socket.outbox  # from here on `EngineSocket.flush`, without the call: this is once per delivery
            if not outbox:
                continue
            data = outbox[0] if len(outbox) == 1 else b"".join(outbox)
            frames += len(outbox)
            size += len(data)
            outbox.clear()
            transport.write(data)
        self.stats.frames_sent += frames
        self.stats.bytes_sent += size
        ended = perf_counter()
        self.stats.writes.observe(ended - self._marked_at)
        self._next_flush = ended + min(2 * (ended - began), _LONGEST_PAUSE)

    # -- receiving

    def _text_received(self, socket: EngineSocket, payload: bytes) -> None:
        """A message for a server without Socket.IO: decoded as engineio decodes it, handled in order."""
        try:
            data = engine_packet.Packet(encoded_packet=payload.decode()).data
        except (UnicodeDecodeError, ValueError):
            socket.refuse("malformed_packet", 1007)
            return
        self._put_message(socket, data)

    def _binary_received(self, socket: EngineSocket, payload: bytes) -> None:
        self._put_message(socket, payload)

    def _put_message(self, socket: EngineSocket, data: Any) -> None:
        if socket.lane.put(self._trigger_event, "message", socket.sid, data) > self.limits.pending_input:
            socket.hold_input()

    def refused(self, reason: str, address: str) -> None:
        """Count input that was refused, and say so within the limit of log lines."""
        self.stats.refused[reason] += 1
        self._bad_input.write(reason, address)
        self.hook(self.hooks.refused, reason, address)

    def slow_consumer(self, socket: EngineSocket) -> None:
        self.stats.slow_consumers += 1
        self._bad_input.write("slow_consumer", socket.address)
        self.hook(self.hooks.slow_consumer, socket.sid, socket.address)

    def job_failed(self, error: BaseException) -> None:
        """A job of a client's lane let an exception out; its own handling should have caught it."""
        logger.error("a client's job failed", exc_info=error)

    # -- timers

    def forget_deadlines(self, socket: EngineSocket) -> None:
        self.pings.cancel(socket)
        self.pongs.cancel(socket)
        self.connects.cancel(socket)
        if socket.probe is not None:
            self.probes.cancel(socket.probe)

    def _connect_timed_out(self, socket: EngineSocket) -> None:
        self.refused("connect_timeout", socket.address)
        socket.shut(self.reason.TRANSPORT_CLOSE)

    def poll_started(self, socket: EngineSocket, request: web.BaseRequest) -> None:
        """A poll waits; a client that goes away while it does is noticed within a second."""
        self._polls[socket] = request
        if self._poll_sweep is None:
            self._poll_sweep = self.loop.call_later(1.0, self._sweep_polls)

    def polling_ended(self, socket: EngineSocket) -> None:
        self._polls.pop(socket, None)

    def _sweep_polls(self) -> None:
        self._poll_sweep = None
        for socket, request in list(self._polls.items()):
            if http.is_gone(request):
                self._polls.pop(socket, None)
                socket.shut(self.reason.TRANSPORT_CLOSE, abort=True, keep_jobs=True)
        if self._polls and not self._stopping:
            self._poll_sweep = self.loop.call_later(1.0, self._sweep_polls)

    # -- the end of a session

    async def disconnect(self, sid: str | None = None) -> None:
        """Disconnect a client, or all of them, and wait for the disconnect handlers."""
        if sid is not None:
            socket = self.sockets.get(sid)
            if socket is not None:
                await socket.close(reason=self.reason.SERVER_DISCONNECT)
        elif self.sockets:
            closes = [socket.close(reason=self.reason.SERVER_DISCONNECT) for socket in self.sockets.values()]
            await asyncio.gather(*closes)

    def end_in_order(self, socket: EngineSocket) -> None:
        """Run the disconnect handlers after what the client sent before, but not later than `close_timeout`."""
        self._endings.set(socket)
        socket.lane.put(self.end_session, socket)

    def _end_at_once(self, socket: EngineSocket) -> None:
        """A handler of this client still runs: its disconnect handlers wait no longer."""
        self.start_background_task(self.end_session, socket)

    async def end_session(self, socket: EngineSocket) -> None:
        """Run the disconnect handlers once, then forget the session."""
        if not socket.begin_disconnect():
            return
        self._endings.cancel(socket)
        try:
            await self._trigger_event("disconnect", socket.sid, socket.reason)
        finally:
            socket.closed = True
            self._polls.pop(socket, None)
            if self.sockets.pop(socket.sid, None) is not None:
                self.addresses.leave(socket.address)
                self.stats.connections_closed[socket.reason] += 1
                self.hook(self.hooks.closed, socket.sid, socket.reason)
            socket.lane.end()
            if self._emptied is not None and not self.sockets and not self._emptied.done():
                self._emptied.set_result(None)

    def keep_farewell(self, socket: EngineSocket, parts: list[bytes]) -> None:
        """A long-polling client that is between two polls gets its last packets with the next one."""
        self._farewells[socket.sid] = parts
        self._farewell_ends.set(socket.sid)

    def take_farewell(self, sid: str) -> list[bytes] | None:
        self._farewell_ends.cancel(sid)
        return self._farewells.pop(sid, None)

    def _drop_farewell(self, sid: str) -> None:
        self._farewells.pop(sid, None)

    # -- the application's side

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
        """Run `target(*args, **kwargs)` as a task that is kept alive until it is done."""
        task: asyncio.Task[Any] = asyncio.ensure_future(target(*args, **kwargs))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _trigger_event(self, event: str, *args: Any, **_: Any) -> Any:
        """Call one of the three engine handlers; a connect handler that raises refuses the connection."""
        handler = self.handlers.get(event)
        if handler is None:
            return None
        if event == "disconnect" and not _accepts(handler, len(args)):
            args = args[:1]  # handlers written before the reason was passed
        try:
            result = handler(*args)
            return await result if inspect.isawaitable(result) else result
        except Exception:
            logger.exception("%s handler failed", event)
            return False if event == "connect" else None

    def hook(self, hook: Callable[..., None], *args: Any) -> None:
        """Call one of the application's hooks; what it raises is logged and goes no further."""
        try:
            hook(*args)
        except Exception:
            logger.exception("a hook failed")

    def collector(self, prefix: str = "transport") -> TransportCollector:
        """A prometheus-client collector over this server; register it where the application's metrics are."""
        return TransportCollector(self.stats, self._open_connections, self._pending_output, prefix)

    def _open_connections(self) -> dict[str, int]:
        upgraded = sum(socket.upgraded for socket in self.sockets.values())
        return {"websocket": upgraded, "polling": len(self.sockets) - upgraded}

    def _pending_output(self) -> tuple[int, int]:
        waiting = [getattr(socket.outbox, "size", 0) for socket in self.sockets.values()]
        return sum(waiting), max(waiting, default=0)


def _accepts(handler: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(handler).bind(*([None] * count))
    except TypeError:
        return False
    except ValueError:  # a built-in without a signature
        return True
    return True
