"""How much one person, and all together, may ask for at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from realtime_server.errors import CollaborationError, ErrorCode

#: People whose allowance is remembered. Whoever is forgotten begins with a full one.
_REMEMBERED = 10_000


class RateLimit:
    """A token bucket for each person: ``rate`` requests a second in the long run, ``burst`` at once.

    ``clock`` gives seconds that never run backwards.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate, self._burst, self._clock = rate, float(burst), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, user_id: str) -> None:
        """`rate_limited`, with ``retry_after`` in seconds, for whoever has used up their allowance."""
        now = self._clock()
        left, at = self._buckets.pop(user_id, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        allowed = left >= 1
        self._buckets[user_id] = (left - 1 if allowed else left, now)
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        if not allowed:
            wait = (1 - left) / self._rate
            message = f"more than {self._rate:g} requests a second; wait {wait:.1f} s"
            raise CollaborationError(ErrorCode.RATE_LIMITED, message, {"retry_after": round(wait, 3)})


class Turnstile:
    """So many at a time, and nobody waits: further ones are told to come back."""

    def __init__(self, places: int) -> None:
        self._free = places

    @contextmanager
    def turn(self) -> Iterator[None]:
        if self._free <= 0:
            raise CollaborationError(ErrorCode.OVERLOADED, "too many requests of this kind are under way; try again")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
