"""Warnings before a clash: whoever is about to change what another is at, or has changed, is told, and so is the other.

They are hints: never in the log, told to those concerned and nobody else, and left out where they come too fast. Every
process tells its own clients, from what it hears of presence, so that both are told wherever they are connected.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from realtime_server.collaboration import views
from realtime_server.collaboration.connections import Connection
from realtime_server.collaboration.rooms import Rooms
from realtime_server.core.commits import is_reserved
from realtime_server.core.state import SessionState
from realtime_server.ending import end_tasks
from realtime_server.engine.engine import Engine
from realtime_server.errors import CollaborationError
from realtime_server.presence.members import ChangeKind, Member, PresenceChange
from realtime_server.presence.overlaps import Involved, Overlap, Overlaps, Place
from realtime_server.transport.limits import TokenBucket

log = logging.getLogger(__name__)

#: Warnings a second to one person in one session in the long run, and at once after a pause.
RATE: Final = 5.0
BURST: Final = 10
#: Looks at the log for what somebody has started on, of one process at a time.
LOOKS: Final = 100
#: People whom one warning names (`schemas.broadcasts.PresenceOverlap`).
NAMED: Final = 50


class Warnings:
    """``clock`` gives milliseconds since 1970."""

    def __init__(self, engine: Engine, rooms: Rooms, clock: Callable[[], int]) -> None:
        self._engine, self._rooms, self._clock = engine, rooms, clock
        self._overlaps = Overlaps()
        #: session -> person -> their connections to this process, and what they may still be told.
        self._here: dict[str, dict[str, tuple[set[Connection], TokenBucket]]] = {}
        self._looks: set[asyncio.Task[None]] = set()

    def enter(self, connection: Connection, session_id: str, members: Iterable[Member]) -> None:
        """From now on the client is warned. ``members``: who is in the session, for the first who comes here."""
        if session_id not in self._here:
            for member in members:
                self._overlaps.change(PresenceChange(session_id, ChangeKind.JOINED, member))
        people = self._here.setdefault(session_id, {})
        if connection.user_id not in people:
            people[connection.user_id] = (set(), TokenBucket(RATE, BURST, asyncio.get_running_loop().time()))
        people[connection.user_id][0].add(connection)

    def leave(self, connection: Connection, session_id: str) -> None:
        """The opposite of `enter`; harmless for a client that did not."""
        people = self._here.get(session_id, {})
        connections, _ = people.get(connection.user_id, (set(), None))
        connections.discard(connection)
        if not connections:
            people.pop(connection.user_id, None)
        if not people and self._here.pop(session_id, None) is not None:
            self._overlaps.forget(session_id)

    def noticed(self, change: PresenceChange) -> None:
        """Somebody of the session is somewhere else, or does something else there. Never blocks."""
        if change.session_id not in self._here:
            return
        found = self._overlaps.change(change)
        for overlap in found.overlaps:
            self._tell(change.session_id, overlap)
        if found.started and len(self._looks) < LOOKS:
            me = Involved(change.member.user_id, change.member.name, "editing")
            task = asyncio.get_running_loop().create_task(self._look(change.session_id, me, found.started))
            self._looks.add(task)
            task.add_done_callback(self._looks.discard)

    async def _look(self, session_id: str, me: Involved, places: tuple[Place, ...]) -> None:
        """Whether others have changed what the person has started on."""
        records = {record_id for record_id, _ in places}
        try:
            state = await self._engine.inspect(session_id, lambda _: records, refresh=False)
        except CollaborationError as error:
            log.info("nobody was warned in session %s: %s", session_id, error.message)
            return
        for place in places:
            overlap = changed_before(state, place, me)
            if overlap is not None:
                self._tell(session_id, overlap)

    def _tell(self, session_id: str, overlap: Overlap) -> None:
        people, project_id = self._here.get(session_id), self._rooms.project_of(session_id)
        if people is None or project_id is None:
            return
        message = views.ephemeral(
            "presence.overlap",
            _data(overlap),
            user_id=overlap.people[-1].user_id,
            at=self._clock(),
            session_id=session_id,
            project_id=project_id,
        )
        now = asyncio.get_running_loop().time()
        for user_id in {person.user_id for person in overlap.people}:
            connections, allowance = people.get(user_id, (frozenset(), None))
            if allowance is not None and allowance.take(now):
                for connection in connections:
                    self._rooms.tell(connection, message)

    async def close(self) -> None:
        await end_tasks(*self._looks)


def changed_before(state: SessionState, place: Place, me: Involved) -> Overlap | None:
    """Whose change that nobody has signed off yet, or whose candidate in an open conflict, stands at the field."""
    record = state.records.get(place[0])
    field = None if record is None else record.fields.get(place[1])
    if field is None:
        return None
    authors = [] if field.user_id is None or is_reserved(field.user_id) else [field.user_id]
    if field.conflict is not None:
        authors += [candidate.user_id for candidate in field.conflict.candidates]
    others = [user_id for user_id in dict.fromkeys(authors) if user_id != me.user_id][-(NAMED - 1) :]
    if not others:
        return None
    people = (*(Involved(user_id, _name(state, user_id), "changed") for user_id in others), me)
    if field.conflict is not None:
        return Overlap(place, "open_conflict", people, conflict_id=field.conflict.conflict_id)
    if any(sign.final and sign.seq > field.version for sign in state.reconciliation.workflow.standing):
        return None
    return Overlap(place, "unreviewed_change", people, version=field.version)


def _name(state: SessionState, user_id: str) -> str:
    person = state.participants.get(user_id)
    return user_id if person is None else person.name


def _data(overlap: Overlap) -> dict[str, Any]:
    people = overlap.people[-NAMED:]
    data: dict[str, Any] = {
        "record_id": overlap.place[0],
        "field_name": overlap.place[1],
        "cause": overlap.cause,
        "people": [{"user_id": item.user_id, "name": item.name, "doing": item.doing} for item in people],
    }
    if overlap.version is not None:
        data["version"] = overlap.version
    if overlap.conflict_id is not None:
        data["conflict_id"] = overlap.conflict_id
    return data
