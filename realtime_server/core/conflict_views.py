"""An open conflict as clients see it, over the socket and HTTP alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from realtime_server.core.clock import to_iso
from realtime_server.core.state import Candidate, Conflict, FieldState, SessionState
from realtime_server.core.suggestions import suggested_records, suggestion_view


def open_conflicts(state: SessionState) -> list[Conflict]:
    """The open conflicts, oldest first, so far as their records are loaded (`conflict_records`)."""
    found = (state.open_conflict(conflict_id) for conflict_id in state.conflicts)
    return sorted((item for item in found if item is not None), key=lambda item: item.candidates[0].seq)


def conflict_records(state: SessionState) -> frozenset[str]:
    """The records that must be loaded to show every open conflict; with those that suggestions look at, so far as they
    are known."""
    return records_shown(state, (record_id for record_id, _ in state.conflicts.values()))


def records_shown(state: SessionState, record_ids: Iterable[str]) -> frozenset[str]:
    named = frozenset(record_ids)
    return named.union(*(suggested_records(state.records.get(record_id)) for record_id in named))


def conflict_view(conflict: Conflict, field: FieldState, suggestion: dict[str, Any] | None) -> dict[str, Any]:
    """``{conflict_id, record_id, field_name, policy, opened_at, base, current, candidates, suggestion}``.

    ``field``: as it stands now, or stood when the conflict was decided.
    """
    return {
        "conflict_id": conflict.conflict_id,
        "record_id": conflict.record_id,
        "field_name": conflict.field_name,
        "policy": conflict.policy,
        "opened_at": to_iso(conflict.opened_at),
        "base": {"version": conflict.base_version, "value": conflict.base_value, "known": conflict.base_known},
        "current": {"version": field.version, "value": field.value, "user_id": field.user_id},
        "candidates": [_candidate_view(candidate) for candidate in conflict.candidates],
        "suggestion": suggestion,
    }


def open_view(state: SessionState, conflict: Conflict, *, suggest: bool = True) -> dict[str, Any]:
    """The view of an open conflict whose record is loaded, with what is suggested as things stand."""
    field = state.records[conflict.record_id].field_state(conflict.field_name)
    return conflict_view(conflict, field, suggestion_view(state, conflict) if suggest else None)


def _candidate_view(candidate: Candidate) -> dict[str, Any]:
    view = {
        "edit_id": candidate.edit_id,
        "user_id": candidate.user_id,
        "value": candidate.value,
        "base_version": candidate.base_version,
    }
    if candidate.reason is not None:
        view["edit_reason"] = candidate.reason
    return view
