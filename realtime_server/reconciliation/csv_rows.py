"""One row of a CSV to one record: exact values in wire form, or the first thing that is wrong and where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from realtime_server.core.money import check_currency, format_minor_units, parse_minor_units
from realtime_server.core.values import FieldType, field_type
from realtime_server.reconciliation.csv_columns import Columns, shown
from realtime_server.reconciliation.csv_directions import DIRECTIONS
from realtime_server.reconciliation.csv_formats import AmountReader, DateReader
from realtime_server.reconciliation.csv_source import BadRecord, Record

MAX_TEXT: Final = 4_000
MAX_EXTERNAL_ID: Final = 190
"""A record's id is its source and this, and has at most 200 characters: ``statement:`` takes ten."""


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A row fit for import. `values` is in wire form: ``date`` YYYY-MM-DD, ``amount`` canonical decimal text,
    ``currency``, ``description`` and ``reference`` where the file has them (perhaps empty), and the free fields. From a
    CSV all of them are text. `former_ids`: what earlier versions may have called the same; a record
    under one of them is the same if it agrees in `telling`."""

    line: int
    external_id: str
    values: dict[str, Any]
    former_ids: tuple[str, ...] = ()
    telling: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that is refused, with the first thing that is wrong with it. `field` is None where it is the whole row."""

    line: int
    field: str | None
    message: str


class _Wrong(Exception):
    """The row is refused: the field, and why."""

    def __init__(self, field_name: str | None, message: str) -> None:
        super().__init__(message)
        self.field = field_name
        self.message = message


class RowReader:
    """Turns records into rows; remembers the ids it has handed out."""

    def __init__(
        self,
        columns: Columns,
        dates: DateReader,
        amounts: AmountReader,
        *,
        default_currency: str | None,
        debit_is_money_in: bool,
    ) -> None:
        self._columns = columns
        self._dates = dates
        self._amounts = amounts
        self._default_currency = default_currency
        self._debit_sign = 1 if debit_is_money_in else -1
        self._first_line: dict[str, int] = {}
        self._copies: dict[str, int] = {}

    def read(self, record: Record | BadRecord) -> ImportRow | RowError:
        """The row, or the first thing that is wrong with it. Records come in the order of the file."""
        if isinstance(record, BadRecord):
            return RowError(record.line, None, record.message)
        try:
            cells = self._cells(record.cells)
            values = self._values(cells)
            external_id = self._external_id(record.line, cells, values)
        except _Wrong as wrong:
            return RowError(record.line, wrong.field, wrong.message)
        return ImportRow(record.line, external_id, values)

    def _cells(self, cells: list[str]) -> list[str]:
        width = self._columns.width
        stripped = [cell.strip() for cell in cells]
        if len(stripped) != width and (len(stripped) < width or any(stripped[width:])):
            raise _Wrong(None, f"the row has {len(stripped)} cells, the header has {width}")
        return stripped

    def _values(self, cells: list[str]) -> dict[str, str]:
        columns = self._columns
        currency = self._currency(cells)
        values = {
            "date": self._date("date", cells[columns.date]),
            "amount": self._amount(cells, currency),
            "currency": currency,
        }
        # A column that the file does not have says nothing: not that the field is empty.
        if columns.description is not None:
            values["description"] = _text("description", cells[columns.description])
        if columns.reference is not None:
            values["reference"] = _text("reference", cells[columns.reference])
        for position, name in columns.free:
            values[name] = self._free(name, cells[position], currency)
        return values

    def _free(self, name: str, text: str, currency: str) -> str:
        """Fields that a session knows by name (a fee, a due date) have the form that edits of them must have."""
        kind = field_type(name)
        if text and kind is FieldType.MONEY:
            return self._read_amount(name, text, currency)
        if text and kind is FieldType.DATE:
            return self._date(name, text)
        return _text(name, text)

    def _currency(self, cells: list[str]) -> str:
        position = self._columns.currency
        written = cells[position].upper() if position is not None else ""
        try:
            return check_currency(written or self._default_currency or "")
        except ValueError as error:
            raise _Wrong("currency", str(error) if written else "the currency is missing") from None

    def _date(self, name: str, text: str) -> str:
        if not text:
            raise _Wrong(name, "the date is missing")
        try:
            return self._dates.read(text)
        except ValueError as error:
            raise _Wrong(name, str(error)) from None

    def _amount(self, cells: list[str], currency: str) -> str:
        columns = self._columns
        if columns.amount is not None:
            if not cells[columns.amount]:
                raise _Wrong("amount", "the amount is missing")
            amount = self._read_amount("amount", cells[columns.amount], currency)
            return amount if columns.direction is None else self._directed(amount, cells[columns.direction], currency)
        return self._paired(cells, currency)

    def _directed(self, amount: str, direction: str, currency: str) -> str:
        side = DIRECTIONS.get(direction.lower())
        if side is None:
            raise _Wrong("direction", f"{shown(direction)} says neither debit nor credit")
        minor = parse_minor_units(amount, currency)
        if minor < 0:
            raise _Wrong("amount", "an amount that is marked debit or credit has no sign of its own")
        return format_minor_units(self._debit_sign * (minor if side == "debit" else -minor), currency)

    def _paired(self, cells: list[str], currency: str) -> str:
        columns = self._columns
        minor = {"debit": 0, "credit": 0}
        written = 0
        for name, position in (("debit", columns.debit), ("credit", columns.credit)):
            if position is not None and cells[position]:
                written += 1
                minor[name] = parse_minor_units(self._read_amount(name, cells[position], currency), currency)
                if minor[name] < 0:
                    raise _Wrong(name, f"a {name} has no sign of its own: which column it is in tells the direction")
        if not written:
            raise _Wrong("amount", "neither a debit nor a credit is given")
        if minor["debit"] and minor["credit"]:
            raise _Wrong("amount", "a row has a debit or a credit, not both")
        return format_minor_units(self._debit_sign * (minor["debit"] - minor["credit"]), currency)

    def _read_amount(self, name: str, text: str, currency: str) -> str:
        try:
            return self._amounts.read(text, currency)
        except ValueError as error:
            raise _Wrong(name, str(error)) from None

    def _external_id(self, line: int, cells: list[str], values: dict[str, str]) -> str:
        position = self._columns.external_id
        if position is None:
            return self._content_id(values)
        external_id = cells[position]
        if not external_id:
            raise _Wrong("external_id", "the id is missing")
        if len(external_id) > MAX_EXTERNAL_ID or not external_id.isprintable():
            raise _Wrong(
                "external_id", f"an id has at most {MAX_EXTERNAL_ID} characters, none of them a control character"
            )
        first = self._first_line.setdefault(external_id, line)
        if first != line:
            raise _Wrong("external_id", f"the id {shown(external_id)} was already on line {first}")
        return external_id

    def _content_id(self, values: dict[str, str]) -> str:
        """An id made of what the row says, so that the same file imported again gives the same ids.

        Rows that say the same are told apart by counting them: two equal charges on one day are two charges.
        """
        content = json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
        digest = blake2b(content, digest_size=12).hexdigest()
        number = self._copies[digest] = self._copies.get(digest, 0) + 1
        return f"row-{digest}-{number}"


def _text(name: str, text: str) -> str:
    if text.isascii() and text.isprintable() and len(text) <= MAX_TEXT:
        return text
    if len(text) > MAX_TEXT:
        raise _Wrong(name, f"a text has at most {MAX_TEXT:,} characters")
    if "\0" in text:
        raise _Wrong(name, "a text has no NUL characters")
    return text.replace("\r\n", "\n").replace("\r", "\n")
