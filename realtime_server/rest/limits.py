"""How many requests of a kind are under way at a time. How much one person may ask for: `realtime_server.quotas`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from realtime_server.errors import CollaborationError, ErrorCode


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
