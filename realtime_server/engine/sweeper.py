"""Expires sessions that nobody has used for the time they were given."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from realtime_server.core.commands import SYSTEM, Command, ExpireSession
from realtime_server.core.commits import SYSTEM_USER
from realtime_server.engine.batch import Answer
from realtime_server.errors import CollaborationError
from realtime_server.ports import SessionStore

log = logging.getLogger(__name__)

#: Sessions looked at in one sweep.
_LIMIT = 500


class Sessions(Protocol):
    """What is used of the engine."""

    def watched(self, session_id: str) -> bool: ...
    def submit(self, session_id: str, command: Command) -> asyncio.Future[Answer]: ...


async def sweep_forever(engine: Sessions, sessions: SessionStore, interval: float, clock: Callable[[], int]) -> None:
    while True:
        await asyncio.sleep(interval)
        try:
            await sweep(engine, sessions, clock())
        except CollaborationError as error:
            log.warning("looking for expired sessions failed: %s", error.message)
        except Exception:
            log.exception("looking for expired sessions failed")


async def sweep(engine: Sessions, sessions: SessionStore, now: int) -> None:
    """Ask for the end of every session whose time is over by its checkpoint; the log may know better, and decides.

    A session that somebody has open is in use, whatever its log says.
    """
    for session_id in await sessions.expirable(now, _LIMIT):
        if not engine.watched(session_id):
            command = ExpireSession(actor=SYSTEM, command_id=f"{SYSTEM_USER}/expire/{session_id}/{now}")
            try:
                await engine.submit(session_id, command)
            except CollaborationError as error:
                # A session that cannot be opened keeps no other from ending.
                log.warning("session %s could not be expired: %s", session_id, error.message)
