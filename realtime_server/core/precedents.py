"""How conflicts of a session were decided before, counted by field and by the roles of the two who disagreed.

What a resolution counts for stands in its commit, so that a replay over stored records comes to the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from immutables import Map

from realtime_server.core import limits
from realtime_server.core.state import Conflict, FieldState, SessionState
from realtime_server.core.values import same

#: (field_name, role of the current value's author, role of the candidate's author)
Pair = tuple[str, str, str]

#: Stand for a role: a value that nobody set since the import; an author whom the session never let in (HTTP alone).
IMPORTED: Final = "imported"
UNKNOWN: Final = "unknown"


class Decided(NamedTuple):
    """How often which side's value it became; ``other``: a value that neither had proposed."""

    current: int = 0
    candidate: int = 0
    other: int = 0


def role_of(state: SessionState, user_id: str | None) -> str:
    if user_id is None:
        return IMPORTED
    person = state.participants.get(user_id)
    return UNKNOWN if person is None else person.role.value


def outcome(state: SessionState, conflict: Conflict, field: FieldState, chosen: Any) -> dict[str, Any]:
    """``{between, won}`` for the commit of a resolution."""
    winner = next((item for item in reversed(conflict.candidates) if same(item.value, chosen)), None)
    candidate = winner or conflict.candidates[-1]
    won = "current" if same(chosen, field.value) else "other" if winner is None else "candidate"
    return {"between": [role_of(state, field.user_id), role_of(state, candidate.user_id)], "won": won}


def precedent(state: SessionState, conflict: Conflict, field: FieldState) -> Decided:
    pair = (conflict.field_name, role_of(state, field.user_id), role_of(state, conflict.candidates[-1].user_id))
    return Decided(*state.precedents.get(pair, ()))


def remember_decided(state: SessionState, data: Mapping[str, Any]) -> Map[Pair, tuple[int, int, int]]:
    """The counts after a resolution. Commits of earlier versions do not say who won, and count for nothing."""
    if "won" not in data:
        return state.precedents
    pair = (data["field_name"], data["between"][0], data["between"][1])
    counts = Decided(*state.precedents.get(pair, ()))
    counts = counts._replace(**{data["won"]: getattr(counts, data["won"]) + 1})
    if sum(counts) > limits.MAX_PRECEDENT_WEIGHT:
        # What was decided lately says more than what was decided long ago.
        counts = Decided(*(count // 2 for count in counts))
    return _bounded(state.precedents.set(pair, (counts.current, counts.candidate, counts.other)))


def _bounded(precedents: Map[Pair, tuple[int, int, int]]) -> Map[Pair, tuple[int, int, int]]:
    """When full, a tenth goes at once: the pairs that were met least."""
    if len(precedents) <= limits.MAX_PRECEDENTS:
        return precedents
    most = sorted(precedents.items(), key=lambda item: (-sum(item[1]), item[0]))
    return Map(most[: limits.MAX_PRECEDENTS - limits.MAX_PRECEDENTS // 10])
