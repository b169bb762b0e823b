"""One connection to a server, that comes back by itself, with whatever was joined."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final

import aiohttp
import socketio
from socketio.exceptions import SocketIOError

from realtime_server.client.messages import refusal_of
from realtime_server.client.session import Session
from realtime_server.ending import end_tasks
from realtime_server.errors import CollaborationError, ErrorCode

log = logging.getLogger(__name__)

NAMESPACE: Final = "/collaboration"
#: Seconds until an acknowledgement is taken for lost, and the request sent again.
_ACK_TIMEOUT: Final = 10.0
#: Seconds before the first attempt to come back, doubled each time up to the second number; each by chance a bit less.
_BACKOFF: Final = (0.2, 10.0)
#: What may be over by itself in a moment. Somebody's lock is not: that is for a person to wait for, or not.
_PASSING: Final = frozenset({ErrorCode.OVERLOADED, ErrorCode.UNAVAILABLE, ErrorCode.RATE_LIMITED})
#: Refusals that are the token's, whatever was asked for.
_OF_THE_TOKEN: Final = frozenset({ErrorCode.UNAUTHENTICATED, ErrorCode.TOKEN_EXPIRED})
#: Refusals of a connection that no waiting helps against.
_FINAL: Final = _OF_THE_TOKEN | {ErrorCode.FORBIDDEN, ErrorCode.INVALID}

#: A token, or whoever makes one when it is needed: at every connection, and when the last one is about to expire.
Token = str | Callable[[], str | Awaitable[str]]


class _Unanswered(CollaborationError):
    """No answer came: the connection broke, or is as good as broken."""


@asynccontextmanager
async def connect(
    url: str,
    token: Token,
    *,
    path: str = "socket.io",
    timeout: float = 30.0,
    transports: tuple[str, ...] = ("websocket",),
) -> AsyncIterator[Client]:
    """A connected client; left and closed at the end.

    ``timeout``: seconds that any one request may take, resending and reconnecting included. CollaborationError:
    `unauthenticated` and the like for a token that is not good, `unavailable` where nobody answers in time.
    """
    client = Client(url, token, path=path, timeout=timeout, transports=transports)
    try:
        await client._open()
        yield client
    finally:
        await client.close()


class Client:
    """See `connect`. Requests wait for the connection while it is away, and are sent again with their id."""

    def __init__(self, url: str, token: Token, *, path: str, timeout: float, transports: tuple[str, ...]) -> None:
        self._url, self._token, self._path, self._timeout, self._transports = url, token, path, timeout, transports
        self._sessions: dict[str, Session] = {}
        self._ready = asyncio.Event()
        self._lost = asyncio.Event()
        self._failure: CollaborationError | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Future[Any]] = set()
        self._supervisor: asyncio.Task[None] | None = None
        self._closed = False
        self._http = aiohttp.ClientSession()
        self._socket = socketio.AsyncClient(reconnection=False, handle_sigint=False, http_session=self._http)

    @property
    def connected(self) -> bool:
        return self._ready.is_set()

    @asynccontextmanager
    async def join(self, session_id: str, *, since: int | None = None) -> AsyncIterator[Session]:
        """The session, joined until the end of the block. What came after ``since``, the last known ``seq``, comes."""
        if session_id in self._sessions:
            raise ValueError(f"session {session_id} is joined already")
        session = Session(session_id, self.request, since)
        # Before the answer: broadcasts can be faster than it.
        self._sessions[session_id] = session
        try:
            session._join(await self.request("join", session._join_request()))
            yield session
        finally:
            del self._sessions[session_id]
            session._end(None)
            if self.connected:
                with suppress(CollaborationError):
                    await self.request("leave", {"session_id": session_id})

    async def request(self, event: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Send an event and return its acknowledgement; CollaborationError for a refusal.

        While the connection is away, or the server has too much to do, the same request is sent again: give it an id
        (``edit_id``, ``request_id``) so that it is done once.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._insist(event, dict(payload))
        except TimeoutError:
            message = f"no answer to {event} within {self._timeout:g} seconds"
            raise self._failure or CollaborationError(ErrorCode.UNAVAILABLE, message) from None

    async def _insist(self, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        for attempt in range(1_000_000):
            await self._ready_or_failed()
            try:
                return await self._send(event, payload)
            except CollaborationError as error:
                if error.code is ErrorCode.NOT_JOINED and event not in ("join", "leave"):
                    # The connection came back between the sending and now; its sessions are joined again by then,
                    # but for one that was refused, which is tried again.
                    session = self._sessions.get(payload.get("session_id", ""))
                    refusal = None if session is None else session._refusal
                    if refusal is not None and refusal.code not in _PASSING:
                        raise refusal from None
                    if refusal is None and attempt > 3:
                        raise
                elif error.code not in _PASSING:
                    raise
            await asyncio.sleep(_pause(attempt))
        raise AssertionError("the time limit ends this loop")

    async def _send(self, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.add(answer)
        try:
            await self._socket.emit(event, payload, namespace=NAMESPACE, callback=partial(_settle, answer))
            async with asyncio.timeout(_ACK_TIMEOUT):
                ack = await answer
        except (SocketIOError, TimeoutError) as error:
            raise _Unanswered(ErrorCode.UNAVAILABLE, f"the connection failed: {error!r}") from None
        finally:
            self._waiting.discard(answer)
        if not isinstance(ack, dict) or ack.get("ok") is not True:
            raise refusal_of(ack.get("error", {}) if isinstance(ack, dict) else {})
        return ack

    async def close(self) -> None:
        """Disconnect. What still waits is told `unavailable`."""
        self._closed = True
        self._fail(CollaborationError(ErrorCode.UNAVAILABLE, "the client was closed"))
        tasks = [*self._tasks, *([self._supervisor] if self._supervisor is not None else [])]
        await end_tasks(*tasks)
        await self._socket.disconnect()
        await self._http.close()

    # -- connecting --------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._connect()
        except TimeoutError:
            raise CollaborationError(ErrorCode.UNAVAILABLE, f"no answer from {self._url}") from None
        self._ready.set()
        self._supervisor = asyncio.create_task(self._supervise(), name="collaboration client")

    async def _connect(self) -> None:
        """A new socket each time: what is left of the one before must not disturb it."""
        await self._socket.disconnect()
        socket = self._socket = socketio.AsyncClient(reconnection=False, handle_sigint=False, http_session=self._http)
        refused: list[Any] = []
        socket.on("connect_error", refused.append, namespace=NAMESPACE)
        socket.on("message", self._on_message, namespace=NAMESPACE)
        socket.on("disconnect", partial(self._on_disconnect, socket), namespace=NAMESPACE)
        self._lost.clear()
        auth = {"token": await self._fresh_token(), "envelope": "message"}
        try:
            await socket.connect(
                self._url,
                auth=auth,
                namespaces=[NAMESPACE],
                socketio_path=self._path,
                transports=list(self._transports),
                wait_timeout=_ACK_TIMEOUT,
            )
        except Exception as error:
            # Not only its own family: what a connection meets that breaks while it is made comes through as it is.
            raise _refusal(refused, error) from None

    async def _fresh_token(self) -> str:
        token = self._token() if callable(self._token) else self._token
        return await token if inspect.isawaitable(token) else token

    async def _supervise(self) -> None:
        """Come back whenever the connection is lost, and join again what was joined."""
        while True:
            await self._lost.wait()
            self._ready.clear()
            attempt = 0
            while not await self._returned():
                await asyncio.sleep(_pause(attempt))
                attempt += 1

    async def _returned(self) -> bool:
        try:
            await self._connect()
            for session in list(self._sessions.values()):
                if session.error is None and not await self._rejoin(session):
                    self._start(self._keep_rejoining(session, self._socket))
        except CollaborationError as error:
            if error.code in _FINAL:
                self._fail(error)
                await asyncio.get_running_loop().create_future()
            log.info("not connected yet: %s", error.message)
            return False
        except Exception as error:  # of whoever makes the tokens: they may have one the next time
            log.warning("not connected yet: %r", error)
            return False
        if self._lost.is_set():
            return False
        self._ready.set()
        return True

    async def _rejoin(self, session: Session) -> bool:
        """False for a session that may be entered later. One that cannot be any more is over for those in it.

        CollaborationError only where it is the connection's: no answer, or a token that is not good any more.
        """
        try:
            session._join(await self._send("join", session._join_request()))
        except CollaborationError as error:
            if isinstance(error, _Unanswered) or error.code in _OF_THE_TOKEN:
                raise
            if error.retryable:
                log.info("session %s is not joined again yet: %s", session.session_id, error.message)
                session._refusal = error
                return False
            log.warning("session %s cannot be joined again: %s", session.session_id, error.message)
            session._end(error)
        session._refusal = None
        return True

    async def _keep_rejoining(self, session: Session, socket: socketio.AsyncClient) -> None:
        """For as long as it is wanted, and with this connection: with the next one all sessions are joined anew."""
        for attempt in itertools.count():
            await asyncio.sleep(_pause(attempt))
            if socket is not self._socket or self._sessions.get(session.session_id) is not session or session.error:
                return
            with suppress(CollaborationError):
                if await self._rejoin(session):
                    return

    def _fail(self, error: CollaborationError) -> None:
        """It will not come back: everybody who waits is told."""
        self._failure = self._failure or error
        self._ready.set()
        for session in self._sessions.values():
            session._end(self._failure)

    async def _ready_or_failed(self) -> None:
        await self._ready.wait()
        if self._failure is not None:
            raise self._failure

    # -- what comes --------------------------------------------------------------------------------------------------

    def _on_message(self, payload: Mapping[str, Any]) -> None:
        if payload["message_type"] == "notification.token_expiring":
            self._refresh()
        session = self._sessions.get(payload["session_id"] or "")
        if session is not None:
            session._receive(payload)

    def _on_disconnect(self, socket: socketio.AsyncClient, *reason: Any) -> None:
        if socket is not self._socket or self._failure is not None:
            return
        self._ready.clear()
        self._lost.set()
        for answer in self._waiting:
            if not answer.done():
                # Perhaps it was done, perhaps not: the same request again tells.
                answer.set_exception(SocketIOError("the connection was lost"))

    def _refresh(self) -> None:
        if callable(self._token):
            self._start(self._authenticate())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _authenticate(self) -> None:
        try:
            await self.request("authenticate", {"token": await self._fresh_token()})
        except Exception as error:
            # Refused, or not to be had. The connection ends with its token, and comes back with another one if it can.
            log.warning("the token could not be refreshed: %s", error)


def _settle(answer: asyncio.Future[Any], *values: Any) -> None:
    if not answer.done():
        answer.set_result(values[0] if values else None)


def _pause(attempt: int) -> float:
    first, longest = _BACKOFF
    return min(longest, first * float(1 << min(attempt, 10))) * random.uniform(0.5, 1.0)


def _refusal(refused: list[Any], error: Exception) -> CollaborationError:
    """Why a connection was refused, as the server said it, or that nobody answered."""
    said = refused[0] if refused else None
    if isinstance(said, dict) and isinstance(said.get("data"), dict):
        return refusal_of({"message": said.get("message"), **said["data"]})
    return CollaborationError(ErrorCode.UNAVAILABLE, f"cannot connect: {error}")
