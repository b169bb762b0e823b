"""Reading a CSV of records for import: one item for every row, exact, streamed, with the line of whatever is wrong.

The file is read twice: first to see how it writes its dates and amounts and how many rows it has, then to hand out the
rows. Memory holds one row and the ids seen (for duplicates), never the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TextIO

from realtime_server.core.money import check_currency
from realtime_server.core.values import FieldType, field_type
from realtime_server.reconciliation.csv_columns import ColumnMapping, Columns, count_known, resolve_columns
from realtime_server.reconciliation.csv_directions import DirectionEvidence
from realtime_server.reconciliation.csv_formats import (
    AmountReader,
    DateEvidence,
    DateReader,
    NumberEvidence,
    compile_date_format,
)
from realtime_server.reconciliation.csv_rows import ImportRow, RowError, RowReader
from realtime_server.reconciliation.csv_source import (
    DELIMITERS,
    BadRecord,
    Record,
    checked_encoding,
    detect_delimiter,
    detect_encoding,
    open_text,
    records,
    refuse_file,
    skip_separator_line,
)

__all__ = ["CsvFile", "FileFormat", "ImportRow", "ReadOptions", "RowError", "open_csv"]

MAX_ROWS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user says about a file; None means: find out.

    `money_in` is the column of a debit and credit pair whose amounts are positive: ``credit`` on a bank's statement,
    ``debit`` in the ledger's own cash account. `max_rows` bounds the ids held in memory.
    """

    mapping: ColumnMapping = field(default_factory=ColumnMapping)
    encoding: str | None = None
    delimiter: str | None = None
    date_format: str | None = None
    decimal: str | None = None
    default_currency: str | None = None
    money_in: Literal["debit", "credit"] = "credit"
    max_rows: int = MAX_ROWS


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How the file is written, as found or as told. `rows` counts its rows, bad ones too, without the header.

    `date_format` is None where every date reads the same way under any order.
    """

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    columns: Columns
    date_format: str | None
    decimal: str
    rows: int


class CsvFile:
    """A file that was looked through and can be read. Every iteration reads it anew, from its first row."""

    def __init__(self, path: Path, options: ReadOptions, file_format: FileFormat) -> None:
        self._path = path
        self._options = options
        self.format = file_format

    @property
    def rows(self) -> int:
        return self.format.rows

    def __iter__(self) -> Iterator[ImportRow | RowError]:
        """Exactly one item for each row. `CollaborationError` (`invalid`) where the file changed meanwhile."""
        reader = RowReader(
            self.format.columns,
            DateReader(self.format.date_format),
            AmountReader(self.format.decimal),
            default_currency=self._options.default_currency,
            debit_is_money_in=self._options.money_in == "debit",
        )
        count = 0
        try:
            with open_text(self._path, self.format.encoding) as file:
                rows = _records_of(file, self.format.delimiter)
                next(rows, None)  # the header
                for record in rows:
                    count += 1
                    if count > self.format.rows:
                        break
                    yield reader.read(record)
        except UnicodeError:
            count = -1
        if count != self.format.rows:
            refuse_file("the file changed while it was read")


def header_of(path: Path, options: ReadOptions) -> tuple[str, ...]:
    """The cells of the first row, without surrounding spaces; none where it cannot be read. Raises as `open_csv`."""
    check_options(options)
    with _open_table(path, options) as (file, _, delimiter):
        first = next(_records_of(file, delimiter), None)
    return tuple(cell.strip() for cell in first.cells) if isinstance(first, Record) else ()


def open_csv(path: Path, options: ReadOptions | None = None) -> CsvFile:
    """Look through a file: its encoding, delimiter, columns, and how it writes dates and amounts.

    `CollaborationError` (`invalid`) with a message that says what to do: no such columns, unsafe names of fields, dates
    or amounts with two readings, no currency, too many rows, an unknown option. `OSError` where it cannot be opened.
    """
    options = options or ReadOptions()
    check_options(options)
    with _open_table(path, options) as (file, encoding, delimiter):
        return CsvFile(path, options, _look_through(_records_of(file, delimiter), encoding, delimiter, options))


@contextmanager
def _open_table(path: Path, options: ReadOptions) -> Iterator[tuple[TextIO, str, str]]:
    """The file at its beginning, its encoding and its delimiter: found, or as told."""
    encoding = checked_encoding(path, options.encoding) if options.encoding else detect_encoding(path)
    with open_text(path, encoding) as file:
        named = skip_separator_line(file)
        delimiter = options.delimiter or named or detect_delimiter(file, count_known)
    with open_text(path, encoding) as file:
        yield file, encoding, delimiter


def _look_through(
    rows: Iterator[Record | BadRecord], encoding: str, delimiter: str, options: ReadOptions
) -> FileFormat:
    dates, numbers = DateEvidence(), NumberEvidence()
    header = next(rows, None)
    columns = _resolve(header, options)
    names = tuple(cell.strip() for cell in header.cells) if isinstance(header, Record) else ()
    directions = DirectionEvidence(columns, is_told=options.mapping.direction is not None)
    named = (columns.amount, columns.debit, columns.credit)
    amounts = [position for position in named if position is not None] + _free_of(columns, FieldType.MONEY)
    days = [columns.date, *_free_of(columns, FieldType.DATE)]
    count = 0
    for record in rows:
        count += 1
        if count > options.max_rows:
            refuse_file(f"the file has more than {options.max_rows:,} rows: divide it")
        if isinstance(record, BadRecord) or len(record.cells) < columns.width:
            continue
        for position in days:
            dates.see(record.line, record.cells[position].strip())
        for position in amounts:
            numbers.see(record.line, record.cells[position].strip())
        directions.see(record.cells)
    return FileFormat(
        encoding=encoding,
        delimiter=delimiter,
        header=names,
        columns=directions.decide(names),
        date_format=options.date_format or dates.decide(),
        decimal=options.decimal or numbers.decide(),
        rows=count,
    )


def _free_of(columns: Columns, kind: FieldType) -> list[int]:
    """Free fields that are read like the date or the amount: what they look like counts as well."""
    return [position for position, name in columns.free if field_type(name) is kind]


def _records_of(file: TextIO, delimiter: str) -> Iterator[Record | BadRecord]:
    return records(file, delimiter, first_line=2 if skip_separator_line(file) else 1)


def check_options(options: ReadOptions) -> None:
    """`CollaborationError` (`invalid`) for a value that no file could be read with. Encodings are checked with one."""
    if options.delimiter is not None and options.delimiter not in DELIMITERS:
        refuse_file("the delimiter is a comma, a semicolon, a tab or a bar", option="delimiter")
    if options.decimal not in (None, ".", ","):
        refuse_file("the decimal mark is a point or a comma", option="decimal")
    if options.date_format is not None:
        compile_date_format(options.date_format)
    if options.default_currency is not None:
        try:
            check_currency(options.default_currency)
        except ValueError as error:
            refuse_file(str(error), option="default_currency")


def _resolve(header: Record | BadRecord | None, options: ReadOptions) -> Columns:
    if header is None:
        refuse_file("the file is empty")
    if isinstance(header, BadRecord):
        refuse_file(f"the header row cannot be read: {header.message}")
    columns = resolve_columns(header.cells, options.mapping)
    if columns.currency is None and options.default_currency is None:
        refuse_file(
            "the file has no column for the currency: say which it is (--currency EUR)", option="default_currency"
        )
    return columns
