"""Timeouts for thousands of connections with one timer: equal intervals fall due in the order they were set."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Deadlines(Generic[T]):
    """One interval, many items; each is passed to `expired` when it has not been set again or cancelled in time.

    Uses the loop's monotonic clock, so that a jump of the wall clock expires nobody.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, interval: float, expired: Callable[[T], None]) -> None:
        self._loop = loop
        self._interval = interval
        self._expired = expired
        self._due: OrderedDict[T, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self.lateness = 0.0
        """In `expired`: seconds since the item was due, at most 0.05; a chain that takes them off keeps time."""

    def __contains__(self, item: T) -> bool:
        return item in self._due

    def __len__(self) -> int:
        return len(self._due)

    def set(self, item: T, late: float = 0.0) -> None:
        """Start (or start again) the interval of `item`, `late` seconds ago."""
        due = self._loop.time() + self._interval - late
        self._due[item] = due
        self._due.move_to_end(item)
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._tick)

    def cancel(self, item: T) -> bool:
        """Forget `item`; True when it was waiting."""
        return self._due.pop(item, None) is not None

    def stop(self) -> None:
        """Forget everything."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        # Two milliseconds early is on time: timers fire by the millisecond, and one wake-up serves all of them.
        now = self._loop.time() + 0.002
        while self._due:
            item, due = next(iter(self._due.items()))
            if due > now:
                self._timer = self._loop.call_at(due, self._tick)
                return
            del self._due[item]
            self.lateness = min(max(now - due, 0.0), 0.05)
            try:
                self._expired(item)  # may set and cancel items; the timer that fired stays ours until the loop's end
            except Exception as error:
                self._loop.call_exception_handler({"message": "a deadline's callback failed", "exception": error})
        self._timer = None
