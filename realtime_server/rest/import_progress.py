"""How far imports over HTTP are, for whoever asks any instance while the file is sent to one of them."""

from __future__ import annotations

from typing import Any, Final

from realtime_server.core.clock import to_iso
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import ImportStatus
from realtime_server.rest.operations import Answer, Call, Operation, operation
from realtime_server.rest.sessions import SESSION
from schemas import reconciliation_rest as schemas

IMPORTS: Final = f"{SESSION}/imports"


@operation("GET", IMPORTS, tag="imports", answer=schemas.ImportsInProgress)
async def list_imports(call: Call) -> Answer:
    """List the session's imports over HTTP, of the last day.

    The newest first, with how far each is.
    """
    state = await call.session()
    found = await call.services.imports.newest(state.session_id)
    return Answer({"items": [_view(status) for status in found]})


@operation("GET", f"{IMPORTS}/{{progress_id}}", tag="imports", answer=schemas.ImportProgress)
async def get_import(call: Call) -> Answer:
    """Show how far an import over HTTP is.

    Under the `progress_id` that its sender chose. It moves at most twice a second.
    """
    state = await call.session()
    progress_id = call.path["progress_id"]
    status = await call.services.imports.load(state.session_id, progress_id)
    if status is None:
        raise CollaborationError(ErrorCode.NOT_FOUND, f"there is no import {progress_id}")
    return Answer(_view(status))


def _view(status: ImportStatus) -> dict[str, Any]:
    view: dict[str, Any] = {
        "progress_id": status.progress_id,
        "source": status.source,
        "status": status.status,
        "user_id": status.user_id,
        "started_at": to_iso(status.started_at),
        "updated_at": to_iso(status.updated_at),
        "bytes_received": status.bytes_received,
        "bytes_total": status.bytes_total,
        "rows": status.rows,
        "new": status.new,
        "changed": status.changed,
        "refused": status.refused,
    }
    return view if status.message is None else {**view, "message": status.message}


OPERATIONS: Final[tuple[Operation, ...]] = (list_imports, get_import)
