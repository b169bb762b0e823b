"""Whose turn it is: work of one source that would fill a turn of the event loop waits, and others' comes in between.

Everything in this process is done by one thread, in turns of its event loop. Somebody who brings a thousand requests
at once would have them all done in one turn, and everybody else's next step would wait for that. So a key (an address,
a session) has some places, and what finds none waits in order; places that were given back are free from the next turn
on, after others' input has been read.

Hot path: `take` and `give_back` run once per event, and make nothing that outlives the turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

#: No bound on what all keys together begin.
UNBOUNDED: Final = 1 << 60


class Turns:
    """``each``: places of one key. ``together``: of all keys, what begins in one turn of the event loop at most."""

    def __init__(self, each: int, together: int = UNBOUNDED) -> None:
        self._each, self._together = each, together
        self._taken: dict[str, int] = {}
        self._waiting: dict[str, deque[tuple[asyncio.Future[None], int]]] = {}
        self._returned: list[tuple[str, int]] = []
        self._begun = 0
        self._is_set = False

    def __len__(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    def take(self, key: str, places: int = 1) -> bool:
        """Take places if they are free at this moment. Who wants more than a key has gets them when all are free."""
        taken = self._taken.get(key, 0)
        if (taken and taken + places > self._each) or self._begun >= self._together or key in self._waiting:
            return False
        self._taken[key] = taken + places
        self._begun += 1
        if not self._is_set:
            self._set()
        return True

    async def wait(self, key: str, places: int = 1) -> None:
        """Take places when it is the caller's turn: in order among those of one key, in rotation among keys."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append((future, places))
        self._set()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.give_back(key, places)
            raise

    def give_back(self, key: str, places: int = 1) -> None:
        """Places that were taken are free, from the next turn on."""
        self._returned.append((key, places))
        if not self._is_set:
            self._set()

    def _set(self) -> None:
        if not self._is_set:
            self._is_set = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """The loop has turned."""
        self._is_set = False
        self._begun = 0
        taken = self._taken
        for key, places in self._returned:
            left = taken[key] - places
            if left:
                taken[key] = left
            else:
                del taken[key]
        self._returned.clear()
        if self._waiting:
            self._let_in()

    def _let_in(self) -> None:
        """One of each key, again and again, until no key has a place or this turn is full."""
        found = True
        while found and self._begun < self._together:
            found = False
            for key in list(self._waiting):
                if self._begun >= self._together:
                    break
                found |= self._let_one_in(key)
        if self._begun:
            self._set()

    def _let_one_in(self, key: str) -> bool:
        taken, queue = self._taken.get(key, 0), self._waiting[key]
        while queue and queue[0][0].done():  # whoever waited has gone
            queue.popleft()
        let_in = bool(queue) and (not taken or taken + queue[0][1] <= self._each)
        if let_in:
            future, places = queue.popleft()
            self._taken[key] = taken + places
            self._begun += 1
            future.set_result(None)
        del self._waiting[key]
        if queue:  # to the end: whoever found this turn full is the first of the next
            self._waiting[key] = queue
        return let_in
