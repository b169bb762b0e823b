"""Notifications to the people of a session: live, and what is unread when they come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from realtime_server.collaboration import views
from realtime_server.collaboration.connections import Connection
from realtime_server.collaboration.rooms import Rooms
from realtime_server.core.commands import Actor
from realtime_server.core.notifications import Notice, notice_view
from realtime_server.ports import NoticeStore, Reader

#: Unread ones that a join brings along (`schemas.notifications`).
AT_JOIN: Final = 20


class Notices:
    """Each is told to those whom it concerns, and to nobody else."""

    def __init__(self, store: NoticeStore, rooms: Rooms) -> None:
        self._store = store
        self._rooms = rooms
        #: session -> this process's connections in it.
        self._present: defaultdict[str, set[Connection]] = defaultdict(set)

    def enter(self, connection: Connection, session_id: str) -> None:
        """From now on the client is told what concerns its person in this session."""
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

    def tell(self, notices: Sequence[Notice]) -> None:
        """These are kept: whom they concern and who is in their session is told."""
        for notice in notices:
            for connection in self._present.get(notice.session_id, ()):
                role = connection.identity.roles.get(notice.project_id)
                if role is not None and notice.concerns(connection.user_id, role.value):
                    self._rooms.tell(connection, _envelope(notice))


def _envelope(notice: Notice) -> dict[str, Any]:
    return views.ephemeral(
        f"notification.{notice.kind}",
        notice_view(notice, read=False),
        user_id=notice.user_id,
        at=notice.at,
        session_id=notice.session_id,
        project_id=notice.project_id,
    )
