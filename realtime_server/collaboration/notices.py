"""Notifications to people: live, wherever they are connected, and what is unread when they come to a session.

Who is in the session is told by the engine of their own process, which has it open. Everybody else whom a notification
concerns, in another session or in none, is told once: by the process that was the first to keep it, and at other
processes through it. That is best effort, as all that goes through Redis; what is kept is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from realtime_server.collaboration import views
from realtime_server.collaboration.connections import Connection
from realtime_server.collaboration.rooms import Rooms
from realtime_server.core.commands import Actor
from realtime_server.core.notifications import Audience, Notice, notice_view
from realtime_server.ports import Elsewhere, NoticeStore, Reader

#: Unread ones that a join brings along (`schemas.notifications`).
AT_JOIN: Final = 20


class Notices:
    """Each is told to those whom it concerns, and to nobody else. ``of_user``, ``everybody``: our clients."""

    def __init__(
        self,
        store: NoticeStore,
        rooms: Rooms,
        of_user: Callable[[str], Iterable[Connection]],
        everybody: Callable[[], Iterable[Connection]],
        elsewhere: Elsewhere,
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._of_user, self._everybody, self._elsewhere = of_user, everybody, elsewhere
        #: session -> this process's connections in it.
        self._present: defaultdict[str, set[Connection]] = defaultdict(set)

    def enter(self, connection: Connection, session_id: str) -> None:
        """From now on the client is told what concerns its person in this session by this process's engine."""
        self._present[session_id].add(connection)

    def leave(self, connection: Connection, session_id: str) -> None:
        """The opposite of `enter`."""
        self._present[session_id].discard(connection)
        if not self._present[session_id]:
            del self._present[session_id]

    async def unread(self, actor: Actor, project_id: str) -> dict[str, Any]:
        """How many of the project's are unread, and the newest of them."""
        reader = Reader(actor.user_id, {project_id: actor.role})
        found = await self._store.page(reader, limit=AT_JOIN, unread=True)
        count = len(found) if len(found) < AT_JOIN else await self._store.count_unread(reader)
        return {"unread": count, "items": [notice_view(notice, read=False) for notice, _ in found]}

    def tell(self, notices: Sequence[Notice], first: Collection[str]) -> None:
        """These are kept; ``first``: ids of those that nobody had kept before this process. What `Engine` tells."""
        for notice in notices:
            message = envelope_of(notice)
            self._tell(message, notice.audience, self._present.get(notice.session_id, ()))
            if notice.notice_id in first:
                self._tell_outside(message, notice.audience)
                say_elsewhere(self._elsewhere, notice)

    def heard(self, user_id: str | None, message: Mapping[str, Any]) -> None:
        """Another process was the first to keep one for this person, or for the holders of a role.

        ValueError for anything that is not understood.
        """
        match message:
            case {
                "envelope": {"message_type": str(kind), "session_id": str(), "project_id": str(project_id)},
                "roles": list(roles),
                "excepted": list(excepted),
            } if kind.startswith("notification."):
                audience = Audience(project_id, user_id, tuple(map(str, roles)), frozenset(map(str, excepted)))
                self._tell_outside(message["envelope"], audience)
            case _:
                raise ValueError("not a notification")

    def _tell_outside(self, message: Mapping[str, Any], audience: Audience) -> None:
        connections = self._everybody() if audience.recipient is None else self._of_user(audience.recipient)
        self._tell(message, audience, [item for item in connections if message["session_id"] not in item.sessions])

    def _tell(self, message: Mapping[str, Any], audience: Audience, connections: Iterable[Connection]) -> None:
        for connection in connections:
            role = connection.identity.roles.get(audience.project_id)
            if role is not None and connection.barred is None and audience.has(connection.user_id, role.value):
                self._rooms.tell(connection, message)


def say_elsewhere(elsewhere: Elsewhere, notice: Notice) -> None:
    """To the processes where somebody may be whom it concerns."""
    message = {
        "do": "notify",
        "envelope": envelope_of(notice),
        "roles": list(notice.roles),
        "excepted": sorted(notice.excepted),
    }
    if notice.recipient is None:
        elsewhere.announce(message)
    else:
        elsewhere.say(notice.recipient, message)


def envelope_of(notice: Notice) -> dict[str, Any]:
    """The live event."""
    return views.ephemeral(
        f"notification.{notice.kind}",
        notice_view(notice, read=False),
        user_id=notice.user_id,
        at=notice.at,
        session_id=notice.session_id,
        project_id=notice.project_id,
    )
