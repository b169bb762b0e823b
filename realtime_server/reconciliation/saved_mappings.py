"""How a project's CSV files of one side are read, settled once and used again: which column is what, and what a file
leaves open.

As it is stored and sent: ``{"columns": {"date": "Booked on", "reference": ""}, "ignore": [], "rename": {},
"date_format": "dd/mm/yyyy", "decimal": ",", "default_currency": "EUR", "encoding": null, "delimiter": null}``; a column
that is not named is found by its name, one that is ``""`` is not there, and null is found out from the file.

A saved mapping is for files that have every column it names; any other file is read as if there were none. So a bank
that changes its files, or a second bank, is never read by a mapping that was not meant for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from realtime_server.errors import CollaborationError
from realtime_server.reconciliation.csv_columns import MAX_FIELDS, ColumnMapping
from realtime_server.reconciliation.reading import CsvFile, ReadOptions, check_options, header_of, open_csv

#: What columns can be said to be.
MEANINGS: Final = tuple(item.name for item in fields(ColumnMapping) if item.name not in ("ignore", "rename"))
#: What a file can leave open.
OPEN: Final = ("date_format", "decimal", "default_currency", "encoding", "delimiter")
#: Characters of a column's name.
MAX_HEADER: Final = 1_000


def settled(file: CsvFile, options: ReadOptions) -> dict[str, Any]:
    """What to save of a file that was opened with these options: its columns as they were found or told.

    The order of day and month is saved as the file shows it as well; other things only as they were told, because a
    later file shows them by itself. So does it with a direction that only the content of its column has shown.
    """
    columns, header = file.format.columns, file.format.header
    free = {position for position, _ in columns.free}
    places = {name: getattr(columns, name) for name in MEANINGS if getattr(columns, name) not in free}
    return {
        "columns": {name: "" if place is None else header[place] for name, place in places.items()},
        "ignore": list(options.mapping.ignore),
        "rename": dict(options.mapping.rename),
        **{name: getattr(options, name) for name in OPEN},
        "date_format": file.format.date_format,
    }


def check_reading(reading: Any) -> Mapping[str, Any]:
    """The same, if it is a mapping that can be saved. `ValueError`, or `CollaborationError` (`invalid`) for a text that
    is none of those known, with a message that says what is wrong."""
    members = {"columns", "ignore", "rename", *OPEN}
    if not isinstance(reading, Mapping) or not reading.keys() <= members:
        raise ValueError(f"a mapping is an object with some of {', '.join(sorted(members))}")
    columns, ignore, rename = reading.get("columns", {}), reading.get("ignore", []), reading.get("rename", {})
    if not _is_text_by_text(columns) or not columns.keys() <= set(MEANINGS):
        raise ValueError(f"columns is an object with the column's name for some of {', '.join(MEANINGS)}")
    if not isinstance(ignore, list) or not all(_is_name(name) for name in ignore) or len(ignore) > MAX_FIELDS:
        raise ValueError(f"ignore is a list of at most {MAX_FIELDS} names of columns")
    if not _is_text_by_text(rename):
        raise ValueError(f"rename is an object with another name for at most {MAX_FIELDS} columns")
    for name in OPEN:
        if not isinstance(reading.get(name), str | None):
            raise ValueError(f"{name} is a text")
    check_options(read_as(reading, ReadOptions()))
    return reading


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_HEADER


def _is_text_by_text(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) <= MAX_FIELDS
        and all(_is_name(item) for pair in value.items() for item in pair)
    )


def open_with_saved(path: Path, options: ReadOptions, reading: Mapping[str, Any] | None) -> tuple[CsvFile, bool]:
    """The file, and whether it was read by the saved mapping. What is told now goes before it, and columns that are
    told now leave no use for it. Raises as `open_csv`."""
    if reading is not None and options.mapping == ColumnMapping():
        merged = read_as(reading, options)
        if _names(merged.mapping) <= set(_header(path, merged)):
            return open_csv(path, merged), True
    return open_csv(path, options), False


def read_as(reading: Mapping[str, Any], told: ReadOptions) -> ReadOptions:
    """The options that a mapping stands for; what else is told goes before it."""
    mapping = ColumnMapping(
        **reading.get("columns", {}), ignore=tuple(reading.get("ignore", ())), rename=dict(reading.get("rename", {}))
    )
    found: dict[str, Any] = {name: getattr(told, name) or reading.get(name) for name in OPEN}
    return replace(told, mapping=mapping, **found)


def _names(mapping: ColumnMapping) -> set[str]:
    named = [getattr(mapping, name) for name in MEANINGS]
    return {name.strip() for name in named if name} | {*mapping.ignore} | {*mapping.rename}


def _header(path: Path, options: ReadOptions) -> Sequence[str]:
    try:
        return header_of(path, options)
    except CollaborationError:  # another encoding, say: not a file that it was meant for
        return ()
