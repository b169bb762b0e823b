"""Reading JSON lines for import: one object a line, to the same rows and errors as a CSV.

::

    {"external_id": "A-17", "date": "2026-10-01", "amount": "10.50", "currency": "EUR", "description": "Paper"}

``external_id``, ``date``, ``amount`` and ``currency`` are needed; every other member is kept as a field, except that
null says nothing. Values have the form they have on the wire: an amount is decimal text or an integer (a JSON number
with a fraction may have been through a float, and is refused), a date is YYYY-MM-DD. What a file is says
https://jsonlines.org: UTF-8, a line feed after each line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final

from realtime_server.core import limits
from realtime_server.core.dates import canonical_date
from realtime_server.core.money import check_currency
from realtime_server.core.values import FieldType, check_field_name, check_value, field_type
from realtime_server.reconciliation.csv_columns import own_name, shown
from realtime_server.reconciliation.csv_rows import MAX_EXTERNAL_ID, ImportRow, RowError
from realtime_server.reconciliation.csv_source import refuse_file
from realtime_server.reconciliation.reading import MAX_ROWS

#: Bytes of one line: a row of a CSV has as many characters at most.
MAX_LINE: Final = 100_000
_MARK: Final = b"\xef\xbb\xbf"
_NEEDED: Final = ("date", "amount", "currency")


class _Wrong(Exception):
    """The line is refused: the field, and why."""

    def __init__(self, field_name: str | None, message: str) -> None:
        super().__init__(message)
        self.field = field_name
        self.message = message


class JsonLinesFile:
    """A file that was counted and can be read; every iteration reads it anew. ``rows``: lines that hold anything."""

    def __init__(self, path: Path, rows: int, default_currency: str | None) -> None:
        self._path = path
        self.rows = rows
        self._default_currency = default_currency

    def __iter__(self) -> Iterator[ImportRow | RowError]:
        """Exactly one item for each row. `CollaborationError` (`invalid`) where the file grew meanwhile."""
        first_line: dict[str, int] = {}
        count = 0
        with self._path.open("rb") as file:
            for number, line in _lines(file):
                count += 1
                if count > self.rows:
                    refuse_file("the file changed while it was read")
                try:
                    row = self._row(number, line)
                    first = first_line.setdefault(row.external_id, number)
                    if first != number:
                        raise _Wrong("external_id", f"the id {shown(row.external_id)} was already on line {first}")
                    yield row
                except _Wrong as wrong:
                    yield RowError(number, wrong.field, wrong.message)

    def _row(self, number: int, line: bytes) -> ImportRow:
        members = _parse(line)
        external_id = _external_id(members.pop("external_id", None))
        if members.get("currency") in (None, "") and self._default_currency is not None:
            members["currency"] = self._default_currency
        for name in _NEEDED:
            if members.get(name) in (None, ""):
                raise _Wrong(name, f"the {name} is missing")
        return ImportRow(number, external_id, _values(members))


def open_json_lines(path: Path, *, default_currency: str | None = None, max_rows: int = MAX_ROWS) -> JsonLinesFile:
    """Count a file's rows. `CollaborationError` (`invalid`) for an empty or too long one, `OSError` where it cannot be
    opened."""
    if default_currency is not None:
        try:
            check_currency(default_currency)
        except ValueError as error:
            refuse_file(str(error), option="default_currency")
    count = 0
    with path.open("rb") as file:
        for count, _ in enumerate(_lines(file), start=1):
            if count > max_rows:
                refuse_file(f"the file has more than {max_rows:,} rows: divide it")
    if not count:
        refuse_file("the file is empty")
    return JsonLinesFile(path, count, default_currency)


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines that hold anything, numbered from 1; of one that is too long, as much as shows that it is."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_MARK)
        rest = line
        while len(rest) > MAX_LINE and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE + 1)
        if line.strip():
            yield number, line


def _parse(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise _Wrong(None, f"the line is longer than {MAX_LINE:,} bytes")
    try:
        found = json.loads(
            line.decode(), object_pairs_hook=_members, parse_float=_fraction, parse_constant=_no_constant
        )
    except UnicodeDecodeError:
        raise _Wrong(None, "the line is not UTF-8") from None
    except RecursionError:
        raise _Wrong(None, "the line is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise _Wrong(None, f"the line is not JSON: {error.msg} at character {error.pos + 1}") from None
    except ValueError as error:  # an integer of more digits than Python reads
        raise _Wrong(None, f"the line cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise _Wrong(None, "a line is one JSON object")
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _Wrong(None, "the object has a member twice")
    return members


def _fraction(text: str) -> float:
    """A whole number that only looks whole as a float is refused, since as an amount it would pass."""
    value = float(text)
    try:
        exact = not value.is_integer() or Decimal(text) == value
    except ArithmeticError:  # an exponent beyond all bounds
        exact = False
    if not exact:
        raise _Wrong(None, f"{shown(text)} is not exact as a number: send it as text")
    return value


def _no_constant(name: str) -> Any:
    raise _Wrong(None, f"{name} is not JSON")


def _external_id(value: Any) -> str:
    if value is None or value == "":
        raise _Wrong("external_id", "the id is missing")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) <= limits.MAX_INTEGER else None
    if not isinstance(value, str) or not value.isprintable() or value != value.strip():
        raise _Wrong("external_id", "an id is a text without control characters or surrounding spaces")
    if len(value) > MAX_EXTERNAL_ID:
        raise _Wrong("external_id", f"an id has at most {MAX_EXTERNAL_ID} characters")
    return value


def _values(members: dict[str, Any]) -> dict[str, Any]:
    """The members in canonical form: the same rules as for an edit, so that whatever is imported can be edited."""
    currency = _checked("currency", members["currency"], "")
    values: dict[str, Any] = {}
    for member, value in members.items():
        name = member if member in _OWN else own_name(member)
        try:
            check_field_name(name)
        except ValueError as error:
            raise _Wrong(None, f"{shown(member)} cannot be a field: {error}") from None
        if name in values:
            raise _Wrong(None, f"two members would become the field {shown(name)}")
        if value is not None:
            values[name] = _checked(name, value, currency)
    return values


_OWN: Final = frozenset({*_NEEDED, "description", "reference"})


def _checked(name: str, value: Any, currency: str) -> Any:
    try:
        value = check_value(name, value, currency)
        return canonical_date(value) if value and field_type(name) is FieldType.DATE else value
    except ValueError as error:
        raise _Wrong(name, str(error)) from None
