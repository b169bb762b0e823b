"""The Engine.IO v4 server: engineio's `AsyncServer` with its transports, queues and timers replaced.

What stays upstream's: the constructor's arguments, `on`, `attach`, `send`, `send_packet`, sessions, background tasks.
What is ours: everything between the HTTP request and the event handlers. Only aiohttp is served.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakSet

import engineio
from aiohttp import web
from engineio import packet as engine_packet

from . import http
from .addresses import AddressLimiter, TrustedProxies
from .badinput import BadInputLog
from .calling import takes
from .deadlines import Deadlines
from .endings import Endings
from .engine_socket import EngineSocket
from .flushing import Flusher
from .frames import text_frame
from .hooks import Hooks
from .inbox import Inbox
from .lane import Workers
from .limits import Limits
from .metrics import TransportCollector, TransportStats
from .polling import WaitingPolls
from .pressure import Pressure
from .upgrading import Probe

logger = logging.getLogger("realtime_server.transport")

Receiver = Callable[[EngineSocket, bytes], None]


class EngineServer(engineio.AsyncServer):  # type: ignore[misc]  # engineio has no types
    """An Engine.IO server for aiohttp. Takes engineio's arguments and these:

    Args:
        limits: the bounds; `max_http_buffer_size`, when given, sets `limits.frame_size`.
        trusted_proxies: networks whose `X-Forwarded-*` headers are believed (none by default).
        hooks: where the application hears of connections and refusals.
        input_pause: seconds for which clients' messages wait at most to be handled together, where many come and the
            event loop is busy (`Inbox`). For handlers that go through much code; by default each begins at once.

    `async_handlers` is accepted and without effect: one client's messages are always handled in order, and no
    client waits for another's. JSONP (`j=`) is refused: Engine.IO v4 has none, and it would go round the origin check.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        trusted_proxies: Iterable[str] = (),
        hooks: Hooks | None = None,
        input_pause: float = 0.0,
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
        self._input_pause = input_pause
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
        self.pressure: Pressure
        self.inbox: Inbox
        self.flusher: Flusher
        self.polls: WaitingPolls
        self.endings: Endings
        self.proxies = TrustedProxies(trusted_proxies)
        self.addresses = AddressLimiter(limits)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._apps: WeakSet[web.Application] = WeakSet()
        self._started = False
        self._stopping = self._draining = False
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
        self._bad_input = BadInputLog(logger, loop.time)
        self.workers = Workers(loop, self.job_failed)
        self.pressure = Pressure(self._input_pause)
        self.inbox = Inbox(loop, self.pressure)
        self.flusher = Flusher(loop, self.stats, self.pressure)
        self.polls = WaitingPolls(self)
        self.endings = Endings(self)

    @property
    def busy(self) -> float:
        """The share of a core that the event loop's thread used lately, while there was something to write."""
        return self.pressure.busy if self._started else 0.0

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
        await self.endings.end_all(self.reason.SERVER_DISCONNECT)
        for deadlines in (self.pings, self.pongs, self.connects, self.probes):
            deadlines.stop()
        self.polls.stop()
        self.workers.close()
        for task in self._tasks:
            task.cancel()

    # -- requests

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Serve one HTTP request of the protocol (the aiohttp handler)."""
        self.start()
        return await http.handle(self, request)

    def client_address(self, request: web.BaseRequest) -> str:
        """The address the request is from, seen past trusted proxies."""
        return self.proxies.client_of(request)

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

    def open_packet(self, socket: EngineSocket, transport: str) -> bytes:
        """The handshake; times are whole milliseconds, for fractions of a second too."""
        body = {
            "sid": socket.sid,
            "upgrades": self._upgrades(socket.sid, transport),
            "pingInterval": round((self.ping_interval + self.ping_interval_grace_period) * 1000),
            "pingTimeout": round(self.ping_timeout * 1000),
            "maxPayload": self.limits.frame_size,
        }
        encoded: str = engine_packet.Packet(engine_packet.OPEN, body).encode()
        return text_frame(encoded.encode())

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
        socket.put(self._trigger_event, "message", socket.sid, data)

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
        if event == "disconnect" and not takes(handler, len(args)):
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
