"""Who is not called by name in a session any more: people whose name was erased.

A token that was issued before the erasure still has the name in it, and its person may be connected, or come back with
it. What they do under it is theirs by id alone; only a newer token says anew what they are called.
"""

from __future__ import annotations

from typing import Final

from immutables import Map

from realtime_server.core.commands import Actor
from realtime_server.core.limits import MAX_NAMELESS
from realtime_server.core.state import SessionState

LEEWAY: Final = 5
"""Seconds by which an issuer's clock may be ahead of ours (as for the claims of a token, `auth.tokens.LEEWAY`)."""


def name_of(state: SessionState, actor: Actor) -> str:
    """What to call somebody in this session: as their token does, or by their id."""
    erased_at = state.nameless.get(actor.user_id)
    if erased_at is None or actor.issued_at > erased_at // 1000 + LEEWAY:
        return actor.name
    return actor.user_id


def with_nameless(nameless: Map[str, int], user_id: str, at: int) -> Map[str, int]:
    """One more whose name was erased, at that instant (milliseconds); of too many the longest past is forgotten."""
    after = nameless.set(user_id, at)
    if len(after) > MAX_NAMELESS:
        after = after.delete(min(after, key=after.__getitem__))
    return after
