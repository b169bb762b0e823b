"""How many records sessions have. The database counts a large session in tens of milliseconds: so not each time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from aiohttp import web

from realtime_server.ports import RecordStore

#: Seconds for which a count is good. Only an import changes it, and an import through here makes it be counted anew.
_GOOD_FOR: Final = 5.0
_KEPT: Final = 1_000


class RecordCounts:
    """``clock`` gives seconds that never run backwards."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def of(self, records: RecordStore, session_id: str) -> int:
        count, at = self._kept.get(session_id, (0, float("-inf")))
        if self._clock() - at > _GOOD_FOR:
            count = await records.count(session_id)
            self._kept[session_id] = (count, self._clock())
            self._kept.move_to_end(session_id)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return count

    def forget(self, session_id: str) -> None:
        self._kept.pop(session_id, None)


COUNTS: Final = web.AppKey("counts", RecordCounts)
