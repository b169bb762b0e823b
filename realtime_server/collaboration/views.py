"""A session's state as clients see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime_server.core.clock import to_iso
from realtime_server.core.locks import lock_view
from realtime_server.core.runs import run_view
from realtime_server.core.state import Candidate, Conflict, SessionState


def session_view(state: SessionState) -> dict[str, Any]:
    expires_at = state.expires_at
    return {
        "session_id": state.session_id,
        "project_id": state.project_id,
        "name": state.name,
        "status": state.status.value,
        "created_by": state.created_by,
        "created_at": to_iso(state.created_at),
        "expires_at": None if expires_at is None else to_iso(expires_at),
        "field_policies": dict(state.field_policies),
    }


def lock_views(state: SessionState, now: int) -> list[dict[str, Any]]:
    """The locks that hold at ``now``; a lease that has run out is gone even before the log says so."""
    return [lock_view(lock) for lock in state.locks.values() if lock.expires_at > now]


def conflict_views(state: SessionState) -> list[dict[str, Any]]:
    """The open conflicts, oldest first. Their records must be loaded (`conflict_records`)."""
    found = (state.open_conflict(conflict_id) for conflict_id in state.conflicts)
    conflicts = sorted((item for item in found if item is not None), key=lambda item: item.candidates[0].seq)
    return [_conflict_view(state, conflict) for conflict in conflicts]


def conflict_records(state: SessionState) -> frozenset[str]:
    return frozenset(record_id for record_id, _ in state.conflicts.values())


def _conflict_view(state: SessionState, conflict: Conflict) -> dict[str, Any]:
    field = state.records[conflict.record_id].field_state(conflict.field_name)
    return {
        "conflict_id": conflict.conflict_id,
        "record_id": conflict.record_id,
        "field_name": conflict.field_name,
        "policy": conflict.policy,
        "opened_at": to_iso(conflict.opened_at),
        "base": {"version": conflict.base_version, "value": conflict.base_value, "known": conflict.base_known},
        "current": {"version": field.version, "value": field.value, "user_id": field.user_id},
        "candidates": [_candidate_view(candidate) for candidate in conflict.candidates],
    }


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


def reconciliation_view(state: SessionState) -> dict[str, Any]:
    """The matching run of the session."""
    return run_view(state.reconciliation)


def ephemeral(
    message_type: str,
    data: Mapping[str, Any],
    *,
    user_id: str,
    at: int,
    session_id: str | None = None,
    project_id: str | None = None,
) -> dict[str, Any]:
    """An envelope of something that is not in the log, so without ``seq``. ``at``: milliseconds since 1970."""
    return {
        "message_type": message_type,
        "session_id": session_id,
        "project_id": project_id,
        "user_id": user_id,
        "timestamp": to_iso(at),
        "data": data,
    }
