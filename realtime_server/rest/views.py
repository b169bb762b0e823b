"""Sessions, records and conflicts as HTTP clients see them."""

from __future__ import annotations

from typing import Any

from realtime_server.core.clock import to_iso
from realtime_server.core.conflict_views import conflict_view, open_view
from realtime_server.core.locks import lock_view
from realtime_server.core.roles import Role
from realtime_server.core.state import Conflict, FieldState, RecordState, SessionState
from realtime_server.ports import SessionOverview, SessionSummary

Json = dict[str, Any]


def _instant(at: int | None) -> str | None:
    return None if at is None else to_iso(at)


def summary_view(summary: SessionSummary) -> Json:
    return {
        "session_id": summary.session_id,
        "project_id": summary.project_id,
        "name": summary.name,
        "status": str(summary.status),
        "created_by": summary.created_by,
        "created_at": to_iso(summary.created_at),
        "last_activity": to_iso(summary.last_activity),
        "expires_at": _instant(summary.expires_at),
        "seq": summary.seq,
    }


def session_view(state: SessionOverview, role: Role, records: int, now: int) -> Json:
    return {
        "session_id": state.session_id,
        "project_id": state.project_id,
        "name": state.name,
        "status": str(state.status),
        "created_by": state.created_by,
        "created_at": to_iso(state.created_at),
        "last_activity": to_iso(state.last_activity),
        "expires_at": _instant(state.expires_at),
        "seq": state.seq,
        "field_policies": dict(state.field_policies),
        "role": role.value,
        "records": records,
        "open_conflicts": state.open_conflicts,
        # A lease that has run out is gone even before the log says so.
        "locks": [lock_view(lock) for lock in state.locks if lock.expires_at > now],
    }


def record_view(record: RecordState) -> Json:
    view = {
        "record_id": record.record_id,
        "source": record.source,
        "external_id": record.external_id,
        "values": record.base,
        "versions": {},
        "conflicts": {},
        "seq": record.seq,
    }
    if record.fields:  # most records of a large session are as they were imported
        view["values"] = record.values()
        view["versions"] = record.versions()
        view["conflicts"] = {
            name: field.conflict.conflict_id for name, field in record.fields.items() if field.conflict is not None
        }
    return view


def open_entry(state: SessionState, conflict: Conflict) -> Json:
    return {**open_view(state, conflict), "status": "open", "resolution": None}


def decided_entry(conflict: Conflict, field: FieldState, resolution: Json) -> Json:
    """``field``: as it stood when the conflict was decided."""
    return {**conflict_view(conflict, field, None), "status": "resolved", "resolution": resolution}
