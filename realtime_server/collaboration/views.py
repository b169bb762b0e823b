"""A session's state as clients see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from realtime_server.core.clock import to_iso
from realtime_server.core.conflict_views import open_conflicts, open_view
from realtime_server.core.locks import lock_view
from realtime_server.core.runs import run_view
from realtime_server.core.state import SessionState

#: Open conflicts whose suggestion comes with the answer to `join`, the oldest: each is computed, and a
#: thousand people may join at once. The others' are had over HTTP.
SUGGESTED: Final = 50


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
    """The open conflicts, oldest first. Their records must be loaded (`conflict_views.conflict_records`)."""
    return [
        open_view(state, conflict, suggest=place < SUGGESTED) for place, conflict in enumerate(open_conflicts(state))
    ]


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
