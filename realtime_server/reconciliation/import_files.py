"""Any file that can be imported: what it is, by what stands in it, and its rows, the same from all of them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

from realtime_server.reconciliation.camt import open_camt
from realtime_server.reconciliation.csv_rows import ImportRow, RowError
from realtime_server.reconciliation.csv_source import refuse_file
from realtime_server.reconciliation.json_lines import open_json_lines
from realtime_server.reconciliation.mt940 import open_mt940
from realtime_server.reconciliation.ofx import open_ofx
from realtime_server.reconciliation.reading import ReadOptions
from realtime_server.reconciliation.saved_mappings import open_with_saved, settled


class FileKind(StrEnum):
    """What can be imported. QFX is OFX with a name of Quicken's."""

    CSV = "csv"
    JSON_LINES = "json_lines"
    OFX = "ofx"
    CAMT053 = "camt053"
    MT940 = "mt940"


class RecordFile(Protocol):
    """A file that was looked through. Every iteration reads it anew; ``rows``: how many items that gives, or nearly."""

    @property
    def rows(self) -> int: ...

    def __iter__(self) -> Iterator[ImportRow | RowError]: ...


_HEAD: Final = 1 << 16
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_FIELDS: Final = (re.compile(r"^:20:", re.M), re.compile(r"^:(25P?|28C?|60[FM]|61):", re.M))


def detect_kind(path: Path) -> FileKind | None:
    """What a file is, by its first 64 KiB: never by its name. None where nothing speaks for another than a CSV.

    `CollaborationError` (`invalid`) for what is known to be none of them. `OSError` where it cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(b"%PDF"):
        refuse_file("the file is a PDF: ask the bank for CAMT.053, MT940, OFX or CSV")
    mark, encoding = next((item for item in _MARKS if head.startswith(item[0])), (b"", "latin-1"))
    text = head.removeprefix(mark).decode(encoding, "replace").lstrip("\ufeff \t\r\n")
    if text[:9].upper() == "OFXHEADER":
        return FileKind.OFX
    if text.startswith("<"):
        return FileKind.OFX if re.search(r"<\?OFX\b|<OFX[\s>]", text, re.IGNORECASE) else FileKind.CAMT053
    if re.match(r"\{[1-5]:", text) or all(field.search(text.replace("\r", "\n")) for field in _FIELDS):
        return FileKind.MT940
    return FileKind.JSON_LINES if text.startswith("{") else None


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file of records. ``uses_saved``: it was read by the mapping that was saved before. ``settled``: what to save of
    a CSV (`saved_mappings`); None for the other formats, which leave nothing to settle."""

    kind: FileKind
    records: RecordFile
    uses_saved: bool = False
    settled: Mapping[str, Any] | None = None


def open_file(
    path: Path,
    options: ReadOptions | None = None,
    *,
    kind: FileKind | None = None,
    otherwise: FileKind = FileKind.CSV,
    saved: Mapping[str, Any] | None = None,
) -> OpenedFile:
    """Look through a file. ``kind``: what it is, where that is known; ``otherwise``: what it is where nothing in it
    says; ``saved``: how a CSV is read, if it is one that this was saved for. Options that mean nothing to a format are
    passed over.

    `CollaborationError` (`invalid`) with a message that says what is wrong, `OSError` where it cannot be opened.
    """
    options = options or ReadOptions()
    kind = kind or detect_kind(path) or otherwise
    if kind is FileKind.CSV:
        table, uses_saved = open_with_saved(path, options, saved)
        return OpenedFile(kind, table, uses_saved, settled(table, options))
    return OpenedFile(kind, _open(path, options, kind))


def open_records(path: Path, options: ReadOptions | None = None, *, kind: FileKind | None = None) -> RecordFile:
    """The rows of a file. As `open_file`."""
    return open_file(path, options, kind=kind).records


def _open(path: Path, options: ReadOptions, kind: FileKind) -> RecordFile:
    currency, max_rows = options.default_currency, options.max_rows
    if kind is FileKind.JSON_LINES:
        return open_json_lines(path, default_currency=currency, max_rows=max_rows)
    if kind is FileKind.CAMT053:
        return open_camt(path, default_currency=currency, max_rows=max_rows)
    opener = open_ofx if kind is FileKind.OFX else open_mt940
    return opener(path, encoding=options.encoding, default_currency=currency, max_rows=max_rows)
