"""What the shells need of presence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from realtime_server.presence.members import Doing, Member, PresenceChange, Seat

#: Told of every change in a session of this process's clients, in the order in which it happened. Must not raise.
Announce = Callable[[PresenceChange], None]


class Presence(Protocol):
    """Leases: an entry that is not renewed ends by itself, so that a killed process leaves nobody behind.

    Methods raise `CollaborationError(UNAVAILABLE)` when the service behind does not answer; presence may then be
    behind for a while and repairs itself.
    """

    async def enter(self, session_id: str, seat: Seat, maximum: int) -> None:
        """Take a seat; the same connection again replaces what it said of itself.

        At most ``maximum`` people, decided atomically: `session_full` beyond. A person who is there already, or whose
        dropped connection is still waited for, always gets in, and is not announced as joined again.
        """

    async def leave(self, session_id: str, connection_id: str, *, grace: float = 0.0) -> None:
        """Give the seat back; with ``grace`` only when the person has not come back after so many seconds."""

    async def update(self, session_id: str, connection_id: str, doing: Doing) -> None:
        """What the person says they do; nothing for a connection that has no seat."""

    def seen(self, session_id: str, connection_id: str) -> None:
        """The person did something. Cheap; shows in `members`, and is not announced."""

    async def members(self, session_id: str) -> list[Member]:
        """Everybody in the session, in the order in which they came."""

    async def close(self) -> None:
        """Stop waiting for anybody; announce nothing more."""
