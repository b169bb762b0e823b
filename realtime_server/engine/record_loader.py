"""Loads the records that commands name, and some more before anybody asks.

Hot path of a session that was just opened: one call to the driver costs about 400 µs of processor time, whatever it
loads, and an edit waits for it. People go through lists, so with every miss a further stretch of the session's records
comes along, twice as long as the one before. Bounded, because most sessions of a server are hardly touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from realtime_server.core.state import RecordState
from realtime_server.ports import RecordStore

#: Records that the first miss brings along, the most that one miss does, and the most in all (about 1 KiB each).
_FIRST: Final = 16
_AT_ONCE: Final = 256
_IN_ALL: Final = 2_048


class RecordLoader:
    """Of one session, while it is open."""

    def __init__(self, session_id: str, store: RecordStore) -> None:
        self._session_id = session_id
        self._store = store
        self._after: str | None = None
        self._stretch = _FIRST
        self._left = _IN_ALL

    async def load(self, record_ids: Collection[str]) -> dict[str, RecordState]:
        """These records as stored, unknown ones absent; perhaps others too, which the caller may have already."""
        if self._left <= 0:
            return await self._store.load(self._session_id, record_ids)
        ahead, named = await asyncio.gather(
            self._store.page(self._session_id, after=self._after, limit=self._stretch),
            self._store.load(self._session_id, record_ids),
        )
        if len(ahead) < self._stretch:
            self._left = 0
        else:
            self._left -= len(ahead)
            self._after = ahead[-1].record_id
            self._stretch = min(2 * self._stretch, _AT_ONCE)
        return {record.record_id: record for record in ahead} | named
