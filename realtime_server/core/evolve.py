"""``evolve(state, commit) -> state``: what a commit makes of a session. It never refuses; deciding was `decide`'s.

Hot path, and the price of opening a long session: 9 µs an edit (``python -m loadtest.bench_core``). A family says which
members change, and one new state is made of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Final

from realtime_server.core import comments, conflicts, edits, locks, matches, record_status, runs, sessions, workflow
from realtime_server.core.commits import Commit
from realtime_server.core.names import PLACES, told
from realtime_server.core.state import Changes, SessionState


def _reconciliation(state: SessionState, commit: Commit) -> Changes:
    evolve_part = workflow.evolve_workflow if commit.message_type in _WORKFLOW_TYPES else runs.evolve_run
    return Changes(reconciliation=evolve_part(state.reconciliation, commit))


_WORKFLOW_TYPES: Final = frozenset(
    f"reconciliation.{kind}" for kind in ("configured", "submitted", "reviewed", "approved", "rejected", "reopened")
)

#: Families by which people change what is signed off, or amounts of it; all but a few of their types.
_NOTED: Final = frozenset({"edit", "conflict", "match", "record", "reconciliation"})

_FAMILIES: Final[Mapping[str, Callable[[SessionState, Commit], Changes]]] = {
    "edit": edits.evolve_edit,
    "conflict": conflicts.evolve_conflict,
    "lock": locks.evolve_lock,
    "comment": comments.evolve_comment,
    "session": sessions.evolve_session,
    "record": record_status.evolve_record,
    "match": matches.evolve_match,
    "reconciliation": _reconciliation,
}


def evolve(state: SessionState, commit: Commit) -> SessionState:
    """The state after the commit, which must be the next one: ValueError when ``seq`` leaves a gap.

    The records that the commit sets must be loaded (`set_records`). A record that was stored after this commit keeps
    what it has: replaying over stored records ends in the same state.
    """
    if commit.seq != state.seq + 1:
        raise ValueError(f"commit {commit.seq} does not follow {state.seq}")
    family = commit.family
    if commit.message_type in PLACES:
        commit = replace(commit, data=told(commit.message_type, commit.data, commit.user_id, commit.names))
    changes = _FAMILIES[family](state, commit)
    if family in _NOTED:
        _note(state, commit, changes)
    changes["seq"], changes["hash"], changes["at"] = commit.seq, commit.hash, commit.at
    changes["last_activity"] = sessions.touch(state, commit)
    return state.changed(**changes)


def _note(state: SessionState, commit: Commit, changes: Changes) -> None:
    """What a change of the content means for the reconciliation: amounts to be added up anew, who prepared, signatures
    that do not hold any more."""
    before = after = changes.get("reconciliation", state.reconciliation)
    if workflow.is_content(commit.message_type):
        after = workflow.note_change(before, commit)
    if _sets_amount(commit):
        after = replace(after, amounts_seq=commit.seq)
    if after is not state.reconciliation:
        changes["reconciliation"] = after


def _sets_amount(commit: Commit) -> bool:
    data = commit.data
    if "field_name" in data:
        return data["field_name"] in _AMOUNTS
    return any(item["field_name"] in _AMOUNTS for item in data.get("edits", ()))


_AMOUNTS: Final = frozenset({"amount", "currency"})


def replay(state: SessionState, commits: Iterable[Commit]) -> SessionState:
    return reduce(evolve, commits, state)


def set_records(commit: Commit) -> frozenset[str]:
    """The records that a commit changes, and that must be loaded before it is applied."""
    match commit.family:
        case "edit":
            return frozenset(record_id for record_id, _, _ in edits.fields_set(commit))
        case "conflict":
            return frozenset({commit.data["record_id"]})
        case "match" | "record":
            return frozenset(commit.data.get("record_ids", ()))
        case _:
            return frozenset()
