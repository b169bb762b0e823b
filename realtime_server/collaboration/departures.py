"""Locks of people who went away: given back a grace time after their last connection in the session is gone.

Only a lock whose holder had a connection is looked after. One that was taken over REST by somebody without any ends
with its lease, whatever they said over REST of what they do.
"""

from __future__ import annotations

import asyncio
import logging

from realtime_server.core.commands import SYSTEM, ExpireLock
from realtime_server.core.commits import SYSTEM_USER
from realtime_server.core.locks import held_by
from realtime_server.engine.engine import Engine
from realtime_server.errors import CollaborationError
from realtime_server.presence.ports import Presence

log = logging.getLogger(__name__)


class Departures:
    """``grace``: seconds. One timer per person who left a session; it ends by itself."""

    def __init__(self, engine: Engine, presence: Presence, grace: float) -> None:
        self._engine = engine
        self._presence = presence
        self._grace = grace
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def went(self, session_id: str, user_id: str) -> None:
        """The person's last connection in the session is gone."""
        key = (session_id, user_id)
        earlier = self._timers.pop(key, None)
        if earlier is not None:
            earlier.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(self._grace, self._due, key)

    def _due(self, key: tuple[str, str]) -> None:
        del self._timers[key]
        task = asyncio.get_running_loop().create_task(self._release(*key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _release(self, session_id: str, user_id: str) -> None:
        """Give the person's locks back, unless they are there again; a lease that cannot be ended now ends later."""
        try:
            if any(member.user_id == user_id for member in await self._presence.members(session_id)):
                return
            state = await self._engine.state(session_id)
            for lock in held_by(state, user_id):
                # A lock is given back once, so its token makes the id: several instances may come to this point.
                command_id = f"{SYSTEM_USER}/gone/{lock.token}"
                command = ExpireLock(
                    actor=SYSTEM,
                    command_id=command_id,
                    record_id=lock.record_id,
                    token=lock.token,
                    holder_gone=True,
                )
                await self._engine.submit(session_id, command)
        except CollaborationError as error:
            log.warning("locks of somebody who left session %s stay until their leases end: %s", session_id, error)

    async def close(self) -> None:
        """Stop waiting; what is being done is finished."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        await asyncio.gather(*self._tasks, return_exceptions=True)
