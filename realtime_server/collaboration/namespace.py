"""One event's way: read, check, decide, acknowledge. Every request is answered, and failures become answers here only.

Hot path: `_receive` and `_settle` run once per command. Nothing is awaited between an event's arrival and its command's
place in the engine's queue, which is what keeps a client's order and lets its commands be stored together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from functools import partial
from time import perf_counter
from types import CoroutineType
from typing import Any, Final, Protocol
from uuid import uuid4

from socketio.exceptions import ConnectionRefusedError as ConnectRefused

from realtime_server.collaboration import reconciling  # noqa: F401 - for the handlers it declares
from realtime_server.collaboration.actions import ACTIONS
from realtime_server.collaboration.admission import Admission, Verifier
from realtime_server.collaboration.attendance import Attendance
from realtime_server.collaboration.commands import COMMANDS
from realtime_server.collaboration.config import CollaborationConfig
from realtime_server.collaboration.connections import Connection
from realtime_server.collaboration.declarations import ActionHandler, Answer, Call, Declared, Request
from realtime_server.collaboration.failures import as_error, is_fault, refusal, session_of
from realtime_server.collaboration.notices import Notices
from realtime_server.collaboration.pacing import PLACES, Turn, late, refusal_delay, turn_of
from realtime_server.collaboration.people import NoElsewhere, People
from realtime_server.collaboration.rooms import NAMESPACE, Rooms, Sockets
from realtime_server.core.commands import Actor, Command
from realtime_server.core.commits import Commit
from realtime_server.core.sessions import NAME_ERASED
from realtime_server.engine.engine import Engine
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.log_context import log_context
from realtime_server.ports import Elsewhere, NoticeStore
from realtime_server.presence.ports import Presence
from realtime_server.quotas import Quotas, rate_limited
from realtime_server.reconciliation.run import RunService
from realtime_server.turns import Turns
from schemas import MessageForm, loader

Ack = dict[str, Any]
#: Told of every answered event: its name, "ok" or the error's code, seconds from arrival to answer.
Observe = Callable[[str, str, float], None]


class Trace(Protocol):
    """Told of every event that reached a session, when it is answered; ``began``: seconds of `perf_counter`."""

    def __call__(
        self, event: str, outcome: str, began: float, *, session_id: str | None, user_id: str, command_id: str | None
    ) -> None: ...


#: Every event of the contract but `message`, which is another form of them.
EVENTS: Final = (*ACTIONS.handlers, *COMMANDS.handlers)

#: How a connection ends when nobody waits for it to come back: its client meant it, or we did, or it has been silent
#: for so long (ping interval and timeout) that it has been waited for already. Some clients close their WebSocket
#: (RFC 6455, code 1000: normal closure) without a word of Socket.IO before it.
_FOR_GOOD: Final = frozenset({"client disconnect", "server disconnect", "ping timeout"})
_NORMAL_CLOSURE: Final = 1000

#: Tokens that these cost beyond the one of every event: they ask the database, and tell everybody in the session.
_COSTS: Final = {"join": 10.0, "sync": 4.0}
#: Commits that are sent for one token.
_COMMITS_A_TOKEN: Final = 10
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
        quotas: Quotas,
        notices: NoticeStore,
        observe: Observe = lambda event, code, seconds: None,
        elsewhere: Elsewhere | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.presence = presence
        self.runs = runs
        self.admission = Admission(verifier, sockets, rooms, config, clock)
        self._connections: dict[str, Connection] = {}
        self._of_user: dict[str, set[Connection]] = {}
        elsewhere = elsewhere or NoElsewhere()
        self.notices = Notices(
            notices, rooms, self.of_user, lambda: list(self._connections.values()), elsewhere
        )
        self.attendance = Attendance(engine, presence, rooms, self.notices, config, clock)
        self._sockets = sockets
        self._engine = engine
        self._config = config
        self._quotas = quotas
        self._observe = observe
        self._trace = trace
        self.people = People(self.of_user, self.disconnect_user, rooms, clock, elsewhere, self.notices.heard)
        self._turns = Turns(PLACES)
        self._rechecks: set[asyncio.Task[None]] = set()
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
            # Nothing is awaited between the look at what was revoked and the entry in this list.
            connection = await self.admission.admit(sid, environ, auth)
            self._note(connection)
        except Exception as error:
            failure = as_error(error)
            self._observe("connect", failure.code, 0.0)
            raise ConnectRefused(failure.message, failure.to_wire()) from None
        self._observe("connect", "ok", 0.0)

    async def _disconnect(self, sid: str, reason: str) -> None:
        connection = self._connections.pop(sid, None)
        if connection is not None:
            self.admission.forget(connection)
            self._forget(connection)
            clean = reason in _FOR_GOOD or self._sockets.close_code(sid, NAMESPACE) == _NORMAL_CLOSURE
            await self.attendance.gone(connection, clean=clean and not self._draining)

    def _note(self, connection: Connection) -> None:
        theirs = self._of_user.setdefault(connection.user_id, set())
        limit = self._config.user_connections
        if len(theirs) >= limit:
            self.admission.forget(connection)
            details = {"scope": "user", "connections": limit}
            message = f"one person has at most {limit} connections here; close one first"
            raise CollaborationError(ErrorCode.RATE_LIMITED, message, details)
        theirs.add(connection)
        self._connections[connection.sid] = connection
        if len(theirs) == 1:
            self.people.came(connection.user_id)

    def _forget(self, connection: Connection) -> None:
        theirs = self._of_user[connection.user_id]
        theirs.discard(connection)
        if not theirs:
            del self._of_user[connection.user_id]
            self.people.went(connection.user_id)

    def of_user(self, user_id: str) -> Collection[Connection]:
        """The person's connections at this process."""
        return self._of_user.get(user_id, ())

    def disconnect_user(self, user_id: str) -> int:
        """Close every connection that the person has at this process, now; how many there were.

        They are told `notification.access_revoked`, and nothing they send is done any more. Who has a good token may
        connect anew: to prevent that, revoke it (`auth.revocations`).
        """
        theirs = [item for item in self.of_user(user_id) if item.barred is None]
        for connection in theirs:
            self.admission.revoke(connection)
        return len(theirs)

    def recheck_user(self, user_id: str) -> None:
        """Something was revoked: take it from the person's open connections, and close those without any right left."""
        self._recheck(self.of_user(user_id))

    def recheck(self) -> None:
        """The same for everybody, with tokens that expired while no timer ran."""
        self._recheck(self._connections.values())

    def observe(self, commits: Iterable[Commit]) -> None:
        """Of commits that are published: whose name was erased is shown by their id, where they are connected.

        On the hot path: a commit that erases nobody's name costs one comparison.
        """
        for commit in commits:
            if commit.message_type == NAME_ERASED:
                for connection in self.of_user(commit.data["user_id"]):
                    if commit.session_id in connection.sessions:
                        self._later(self.attendance.shown_anew(connection, commit.session_id))

    def _recheck(self, connections: Iterable[Connection]) -> None:
        for connection in list(connections):
            if self.admission.recheck(connection):
                self._later(self.attendance.refreshed(connection))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._rechecks.add(task)
        task.add_done_callback(self._rechecked)

    def _rechecked(self, task: asyncio.Task[None]) -> None:
        self._rechecks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            as_error(error)  # which logs what is a fault of ours

    def drain(self, grace: float) -> None:
        """From now on connections end because this process does: their people are waited for, ``grace`` seconds."""
        self._draining = True
        self.attendance.grace = grace

    def _receive(self, event: str, sid: str, *arguments: Any) -> Ack | Awaitable[Ack]:
        """A future for a command: the client's later events need not wait for it. A coroutine for an action."""
        began = perf_counter()
        try:
            connection = self._connection(sid, began)
        except Exception as error:
            return self._turned_away(event, self._connections.get(sid), error, began, session_of(arguments), began)
        turn = turn_of(connection, arguments)
        if self._turns.take(*turn):
            return self._handle(event, connection, arguments, began, turn, began)
        return self._wait(event, connection, arguments, began, turn)

    async def _wait(
        self, event: str, connection: Connection, arguments: tuple[Any, ...], began: float, turn: Turn
    ) -> Any:
        """Others of the session are first. The client's next events wait with this one; it gives what `_handle` does,
        and a command's answer may still be to come."""
        await self._turns.wait(*turn)
        answer = self._handle(event, connection, arguments, began, turn, perf_counter())
        return await answer if isinstance(answer, CoroutineType) else answer

    def _handle(
        self,
        event: str,
        connection: Connection,
        arguments: tuple[Any, ...],
        began: float,
        turn: Turn,
        now: float,
    ) -> Ack | Awaitable[Ack]:
        """``turn``: the event's places in its session, which are given back when it is answered. It came at ``began``,
        and its turn is ``now``."""
        try:
            action = ACTIONS.handlers.get(event)
            if action is not None:
                request, _ = self._read(action, connection, arguments, now)
                return self._act(action, connection, request, began, turn)
            declared = COMMANDS.handlers[event]
            request, actor = self._read(declared, connection, arguments, now)
            assert actor is not None, "a command is declared with its permission"
            edits = len(request["edits"]) if "edits" in request else 1
            if edits > 1:
                self._charge(connection, edits - 1, now)
            self._quotas.charge_session(request["session_id"], 2 * edits - 1, now)
            command = declared.handle(Call(actor, self._config), request)
            ack = self._submit(event, connection, request["session_id"], command, began, turn)
            # A coroutine holds up the client's next event, and with it the reading from its socket.
            return ack if connection.pending < self._config.pending else _resolved(ack)
        except Exception as error:
            self._turns.give_back(*turn)
            return self._turned_away(event, connection, error, began, session_of(arguments), now)

    def _turned_away(
        self,
        event: str,
        connection: Connection | None,
        error: Exception,
        began: float,
        session_id: str | None,
        now: float,
    ) -> Ack | Awaitable[Ack]:
        """The refusal. Who collects them gets them late, and is not read from until then: refusing as fast as somebody
        sends would cost the others the time that the limits are to keep for them."""
        answer = self._refused(event, error, began, connection, session_id)
        if connection is None:
            return answer
        delay = refusal_delay(connection, now)
        return late(answer, delay) if delay else answer

    def _connection(self, sid: str, now: float) -> Connection:
        connection = self._connections.get(sid)
        if connection is None or connection.barred is not None:
            raise _closed(connection)
        wait = connection.allowance.take(now)
        if wait:
            raise rate_limited("connection", self._config.event_rate, wait)
        self._quotas.of_user(connection.identity.user_id, now)
        return connection

    def _read(
        self, declared: Declared[Any], connection: Connection, arguments: tuple[Any, ...], now: float
    ) -> tuple[Request, Actor | None]:
        """The request, and who asks, in the role that the token gives at this moment."""
        if len(arguments) != 1:
            raise CollaborationError(ErrorCode.INVALID, f"an event takes one object, not {len(arguments)} arguments")
        request = declared.load(arguments[0])
        if declared.permitted is None:
            return request, None
        session_id = request["session_id"]
        project_id = connection.project_of(session_id)
        self._quotas.of_session(session_id, project_id, now)
        actor = connection.actor_in(session_id, project_id)
        if actor.role not in declared.permitted:
            message = f"the role {actor.role} may not do this ({declared.event})"
            raise CollaborationError(ErrorCode.FORBIDDEN, message, {"role": actor.role.value})
        self.presence.seen(session_id, connection.sid)
        return request, actor

    async def _act(
        self,
        declared: Declared[ActionHandler],
        connection: Connection,
        request: Request,
        began: float,
        turn: Turn,
    ) -> Ack:
        try:
            ack = await self._acted(declared, connection, request, began)
        finally:
            self._turns.give_back(*turn)
        if not ack["ok"] and (delay := refusal_delay(connection, perf_counter())):
            await asyncio.sleep(delay)
        return ack

    async def _acted(
        self, declared: Declared[ActionHandler], connection: Connection, request: Request, began: float
    ) -> Ack:
        session_id = request.get("session_id")
        cost = _COSTS.get(declared.event)
        if cost is not None:
            self._charge(connection, cost, began)
        try:
            ack = self._done(declared.event, await declared.handle(self, connection, request), began)
        except Exception as error:
            ack = self._refused(declared.event, error, began, connection, session_id)
        if cost is not None and ack["ok"]:
            self._charge(connection, len(ack.get("commits", ())) / _COMMITS_A_TOKEN, perf_counter())
        if self._trace is not None:
            outcome = "ok" if ack["ok"] else ack["error"]["code"]
            user_id = connection.user_id
            self._trace(declared.event, outcome, began, session_id=session_id, user_id=user_id, command_id=None)
        return ack

    def _charge(self, connection: Connection, tokens: float, now: float) -> None:
        connection.allowance.charge(tokens)
        self._quotas.charge_user(connection.user_id, tokens, now)

    def _submit(
        self,
        event: str,
        connection: Connection,
        session_id: str,
        command: Command,
        began: float,
        turn: Turn,
    ) -> asyncio.Future[Ack]:
        connection.pending += 1
        ack: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._engine.timings.received.observe(perf_counter() - began)
        decided = self._engine.submit(session_id, command)
        decided.add_done_callback(partial(self._settle, event, connection, ack, began, turn))
        if self._trace is not None:
            ack.add_done_callback(partial(self._traced, event, connection, session_id, command.command_id, began))
        return ack

    def _traced(
        self,
        event: str,
        connection: Connection,
        session_id: str | None,
        command_id: str | None,
        began: float,
        ack: asyncio.Future[Ack],
    ) -> None:
        if self._trace is not None and not ack.cancelled():
            answer = ack.result()
            outcome = "ok" if answer["ok"] else answer["error"]["code"]
            user_id = connection.user_id
            self._trace(event, outcome, began, session_id=session_id, user_id=user_id, command_id=command_id)

    def _settle(
        self,
        event: str,
        connection: Connection,
        ack: asyncio.Future[Ack],
        began: float,
        turn: Turn,
        decided: asyncio.Future[Answer],
    ) -> None:
        connection.pending -= 1
        self._turns.give_back(*turn)
        if decided.cancelled():
            answer = self._refused(event, TimeoutError(), began)
        elif (error := decided.exception()) is not None:
            answer = self._refused(event, error, began, connection)
        else:
            answer = self._done(event, decided.result(), began)
        if not ack.done():
            ack.set_result(answer)

    def _done(self, event: str, answer: Answer, began: float) -> Ack:
        self._observe(event, "ok", perf_counter() - began)
        return {"ok": True, **answer}

    def _refused(
        self,
        event: str,
        error: BaseException,
        began: float,
        connection: Connection | None = None,
        session_id: str | None = None,
    ) -> Ack:
        if is_fault(error):  # it will be logged, and whoever sent it can name the entry
            user_id = None if connection is None else connection.user_id
            with log_context(request_id=uuid4().hex, event=event, session_id=session_id, user_id=user_id):
                answer = refusal(error)
        else:
            answer = refusal(error)
        self._observe(event, answer["error"]["code"], perf_counter() - began)
        return answer

    def _message(self, sid: str, *arguments: Any) -> Ack | Awaitable[Ack]:
        """Any event in the form ``{message_type, session_id, data}``."""
        try:
            message = _load_message(arguments[0] if len(arguments) == 1 else None)
        except Exception as error:
            return self._nothing("message", sid, error)
        request = message["data"]
        if "session_id" in message:
            request = {"session_id": message["session_id"], **request}
        return self._receive(message["message_type"], sid, request)

    def _unknown(self, event: str, sid: str, *arguments: Any) -> Ack | Awaitable[Ack]:
        """Events nobody declared are all the same to the metrics: a client chose their names."""
        name = event[:64].encode("utf-8", "replace").decode()
        error = CollaborationError(ErrorCode.INVALID, f"there is no event {name!r}")
        return self._nothing("unknown", sid, error)

    def _nothing(self, event: str, sid: str, error: Exception) -> Ack | Awaitable[Ack]:
        """What leads to no handler is an event of the client's all the same."""
        now = perf_counter()
        try:
            self._connection(sid, now)
        except CollaborationError as refused:
            error = refused
        return self._turned_away(event, self._connections.get(sid), error, now, None, now)

    async def close(self) -> None:
        for connection in self._connections.values():
            self.admission.forget(connection)
        await asyncio.gather(*self._rechecks, return_exceptions=True)
        await self.attendance.close()


def _closed(connection: Connection | None) -> CollaborationError:
    if connection is not None and connection.barred is ErrorCode.UNAUTHENTICATED:
        return CollaborationError(ErrorCode.UNAUTHENTICATED, "the token was revoked; connect anew with another one")
    return CollaborationError(ErrorCode.TOKEN_EXPIRED, "the token has expired; connect anew")


async def _resolved(ack: asyncio.Future[Ack]) -> Ack:
    return await ack
