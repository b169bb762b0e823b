"""Tokens at the door and on the open connection: who connects, who stays, and until when."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, Protocol

from realtime_server.auth.identity import Identity
from realtime_server.collaboration import views
from realtime_server.collaboration.config import CollaborationConfig
from realtime_server.collaboration.connections import Connection
from realtime_server.collaboration.rooms import NAMESPACE, Rooms, Sockets
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.quotas import Bucket
from schemas import ConnectAuth, loader

log = logging.getLogger(__name__)

_load_auth = loader(ConnectAuth())
_BEARER = "bearer "
#: Refusals that a connection gets without a delay, a millisecond's work each. A client in order meets few.
_REFUSALS_A_SECOND = 5.0
_REFUSALS_AT_ONCE = 20.0


class Verifier(Protocol):
    async def verify(self, token: object) -> Identity:
        """Who the token stands for, less what was revoked; nothing is awaited after that look."""

    def check(self, identity: Identity) -> Identity:
        """What is left at this moment of an identity that was verified earlier; `unauthenticated` when nothing is."""


class Admission:
    """``clock`` gives milliseconds since 1970: tokens expire by the wall clock."""

    def __init__(
        self,
        verifier: Verifier,
        sockets: Sockets,
        rooms: Rooms,
        config: CollaborationConfig,
        clock: Callable[[], int],
    ) -> None:
        self._verifier = verifier
        self._sockets = sockets
        self._rooms = rooms
        self._config = config
        self._clock = clock
        self._closing: set[asyncio.Task[None]] = set()

    async def admit(self, sid: str, environ: Mapping[str, Any], auth: Any) -> Connection:
        """The connection of somebody with a good token: `unauthenticated`, `token_expired` or `invalid` otherwise."""
        asked = _load_auth({} if auth is None else auth)
        identity = await self._identify(asked.get("token") or _bearer(environ))
        now = perf_counter()
        allowance = Bucket(self._config.event_rate, self._config.event_burst, now)
        patience = Bucket(_REFUSALS_A_SECOND, _REFUSALS_AT_ONCE, now)
        connection = Connection(sid, identity, asked["envelope"] == "message", allowance, patience)
        self.watch(connection)
        return connection

    async def _identify(self, token: str | None) -> Identity:
        identity = await self._verifier.verify(token)
        if identity.expires_at * 1000 <= self._clock():
            # The verifier is lenient about clocks; here the connection would be closed at once.
            raise CollaborationError(ErrorCode.TOKEN_EXPIRED, "The token has expired")
        return identity

    async def refresh(self, connection: Connection, token: str) -> None:
        """Another token of the same person. A bad one changes nothing."""
        identity = await self._identify(token)
        if identity.user_id != connection.user_id:
            raise CollaborationError(ErrorCode.UNAUTHENTICATED, "the token is another person's; connect anew with it")
        connection.identity = identity
        connection.barred = None
        self.watch(connection)

    def watch(self, connection: Connection) -> None:
        """Warn before the token expires, and close the connection when it has."""
        self.forget(connection)
        if not connection.open:
            return
        left = max(0.0, connection.identity.expires_at - self._clock() / 1000)
        loop = asyncio.get_running_loop()
        connection.timers = [
            loop.call_later(max(0.0, left - self._config.token_warning), self._tell, connection, "token_expiring"),
            loop.call_later(left, self._expired, connection),
        ]

    def forget(self, connection: Connection) -> None:
        """Stop watching a token."""
        for timer in connection.timers:
            timer.cancel()
        connection.timers = []

    def _tell(self, connection: Connection, kind: str, data: Mapping[str, Any] | None = None) -> None:
        data = {"expires_at": connection.expires_at} if data is None else data
        message = views.ephemeral(f"notification.{kind}", data, user_id=connection.user_id, at=self._clock())
        self._rooms.tell(connection, message)

    def recheck(self, connection: Connection) -> bool:
        """Take from an open connection what was revoked, and close it when nothing is left or its token has expired.

        True when it has other roles now. The timers of `watch` do not run while a machine is suspended or its clock
        is set; this looks at the clock itself.
        """
        if connection.barred is not None:
            return False
        if connection.identity.expires_at * 1000 <= self._clock():
            self._expired(connection)
            return False
        try:
            identity = self._verifier.check(connection.identity)
        except CollaborationError:
            self.revoke(connection)
            return False
        changed = identity is not connection.identity
        connection.identity = identity
        return changed

    def revoke(self, connection: Connection) -> None:
        """Do nothing for the connection any more, say so, and close it."""
        self._tell(connection, "access_revoked", {})
        self._bar(connection, ErrorCode.UNAUTHENTICATED)

    def _expired(self, connection: Connection) -> None:
        self._tell(connection, "token_expired")
        self._bar(connection, ErrorCode.TOKEN_EXPIRED)

    def _bar(self, connection: Connection, why: ErrorCode) -> None:
        connection.barred = why
        self.forget(connection)
        task = asyncio.get_running_loop().create_task(self._sockets.disconnect(connection.sid, NAMESPACE))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _bearer(environ: Mapping[str, Any]) -> str | None:
    header = environ.get("HTTP_AUTHORIZATION", "")
    return header[len(_BEARER) :].strip() if header[: len(_BEARER)].lower() == _BEARER else None
