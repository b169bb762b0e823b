"""Presence of one process, in memory.

A clean leave is told at once. A dropped connection is waited for: who is back within the grace time was never gone, for
the others. The grace time is therefore part of how soon a killed client is seen to be gone (2 s, section 4 of the
contract): its default is 1.5 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from realtime_server.core.sessions import admit
from realtime_server.presence.members import Doing, Member, Seat
from realtime_server.presence.ports import Announce
from realtime_server.presence.roster import Roster

#: Connections of one person in one session. More than any person has tabs; each costs a few hundred bytes.
MAX_SEATS_PER_PERSON = 50


class MemoryPresence:
    """See `Presence`. Create it inside a running loop; ``clock`` gives milliseconds since 1970."""

    def __init__(self, announce: Announce, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._roster = Roster(announce)
        self._waiting: dict[tuple[str, str], asyncio.TimerHandle] = {}

    async def enter(self, session_id: str, seat: Seat, maximum: int) -> None:
        # Nothing is awaited here: that is what makes the admission atomic.
        refusal = admit(self._roster.people(session_id), seat.user_id, maximum)
        if refusal is not None:
            raise refusal.to_error()
        self._take(session_id, seat)

    def _take(self, session_id: str, seat: Seat) -> None:
        """The new seat with what the person said before, when it takes the place of their own or a dropped one."""
        seats = self._roster.of_person(session_id, seat.user_id)
        earlier = _earlier(seats, seat)
        if earlier is None:
            if len(seats) >= MAX_SEATS_PER_PERSON:
                self._remove(session_id, seats[0].connection_id)
            self._roster.put(session_id, seat)
            self._changed(session_id, seat.connection_id)
            return
        seat = replace(
            seat,
            device_id=seat.device_id or earlier.device_id,
            idle=earlier.idle,
            activity=earlier.activity,
            focus=earlier.focus,
            drafts=earlier.drafts,
            changed_at=earlier.changed_at,
            came_at=earlier.came_at,
            connected=seat.connected or earlier.connected,
        )
        self._stop_waiting(session_id, earlier.connection_id)
        self._roster.put(session_id, seat, instead_of=earlier.connection_id)
        self._changed(session_id, earlier.connection_id)
        self._changed(session_id, seat.connection_id)

    async def leave(self, session_id: str, connection_id: str, *, grace: float = 0.0) -> None:
        seat = self._roster.find(session_id, connection_id)
        if seat is None:
            return
        if grace <= 0:
            self._remove(session_id, connection_id)
            return
        self._roster.note(session_id, replace(seat, alive=False))
        loop = asyncio.get_running_loop()
        self._stop_waiting(session_id, connection_id)
        self._waiting[session_id, connection_id] = loop.call_later(grace, self._remove, session_id, connection_id)
        self._changed(session_id, connection_id)

    def _remove(self, session_id: str, connection_id: str) -> None:
        self._stop_waiting(session_id, connection_id)
        self._roster.remove(session_id, connection_id)
        self._changed(session_id, connection_id)

    def _stop_waiting(self, session_id: str, connection_id: str) -> None:
        timer = self._waiting.pop((session_id, connection_id), None)
        if timer is not None:
            timer.cancel()

    def _changed(self, session_id: str, connection_id: str) -> None:
        """A seat was taken, given up, or says something else: for adapters that other processes are to hear from."""

    async def update(self, session_id: str, connection_id: str, doing: Doing) -> None:
        seat = self._roster.find(session_id, connection_id)
        if seat is None:
            return
        now = self._clock()
        seat = replace(
            seat,
            idle=seat.idle if doing.idle is None else doing.idle,
            activity=seat.activity if doing.activity is ... else doing.activity,
            focus=seat.focus if doing.focus is ... else doing.focus,
            drafts=seat.drafts if doing.drafts is ... else doing.places,
            changed_at=now,
            seen_at=now,
        )
        self._roster.put(session_id, seat)
        self._changed(session_id, connection_id)

    def seen(self, session_id: str, connection_id: str) -> None:
        seat = self._roster.find(session_id, connection_id)
        if seat is not None:
            self._roster.note(session_id, replace(seat, seen_at=self._clock()))

    async def members(self, session_id: str) -> list[Member]:
        return self._roster.members(session_id)

    async def close(self) -> None:
        for timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()
        self._roster.silence()


def _earlier(seats: Sequence[Seat], seat: Seat) -> Seat | None:
    """The seat that a new one takes over: its own, or a dropped one, of the same device if there is one."""
    dropped = [item for item in seats if not item.alive]
    same_device = [item for item in dropped if item.device_id == seat.device_id]
    own = [item for item in seats if item.connection_id == seat.connection_id]
    return next(iter(own or same_device or dropped), None)
