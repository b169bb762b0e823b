"""The package that an auditor is given."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from realtime_server.core.permissions import EXPORTERS
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.reconciliation.export_package import PackageWriter, whole_json, zip_folder
from realtime_server.reconciliation.export_report import POLICY
from realtime_server.rest.operations import Answer, Call, Download, Operation, operation
from realtime_server.rest.sessions import SESSION
from schemas import reconciliation_rest as schemas

_CSV: Final = "text/csv; charset=utf-8"
#: format -> what it is, and how the file ends.
FORMATS: Final[Mapping[str, tuple[str, str]]] = {
    "zip": ("application/zip", "zip"),
    "json": ("application/json", "json"),
    "html": ("text/html; charset=utf-8", "html"),
    **dict.fromkeys(("matches", "exceptions", "comments", "signoffs", "audit"), (_CSV, "csv")),
}
_MEDIA: Final = tuple(dict.fromkeys(media.partition(";")[0] for media, _ in FORMATS.values()))
_ODD: Final = re.compile(r"[^A-Za-z0-9_-]+")


@operation(
    "GET", f"{SESSION}/export", tag="export", query=schemas.ExportQuery, answer=schemas.ExportDocument,
    produces=_MEDIA, heavy=True, permitted=EXPORTERS,
)  # fmt: skip
async def export_session(call: Call) -> Answer:
    """Export the session for those who audit it.

    Matches, exceptions, comments, signatures and the audit trail with its hashes: a ZIP of tables (CSV and JSON) and a
    report to print, with a manifest that has the SHA-256 of every file and the head of the hash chain. `format` asks
    for one part of it. Everything is as of one commit; of a session that is not signed off the package says so.
    """
    state = await call.session()
    role = call.identity.roles[state.project_id]
    if role not in EXPORTERS:
        message = f"the role {role} may not do this"
        raise CollaborationError(ErrorCode.FORBIDDEN, message, {"role": role.value})
    services, kind = call.services, call.query["format"]
    writer = PackageWriter(services.engine, services.log, services.records, services.clock)
    directory = TemporaryDirectory(prefix="export-", ignore_cleanup_errors=True)
    try:
        folder = Path(directory.name) / "package"
        folder.mkdir()
        await writer.write(state.session_id, folder, call.identity.user_id)
        path = await asyncio.to_thread(_chosen, folder, kind, _name(state.name or state.session_id))
    except BaseException:
        await asyncio.to_thread(directory.cleanup)
        raise
    return Answer(Download(path, directory, FORMATS[kind][0], inline=kind == "html", policy=_policy(kind)))


def _chosen(folder: Path, kind: str, name: str) -> Path:
    """The file that is sent, under the name that it is saved under."""
    target = folder.parent / f"{name}{'' if kind in ('zip', 'json', 'html') else f'-{kind}'}.{FORMATS[kind][1]}"
    if kind == "zip":
        zip_folder(folder, target)
    elif kind == "json":
        whole_json(folder, target)
    else:
        (folder / ("report.html" if kind == "html" else f"{kind}.csv")).rename(target)
    return target


def _name(text: str) -> str:
    return _ODD.sub("-", text).strip("-")[:80] or "session"


def _policy(kind: str) -> str:
    return f"{POLICY}; frame-ancestors 'none'; sandbox" if kind == "html" else "default-src 'none'; sandbox"


OPERATIONS: Final[tuple[Operation, ...]] = (export_session,)
