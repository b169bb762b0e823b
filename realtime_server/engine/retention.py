"""How long people's names are kept in sessions that are over: an operator says so in days, and then they go.

The log says when a session ended, and whom it still names; nothing else is remembered, so what was interrupted is found
again, and what another process has done is not. Names go as `erasing` says, and the chain stays as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from realtime_server.core.clock import to_iso
from realtime_server.core.commands import SYSTEM, EraseName
from realtime_server.core.commits import SYSTEM_USER
from realtime_server.engine.engine import Engine
from realtime_server.engine.erasing import erase
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import CommitLog, Ended, NoticeStore, Turns

log = logging.getLogger(__name__)

DAY: Final = 24 * 3_600 * 1_000
"""Milliseconds."""

#: What processes take turns at, and for how long (seconds) one that dies keeps the others from it.
WORK: Final = "retention"
_LEASE: Final = 900.0
#: Seconds between two sweeps of all processes together; until the next one where something is left.
_EVERY: Final = 3_600.0
_SOON: Final = 60.0
#: Sessions that one sweep erases names from: each is opened for it, and leaves memory a minute later.
_SESSIONS: Final = 100
#: Sessions that are looked at with one query.
_PAGE: Final = 500
#: People whose names go together: a fraction of a session's queue.
_TOGETHER: Final = 100


@dataclass(frozen=True, slots=True)
class Due:
    """A session that has been over for long enough, and whom its log names: their ids."""

    ended: Ended
    people: tuple[str, ...]

    @property
    def session_id(self) -> str:
        return self.ended.session_id

    @property
    def ended_at(self) -> str:
        return to_iso(self.ended.at)


class NameRetention:
    """``days``: so long names are kept. ``clock`` gives milliseconds since 1970, by the database."""

    def __init__(
        self,
        engine: Engine,
        log: CommitLog,
        notices: NoticeStore,
        clock: Callable[[], int],
        days: int,
    ) -> None:
        self._engine, self._log, self._notices = engine, log, notices
        self._clock, self._days = clock, days

    async def due(self) -> AsyncGenerator[Due, None]:
        """What is to be erased at this moment, the longest past first."""
        until = self._clock() - self._days * DAY
        after: Ended | None = None
        while page := await self._log.ended(until, after, _PAGE):
            after = page[-1]
            named = set(await self._log.still_named([item.session_id for item in page]))
            for item in page:
                if item.session_id in named:
                    yield Due(item, tuple(await self._log.people_named(item.session_id)))

    async def erase(self, due: Due) -> int:
        """Erase them; how many commits had names beside them. Again is safe: the log has one erasure of each."""
        commits = 0
        for first in range(0, len(due.people), _TOGETHER):
            commands = [
                EraseName(actor=SYSTEM, command_id=f"{SYSTEM_USER}/{WORK}/{user_id}", user_id=user_id)
                for user_id in due.people[first : first + _TOGETHER]
            ]
            erased = await erase(self._engine, self._log, self._notices, due.session_id, commands)
            commits += erased.commits
        return commits


class RetentionSweeper:
    """Erases what is due, beside a server's work, one process at a time. ``sessions``: how many it did."""

    def __init__(self, retention: NameRetention, turns: Turns) -> None:
        self._retention, self._turns = retention, turns
        self.sessions = 0

    async def sweep_forever(self, look_every: float = _SOON) -> None:
        """`sweep`, and ask again every so many seconds whether it is this process's turn."""
        while True:
            try:
                await self.sweep()
            except CollaborationError as error:
                log.warning("erasing names by age failed, and is tried again: %s", error.message)
            except Exception:
                log.exception("erasing names by age failed")
            await asyncio.sleep(look_every)

    async def sweep(self) -> None:
        """A bounded part of what is due, if it is this process's turn."""
        if not await self._turns.take(WORK, _LEASE):
            return
        done = 0
        async with aclosing(self._retention.due()) as found:
            async for due in found:
                if done == _SESSIONS:
                    break
                done += await self._erased(due)
        await self._turns.put_off(WORK, _SOON if done == _SESSIONS else _EVERY)

    async def _erased(self, due: Due) -> bool:
        """Whether it could be done. A session whose log is damaged keeps no other one waiting."""
        try:
            await self._retention.erase(due)
        except CollaborationError as error:
            if error.code is ErrorCode.UNAVAILABLE:
                raise
            log.error("names could not be erased from session %s: %s", due.session_id, error.message)
            return False
        self.sessions += 1
        log.info(
            "the names of %d people were erased from session %s, which ended at %s",
            len(due.people), due.session_id, due.ended_at,
        )  # fmt: skip
        return True
