"""One event's way: read, check, decide, acknowledge. Every request is answered, and failures become answers here only.

Hot path: `_receive` and `_settle` run once per command. Nothing is awaited between an event's arrival and its command's
place in the engine's queue, which is what keeps a client's order and lets its commands be stored together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Any, Final

from socketio.exceptions import ConnectionRefusedError as ConnectRefused

from realtime_server.collaboration import reconciling  # noqa: F401 - for the handlers it declares
from realtime_server.collaboration.actions import ACTIONS
from realtime_server.collaboration.admission import Admission, Verifier
from realtime_server.collaboration.attendance import Attendance
from realtime_server.collaboration.commands import COMMANDS
from realtime_server.collaboration.config import CollaborationConfig
from realtime_server.collaboration.connections import Connection
from realtime_server.collaboration.declarations import ActionHandler, Answer, Call, Declared, Request
from realtime_server.collaboration.failures import as_error, refusal
from realtime_server.collaboration.notices import Notices
from realtime_server.collaboration.rooms import NAMESPACE, Rooms, Sockets
from realtime_server.core.commands import Actor, Command
from realtime_server.engine.engine import Engine
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import NoticeStore
from realtime_server.presence.ports import Presence
from realtime_server.reconciliation.run import RunService
from schemas import MessageForm, loader

Ack = dict[str, Any]
#: Told of every answered event: its name, "ok" or the error's code, seconds from arrival to answer.
Observe = Callable[[str, str, float], None]

#: Every event of the contract but `message`, which is another form of them.
EVENTS: Final = (*ACTIONS.handlers, *COMMANDS.handlers)

#: How a connection ends when nobody waits for it to come back: its client meant it, or we did, or it has been silent
#: for so long (ping interval and timeout) that it has been waited for already. Some clients close their WebSocket
#: (RFC 6455, code 1000: normal closure) without a word of Socket.IO before it.
_FOR_GOOD: Final = frozenset({"client disconnect", "server disconnect", "ping timeout"})
_NORMAL_CLOSURE: Final = 1000

_load_message = loader(MessageForm())


class Collaboration:
    """The namespace's handlers. ``clock`` gives milliseconds since 1970."""

    def __init__(
        self,
        *,
        sockets: Sockets,
        rooms: Rooms,
        engine: Engine,
        presence: Presence,
        verifier: Verifier,
        config: CollaborationConfig,
        clock: Callable[[], int],
        runs: RunService,
        notices: NoticeStore,
        observe: Observe = lambda event, code, seconds: None,
    ) -> None:
        self.presence = presence
        self.runs = runs
        self.admission = Admission(verifier, sockets, rooms, config, clock)
        self.notices = Notices(notices, rooms)
        self.attendance = Attendance(engine, presence, rooms, self.notices, config, clock)
        self._sockets = sockets
        self._engine = engine
        self._config = config
        self._observe = observe
        self._connections: dict[str, Connection] = {}
        self._draining = False
        self._register(sockets)

    def _register(self, sockets: Sockets) -> None:
        sockets.on("connect", self._connect, namespace=NAMESPACE)
        sockets.on("disconnect", self._disconnect, namespace=NAMESPACE)
        sockets.on("message", self._message, namespace=NAMESPACE)
        sockets.on("*", self._unknown, namespace=NAMESPACE)
        for event in EVENTS:
            sockets.on(event, partial(self._receive, event), namespace=NAMESPACE)

    @property
    def connections(self) -> int:
        return len(self._connections)

    async def _connect(self, sid: str, environ: Mapping[str, Any], auth: Any = None) -> None:
        try:
            self._connections[sid] = await self.admission.admit(sid, environ, auth)
        except Exception as error:
            failure = as_error(error)
            self._observe("connect", failure.code, 0.0)
            raise ConnectRefused(failure.message, failure.to_wire()) from None
        self._observe("connect", "ok", 0.0)

    async def _disconnect(self, sid: str, reason: str) -> None:
        connection = self._connections.pop(sid, None)
        if connection is not None:
            self.admission.forget(connection)
            clean = reason in _FOR_GOOD or self._sockets.close_code(sid, NAMESPACE) == _NORMAL_CLOSURE
            await self.attendance.gone(connection, clean=clean and not self._draining)

    def drain(self, grace: float) -> None:
        """From now on connections end because this process does: their people are waited for, ``grace`` seconds."""
        self._draining = True
        self.attendance.grace = grace

    def _receive(self, event: str, sid: str, *arguments: Any) -> Ack | Awaitable[Ack]:
        """A future for a command: the client's later events need not wait for it. A coroutine for an action."""
        began = perf_counter()
        try:
            connection = self._connection(sid)
            action = ACTIONS.handlers.get(event)
            if action is not None:
                request, _ = self._read(action, connection, arguments)
                return self._act(action, connection, request, began)
            declared = COMMANDS.handlers[event]
            request, actor = self._read(declared, connection, arguments)
            assert actor is not None, "a command is declared with its permission"
            command = declared.handle(Call(actor, self._config), request)
            ack = self._submit(event, connection, request["session_id"], command, began)
            # A coroutine holds up the client's next event, and with it the reading from its socket.
            return ack if connection.pending < self._config.pending else _resolved(ack)
        except Exception as error:
            return self._refused(event, error, began)

    def _connection(self, sid: str) -> Connection:
        connection = self._connections.get(sid)
        if connection is None or connection.token_expired:
            raise CollaborationError(ErrorCode.TOKEN_EXPIRED, "the token has expired; connect anew")
        if not connection.allowance.take(asyncio.get_running_loop().time()):
            message = f"at most {self._config.event_rate:g} events a second; wait a moment"
            raise CollaborationError(ErrorCode.RATE_LIMITED, message)
        return connection

    def _read(
        self, declared: Declared[Any], connection: Connection, arguments: tuple[Any, ...]
    ) -> tuple[Request, Actor | None]:
        """The request, and who asks, in the role that the token gives at this moment."""
        if len(arguments) != 1:
            raise CollaborationError(ErrorCode.INVALID, f"an event takes one object, not {len(arguments)} arguments")
        request = declared.load(arguments[0])
        if declared.permitted is None:
            return request, None
        session_id = request["session_id"]
        actor = connection.actor_in(session_id, connection.project_of(session_id))
        if actor.role not in declared.permitted:
            message = f"the role {actor.role} may not do this ({declared.event})"
            raise CollaborationError(ErrorCode.FORBIDDEN, message, {"role": actor.role.value})
        self.presence.seen(session_id, connection.sid)
        return request, actor

    async def _act(
        self, declared: Declared[ActionHandler], connection: Connection, request: Request, began: float
    ) -> Ack:
        try:
            answer = await declared.handle(self, connection, request)
        except Exception as error:
            return self._refused(declared.event, error, began)
        return self._done(declared.event, answer, began)

    def _submit(
        self, event: str, connection: Connection, session_id: str, command: Command, began: float
    ) -> asyncio.Future[Ack]:
        connection.pending += 1
        ack: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        decided = self._engine.submit(session_id, command)
        decided.add_done_callback(partial(self._settle, event, connection, ack, began))
        return ack

    def _settle(
        self,
        event: str,
        connection: Connection,
        ack: asyncio.Future[Ack],
        began: float,
        decided: asyncio.Future[Answer],
    ) -> None:
        connection.pending -= 1
        if decided.cancelled():
            answer = self._refused(event, TimeoutError(), began)
        elif (error := decided.exception()) is not None:
            answer = self._refused(event, error, began)
        else:
            answer = self._done(event, decided.result(), began)
        if not ack.done():
            ack.set_result(answer)

    def _done(self, event: str, answer: Answer, began: float) -> Ack:
        self._observe(event, "ok", perf_counter() - began)
        return {"ok": True, **answer}

    def _refused(self, event: str, error: BaseException, began: float) -> Ack:
        answer = refusal(error)
        self._observe(event, answer["error"]["code"], perf_counter() - began)
        return answer

    def _message(self, sid: str, *arguments: Any) -> Ack | Awaitable[Ack]:
        """Any event in the form ``{message_type, session_id, data}``."""
        try:
            message = _load_message(arguments[0] if len(arguments) == 1 else None)
        except Exception as error:
            return self._refused("message", error, perf_counter())
        request = message["data"]
        if "session_id" in message:
            request = {"session_id": message["session_id"], **request}
        return self._receive(message["message_type"], sid, request)

    def _unknown(self, event: str, sid: str, *arguments: Any) -> Ack:
        """Events nobody declared are all the same to the metrics: a client chose their names."""
        name = event[:64].encode("utf-8", "replace").decode()
        error = CollaborationError(ErrorCode.INVALID, f"there is no event {name!r}")
        return self._refused("unknown", error, perf_counter())

    async def close(self) -> None:
        for connection in self._connections.values():
            self.admission.forget(connection)
        await self.attendance.close()


async def _resolved(ack: asyncio.Future[Ack]) -> Ack:
    return await ack
