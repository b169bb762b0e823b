"""The seats of sessions as one process knows them, and one announcement for each change that others can see."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from realtime_server.presence.members import ChangeKind, Member, PresenceChange, Seat, member_of
from realtime_server.presence.ports import Announce


class Roster:
    """Seats by session, person and connection. People stand in the order in which they came."""

    def __init__(self, announce: Announce) -> None:
        self._announce = announce
        self._rooms: dict[str, dict[str, dict[str, Seat]]] = {}
        self._places: dict[tuple[str, str], str] = {}

    def find(self, session_id: str, connection_id: str) -> Seat | None:
        user_id = self._places.get((session_id, connection_id))
        return None if user_id is None else self._rooms[session_id][user_id][connection_id]

    def people(self, session_id: str) -> Collection[str]:
        return self._rooms.get(session_id, {}).keys()

    def of_person(self, session_id: str, user_id: str) -> list[Seat]:
        """A person's seats, the oldest first."""
        return list(self._rooms.get(session_id, {}).get(user_id, {}).values())

    def members(self, session_id: str) -> list[Member]:
        return [member_of(seats.values()) for seats in self._rooms.get(session_id, {}).values()]

    def seats(self, session_id: str) -> Iterator[Seat]:
        for seats in list(self._rooms.get(session_id, {}).values()):
            yield from list(seats.values())

    def put(self, session_id: str, seat: Seat, *, instead_of: str | None = None) -> None:
        """Add or replace a seat, and announce what others can see of that; ``instead_of`` another of the person's."""
        seats = self._rooms.setdefault(session_id, {}).setdefault(seat.user_id, {})
        before = member_of(seats.values()) if seats else None
        if instead_of is not None and instead_of != seat.connection_id and instead_of in seats:
            del seats[instead_of], self._places[session_id, instead_of]
        seats[seat.connection_id] = seat
        self._places[session_id, seat.connection_id] = seat.user_id
        after = member_of(seats.values())
        if before is None:
            self._announce(PresenceChange(session_id, ChangeKind.JOINED, after))
        elif replace(before, seen_at=after.seen_at) != after:
            self._announce(PresenceChange(session_id, ChangeKind.UPDATED, after))

    def note(self, session_id: str, seat: Seat) -> None:
        """Replace a seat that is there, and announce nothing."""
        self._rooms[session_id][seat.user_id][seat.connection_id] = seat

    def remove(self, session_id: str, connection_id: str) -> None:
        user_id = self._places.pop((session_id, connection_id), None)
        if user_id is None:
            return
        seats = self._rooms[session_id][user_id]
        member = member_of(seats.values())
        gone = seats.pop(connection_id)
        if seats:
            # Whoever leaves last leaves for all of them, a connection that went before included.
            for seat in list(seats.values()) if gone.connected else ():
                seats[seat.connection_id] = replace(seat, connected=True)
            self._announce(PresenceChange(session_id, ChangeKind.UPDATED, member_of(seats.values())))
            return
        del self._rooms[session_id][user_id]
        if not self._rooms[session_id]:
            del self._rooms[session_id]
        self._announce(PresenceChange(session_id, ChangeKind.LEFT, member))

    def forget(self, session_id: str) -> None:
        """Nobody here wants to know of the session any more."""
        for seat in self.seats(session_id):
            del self._places[session_id, seat.connection_id]
        self._rooms.pop(session_id, None)

    def silence(self) -> None:
        """Announce nothing more."""
        self._announce = _nobody


def _nobody(change: PresenceChange) -> None:
    """Who is told after the end."""
