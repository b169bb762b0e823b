"""Importing records: a file comes as the body, and becomes records and edits."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from realtime_server.core import commands as c
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.reconciliation.csv_rows import RowError
from realtime_server.reconciliation.import_summary import ImportSummary
from realtime_server.reconciliation.importing import Importer, Listeners, Rows
from realtime_server.reconciliation.json_lines import open_json_lines
from realtime_server.reconciliation.reading import ReadOptions, open_csv
from realtime_server.rest.bodies import body_chunks
from realtime_server.rest.counts import COUNTS
from realtime_server.rest.operations import Answer, Call, Operation, operation
from realtime_server.rest.records import RECORDS
from schemas import rest_answers as answers
from schemas import rest_requests as requests

_JSON_LINES: Final = ("application/x-ndjson", "application/jsonl")
#: Refused rows that a refusal of the whole import names.
_ERRORS_SHOWN: Final = 100


@operation(
    "POST",
    RECORDS,
    tag="records",
    query=requests.ImportQuery,
    answer=answers.ImportDone,
    command=c.RecordImport,
    media=("text/csv", *_JSON_LINES),
    heavy=True,
    refusals=(ErrorCode.SESSION_ENDED, ErrorCode.FROZEN),
)
async def import_records(call: Call) -> Answer:
    """Import records.

    The body is a CSV, or JSON lines with `external_id`, `date`, `amount`, `currency` and whatever else a record has.
    New rows become records; where a record is there already, what the file says anew becomes edits, so that nobody's
    work is overwritten. Importing the same file again changes nothing, so an import that was cut off is made good by
    sending it again. A row that cannot be taken is listed in `errors` and stops no other; with `all_or_nothing` it
    refuses the whole.
    """
    state = await call.session()
    query, services = call.query, call.services
    importer = Importer(services.engine, services.log, services.records)
    async with _file(call) as path:
        rows = await asyncio.to_thread(_open, path, call.request.content_type, query)
        summary = await importer.run(
            state.session_id,
            call.actor(state.project_id),
            query["source"],
            rows,
            all_or_nothing=query["all_or_nothing"],
            listeners=Listeners(),
        )
    call.request.config_dict[COUNTS].forget(state.session_id)
    if not summary.written:
        message = f"{summary.refused} of {summary.rows} rows cannot be taken; nothing was imported"
        errors = [_error_view(error) for error in summary.errors[:_ERRORS_SHOWN]]
        raise CollaborationError(ErrorCode.INVALID, message, {"errors": errors})
    return Answer(_view(summary))


@asynccontextmanager
async def _file(call: Call) -> AsyncIterator[Path]:
    """The body in a file that is gone afterwards: readers go over it twice, and memory must not hold it."""
    with tempfile.TemporaryDirectory(prefix="import-") as directory:
        path = Path(directory) / "body"
        with path.open("wb") as file:
            async for chunk in body_chunks(call.request, call.config.max_import, call.config.import_timeout):
                # A few kilobytes into the page cache; a thread for each would cost more.
                file.write(chunk)
        yield path


def _open(path: Path, media_type: str, query: Mapping[str, Any]) -> Rows:
    currency = query.get("default_currency")
    if media_type in _JSON_LINES:
        return open_json_lines(path, default_currency=currency)
    options = ReadOptions(
        encoding=query.get("encoding"),
        delimiter=query.get("delimiter"),
        date_format=query.get("date_format"),
        decimal=query.get("decimal"),
        default_currency=currency,
        money_in=query["money_in"],
    )
    return open_csv(path, options)


def _view(summary: ImportSummary) -> dict[str, Any]:
    counts = ("rows", "new", "unchanged", "changed", "conflicting", "kept", "refused", "seq")
    return {
        "source": summary.source,
        **{name: getattr(summary, name) for name in counts},
        "errors": [_error_view(error) for error in summary.errors],
    }


def _error_view(error: RowError) -> dict[str, Any]:
    return {"line": error.line, "field": error.field, "message": error.message}


OPERATIONS: Final[tuple[Operation, ...]] = (import_records,)
