"""One clock for all processes: the database's.

Leases, and when a session has been idle for too long, are judged by each process for all of them. One whose machine's
clock is an hour ahead would end everybody's locks as they are granted, and date commits so that the leases of all
others would last an hour longer. So a process takes the time from the primary, and counts on from there with its own
monotonic clock, which nobody sets.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC
from typing import Final

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from realtime_server.storage.documents import Document

log = logging.getLogger(__name__)

#: Seconds between two looks at the database's clock. Quartz drifts by some 50 µs a second.
_INTERVAL: Final = 30.0
#: Milliseconds that an answer may take to be believed: it is wrong by half of that at most.
_ROUND_TRIP: Final = 200
#: Milliseconds that this machine's clock may differ before somebody is told.
_WORTH_A_WARNING: Final = 2_000


class DatabaseClock:
    """Call it for milliseconds since 1970. Before the first `look` it is this machine's clock."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._database = database
        self._ahead = _wall() - _monotonic()
        self._warned = False

    def __call__(self) -> int:
        return _monotonic() + self._ahead

    async def look(self, *, first: bool = False) -> None:
        """Ask the primary what time it is. Raises `PyMongoError`. The first answer counts however long it took."""
        asked = _monotonic()
        answer = await self._database.command("hello")
        answered = _monotonic()
        if answered - asked > _ROUND_TRIP and not first:
            return
        told = round(answer["localTime"].replace(tzinfo=UTC).timestamp() * 1000)
        self._ahead = told + (answered - asked) // 2 - answered
        self._compare()

    def _compare(self) -> None:
        off = _wall() - self()
        wrong = abs(off) > _WORTH_A_WARNING
        if wrong and not self._warned:
            log.warning("this machine's clock is %+.1f s off the database's, which is the one that counts", off / 1000)
        self._warned = wrong

    async def follow(self) -> None:
        """Look again and again, until cancelled. While the database is away the monotonic clock goes on."""
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                await self.look()
            except PyMongoError as error:
                log.debug("the database's clock cannot be read: %s", error)


def _monotonic() -> int:
    return time.monotonic_ns() // 1_000_000


def _wall() -> int:
    return time.time_ns() // 1_000_000
