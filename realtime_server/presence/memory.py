"""Presence of one process, in memory.

A clean leave is told at once. A dropped connection is waited for: who is back within the grace time was never gone, for
the others. The grace time is therefore part of how soon a killed client is seen to be gone (2 s, section 4 of the
contract): its default is 1.5 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from realtime_server.core.sessions import admit
from realtime_server.presence.members import ChangeKind, Doing, Member, PresenceChange, Seat, member_of
from realtime_server.presence.ports import Announce

#: Connections of one person in one session. More than any person has tabs; each costs a few hundred bytes.
MAX_SEATS_PER_PERSON = 50

_Room = dict[str, dict[str, Seat]]


class MemoryPresence:
    """See `Presence`. Create it inside a running loop; ``clock`` gives milliseconds since 1970."""

    def __init__(self, announce: Announce, clock: Callable[[], int]) -> None:
        self._announce = announce
        self._clock = clock
        #: session -> person -> connection -> seat. People stand in the order in which they came.
        self._rooms: dict[str, _Room] = {}
        self._places: dict[tuple[str, str], str] = {}
        self._waiting: dict[tuple[str, str], asyncio.TimerHandle] = {}

    async def enter(self, session_id: str, seat: Seat, maximum: int) -> None:
        # Nothing is awaited here: that is what makes the admission atomic.
        room = self._rooms.get(session_id, {})
        refusal = admit(room, seat.user_id, maximum)
        if refusal is not None:
            raise refusal.to_error()
        seats = room.get(seat.user_id, {})
        kind = ChangeKind.UPDATED if seats else ChangeKind.JOINED
        before = member_of(seats.values()) if seats else None
        seat = self._continued(session_id, seats, seat)
        if len(seats) >= MAX_SEATS_PER_PERSON and seat.connection_id not in seats:
            self._remove(session_id, next(iter(seats)))
        self._rooms.setdefault(session_id, room).setdefault(seat.user_id, seats)[seat.connection_id] = seat
        self._places[session_id, seat.connection_id] = seat.user_id
        after = member_of(seats.values())
        if before is None or replace(before, seen_at=after.seen_at) != after:
            self._announce(PresenceChange(session_id, kind, after))

    def _continued(self, session_id: str, seats: dict[str, Seat], seat: Seat) -> Seat:
        """The new seat with what the person said before, when it takes the place of their own or a dropped one."""
        dropped = [item for item in seats.values() if not item.alive]
        same_device = [item for item in dropped if item.device_id == seat.device_id]
        earlier = seats.get(seat.connection_id) or next(iter(same_device or dropped), None)
        if earlier is None:
            return seat
        if earlier.connection_id != seat.connection_id:
            self._forget(session_id, earlier.connection_id)
            del seats[earlier.connection_id]
        return replace(
            seat,
            device_id=seat.device_id or earlier.device_id,
            idle=earlier.idle,
            activity=earlier.activity,
            focus=earlier.focus,
            changed_at=earlier.changed_at,
        )

    async def leave(self, session_id: str, connection_id: str, *, grace: float = 0.0) -> None:
        seats = self._seats(session_id, connection_id)
        if seats is None:
            return
        if grace <= 0:
            self._remove(session_id, connection_id)
            return
        seats[connection_id] = replace(seats[connection_id], alive=False)
        loop = asyncio.get_running_loop()
        self._waiting[session_id, connection_id] = loop.call_later(grace, self._remove, session_id, connection_id)

    def _remove(self, session_id: str, connection_id: str) -> None:
        seats = self._seats(session_id, connection_id)
        if seats is None:
            return
        user_id = self._places[session_id, connection_id]
        member = member_of(seats.values())
        self._forget(session_id, connection_id)
        del seats[connection_id]
        if seats:
            self._announce(PresenceChange(session_id, ChangeKind.UPDATED, member_of(seats.values())))
            return
        room = self._rooms[session_id]
        del room[user_id]
        if not room:
            del self._rooms[session_id]
        self._announce(PresenceChange(session_id, ChangeKind.LEFT, member))

    def _forget(self, session_id: str, connection_id: str) -> None:
        del self._places[session_id, connection_id]
        timer = self._waiting.pop((session_id, connection_id), None)
        if timer is not None:
            timer.cancel()

    async def update(self, session_id: str, connection_id: str, doing: Doing) -> None:
        seats = self._seats(session_id, connection_id)
        if seats is None:
            return
        before = member_of(seats.values())
        now, seat = self._clock(), seats[connection_id]
        seats[connection_id] = replace(
            seat,
            idle=seat.idle if doing.idle is None else doing.idle,
            activity=seat.activity if doing.activity is ... else doing.activity,
            focus=seat.focus if doing.focus is ... else doing.focus,
            changed_at=now,
            seen_at=now,
        )
        after = member_of(seats.values())
        if replace(before, seen_at=now) != after:
            self._announce(PresenceChange(session_id, ChangeKind.UPDATED, after))

    def seen(self, session_id: str, connection_id: str) -> None:
        seats = self._seats(session_id, connection_id)
        if seats is not None:
            seats[connection_id] = replace(seats[connection_id], seen_at=self._clock())

    async def members(self, session_id: str) -> list[Member]:
        return [member_of(seats.values()) for seats in self._rooms.get(session_id, {}).values()]

    async def close(self) -> None:
        for timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()
        self._announce = _nobody

    def _seats(self, session_id: str, connection_id: str) -> dict[str, Seat] | None:
        user_id = self._places.get((session_id, connection_id))
        return None if user_id is None else self._rooms[session_id][user_id]


def _nobody(change: PresenceChange) -> None:
    """Who is told after the end."""
