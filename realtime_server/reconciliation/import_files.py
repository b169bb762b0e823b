"""Any file that can be imported: what it is, by what stands in it, and its rows, the same from all of them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from realtime_server.reconciliation.camt import open_camt
from realtime_server.reconciliation.csv_rows import ImportRow, RowError
from realtime_server.reconciliation.csv_source import refuse_file
from realtime_server.reconciliation.json_lines import open_json_lines
from realtime_server.reconciliation.mt940 import open_mt940
from realtime_server.reconciliation.ofx import open_ofx
from realtime_server.reconciliation.reading import ReadOptions, open_csv


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
    text = head.removeprefix(mark).decode(encoding, "replace").lstrip()
    if text[:9].upper() == "OFXHEADER":
        return FileKind.OFX
    if text.startswith("<"):
        return FileKind.OFX if re.search(r"<\?OFX\b|<OFX[\s>]", text, re.IGNORECASE) else FileKind.CAMT053
    if re.match(r"\{[1-5]:", text) or all(field.search(text.replace("\r", "\n")) for field in _FIELDS):
        return FileKind.MT940
    return FileKind.JSON_LINES if text.startswith("{") else None


def open_records(
    path: Path, options: ReadOptions | None = None, *, kind: FileKind | None = None, otherwise: FileKind = FileKind.CSV
) -> RecordFile:
    """Look through a file and give its rows. ``kind``: what it is, where that is known; ``otherwise``: what it is where
    nothing in it says. Options that mean nothing to a format are passed over.

    `CollaborationError` (`invalid`) with a message that says what is wrong, `OSError` where it cannot be opened.
    """
    options = options or ReadOptions()
    currency, max_rows = options.default_currency, options.max_rows
    match kind or detect_kind(path) or otherwise:
        case FileKind.JSON_LINES:
            return open_json_lines(path, default_currency=currency, max_rows=max_rows)
        case FileKind.OFX:
            return open_ofx(path, encoding=options.encoding, default_currency=currency, max_rows=max_rows)
        case FileKind.MT940:
            return open_mt940(path, encoding=options.encoding, default_currency=currency, max_rows=max_rows)
        case FileKind.CAMT053:
            return open_camt(path, default_currency=currency, max_rows=max_rows)
        case _:
            return open_csv(path, options)
