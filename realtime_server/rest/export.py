"""The package that an auditor is given."""

from __future__ import annotations

from typing import Final

from realtime_server.core.permissions import EXPORTERS
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.rest.operations import Answer, Call, Operation, operation
from realtime_server.rest.sessions import SESSION
from schemas import reconciliation_rest as schemas
from schemas.common import Message

#: What an export may be.
MEDIA: Final = ("application/zip", "application/json", "text/html", "text/csv")


@operation(
    "GET", f"{SESSION}/export", tag="export", query=schemas.ExportQuery, answer=Message, produces=MEDIA, heavy=True,
    permitted=EXPORTERS,
)  # fmt: skip
async def export_session(call: Call) -> Answer:
    """Export the session for those who audit it.

    Matches, exceptions, comments, signatures and the audit trail with its hashes: a ZIP of tables (CSV and JSON) and a
    report to print, with a manifest that has the SHA-256 of every file and the end of the hash chain. `format` asks
    for one part of it. Of a session that is not signed off the package says so.
    """
    raise CollaborationError(ErrorCode.UNAVAILABLE, "not yet")


OPERATIONS: Final[tuple[Operation, ...]] = (export_session,)
