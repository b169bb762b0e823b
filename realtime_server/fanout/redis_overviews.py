"""`ports.Overviews` in Redis.

``<prefix>summary:<session>``   hash: process -> the overview as that process has it, sealed as messages are
``<prefix>shows:<process>``     there while what the process shows is how it stands

What a process shows is believed for as long as it says so: the first key ends by itself a while after the session is
followed nowhere, the second one within `LEASE` of the process's last word.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from functools import partial
from typing import Any, Final

import orjson

from realtime_server.core.state import Lock
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import SessionOverview
from realtime_server.redis_bus import RedisBus
from realtime_server.redis_hearing import FAILED

#: Seconds for which a process is believed after its last word. Three rounds of `engine.overviews.ROUND`.
LEASE: Final = 0.6
#: Seconds; longer than a process takes to show again what has not changed.
_KEEP: Final = 60
_KIND: Final = b"o"


class RedisOverviews:
    """See `ports.Overviews`."""

    def __init__(self, bus: RedisBus) -> None:
        self._bus = bus

    async def show(self, overviews: Collection[SessionOverview], gone: Collection[str]) -> None:
        try:
            await self._bus.ask(partial(self._show, overviews, gone))
        except FAILED as error:
            raise _unavailable(error) from None

    async def _show(self, overviews: Collection[SessionOverview], gone: Collection[str]) -> None:
        mine = self._bus.instance
        pipeline = self._bus.client.pipeline(transaction=False)
        for item in overviews:
            key = self._bus.key("summary", item.session_id)
            sealed = self._bus.seal(_topic(item.session_id), _KIND, orjson.dumps(asdict(item)))
            pipeline.hset(key, mine, sealed)
            pipeline.expire(key, _KEEP)
        for session_id in gone:
            pipeline.hdel(self._bus.key("summary", session_id), mine)
        if overviews or gone:
            await pipeline.execute()
        # Only now, and only where all of it was written.
        await self._bus.client.set(self._bus.key("shows", mine), 1, px=round(LEASE * 1000))

    async def of(self, session_ids: Collection[str]) -> dict[str, SessionOverview]:
        if not session_ids:
            return {}
        try:
            return await self._bus.ask(partial(self._of, list(session_ids)))
        except FAILED as error:
            raise _unavailable(error) from None

    async def _of(self, session_ids: list[str]) -> dict[str, SessionOverview]:
        pipeline = self._bus.client.pipeline(transaction=False)
        for session_id in session_ids:
            pipeline.hgetall(self._bus.key("summary", session_id))
        shown = [
            entry
            for session_id, found in zip(session_ids, await pipeline.execute(), strict=True)
            for sealed in found.values()
            if (entry := self._read(session_id, sealed)) is not None
        ]
        believed = await self._believed({process for process, _ in shown})
        newest: dict[str, SessionOverview] = {}
        for process, item in shown:
            known = newest.get(item.session_id)
            if process in believed and (known is None or known.seq < item.seq):
                newest[item.session_id] = item
        return newest

    async def _believed(self, processes: set[str]) -> set[str]:
        if not processes:
            return set()
        names = sorted(processes)
        pipeline = self._bus.client.pipeline(transaction=False)
        for process in names:
            pipeline.exists(self._bus.key("shows", process))
        return {process for process, there in zip(names, await pipeline.execute(), strict=True) if there}

    def _read(self, session_id: str, sealed: bytes) -> tuple[str, SessionOverview] | None:
        found = self._bus.unseal(_topic(session_id), _KIND, sealed)
        if found is None:
            return None
        process, body = found
        try:
            members: dict[str, Any] = orjson.loads(body)
            members["locks"] = tuple(Lock(**lock) for lock in members["locks"])
            item = SessionOverview(**members)
        except (ValueError, TypeError, KeyError):
            self._bus.counts["ignored"] += 1
            return None
        return (process, item) if item.session_id == session_id else None


def _topic(session_id: str) -> str:
    return f"summary:{session_id}"


def _unavailable(error: Exception) -> CollaborationError:
    return CollaborationError(ErrorCode.UNAVAILABLE, f"Redis: {str(error)[:200]}; try again")
