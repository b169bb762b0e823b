"""One person's connections, wherever they are: told something, or closed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from realtime_server.collaboration import views
from realtime_server.collaboration.connections import Connection
from realtime_server.collaboration.rooms import Rooms
from realtime_server.ports import Elsewhere


class NoElsewhere:
    """`Elsewhere` for a process that is alone."""

    def follow(self, user_id: str) -> None:
        pass

    def unfollow(self, user_id: str) -> None:
        pass

    def say(self, user_id: str, message: Mapping[str, Any]) -> None:
        pass

    def announce(self, message: Mapping[str, Any]) -> None:
        pass


class People:
    """``of_user``: the person's connections at this process. ``elsewhere``: the way to those at other processes.
    ``notified``: told of notifications that another process was the first to keep (`notices.Notices.heard`).

    Best effort at other processes: what is said while Redis is away reaches those who are here.
    """

    def __init__(
        self,
        of_user: Callable[[str], Collection[Connection]],
        disconnect_here: Callable[[str], object],
        rooms: Rooms,
        clock: Callable[[], int],
        elsewhere: Elsewhere,
        notified: Callable[[str | None, Mapping[str, Any]], None],
    ) -> None:
        self._notified = notified
        self._of_user, self._disconnect_here, self._rooms, self._clock = of_user, disconnect_here, rooms, clock
        self._elsewhere = elsewhere

    def came(self, user_id: str) -> None:
        """The person's first connection at this process is open."""
        self._elsewhere.follow(user_id)

    def went(self, user_id: str) -> None:
        """Their last one is gone."""
        self._elsewhere.unfollow(user_id)

    def disconnect(self, user_id: str) -> None:
        """Close every connection that the person has, at every process. To keep them out, revoke their tokens."""
        self._disconnect_here(user_id)
        self._elsewhere.say(user_id, {"do": "disconnect"})

    def tell(self, user_id: str, kind: str, data: Mapping[str, Any], *, sid: str | None = None) -> None:
        """Send ``notification.<kind>`` to every connection of the person, or to one of them. ``data``: JSON."""
        message = views.ephemeral(f"notification.{kind}", data, user_id=user_id, at=self._clock())
        self._tell_here(user_id, message, sid)
        self._elsewhere.say(user_id, {"do": "tell", "envelope": message, "sid": sid})

    def _tell_here(self, user_id: str, envelope: Mapping[str, Any], sid: str | None) -> None:
        for connection in list(self._of_user(user_id)):
            if connection.barred is None and sid in (None, connection.sid):
                self._rooms.tell(connection, envelope)

    def heard(self, user_id: str | None, message: Mapping[str, Any]) -> None:
        """What another process says is to be done for a person, or for whomever it concerns (None).

        ValueError for anything that is not understood.
        """
        match message:
            case {"do": "notify"}:
                self._notified(user_id, message)
            case _ if user_id is None:
                raise ValueError("not a message about whomever it concerns")
            case {"do": "disconnect"}:
                self._disconnect_here(user_id)
            case {"do": "tell", "envelope": {"message_type": str(kind), "user_id": str(who)} as envelope, "sid": sid}:
                if who != user_id or not kind.startswith("notification.") or not isinstance(sid, str | None):
                    raise ValueError("not a notification of this person")
                self._tell_here(user_id, envelope, sid)
            case _:
                raise ValueError("not a message about a person")
