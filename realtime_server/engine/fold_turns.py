"""Whose turn it is to fold: one session of a process at a time, and with rests in between.

Sessions that are edited at the same pace come to their checkpoints in the same second. Twenty folds at once, of 500
commits each, put every edit of that second off by 0.2 s, on this process's core and on the database's; one after
another nobody notices them. Nor are they hurried: the rests are as long as what is not yet folded allows, so that folds
that came due together end apart, and the next time come due apart. A fold that somebody waits for does not wait for its
turn, and takes no rests.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice
from typing import Final

#: After a write others have so many times as long as it took: at most while there is time, mostly, and at the end.
_MOST, _MANY = 24.0, 4.0
#: Urgency at which there is no time to lose any more, and above which rests grow shorter still.
_PRESSED, PRESSING = 0.25, 0.5
#: Of the folds that wait, so many are asked how urgent they are: the first are those that have waited longest.
_ASKED: Final = 16


class Turn:
    """One fold's place in the queue."""

    def __init__(self, urgency: Callable[[], float] = lambda: PRESSING) -> None:
        #: 0 where there is time, `PRESSING` where searches see what is no longer so, 1 where the log's tail is as long
        #: as it may be.
        self.urgency = urgency
        #: True when the queue has called it, False when it is urgent and goes beside whoever's turn it is.
        self.come: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._urgent = asyncio.Event()

    def hurry(self) -> None:
        """Somebody waits for this fold."""
        self._urgent.set()
        if not self.come.done():
            self.come.set_result(False)

    async def rest(self, seconds: float) -> None:
        """Leave the event loop and the database to others for a while."""
        try:
            async with asyncio.timeout(seconds):
                await self._urgent.wait()
        except TimeoutError:
            return


class FoldTurns:
    """The queue of one process."""

    def __init__(self) -> None:
        self._waiting: deque[Turn] = deque()
        self._under_way = 0

    @asynccontextmanager
    async def taken(self, turn: Turn) -> AsyncIterator[None]:
        """Enter when the turn has come, or when it is urgent."""
        if not self._under_way:
            self._under_way = 1
        elif not await self._called(turn):
            self._under_way += 1
        try:
            yield
        finally:
            self._leave()

    def rest(self, turn: Turn, took: float, share: float) -> float:
        """Seconds to rest after a write of ``took`` seconds; ``share``: how much of a full one it was, 0 to 1.

        As urgent as this fold is, or one that waits: a tail that is as long as it may be would stop a session.
        """
        urgency = max(0.0, turn.urgency(), *(waiting.urgency() for waiting in islice(self._waiting, _ASKED)))
        if urgency > PRESSING:
            return took * _MANY * max(0.0, 1.0 - urgency) / (1.0 - PRESSING)
        leisure = max(0.0, 1.0 - urgency / _PRESSED)
        return took * (_MANY + (_MOST - _MANY) * leisure * share)

    async def _called(self, turn: Turn) -> bool:
        self._waiting.append(turn)
        try:
            return await turn.come
        except asyncio.CancelledError:
            if not turn.come.cancelled() and turn.come.result():
                self._leave()  # called and cancelled in the same moment: the next one goes
            raise

    def _leave(self) -> None:
        self._under_way -= 1
        while not self._under_way and self._waiting:
            turn = self._waiting.popleft()
            if not turn.come.done():  # else it was urgent, or is cancelled
                self._under_way = 1
                turn.come.set_result(True)
