"""Who is in which session: rooms to hear, a seat to be seen, and both given back.

Order of a join: first it is settled that the person may enter, then the rooms are entered, and only then is the state
read. What happens in between comes as a broadcast, so nothing is missed; what comes twice has a ``seq`` that says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import uuid4

from realtime_server.collaboration import views
from realtime_server.collaboration.config import CollaborationConfig
from realtime_server.collaboration.connections import Connection, no_session
from realtime_server.collaboration.departures import Departures
from realtime_server.collaboration.notices import Notices
from realtime_server.collaboration.rooms import Rooms
from realtime_server.collaboration.warnings import Warnings
from realtime_server.core.commands import Actor, Join, generated_command_id
from realtime_server.core.commits import envelope
from realtime_server.core.conflict_views import conflict_records
from realtime_server.core.nameless import name_of
from realtime_server.core.state import SessionState
from realtime_server.engine.engine import Engine
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.presence.members import ChangeKind, PresenceChange, Seat
from realtime_server.presence.ports import Presence

Clock = Callable[[], int]

#: Joins under way at a time; more wait in order. Two thousand sessions that were opened at once, each with half a dozen
#: questions to the database, were so much for one event loop that some answers came after the driver's 5 s, and people
#: were refused though the database was well.
_JOINS: Final = 128


class Attendance:
    """Entering, leaving and catching up. ``clock`` gives milliseconds since 1970."""

    def __init__(
        self,
        engine: Engine,
        presence: Presence,
        rooms: Rooms,
        notices: Notices,
        config: CollaborationConfig,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._presence = presence
        self._rooms = rooms
        self._notices = notices
        self._config = config
        self._clock = clock
        self._joins = asyncio.Semaphore(_JOINS)
        #: Seconds for which somebody whose connection was dropped is waited for.
        self.grace = config.presence_grace
        self._warnings = Warnings(engine, rooms, clock)
        self._departures = Departures(engine, presence, config.lock_grace)

    async def join(
        self, connection: Connection, session_id: str, since: int | None, device_id: str | None
    ) -> dict[str, Any]:
        """The answer to `join`. Joining again is catching up. A join that fails leaves nothing behind."""
        async with self._joins:
            if not connection.open:
                raise no_session(session_id)  # it went away while it waited
            return await self._join(connection, session_id, since, device_id)

    async def _join(
        self, connection: Connection, session_id: str, since: int | None, device_id: str | None
    ) -> dict[str, Any]:
        # Not read anew: all that is asked of it is the project, which never changes.
        state = await self._engine.inspect(session_id, refresh=False)
        actor = connection.actor_in(session_id, state.project_id)
        entered = session_id in connection.sessions
        await self._enter(connection, session_id, state.project_id, actor, name_of(state, actor), device_id)
        try:
            command_id = generated_command_id(actor.user_id, uuid4().hex)
            answer = await self._engine.submit(session_id, Join(actor=actor, command_id=command_id))
            # A commit of this moment is at the end of the log: what came before it is known. Without one, the log is
            # asked whether other instances have added to it.
            known = answer.get("status") != "unchanged"
            picture = await self._as_of_now(session_id, actor, since, refresh=not known)
            connection.project_of(session_id)  # what was revoked meanwhile is not told any more
            return picture
        except BaseException:
            if not entered:
                await self.leave(connection, session_id)
            raise

    async def _enter(
        self,
        connection: Connection,
        session_id: str,
        project_id: str,
        actor: Actor,
        name: str,
        device_id: str | None,
    ) -> None:
        entered = session_id in connection.sessions
        if not entered and len(connection.sessions) >= self._config.sessions:
            message = f"one connection is in at most {self._config.sessions} sessions; leave one first"
            raise CollaborationError(ErrorCode.RATE_LIMITED, message)
        seat = Seat(connection.sid, actor.user_id, name, actor.role, self._clock(), device_id)
        await self._presence.enter(session_id, seat, self._config.max_users)
        if not connection.open or project_id not in connection.identity.roles:
            # It went away meanwhile, or its role was revoked, and whoever saw to that did not know of this seat.
            await self._presence.leave(session_id, connection.sid)
            raise no_session(session_id)
        if not entered:
            connection.sessions[session_id] = project_id
            self._engine.watch(session_id)
            self._notices.enter(connection, session_id)
            self._warnings.enter(connection, session_id, await self._presence.members(session_id))
            await self._rooms.enter(connection, session_id, project_id)

    async def _as_of_now(self, session_id: str, actor: Actor, since: int | None, *, refresh: bool) -> dict[str, Any]:
        """Everything in the answer is as of the one state that was read; the rest comes as broadcasts."""
        state = await self._engine.inspect(session_id, conflict_records, refresh=refresh)
        recovered, commits = await self._missed(state, since)
        notifications = await self._notices.unread(actor, state.project_id)
        # Presence has no ``seq`` by which a client could tell what is newer: it is read last, and nothing is awaited
        # between this and the answer: else it could name somebody whose leaving the client was told of before it.
        members = await self._presence.members(session_id)
        return {
            "session": views.session_view(state),
            "seq": state.seq,
            "role": actor.role.value,
            "members": [member.view() for member in members],
            "locks": views.lock_views(state, self._clock()),
            "conflicts": views.conflict_views(state),
            "reconciliation": views.reconciliation_view(state),
            "notifications": notifications,
            "recovered": recovered,
            "commits": commits,
        }

    async def _missed(self, state: SessionState, since: int | None) -> tuple[bool, list[dict[str, Any]]]:
        """(is it all that was missed, the envelopes)."""
        if since is None:
            return False, []
        replay = await self._engine.replay(state.session_id, since, refresh=False)
        if replay.reset:
            return False, []
        return True, [envelope(commit) for commit in replay.commits if commit.seq <= state.seq]

    async def sync(self, connection: Connection, session_id: str, since: int) -> dict[str, Any]:
        """The answer to `sync`: the commits after ``since``, or ``reset`` when they are too many."""
        replay = await self._engine.replay(session_id, since)
        connection.project_of(session_id)  # as in `join`
        answer: dict[str, Any] = {"seq": replay.seq, "commits": [envelope(commit) for commit in replay.commits]}
        if replay.reset:
            answer["reset"] = True
        return answer

    async def leave(
        self, connection: Connection, session_id: str, *, grace: float = 0.0, revoked: bool = False
    ) -> None:
        """Give the seat back; with ``grace`` (seconds) the others see it only when the person does not come back.

        ``revoked``: not one event more, whatever becomes of the seat.
        """
        if connection.sessions.pop(session_id, None) is None:
            return
        self._engine.unwatch(session_id)
        self._notices.leave(connection, session_id)
        self._warnings.leave(connection, session_id)
        if revoked:
            await self._rooms.leave(connection, session_id)
            await self._presence.leave(session_id, connection.sid)
            return
        # The seat first: who is left in the rooms hears of it, and somebody who has gone cannot be told anything.
        try:
            await self._presence.leave(session_id, connection.sid, grace=grace)
        finally:
            await self._rooms.leave(connection, session_id)

    async def gone(self, connection: Connection, *, clean: bool) -> None:
        """The connection has ended. ``clean``: its client said so; otherwise it may be back in a moment."""
        connection.open = False
        grace = 0.0 if clean else self.grace
        await asyncio.gather(
            *(self.leave(connection, session_id, grace=grace) for session_id in list(connection.sessions))
        )

    async def refreshed(self, connection: Connection) -> None:
        """The person has other roles now: they show at once, and the sessions of projects without one are left."""
        await self._leave_revoked(connection)
        for session_id in list(connection.sessions):
            await self.shown_anew(connection, session_id)

    async def shown_anew(self, connection: Connection, session_id: str) -> None:
        """The person is called something else in a session that they are in, or has another role there."""
        state = self._engine.live(session_id) or await self._engine.inspect(session_id, refresh=False)
        role = connection.identity.roles.get(state.project_id)
        if role is None or session_id not in connection.sessions:
            return  # that came meanwhile
        name = name_of(state, connection.actor_in(session_id, state.project_id))
        seat = Seat(connection.sid, connection.user_id, name, role, self._clock())
        await self._presence.enter(session_id, seat, self._config.max_users)
        if session_id not in connection.sessions:
            # It left meanwhile, and did not know that its seat would be taken anew.
            await self._presence.leave(session_id, connection.sid)

    async def _leave_revoked(self, connection: Connection) -> None:
        gone = [item for item in connection.sessions.items() if item[1] not in connection.identity.roles]
        for session_id, project_id in gone:
            self._rooms.tell(connection, self._notice(connection, "access_revoked", {}, session_id, project_id))
        # At once: a seat may take its time to be given back while Redis is away.
        await asyncio.gather(*(self.leave(connection, session_id, revoked=True) for session_id, _ in gone))

    def _notice(
        self, connection: Connection, kind: str, data: Mapping[str, Any], session_id: str, project_id: str
    ) -> dict[str, Any]:
        return views.ephemeral(
            f"notification.{kind}",
            data,
            user_id=connection.user_id,
            at=self._clock(),
            session_id=session_id,
            project_id=project_id,
        )

    def announce(self, change: PresenceChange) -> None:
        """Tell a session's listeners that somebody came, went, or does something else."""
        member = change.member
        if change.kind is ChangeKind.LEFT:
            if member.connected:
                self._departures.went(change.session_id, member.user_id)
            data: dict[str, Any] = {"user_id": member.user_id, "name": member.name}
        else:
            data = member.view()
        project_id = self._rooms.project_of(change.session_id)
        if project_id is None:
            return
        message = views.ephemeral(
            f"presence.{change.kind}",
            data,
            user_id=member.user_id,
            at=self._clock(),
            session_id=change.session_id,
            project_id=project_id,
        )
        self._rooms.broadcast(change.session_id, message, volatile=change.kind is ChangeKind.UPDATED)
        self._warnings.noticed(change)

    async def close(self) -> None:
        await self._warnings.close()
        await self._departures.close()
