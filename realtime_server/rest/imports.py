"""Importing records: a file comes as the body, and becomes records and edits."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import orjson
from marshmallow import ValidationError

from realtime_server.core import commands as c
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import ImportStatus
from realtime_server.reconciliation.csv_rows import RowError
from realtime_server.reconciliation.import_files import FileKind, OpenedFile, open_file
from realtime_server.reconciliation.import_summary import ImportSummary
from realtime_server.reconciliation.importing import Importer, Listeners
from realtime_server.reconciliation.reading import ReadOptions
from realtime_server.reconciliation.saved_mappings import OPEN, read_as
from realtime_server.rest.bodies import body_chunks
from realtime_server.rest.counts import COUNTS
from realtime_server.rest.dispatch import UPLOADS
from realtime_server.rest.import_progress import Progress, watched
from realtime_server.rest.mappings import checked_reading, save_mapping
from realtime_server.rest.operations import Answer, Call, Operation, operation
from realtime_server.rest.records import RECORDS
from realtime_server.rest.refusals import invalid
from schemas import loader
from schemas import rest_answers as answers
from schemas import rest_requests as requests

_JSON_LINES: Final = ("application/x-ndjson", "application/jsonl")
#: What a file says of itself goes before what its sender calls it.
_TABLES: Final = ("text/csv", "text/plain", "application/octet-stream")
_BANKS: Final = ("application/xml", "text/xml", "application/x-ofx", "application/vnd.intu.qfx")
#: Refused rows that a refusal of the whole import names.
_ERRORS_SHOWN: Final = 100


@operation(
    "POST",
    RECORDS,
    tag="records",
    query=requests.ImportQuery,
    answer=answers.ImportDone,
    command=c.RecordImport,
    media=(*_TABLES, *_JSON_LINES, *_BANKS),
    refusals=(ErrorCode.SESSION_ENDED, ErrorCode.FROZEN),
)
async def import_records(call: Call) -> Answer:
    """Import records.

    The body is a CSV, a bank's statement (CAMT.053, MT940, OFX or QFX), or JSON lines with `external_id`, `date`,
    `amount`, `currency` and whatever else a record has; what stands in it tells which. New rows become records; where a
    record is there already, what the file says anew becomes edits, so that nobody's work is overwritten. Importing the
    same file again changes nothing, so an import that was cut off is made good by sending it again. A row that cannot
    be taken is listed in `errors` and stops no other; with `all_or_nothing` it refuses the whole. How far it is can be
    asked meanwhile: see `progress_id`. Where the sender's token is revoked, the import ends at its next thousand rows,
    as `unauthenticated`; what was imported until then stays.
    """
    state = await call.session()
    # Places of their own: an upload that takes its time keeps nobody from reading.
    with call.request.config_dict[UPLOADS].turn():
        opened, summary = await _import(call, state.session_id, call.actor(state.project_id), state.project_id)
    call.request.config_dict[COUNTS].forget(state.session_id)
    if call.query["save_mapping"] and opened.settled is not None:
        await save_mapping(call, state.project_id, call.query["source"], opened.settled)
    return Answer(_view(summary, opened))


def _refused(summary: ImportSummary) -> CollaborationError:
    message = f"{summary.refused} of {summary.rows} rows cannot be taken; nothing was imported"
    errors = [_error_view(error) for error in summary.errors[:_ERRORS_SHOWN]]
    return CollaborationError(ErrorCode.INVALID, message, {"errors": errors})


async def _import(call: Call, session_id: str, actor: c.Actor, project_id: str) -> tuple[OpenedFile, ImportSummary]:
    query, services, source = call.query, call.services, call.query["source"]
    still = partial(_still_believed, call, project_id)
    importer = Importer(services.engine, services.log, services.records)
    saved = await services.mappings.load(project_id, source) if query["saved_mapping"] else None
    began = _begun(call, session_id, actor)
    async with watched(services.imports, services.clock, began) as progress, _file(call, progress, still) as path:
        reading = None if saved is None else saved.reading
        progress.moved(status="reading")
        opened = await asyncio.to_thread(_open, path, call.request.content_type, query, reading)
        progress.moved(status="importing", rows_total=opened.records.rows)
        summary = await importer.run(
            session_id,
            actor,
            source,
            opened.records,
            all_or_nothing=query["all_or_nothing"],
            listeners=Listeners(still, progress.counted),
        )
        progress.counted(summary)
        if not summary.written:
            raise _refused(summary)
    return opened, summary


def _still_believed(call: Call, project_id: str) -> None:
    """An import takes its time, and its sender's token may be revoked meanwhile: it ends at the next chunk then."""
    if call.services.revocations is None:
        return
    try:
        if project_id in call.services.revocations.check(call.identity).roles:
            return
    except CollaborationError as error:
        if error.code is not ErrorCode.UNAUTHENTICATED:
            raise
    message = "the token was revoked during the import, which ends here; what was imported until now stays"
    raise CollaborationError(ErrorCode.UNAUTHENTICATED, message)


def _begun(call: Call, session_id: str, actor: c.Actor) -> ImportStatus:
    now = call.services.clock()
    return ImportStatus(
        session_id=session_id,
        progress_id=call.query.get("progress_id", f"import-{uuid4().hex}"),
        source=call.query["source"],
        status="receiving",
        user_id=actor.user_id,
        started_at=now,
        updated_at=now,
        bytes_total=call.request.content_length,
    )


@asynccontextmanager
async def _file(call: Call, progress: Progress, still: Callable[[], None]) -> AsyncIterator[Path]:
    """The body in a file that is gone afterwards: readers go over it twice, and memory must not hold it."""
    with tempfile.TemporaryDirectory(prefix="import-") as directory:
        path = Path(directory) / "body"
        with path.open("wb") as file:
            async for chunk in body_chunks(call.request, call.config.max_import, call.config.import_timeout):
                still()
                # A few kilobytes into the page cache; a thread for each would cost more.
                file.write(chunk)
                progress.received(len(chunk))
        yield path


def _open(path: Path, media_type: str, query: Mapping[str, Any], saved: Mapping[str, Any] | None) -> OpenedFile:
    settings: dict[str, Any] = {name: query.get(name) for name in OPEN}
    told = ReadOptions(money_in=query["money_in"], **settings)
    if "mapping" in query:
        told = read_as(_given(query["mapping"]), told)
    kind = FileKind(query["format"]) if "format" in query else None
    otherwise = FileKind.JSON_LINES if media_type in _JSON_LINES else FileKind.CSV
    return open_file(path, told, kind=kind, otherwise=otherwise, saved=saved)


_READ_AS: Final = loader(requests.ReadAs())


def _given(text: str) -> Mapping[str, Any]:
    try:
        reading: Mapping[str, Any] = _READ_AS(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise CollaborationError(ErrorCode.INVALID, f"mapping is not JSON: {error}") from None
    except ValidationError as error:
        raise invalid({"mapping": error.messages}, "wrong query parameters") from None
    return checked_reading(reading)


def _view(summary: ImportSummary, opened: OpenedFile) -> dict[str, Any]:
    counts = ("rows", "new", "unchanged", "changed", "conflicting", "kept", "refused", "seq")
    return {
        "source": summary.source,
        **{name: getattr(summary, name) for name in counts},
        "format": opened.kind.value,
        "saved_mapping": opened.uses_saved,
        "errors": [_error_view(error) for error in summary.errors],
    }


def _error_view(error: RowError) -> dict[str, Any]:
    return {"line": error.line, "field": error.field, "message": error.message}


OPERATIONS: Final[tuple[Operation, ...]] = (import_records,)
