"""``evolve(state, commit) -> state``: what a commit makes of a session. It never refuses; deciding was `decide`'s.

Hot path, and the price of opening a long session: 9 µs an edit (``python -m loadtest.bench_core``). A family says which
members change, and one new state is made of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Final

from realtime_server.core import comments, conflicts, edits, locks, sessions
from realtime_server.core.commits import Commit
from realtime_server.core.state import Changes, SessionState


def _nothing(state: SessionState, commit: Commit) -> Changes:
    return Changes()


_FAMILIES: Final[Mapping[str, Callable[[SessionState, Commit], Changes]]] = {
    "edit": edits.evolve_edit,
    "conflict": conflicts.evolve_conflict,
    "lock": locks.evolve_lock,
    "comment": comments.evolve_comment,
    "session": sessions.evolve_session,
    "record": _nothing,
}


def evolve(state: SessionState, commit: Commit) -> SessionState:
    """The state after the commit, which must be the next one: ValueError when ``seq`` leaves a gap.

    The records that the commit sets must be loaded (`set_records`). A record that was stored after this commit keeps
    what it has: replaying over stored records ends in the same state.
    """
    if commit.seq != state.seq + 1:
        raise ValueError(f"commit {commit.seq} does not follow {state.seq}")
    changes = _FAMILIES[commit.family](state, commit)
    changes["seq"], changes["hash"], changes["at"] = commit.seq, commit.hash, commit.at
    changes["last_activity"] = sessions.touch(state, commit)
    return state.changed(**changes)


def replay(state: SessionState, commits: Iterable[Commit]) -> SessionState:
    return reduce(evolve, commits, state)


def set_records(commit: Commit) -> frozenset[str]:
    """The records that a commit changes, and that must be loaded before it is applied."""
    match commit.family:
        case "edit":
            return frozenset(record_id for record_id, _, _ in edits.fields_set(commit))
        case "conflict":
            return frozenset({commit.data["record_id"]})
        case _:
            return frozenset()
