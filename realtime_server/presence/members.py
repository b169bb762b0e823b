"""A person's connections (tabs, devices), and the one entry that others see. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from realtime_server.core.clock import to_iso
from realtime_server.core.roles import Role

#: Drafts of one person that are shown.
MAX_DRAFTS: Final = 20


@dataclass(frozen=True, slots=True)
class Seat:
    """One connection in one session.

    ``changed_at``: when its person last said what they do, 0 for never; ``seen_at``: when they last did anything.
    ``came_at``: when they took their place, 0 where nobody asks. Milliseconds since 1970.
    ``alive``: False while a dropped connection is waited for.
    ``connected``: False where no connection ever stood behind it: somebody said over HTTP what they do.
    """

    connection_id: str
    user_id: str
    name: str
    role: Role
    seen_at: int
    device_id: str | None = None
    idle: bool = False
    activity: str | None = None
    focus: Mapping[str, str] | None = None
    #: (record_id, field_name) of changes that the person has not sent yet.
    drafts: tuple[tuple[str, str], ...] = ()
    changed_at: int = 0
    came_at: int = 0
    alive: bool = True
    connected: bool = True


@dataclass(frozen=True, slots=True)
class Doing:
    """What a person says they do. Members left at their defaults stay as they are; None clears the last three."""

    idle: bool | None = None
    activity: Any = field(default=...)
    focus: Any = field(default=...)
    drafts: Any = field(default=...)

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """The drafts as they are kept, each once."""
        return tuple(dict.fromkeys((item["record_id"], item["field_name"]) for item in self.drafts or ()))


@dataclass(frozen=True, slots=True)
class Member:
    """A person in a session, with all their connections. ``connected`` as in `Seat`, of any of them."""

    user_id: str
    name: str
    role: Role
    idle: bool
    activity: str | None
    focus: Mapping[str, str] | None
    seen_at: int
    connections: int
    drafts: tuple[tuple[str, str], ...] = ()
    connected: bool = True

    def view(self) -> dict[str, Any]:
        """As clients see it (section 4 of the contract)."""
        view: dict[str, Any] = {
            "user_id": self.user_id,
            "name": self.name,
            "role": self.role.value,
            "status": "idle" if self.idle else "active",
            "activity": self.activity,
            "focus": None if self.focus is None else dict(self.focus),
            "last_seen": to_iso(self.seen_at),
            "connections": self.connections,
        }
        if self.drafts:
            view["drafts"] = [{"record_id": record_id, "field_name": name} for record_id, name in self.drafts]
        return view


def member_of(seats: Collection[Seat]) -> Member:
    """One entry of a person's seats (at least one): name and doings as said last, active while any tab is."""
    latest = max(seats, key=lambda seat: (seat.changed_at, seat.seen_at))
    return Member(
        user_id=latest.user_id,
        name=latest.name,
        role=latest.role,
        idle=all(seat.idle for seat in seats),
        activity=latest.activity,
        focus=latest.focus,
        seen_at=max(seat.seen_at for seat in seats),
        connections=sum(seat.alive for seat in seats),
        drafts=tuple(dict.fromkeys(place for seat in seats for place in seat.drafts))[:MAX_DRAFTS],
        connected=any(seat.connected for seat in seats),
    )


class ChangeKind(StrEnum):
    JOINED = "joined"
    UPDATED = "updated"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class PresenceChange:
    """What the others of a session are told."""

    session_id: str
    kind: ChangeKind
    member: Member
