"""Writing a generated set as CSV: ``ledger.csv``, ``statement.csv``, ``truth.csv``, in UTF-8 with ``\\n`` line ends."""

from __future__ import annotations

import csv
import heapq
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import InitVar, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TextIO

from realtime_server.core.money import format_minor_units
from realtime_server.reconciliation.generated import (
    LEDGER_FREE_COLUMNS,
    RECORD_COLUMNS,
    STATEMENT_FREE_COLUMNS,
    TRUTH_COLUMNS,
    Group,
    Row,
)


@dataclass(frozen=True, slots=True)
class WrittenSet:
    """Where the files are, and how many rows each has."""

    ledger: Path
    statement: Path
    truth: Path
    ledger_rows: int
    statement_rows: int
    groups: int


@dataclass(slots=True)
class _SideWriter:
    """Writes rows in order of date while they arrive in order of their group's day.

    Memory holds the rows that lie ahead of the current day only: items still to clear, about a sixth of a month.
    """

    file: InitVar[TextIO]
    free_columns: tuple[str, ...]
    rows: int = 0
    _csv: Any = field(init=False)
    _ahead: list[tuple[date, str, Row]] = field(default_factory=list)

    def __post_init__(self, file: TextIO) -> None:
        self._csv = csv.writer(file, lineterminator="\n")
        self._csv.writerow((*RECORD_COLUMNS, *self.free_columns))

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            heapq.heappush(self._ahead, (row.date, row.external_id, row))

    def release(self, before: date | None) -> None:
        """Write what no later row can come before; everything when `before` is None."""
        while self._ahead and (before is None or self._ahead[0][0] < before):
            row = heapq.heappop(self._ahead)[2]
            values = row.values()
            self._csv.writerow((row.external_id, *(values[name] for name in (*RECORD_COLUMNS[1:], *self.free_columns))))
            self.rows += 1


def write_files(directory: Path, groups: Iterable[Group]) -> WrittenSet:
    """Write the three files into `directory`, which is made where it is missing; files of those names are replaced.

    Streamed. Each file appears complete or not at all. `OSError` where the disk refuses.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / name for name in ("ledger.csv", "statement.csv", "truth.csv")]
    with ExitStack() as stack:
        ledger_file, statement_file, truth_file = (stack.enter_context(_replacing(path)) for path in paths)
        ledger = _SideWriter(ledger_file, LEDGER_FREE_COLUMNS)
        statement = _SideWriter(statement_file, STATEMENT_FREE_COLUMNS)
        truth = csv.writer(truth_file, lineterminator="\n")
        truth.writerow(TRUTH_COLUMNS)
        count = 0
        for group in groups:
            count += 1
            for side, rows in ((ledger, group.ledger), (statement, group.statement)):
                side.release(group.day)
                side.add(rows)
            truth.writerow(_truth_cells(group))
        for side in (ledger, statement):
            side.release(None)
    return WrittenSet(paths[0], paths[1], paths[2], ledger.rows, statement.rows, count)


def _truth_cells(group: Group) -> tuple[str, ...]:
    currency = (group.ledger or group.statement)[0].currency
    return (
        group.group_id,
        group.kind.value,
        " ".join(row.external_id for row in group.ledger),
        " ".join(row.external_id for row in group.statement),
        format_minor_units(group.fee, currency),
        group.note,
    )


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
