"""Who has left of late, so that what was said of them before, and is heard only now, does not bring them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from realtime_server.presence.redis_seats import SharedSeat

#: Seconds for which somebody who left is remembered: longer than anything that was said before is on its way.
REMEMBERED: Final = 60.0


class Departed:
    """Seats that were given up, by session and connection. ``clock`` gives seconds, and never goes back.

    As many as left within `REMEMBERED` seconds, which the limits of events bound.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        #: The oldest first.
        self._seats: dict[tuple[str, str], tuple[SharedSeat, float]] = {}

    def add(self, session_id: str, gone: SharedSeat) -> None:
        place = session_id, gone.seat.connection_id
        earlier, _ = self._seats.pop(place, (gone, 0.0))
        self._seats[place] = max(earlier, gone, key=lambda item: item.revision), self._clock()

    def back(self, session_id: str, connection_id: str) -> None:
        """The connection has a seat again."""
        self._seats.pop((session_id, connection_id), None)

    def knows(self, session_id: str, seat: SharedSeat) -> bool:
        """Whether this was said of somebody before they left."""
        gone, _ = self._seats.get((session_id, seat.seat.connection_id), (None, 0.0))
        return gone is not None and gone.revision >= seat.revision

    def of_process(self, process: str) -> Iterator[tuple[str, SharedSeat]]:
        """(session, seat)"""
        return ((session_id, gone) for (session_id, _), (gone, _) in self._seats.items() if gone.process == process)

    def forget_old(self) -> None:
        """Those who left too long ago."""
        now = self._clock()
        while self._seats:
            place, (_, at) = next(iter(self._seats.items()))
            if now - at < REMEMBERED:
                return
            del self._seats[place]
