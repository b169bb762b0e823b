"""How an import stands: what became of each row, and which rows cannot become records at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from realtime_server.core import limits
from realtime_server.reconciliation.csv_rows import ImportRow, RowError
from realtime_server.reconciliation.import_chunks import Source, base_values, record_id_of

#: Errors kept in a summary; `Listeners.on_error` gets every one.
MAX_ERRORS: Final = 1_000
#: Characters of a record's id on the wire.
MAX_RECORD_ID: Final = 200


class RowStatus(IntEnum):
    """What became of a row. Of a row whose fields fared differently, the greatest."""

    UNCHANGED = 0
    NEW = 1
    CHANGED = 2
    KEPT = 3
    CONFLICTING = 4
    REFUSED = 5


@dataclass(slots=True)
class ImportSummary:
    """How an import stands, in rows. Each row that was written is in exactly one of the six counts; ``rows`` is all.

    ``new``: records added. ``unchanged``: as imports last had it. ``changed``: at least one field was set.
    ``conflicting``: at least one field became a candidate of a conflict, because a person had changed it.
    ``kept``: the session's rule for the field kept a person's value. ``refused``: could not be taken, see ``errors``
    (the first 1,000). ``written``: whether anything was allowed to be; if not, all but ``refused`` and ``rows`` is 0.
    ``seq``: the newest commit that answered this import.
    """

    source: Source
    rows: int = 0
    new: int = 0
    unchanged: int = 0
    changed: int = 0
    conflicting: int = 0
    kept: int = 0
    refused: int = 0
    written: bool = True
    seq: int = 0
    errors: list[RowError] = field(default_factory=list)

    def count(self, status: RowStatus, rows: int = 1) -> None:
        self.rows += rows
        name = status.name.lower()
        setattr(self, name, getattr(self, name) + rows)


@dataclass(frozen=True, slots=True)
class Listeners:
    """Called in the event loop: ``on_progress`` after each chunk, ``on_error`` for each refused row.

    ``before_chunk`` may raise CollaborationError: the import ends with it there, and what was imported before stays.
    """

    before_chunk: Callable[[], object] = lambda: None
    on_progress: Callable[[ImportSummary], object] = lambda _: None
    on_error: Callable[[RowError], object] = lambda _: None


#: Nobody listens.
NOBODY: Final = Listeners()


@dataclass(frozen=True, slots=True)
class Counter:
    """Counts rows of one side and tells whoever listens."""

    summary: ImportSummary
    listeners: Listeners

    def admit(self, chunk: Iterable[ImportRow | RowError]) -> dict[str, ImportRow]:
        """The rows that can become records, by record id; the others are refused."""
        rows: dict[str, ImportRow] = {}
        for item in chunk:
            if isinstance(item, RowError):
                self.refuse(item)
                continue
            record_id = record_id_of(self.summary.source, item.external_id)
            problem = _problem(record_id, item, rows)
            if problem is None:
                rows[record_id] = item
            else:
                self.refuse(problem)
        return rows

    def refuse(self, error: RowError) -> None:
        self.summary.count(RowStatus.REFUSED)
        if len(self.summary.errors) < MAX_ERRORS:
            self.summary.errors.append(error)
        self.listeners.on_error(error)


def _problem(record_id: str, row: ImportRow, earlier: Mapping[str, ImportRow]) -> RowError | None:
    """What the readers leave to us: bounds on what a row becomes, not on what it is."""
    if record_id in earlier:
        return RowError(row.line, "external_id", f"the id was already on line {earlier[record_id].line}")
    if len(record_id) > MAX_RECORD_ID:
        most = MAX_RECORD_ID - (len(record_id) - len(row.external_id))
        return RowError(row.line, "external_id", f"an id has at most {most} characters here")
    if len(base_values(row)) > limits.MAX_FIELDS:
        return RowError(row.line, None, f"a record has at most {limits.MAX_FIELDS} fields, its status among them")
    return None
