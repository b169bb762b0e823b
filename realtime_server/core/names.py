"""Names of people, kept beside the chain: a commit's hashed ``data`` holds user ids alone.

So a name can be erased from a log without breaking its chain. A decision says who does something with their name, as
clients are told it; `split` takes the names out when the commit is sealed, `told` puts them back where it is read.
What is erased, or was never known, reads as the user's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: (user_id, name) of everybody whom a commit names.
Names = tuple[tuple[str, str], ...]

#: Where in ``data`` a commit of a type names somebody: members that hold ``{user_id, name}``; the empty one is ``data``
#: itself, about its own ``user_id``, or else the commit's.
PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "session.created": ("created_by",),
    "session.updated": ("",),
    "lock.acquired": ("holder",),
    "lock.renewed": ("holder",),
    "lock.taken_over": ("holder", "previous"),
    "comment.added": ("",),
    "reconciliation.started": ("started_by",),
    "reconciliation.submitted": ("",),
    "reconciliation.reviewed": ("",),
    "reconciliation.approved": ("",),
    "reconciliation.rejected": ("",),
    "reconciliation.reopened": ("",),
}


def split(places: tuple[str, ...], data: Mapping[str, Any], user_id: str) -> tuple[Mapping[str, Any], Names]:
    """(``data`` without names, the names). ``user_id``: whose commit it is."""
    names: dict[str, str] = {}
    left = dict(data)
    for place in places:
        person = left if place == "" else dict(left.get(place, ()))
        if "name" in person:
            names[person.get("user_id", user_id)] = person.pop("name")
            if place:
                left[place] = person
    return left, tuple(names.items())


def told(message_type: str, data: Mapping[str, Any], user_id: str, names: Names) -> Mapping[str, Any]:
    """The inverse: ``data`` as clients see it. A log from before names were kept apart has them in ``data``."""
    places = PLACES.get(message_type)
    if places is None:
        return data
    known = dict(names)
    full = dict(data)
    for place in places:
        person = full if place == "" else full.get(place)
        if not isinstance(person, dict) or "name" in person:
            continue
        who = person.get("user_id", user_id)
        named = {**person, "name": known.get(who, who)}
        if place == "":
            full = named
        else:
            full[place] = named
    return full


def without(names: Names, user_id: str) -> Names:
    return tuple(item for item in names if item[0] != user_id)
