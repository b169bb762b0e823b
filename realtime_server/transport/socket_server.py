"""The Socket.IO v5 server: python-socketio's `AsyncServer` on `EngineServer`, in order, bounded, and encoding once.

`Receiver` turns messages into jobs for `Membership` and `EventHandling`; `Emitter` sends.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import socketio

from . import packets
from .calling import takes
from .codec import Codec, JsonCodec, JsonPacket, UpstreamCodec
from .emitting import Emitter
from .engine_server import EngineServer
from .engine_socket import EngineSocket
from .faults import HandlerFaults
from .handling import EventHandling
from .manager import LocalManager, accelerate
from .membership import Membership
from .metrics import TransportCollector, TransportStats
from .peer import Peer
from .receiving import Receiver

HandlerErrorHook = Callable[[str, str, str, BaseException], Any]


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]  # socketio has no types
    """A Socket.IO server for aiohttp. Takes python-socketio's arguments, `EngineServer`'s, and one more:

    Args:
        on_handler_error: called as `(event, sid, namespace, exception)` when an event handler raised; what it returns
            (or its awaitable gives) is the acknowledgement. Without it the exception is logged and the client gets
            `DEFAULT_ERROR_ACK`.

    One client's events are handled one after another, in the order they were sent, over all its namespaces; clients
    do not wait for each other. A handler that returns an `asyncio.Future` is done: the next event is handled, and
    the acknowledgement follows when the future has its result. A handler may `call()` its own client, but must not
    wait for another event of it.
    """

    eio: EngineServer

    def __init__(
        self,
        client_manager: socketio.AsyncManager | None = None,
        logger: Any = False,
        json: Any = None,
        *,
        on_handler_error: HandlerErrorHook | None = None,
        serializer: Any = "default",
        **kwargs: Any,
    ) -> None:
        if serializer == "default" and json is None:
            serializer = JsonPacket
        elif serializer == "default":
            serializer = type("CustomJsonPacket", (JsonPacket,), {"json": json})
        manager = client_manager or LocalManager()
        accelerate(manager)
        kwargs["async_handlers"] = True  # only so that `call()` works; handlers are in order all the same
        super().__init__(client_manager=manager, logger=logger, serializer=serializer, **kwargs)
        self.codec: Codec = (
            JsonCodec(self.eio.limits)
            if self.packet_class is JsonPacket
            else UpstreamCodec(self.eio.limits, self.packet_class)
        )
        self.on_handler_error = on_handler_error
        self.emitter = Emitter(self, manager)
        faults = HandlerFaults(self)
        self._membership = Membership(self, faults)
        receiver = Receiver(self, EventHandling(self, faults), self._membership)
        self.eio.text_received = receiver.text_received
        self.eio.binary_received = receiver.binary_received
        self.eio.expects_connect = True

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer

    @property
    def stats(self) -> TransportStats:
        """The counts of this server, live."""
        return self.eio.stats

    def collector(self, prefix: str = "transport") -> TransportCollector:
        """A prometheus-client collector over this server."""
        return self.eio.collector(prefix)

    # -- sending

    def broadcast(
        self,
        event: str,
        data: Any = None,
        *,
        room: Any = None,
        namespace: str | None = None,
        skip_sid: Any = None,
        volatile: bool = False,
    ) -> int:
        """Emit to clients of this process, now and in order: the hot path of an application that orders its events.

        Everything queued by one turn of the event loop leaves in the order of the calls, together with emits and
        acknowledgements, encoded once for all recipients. Other processes are not told, whatever the manager.

        Args:
            event, data, room, namespace, skip_sid: as in `emit` (`room` may be a list; `data` a tuple of arguments).
            volatile: leave out clients that cannot take it at once.

        Returns:
            The number of clients it was queued for.

        Raises:
            TypeError: data that JSON cannot carry; nobody has been sent anything.
        """
        return self.emitter.emit(event, data, namespace or "/", room, skip_sid, volatile=volatile)

    async def emit(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: str | None = None,
        callback: Any = None,
        ignore_queue: bool = False,
        *,
        volatile: bool = False,
    ) -> None:
        """Emit an event, through the client manager; see python-socketio. `volatile` is ours, as in `broadcast`.

        A volatile event goes to this process's clients only: a queue between processes keeps everything.
        """
        if volatile:
            self.broadcast(event, data, room=to or room, namespace=namespace, skip_sid=skip_sid, volatile=True)
            return
        await self.manager.emit(
            event, data, namespace or "/", room=to or room, skip_sid=skip_sid, callback=callback,
            ignore_queue=ignore_queue,
        )  # fmt: skip

    def send_to(
        self, socket: EngineSocket, kind: int, namespace: str, data: Any = None, packet_id: int | None = None
    ) -> None:
        """Queue one packet for one connection."""
        socket.send_frame(self.codec.encode(kind, namespace, packet_id, data))

    async def _send_packet(self, eio_sid: str, pkt: Any) -> None:
        socket = self.eio.sockets.get(eio_sid)
        if socket is not None:
            kind = pkt.packet_type - 3 if pkt.packet_type >= packets.BINARY_EVENT else pkt.packet_type
            self.send_to(socket, kind, pkt.namespace or "/", pkt.data, pkt.id)

    # -- receiving: called by `Receiver`, in order; the coroutines run in the client's lane

    def serves(self, namespace: str) -> bool:
        """True when clients may connect to the namespace."""
        return (
            namespace in self.handlers
            or namespace in self.namespace_handlers
            or self.namespaces == "*"
            or namespace in self.namespaces
        )

    async def _trigger_event(self, event: str, namespace: str, *args: Any) -> Any:
        """Find and call the handler of an event, in upstream's order of precedence."""
        handler, arguments = self._find_handler(event, namespace, args)
        if handler is None:
            instance, arguments = self._get_namespace_handler(namespace, args)
            if instance is None:
                return self.not_handled
            return await instance.trigger_event(event, *arguments)
        if event == "disconnect" and not takes(handler, len(arguments)):
            arguments = arguments[:-1]  # handlers written before the reason was passed
        result = handler(*arguments)
        return await result if inspect.isawaitable(result) and not isinstance(result, asyncio.Future) else result

    def _find_handler(self, event: str, namespace: str, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        own = self.handlers.get(namespace)
        if own is not None and event != "*" and (handler := own.get(event)) is not None:
            return handler, args
        if event == "*":  # an event of that name from a client is for the catch-all, by its name like any other
            if own is not None and "*" in own:
                return own["*"], (event, *args)
            everywhere = self.handlers.get("*", {})
            return everywhere.get("*"), (event, namespace, *args)
        found: tuple[Any, tuple[Any, ...]] = self._get_event_handler(event, namespace, args)
        return found

    # -- leaving

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        """The connection ended: every client on it leaves, those too whose own word for it still waits in the lane."""
        socket = self.eio.sockets.get(eio_sid)
        peer = socket.peer if socket is not None else None
        if socket is not None and isinstance(peer, Peer):
            while peer.leaving:
                await self._membership.leave(socket, peer.leaving.pop(0))
            for member in list(peer.members.values()):
                await self._membership.leave(socket, member, reason)
            peer.members.clear()
        self.environ.pop(eio_sid, None)

    async def disconnect(self, sid: str, namespace: str | None = None, ignore_queue: bool = False) -> None:
        """Disconnect a client from a namespace, and wait for its disconnect handler; see python-socketio."""
        namespace = namespace or "/"
        if ignore_queue:
            here = self.manager.is_connected(sid, namespace)
        else:
            here = await self.manager.can_disconnect(sid, namespace)
        if not here:
            return
        eio_sid = self.manager.eio_sid_from_sid(sid, namespace)
        socket = self.eio.sockets.get(eio_sid)
        member = socket.peer.members.pop(namespace, None) if socket is not None and socket.peer is not None else None
        if socket is None or member is None:
            return
        socket.peer.left.add(namespace)
        self.send_to(socket, packets.DISCONNECT, namespace)
        await self._membership.leave(socket, member, self.reason.SERVER_DISCONNECT)

    def close_code(self, sid: str, namespace: str | None = None) -> int | None:
        """How a client closed its WebSocket, for its disconnect handler: RFC 6455's code, 1005 for a close frame
        without one. None where it did not close it, or had none."""
        socket = self.eio.sockets.get(self.manager.eio_sid_from_sid(sid, namespace or "/"))
        return None if socket is None or socket.link is None else socket.link.peer_code

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
        """Run `target(*args, **kwargs)` as a task that is kept alive until it is done."""
        return self.eio.start_background_task(target, *args, **kwargs)
