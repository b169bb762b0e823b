"""All operations of the HTTP interface."""

from __future__ import annotations

from typing import Final

from realtime_server.rest import (
    conflicts,
    export,
    history,
    import_progress,
    imports,
    mappings,
    matches,
    notifications,
    people,
    projects,
    reconciliation,
    records,
    revoking,
    sessions,
    states,
    writes,
)
from realtime_server.rest.operations import Operation

OPERATIONS: Final[tuple[Operation, ...]] = (
    *sessions.OPERATIONS,
    *people.OPERATIONS,
    *revoking.OPERATIONS,
    *records.OPERATIONS,
    *imports.OPERATIONS,
    *import_progress.OPERATIONS,
    *mappings.OPERATIONS,
    *writes.OPERATIONS,
    *conflicts.OPERATIONS,
    *history.OPERATIONS,
    *states.OPERATIONS,
    *reconciliation.OPERATIONS,
    *matches.OPERATIONS,
    *projects.OPERATIONS,
    *notifications.OPERATIONS,
    *export.OPERATIONS,
)
