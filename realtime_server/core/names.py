"""Names of people, kept beside the chain: a commit's hashed ``data`` holds user ids alone.

So a name can be erased from a log without breaking its chain. A decision says who does something with their name, as
clients are told it; `split` takes the names out when the commit is sealed, `told` puts them back where it is read.
What is erased, or was never known, reads as the user's id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    # Their sentences about people: see `_sentences`.
    "conflict.detected": ("suggestion",),
    "conflict.extended": ("suggestion",),
}
#: The place that is no person but a suggestion (`core.suggestions`), whose sentences may begin with people's names.
_SUGGESTION: Final = "suggestion"
#: Characters of a name in a sentence: three of them and the rest stay within 500 (`schemas.views.Evidence`).
_IN_SENTENCE: Final = 100


def split(places: tuple[str, ...], data: Mapping[str, Any], user_id: str) -> tuple[Mapping[str, Any], Names]:
    """(``data`` without names, the names). ``user_id``: whose commit it is."""
    names: dict[str, str] = {}
    left = dict(data)
    for place in places:
        if place == _SUGGESTION:
            if left.get(place) is not None:
                left[place] = _sentences(left[place], lambda sentence: _kept(sentence, names))
            continue
        person = left if place == "" else dict(left.get(place, ()))
        if "name" in person:
            who, name = person.get("user_id", user_id), person.pop("name")
            if name != who:  # as what is erased is read anyway
                names[who] = name
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
        if place == _SUGGESTION:
            if full.get(place) is not None:
                full[place] = _sentences(full[place], lambda sentence: spoken(sentence, known))
            continue
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


def spoken(sentence: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    """A sentence ``{reason, by}`` as people read it: ``reason`` begins with the names of those in ``by``.

    ``by``: a list of ``{user_id, name}``, or of ``{user_id}`` where ``known`` has the names; absent, nobody is named.
    """
    said = dict(sentence)
    people = said.pop("by", None)
    if people:
        names = [item["name"] if "name" in item else known.get(item["user_id"], item["user_id"]) for item in people]
        said["reason"] = f"{' and '.join(name[:_IN_SENTENCE] for name in names)} {said['reason']}"
    return said


def _kept(sentence: Mapping[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The sentence without names, which come to ``names``. An id in place of a name need not be kept."""
    kept = dict(sentence)
    if "by" in kept:
        names |= {item["user_id"]: item["name"] for item in kept["by"] if item["name"] != item["user_id"]}
        kept["by"] = [{"user_id": item["user_id"]} for item in kept["by"]]
    return kept


def _sentences(
    suggestion: Mapping[str, Any], change: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """A suggestion with each of its sentences changed: its own, and those of what speaks for and against it."""
    changed = change(suggestion)
    for part in ("evidence", "against"):
        changed[part] = [change(item) for item in changed.get(part, ())]
    return changed


def without(names: Names, user_id: str) -> Names:
    return tuple(item for item in names if item[0] != user_id)
