"""Tallies of the sessions lately asked about: what was counted once is not counted again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from aiohttp import web

from realtime_server.ports import CommitLog
from realtime_server.reconciliation.past import STEP
from realtime_server.rest.tally import Tally

#: Sessions whose tally is kept; a few tens of kilobytes each.
_KEPT: Final = 64


class Tallies:
    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Tally, asyncio.Lock]] = OrderedDict()

    async def of(self, log: CommitLog, session_id: str, seq: int) -> Tally:
        """The session's tally, counted up to ``seq`` at least. A log never changes, so nothing is counted twice."""
        if session_id not in self._kept:
            self._kept[session_id] = (Tally(), asyncio.Lock())
        self._kept.move_to_end(session_id)
        tally, lock = self._kept[session_id]
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        async with lock:
            while tally.seq < seq:
                commits = await log.read(session_id, tally.seq, STEP)
                if not commits:
                    break
                tally.add(commits)
        return tally


TALLIES: Final = web.AppKey("tallies", Tallies)
