"""Two people at one field: found in the changes of presence, as they are told. Pure, and bounded by who is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from realtime_server.presence.members import ChangeKind, Member, PresenceChange

#: (record_id, field_name)
Place = tuple[str, str]

#: The activity by which a client says that its person edits the field that they are at.
EDITING: Final = "editing"


class At(StrEnum):
    """What somebody does at a field; of two, the later one in this order counts."""

    LOOKING = "looking"
    EDITING = "editing"
    UNSENT = "unsent"


_RANK: Final = {doing: rank for rank, doing in enumerate(At)}


@dataclass(frozen=True, slots=True)
class Involved:
    """``doing``: an `At`, or "changed" for whoever was there before."""

    user_id: str
    name: str
    doing: str


@dataclass(frozen=True, slots=True)
class Overlap:
    """``people``: two at least; whoever came last stands last."""

    place: Place
    cause: str
    people: tuple[Involved, ...]
    version: int | None = None
    conflict_id: str | None = None


def places_of(member: Member) -> dict[Place, At]:
    """Where a person is: the field they are at, unless they are idle, and those with a change they have not sent."""
    places: dict[Place, At] = {}
    if member.focus is not None and "field_name" in member.focus and not member.idle:
        doing = At.EDITING if member.activity == EDITING else At.LOOKING
        places[member.focus["record_id"], member.focus["field_name"]] = doing
    return places | dict.fromkeys(member.drafts, At.UNSENT)


@dataclass(frozen=True, slots=True)
class Found:
    """``started``: where the person has just begun to change something."""

    overlaps: tuple[Overlap, ...]
    started: tuple[Place, ...]


class Overlaps:
    """Who is at which field of which session, as far as this process has been told."""

    def __init__(self) -> None:
        self._people: dict[str, dict[str, tuple[str, Mapping[Place, At]]]] = {}
        self._places: dict[str, dict[Place, set[str]]] = {}

    def change(self, change: PresenceChange) -> Found:
        """What a change means: a person is told of once when they come to a field, and again when they go further
        there (looking, editing, a change that is not sent)."""
        session_id, member = change.session_id, change.member
        people = self._people.setdefault(session_id, {})
        _, before = people.pop(member.user_id, ("", {}))
        after = {} if change.kind is ChangeKind.LEFT else places_of(member)
        self._move(session_id, member.user_id, before, after)
        if after:
            people[member.user_id] = (member.name, after)
        elif not people:
            self.forget(session_id)
        further = [
            place for place, doing in after.items() if place not in before or _RANK[doing] > _RANK[before[place]]
        ]
        overlaps = (self._at(session_id, place, member.user_id) for place in further)
        started = tuple(
            place for place in further if after[place] is not At.LOOKING and before.get(place) in (None, At.LOOKING)
        )
        return Found(tuple(item for item in overlaps if item is not None), started)

    def _move(self, session_id: str, user_id: str, before: Mapping[Place, At], after: Mapping[Place, At]) -> None:
        places = self._places.setdefault(session_id, {})
        for place in before.keys() - after.keys():
            places[place].discard(user_id)
            if not places[place]:
                del places[place]
        for place in after.keys() - before.keys():
            places.setdefault(place, set()).add(user_id)

    def _at(self, session_id: str, place: Place, user_id: str) -> Overlap | None:
        there = self._places[session_id][place]
        if len(there) < 2:
            return None
        people = self._people[session_id]
        order = [*sorted(there - {user_id}), user_id]
        involved = tuple(Involved(name, people[name][0], people[name][1][place].value) for name in order)
        unsent = any(item.doing == At.UNSENT for item in involved)
        return Overlap(place, "unsent_change" if unsent else "same_field", involved)

    def forget(self, session_id: str) -> None:
        """Nobody here wants to know of the session any more."""
        self._people.pop(session_id, None)
        self._places.pop(session_id, None)
