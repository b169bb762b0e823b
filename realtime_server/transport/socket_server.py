"""The Socket.IO v5 server: python-socketio's `AsyncServer` on `EngineServer`, in order, bounded, and encoding once.

Hot path: `handle_member_event` and `emit_local` (see docs/performance.md).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from time import perf_counter
from types import CoroutineType
from typing import Any

import socketio
from socketio import exceptions

from . import packets, upstream
from .codec import Codec, JsonCodec, JsonPacket, UpstreamCodec
from .engine_server import EngineServer
from .engine_socket import EngineSocket
from .hooks import Hooks
from .limits import TokenBucket
from .manager import LocalManager, accelerate
from .metrics import TransportCollector, TransportStats
from .peer import Member, Peer
from .receiving import Receiver

logger = logging.getLogger("realtime_server.transport")

HandlerErrorHook = Callable[[str, str, str, BaseException], Any]

DEFAULT_ERROR_ACK = {"ok": False, "error": {"code": "internal", "message": "Internal error", "retryable": False}}
"""What the client of a handler that raised is told when no `on_handler_error` is given."""


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
        receiver = Receiver(self)
        self.eio.text_received = receiver.text_received
        self.eio.binary_received = receiver.binary_received
        self.eio.expects_connect = True
        self._error_log: TokenBucket | None = None
        self._hears_handled = type(self.eio.hooks).handled is not Hooks.handled

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
        return self.emit_local(event, data, namespace or "/", room, skip_sid, volatile=volatile)

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

    def emit_local(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any,
        skip_sid: Any,
        callback: Any = None,
        *,
        volatile: bool = False,
    ) -> int:
        """Queue an event for the clients of this process; `LocalManager.emit` and `broadcast` end here."""
        members = self._recipients(namespace, room)
        arguments = [event, *data] if isinstance(data, tuple) else [event] if data is None else [event, data]
        if callback is not None:
            return self._emit_each(arguments, namespace, dict(members), skip_sid, callback)
        frame = self.codec.encode(packets.EVENT, namespace, None, arguments)
        if volatile or not (skip_sid is None or isinstance(skip_sid, str)) or upstream.has_pending_connect(
            self.manager, namespace
        ):  # fmt: skip
            return self._queue_with_care(frame, namespace, members, _as_set(skip_sid), volatile)
        eio = self.eio
        sockets = eio.sockets
        dirty: list[EngineSocket] = []
        count = 0
        for sid, eio_sid in members.items():
            if sid == skip_sid or (socket := sockets.get(eio_sid)) is None:
                continue
            outbox = socket.outbox
            if not outbox:
                dirty.append(socket)
            outbox.append(frame)
            count += 1
        if dirty:
            eio.mark_all(dirty)
        return count

    def _recipients(self, namespace: str, room: Any) -> Mapping[str, str]:
        if room is None or isinstance(room, str) or not hasattr(room, "__len__"):
            return upstream.members_of(self.manager, namespace, room)
        merged: dict[str, str] = {}
        for each in room:
            merged.update(upstream.members_of(self.manager, namespace, each))
        return merged

    def _queue_with_care(
        self, frame: bytes, namespace: str, members: Mapping[str, str], skip: frozenset[str], volatile: bool
    ) -> int:
        """The general loop: several to skip, clients still in their connect handler, or a volatile event."""
        count = 0
        for sid, eio_sid in members.items():
            socket = self.eio.sockets.get(eio_sid)
            if sid in skip or socket is None:
                continue
            if volatile and not socket.is_writable:
                self.stats.volatile_dropped += 1
                continue
            self._queue(socket, namespace, frame)
            count += 1
        return count

    def _queue(self, socket: EngineSocket, namespace: str, frame: bytes) -> None:
        """Queue for one client, or hold until it has been accepted: nothing may come before the CONNECT packet."""
        peer = socket.peer
        member = peer.members.get(namespace) if peer is not None else None
        if member is None or member.held is None:
            socket.send_frame(frame)
            return
        member.held.append(frame)
        if sum(map(len, member.held)) > self.eio.limits.pending_output:
            socket.refuse("too_much_before_connect")

    def _emit_each(
        self, arguments: list[Any], namespace: str, members: dict[str, str], skip_sid: Any, callback: Any
    ) -> int:
        skip = _as_set(skip_sid)
        count = 0
        for sid, eio_sid in members.items():
            socket = self.eio.sockets.get(eio_sid)
            if sid in skip or socket is None:
                continue
            packet_id = self.manager._generate_ack_id(sid, callback)
            self._queue(socket, namespace, self.codec.encode(packets.EVENT, namespace, packet_id, arguments))
            count += 1
        return count

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

    def acknowledged(self, member: Member, packet_id: int, data: list[Any]) -> None:
        """A client acknowledged one of our events. Not in the lane: a handler may be waiting for just this."""
        if packet_id != 0 and member.accepted:  # 0 is where upstream keeps its counter
            self.start_background_task(self._run_callback, member.sid, packet_id, data)

    async def _run_callback(self, sid: str, packet_id: int, data: list[Any]) -> None:
        if packet_id not in self.manager.callbacks.get(sid, ()):
            return  # late, twice, or made up
        try:
            await self.manager.trigger_callback(sid, packet_id, data)
        except Exception:
            self._log_exception("an acknowledgement callback failed")

    async def connect_member(self, socket: EngineSocket, member: Member, auth: Any) -> None:
        """Run the connect handler and answer CONNECT or CONNECT_ERROR."""
        namespace, manager = member.namespace, self.manager
        sid = await manager.pre_connect(socket.sid, namespace)
        if sid is None:  # the application's own disconnect of the same client is not through yet
            sid = await self._connect_again(socket, namespace)
        member.sid = sid
        if self.always_connect:
            await self._accept(socket, member)
        else:
            member.held = []
        refusal = await self._ask(socket, member, auth)
        if socket.closed:  # it went away meanwhile, and nobody else will tell the application
            await self._gone_while_connecting(member, refusal is None, socket.reason)
            return
        if refusal is None:
            if not self.always_connect:
                await self._accept(socket, member)
            return
        member.held = None  # what the application sent a client that it then refused
        if socket.peer.members.get(namespace) is member:
            del socket.peer.members[namespace]
            socket.peer.left.add(namespace)
        if self.always_connect:
            manager.pre_disconnect(sid, namespace)
            self.send_to(socket, packets.DISCONNECT, namespace)
        else:
            self.send_to(socket, packets.CONNECT_ERROR, namespace, refusal)
        member.accepted = False
        await manager.disconnect(sid, namespace, ignore_queue=True)
        if not socket.peer.members and not socket.closing:
            self.eio.connects.set(socket)  # refused everywhere, it may not stay for ever either

    async def _gone_while_connecting(self, member: Member, welcome: bool, reason: str) -> None:
        if welcome and not self.always_connect:
            await self._tell_disconnect(member, reason)
        await self.manager.disconnect(member.sid, member.namespace, ignore_queue=True)

    async def _connect_again(self, socket: EngineSocket, namespace: str) -> str:
        for _ in range(200):
            await asyncio.sleep(0.01)
            sid: str | None = await self.manager.pre_connect(socket.sid, namespace)
            if sid is not None:
                return sid
        raise RuntimeError(f"a client is still leaving {namespace}")

    async def _ask(self, socket: EngineSocket, member: Member, auth: Any) -> Any:
        """The connect handler's verdict: None for yes, or the payload of CONNECT_ERROR."""
        environ = self.environ.get(socket.sid, {})
        arguments: tuple[Any, ...] = (member.sid, environ, auth)
        if not self._connect_takes_auth(member.namespace):
            arguments = arguments[:2]
        try:
            verdict = await _resolved(await self._trigger_event("connect", member.namespace, *arguments))
        except exceptions.ConnectionRefusedError as refusal:
            return refusal.error_args
        except ConnectionRefusedError:
            return {"message": "Connection refused by server"}
        except Exception as error:
            self.stats.handler_errors += 1
            if self.on_handler_error is None:
                self._log_exception("a connect handler failed")
                return {"message": "Internal error"}
            told = await _resolved(self.on_handler_error("connect", member.sid, member.namespace, error))
            return {"message": "Internal error", "data": told}
        return exceptions.ConnectionRefusedError().error_args if verdict is False else None

    def _connect_takes_auth(self, namespace: str) -> bool:
        """Connect handlers without the `auth` argument are still allowed, as upstream allows them."""
        handler, extra = self._get_event_handler("connect", namespace, ("", {}, None))
        if handler is None:
            instance, extra = self._get_namespace_handler(namespace, ("", {}, None))
            handler = getattr(instance, "on_connect", None)
        return handler is None or _takes(handler, len(extra))

    async def _accept(self, socket: EngineSocket, member: Member) -> None:
        self.send_to(socket, packets.CONNECT, member.namespace, {"sid": member.sid})
        held, member.held = member.held or [], None
        for frame in held:
            socket.send_frame(frame)
        await self.manager.connect(member.sid, member.namespace)
        member.accepted = True

    async def handle_member_event(
        self, socket: EngineSocket, member: Member, packet_id: int | None, data: list[Any]
    ) -> None:
        """Run one event's handler and acknowledge it, whatever happens in the handler."""
        if not member.accepted:
            return  # the connect handler said no
        event, namespace, sid = data[0], member.namespace, member.sid
        began = perf_counter()
        try:
            own = self.handlers.get(namespace)
            handler = own.get(event) if own is not None and event != "*" else None
            if handler is None or upstream.is_patched(self, "_trigger_event"):
                result = await self._trigger_event(event, namespace, sid, *data[1:])
            else:  # what `_trigger_event` would come to, the short way
                result = handler(sid, *data[1:])
                if type(result) is CoroutineType or (
                    inspect.isawaitable(result) and not isinstance(result, asyncio.Future)
                ):
                    result = await result
        except Exception as error:
            result = await self._handler_failed(event, sid, namespace, error)
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            result = await self._handler_failed(event, sid, namespace, error)  # it waited for something cancelled
        if isinstance(result, asyncio.Future):
            # The handler is done and its answer is to come: the client's next event need not wait for that.
            result.add_done_callback(partial(self._answered_late, socket, member, packet_id, event, began))
            return
        self._handled(event, namespace, began)
        try:
            self._acknowledge(socket, namespace, packet_id, result)
        except Exception as error:
            await self._acknowledge_failure(socket, member, packet_id, event, error)

    def _answered_late(
        self,
        socket: EngineSocket,
        member: Member,
        packet_id: int | None,
        event: str,
        began: float,
        answer: asyncio.Future[Any],
    ) -> None:
        self._handled(event, member.namespace, began)
        try:
            self._acknowledge(socket, member.namespace, packet_id, answer.result())
        except (Exception, asyncio.CancelledError) as error:
            self.start_background_task(self._acknowledge_failure, socket, member, packet_id, event, error)

    def _handled(self, event: str, namespace: str, began: float) -> None:
        took = perf_counter() - began
        self.stats.handled(took)
        if self._hears_handled:
            self.eio.hook(self.eio.hooks.handled, event, namespace, took)

    def _acknowledge(self, socket: EngineSocket, namespace: str, packet_id: int | None, result: Any) -> None:
        """Answer an event that asks for it: nothing, one value, or a tuple of several."""
        if packet_id is None or result is self.not_handled:
            return
        answer = [] if result is None else list(result) if isinstance(result, tuple) else [result]
        if socket.link is not None and (frame := self.codec.encode_ack(namespace, packet_id, answer)) is not None:
            socket.send_frame(frame)
        else:
            socket.send_frame(self.codec.encode(packets.ACK, namespace, packet_id, answer))

    async def _acknowledge_failure(
        self, socket: EngineSocket, member: Member, packet_id: int | None, event: str, error: BaseException
    ) -> None:
        told = await self._handler_failed(event, member.sid, member.namespace, error)
        self._acknowledge(socket, member.namespace, packet_id, told)

    async def _handler_failed(self, event: str, sid: str, namespace: str, error: BaseException) -> Any:
        self.stats.handler_errors += 1
        if self.on_handler_error is not None:
            try:
                return await _resolved(self.on_handler_error(event, sid, namespace, error))
            except Exception:
                self._log_exception("on_handler_error failed")
                return DEFAULT_ERROR_ACK
        self._log_exception("an event handler failed", error)
        return DEFAULT_ERROR_ACK

    def _log_exception(self, message: str, error: BaseException | None = None) -> None:
        """A traceback, but not more than ten at once and one a second: clients decide how often handlers fail."""
        now = self.eio.loop.time()
        if self._error_log is None:
            self._error_log = TokenBucket(1.0, 10, now)
        if self._error_log.take(now):
            logger.error(message, exc_info=error or True)

    async def _trigger_event(self, event: str, namespace: str, *args: Any) -> Any:
        """Find and call the handler of an event, in upstream's order of precedence."""
        handler, arguments = self._find_handler(event, namespace, args)
        if handler is None:
            instance, arguments = self._get_namespace_handler(namespace, args)
            if instance is None:
                return self.not_handled
            return await instance.trigger_event(event, *arguments)
        if event == "disconnect" and not _takes(handler, len(arguments)):
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

    async def member_left(self, socket: EngineSocket, member: Member, reason: str | None = None) -> None:
        """Run the disconnect handler of a client that left, and take it out of its rooms."""
        namespace, sid, manager = member.namespace, member.sid, self.manager
        if not sid:
            return
        if not member.accepted:
            await manager.disconnect(sid, namespace, ignore_queue=True)
            return
        member.accepted = False
        if not manager.is_connected(sid, namespace):
            return
        manager.pre_disconnect(sid, namespace=namespace)
        try:
            await self._tell_disconnect(member, reason or self.reason.CLIENT_DISCONNECT)
        finally:
            await manager.disconnect(sid, namespace, ignore_queue=True)

    async def _tell_disconnect(self, member: Member, reason: str) -> None:
        try:
            await _resolved(await self._trigger_event("disconnect", member.namespace, member.sid, reason))
        except Exception:
            self._log_exception("a disconnect handler failed")

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        """The connection ended: every client on it leaves."""
        socket = self.eio.sockets.get(eio_sid)
        peer = socket.peer if socket is not None else None
        if socket is not None and isinstance(peer, Peer):
            for member in list(peer.members.values()):
                await self.member_left(socket, member, reason)
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
        await self.member_left(socket, member, self.reason.SERVER_DISCONNECT)

    def close_code(self, sid: str, namespace: str | None = None) -> int | None:
        """How a client closed its WebSocket, for its disconnect handler: RFC 6455's code, 1005 for a close frame
        without one. None where it did not close it, or had none."""
        socket = self.eio.sockets.get(self.manager.eio_sid_from_sid(sid, namespace or "/"))
        return None if socket is None or socket.link is None else socket.link.peer_code

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
        """Run `target(*args, **kwargs)` as a task that is kept alive until it is done."""
        return self.eio.start_background_task(target, *args, **kwargs)


def _as_set(skip_sid: Any) -> frozenset[str]:
    return frozenset([skip_sid] if isinstance(skip_sid, str) else skip_sid or ())


async def _resolved(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


@lru_cache(maxsize=1024)
def _takes(handler: Callable[..., Any], count: int) -> bool:
    """True when the handler can be called with that many arguments."""
    try:
        inspect.signature(handler).bind(*([None] * count))
    except TypeError:
        return False
    except ValueError:  # a built-in without a signature
        return True
    return True
