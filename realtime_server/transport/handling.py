"""One event's handler: called in the client's lane, timed, and acknowledged whatever happens in it.

Hot path: `EventHandling.handle` runs once per inbound event (see docs/performance.md).
"""

from __future__ import annotations

import asyncio
import inspect
from asyncio import Future
from functools import partial
from time import perf_counter
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from . import upstream
from .engine_socket import EngineSocket
from .faults import HandlerFaults
from .hooks import Hooks
from .peer import Member

if TYPE_CHECKING:
    from .socket_server import SocketServer


class EventHandling:
    """Runs the event handlers of one server, and the callbacks of what clients acknowledge."""

    def __init__(self, server: SocketServer, faults: HandlerFaults) -> None:
        self._server = server
        self._faults = faults
        self._stats = server.stats
        self._encode_ack: Final = server.codec.encode_ack
        self._hears_handled = type(server.eio.hooks).handled is not Hooks.handled

    async def handle(self, socket: EngineSocket, member: Member, packet_id: int | None, data: list[Any]) -> None:
        """Run one event's handler and acknowledge it; `data` is the event's name and its arguments."""
        if not member.accepted:
            return  # the connect handler said no
        server = self._server
        event, namespace = data[0], member.namespace
        began = perf_counter()
        try:
            own = server.handlers.get(namespace)
            handler = own.get(event) if own is not None and event != "*" else None
            if handler is None or upstream.is_patched(server, "_trigger_event"):
                result = await server._trigger_event(event, namespace, member.sid, *data[1:])
            else:  # what `_trigger_event` would come to, the short way
                data[0] = member.sid
                result = handler(*data)
                if type(result) is CoroutineType or (inspect.isawaitable(result) and not isinstance(result, Future)):
                    result = await result
        except Exception as error:
            result = await self._faults.answer(event, member.sid, namespace, error)
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            # The handler waited for something that was cancelled.
            result = await self._faults.answer(event, member.sid, namespace, error)
        if isinstance(result, Future):
            # The handler is done and its answer is to come: the client's next event need not wait for that.
            result.add_done_callback(partial(self._answered_late, socket, member, packet_id, event, began))
            return
        took = perf_counter() - began
        self._stats.handled(took)
        if self._hears_handled:
            self._tell_hook(event, namespace, took)
        if packet_id is not None:
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
        answer: Future[Any],
    ) -> None:
        took = perf_counter() - began
        self._stats.handled(took)
        if self._hears_handled:
            self._tell_hook(event, member.namespace, took)
        try:
            result = answer.result()
            if packet_id is not None:
                self._acknowledge(socket, member.namespace, packet_id, result)
        except (Exception, asyncio.CancelledError) as error:
            failed = self._acknowledge_failure
            self._server.start_background_task(failed, socket, member, packet_id, event, error)

    def _tell_hook(self, event: str, namespace: str, took: float) -> None:
        eio = self._server.eio
        eio.hook(eio.hooks.handled, event, namespace, took)

    def _acknowledge(self, socket: EngineSocket, namespace: str, packet_id: int, result: Any) -> None:
        """Answer an event that asks for it: nothing, one value, or a tuple of several."""
        if result is self._server.not_handled:
            return
        answer = [] if result is None else list(result) if isinstance(result, tuple) else [result]
        socket.send_frame(self._encode_ack(namespace, packet_id, answer))

    async def _acknowledge_failure(
        self, socket: EngineSocket, member: Member, packet_id: int | None, event: str, error: BaseException
    ) -> None:
        told = await self._faults.answer(event, member.sid, member.namespace, error)
        if packet_id is not None:
            self._acknowledge(socket, member.namespace, packet_id, told)

    def acknowledged(self, member: Member, packet_id: int, data: list[Any]) -> None:
        """A client acknowledged one of our events. Not in the lane: a handler may be waiting for just this."""
        if packet_id != 0 and member.accepted:  # 0 is where upstream keeps its counter
            self._server.start_background_task(self._run_callback, member.sid, packet_id, data)

    async def _run_callback(self, sid: str, packet_id: int, data: list[Any]) -> None:
        manager = self._server.manager
        if packet_id not in manager.callbacks.get(sid, ()):
            return  # late, twice, or made up
        try:
            await manager.trigger_callback(sid, packet_id, data)
        except Exception:
            self._faults.log("an acknowledgement callback failed")
