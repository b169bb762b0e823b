"""Expires sessions that nobody has used for the time they were given.

A session that somebody has open is in use, whatever its log says, and only the process whose client it is knows of
that: it says so in the database, shortly before the session's time is over, and again as long as it lasts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Protocol

from realtime_server.core.commands import SYSTEM, Command, ExpireSession
from realtime_server.core.commits import SYSTEM_USER
from realtime_server.engine.batch import Answer
from realtime_server.errors import CollaborationError
from realtime_server.ports import SessionStore

log = logging.getLogger(__name__)

#: Sessions looked at in one sweep.
_LIMIT = 500
#: Sweeps ahead of a session's end that it is kept from, and for which it is kept: so that another process, whose sweeps
#: come at other moments, never finds it between two of this one's.
_AHEAD = 2
_KEPT = 3


class Sessions(Protocol):
    """What is used of the engine."""

    @property
    def followed(self) -> Collection[str]: ...
    def submit(self, session_id: str, command: Command) -> asyncio.Future[Answer]: ...


async def sweep_forever(engine: Sessions, sessions: SessionStore, interval: float, clock: Callable[[], int]) -> None:
    while True:
        await asyncio.sleep(interval)
        try:
            await sweep(engine, sessions, clock(), interval)
        except CollaborationError as error:
            log.warning("looking for expired sessions failed: %s", error.message)
        except Exception:
            log.exception("looking for expired sessions failed")


async def sweep(engine: Sessions, sessions: SessionStore, now: int, interval: float) -> None:
    """Ask for the end of every session whose time is over by its checkpoint; the log may know better, and decides.

    ``now`` in milliseconds, ``interval`` in seconds.
    """
    step = int(interval * 1000)
    await sessions.keep(engine.followed, now + _AHEAD * step, now + _KEPT * step)
    for session_id in await sessions.expirable(now, _LIMIT):
        if session_id not in engine.followed:
            command = ExpireSession(actor=SYSTEM, command_id=f"{SYSTEM_USER}/expire/{session_id}/{now}")
            try:
                await engine.submit(session_id, command)
            except CollaborationError as error:
                # A session that cannot be opened keeps no other from ending.
                log.warning("session %s could not be expired: %s", session_id, error.message)
