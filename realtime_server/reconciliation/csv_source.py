"""From bytes to rows of cells: encoding, delimiter, and records whose size and start line are known.

Nothing here knows what a column means. Memory is bounded by one row, whatever the file holds.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, TextIO

from realtime_server.errors import CollaborationError, ErrorCode

MAX_ROW_CHARACTERS: Final = 100_000
MAX_ROW_LINES: Final = 100
DELIMITERS: Final = (",", ";", "\t", "|")
ENCODINGS: Final = (
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1250", "cp1251", "cp1252", "cp437", "cp850", "cp852",
    "iso8859-1", "iso8859-2", "iso8859-15", "mac-roman", "shift_jis", "gb18030",
)  # fmt: skip
"""What may be asked for by name. A list, because Python also knows encodings that run code paths nobody needs."""

_SAMPLE_CHARACTERS = 65_536
_SAMPLE_RECORDS = 50
_CHUNK_BYTES = 1 << 20
_OTHER_FORMATS = {b"PK\x03\x04": "an Excel workbook or a zip archive", b"\xd0\xcf\x11\xe0": "an old Excel workbook"}


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one row. `line` is the physical line on which it begins, counted from 1."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A row that could not be cut into cells. Reading goes on with the line after `line`."""

    line: int
    message: str


def refuse_file(message: str, **details: object) -> NoReturn:
    """The whole file cannot be read: `invalid`, with what to do about it in the message."""
    raise CollaborationError(ErrorCode.INVALID, message, details)


def detect_encoding(path: Path) -> str:
    """A byte order mark decides; else UTF-8 if the whole file is that; else Windows-1252, as Excel writes it.

    `CollaborationError` (`invalid`) for an empty file, a workbook, or bytes that are none of these.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        refuse_file("the file is empty")
    for mark, what in _OTHER_FORMATS.items():
        if head.startswith(mark):
            refuse_file(f"the file is {what}: save it as CSV first")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        choices: tuple[str, ...] = ("utf-16",)
    elif head.startswith(codecs.BOM_UTF8):
        choices = ("utf-8-sig",)
    elif b"\0" in head.partition(b"\n")[0]:  # UTF-16 without its mark; a stray zero further on is its row's error
        refuse_file("the file holds binary zeros: save it as UTF-8, or name its encoding (--encoding)")
    else:
        choices = ("utf-8", "cp1252")
    for encoding in choices:
        if _decodes(path, encoding):
            return encoding
    refuse_file(f"the file is not readable as {' or as '.join(choices)}: name its encoding (--encoding)")


def checked_encoding(path: Path, name: str) -> str:
    """The encoding asked for, when it is a known one and the whole file is written in it."""
    try:
        encoding = codecs.lookup(name).name
    except LookupError:
        encoding = ""
    if encoding not in ENCODINGS:
        refuse_file(f"the encoding is one of {', '.join(ENCODINGS)}", encoding=name[:64])
    if encoding == "utf-8":
        encoding = "utf-8-sig"  # reads a byte order mark where there is one, and plain UTF-8 as well
    if not _decodes(path, encoding):
        refuse_file(f"the file is not written in {name}", encoding=name)
    return encoding


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def open_text(path: Path, encoding: str) -> TextIO:
    """Open for `records`: line ends are kept as they are, since quoted cells may hold them."""
    return path.open("r", encoding=encoding, newline="")


def detect_delimiter(file: TextIO, recognise: Callable[[Sequence[str]], int]) -> str:
    """The delimiter under which the first row looks most like a header, then under which rows are most alike.

    `recognise` counts the known column names among cells. `CollaborationError` (`invalid`) where no delimiter makes
    columns.
    """
    sample = file.read(_SAMPLE_CHARACTERS)
    if len(sample) == _SAMPLE_CHARACTERS:
        sample = sample[: sample.rfind("\n") + 1] or sample
    best: tuple[tuple[int, float, int], str] | None = None
    for delimiter in DELIMITERS:
        rows = _sample_rows(sample, delimiter)
        if not rows or len(rows[0]) < 2:
            continue
        width = len(rows[0])
        alike = sum(len(row) == width for row in rows) / len(rows)
        score = (recognise(rows[0]), alike, width)
        if best is None or score > best[0]:
            best = (score, delimiter)
    if best is None:
        refuse_file("no columns found: the file is separated by commas, semicolons, tabs or bars, and has a header row")
    return best[1]


def _sample_rows(sample: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    for record in records(io.StringIO(sample, newline=""), delimiter):
        if isinstance(record, Record):
            rows.append(record.cells)
        if len(rows) == _SAMPLE_RECORDS:
            break
    return rows


def skip_separator_line(file: TextIO) -> str:
    """The delimiter that Excel's first line ``sep=;`` names; ``""``, and the file at its beginning, without one."""
    line = file.readline(8).rstrip("\r\n").strip('"').lower()
    if line.startswith("sep=") and line[4:] in DELIMITERS:
        return line[4:]
    file.seek(0)
    return ""


def records(file: TextIO, delimiter: str, first_line: int = 1) -> Iterator[Record | BadRecord]:
    """Rows that hold anything, each with the line it begins on; rows of empty cells are passed over.

    A quotation mark that is never closed costs its own row only: reading starts again on the next line.
    """
    lines = _Lines(file, first_line)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _TooLong:
            lines.back_up()
            yield BadRecord(lines.start, _TOO_LONG)
        except csv.Error as error:
            lines.back_up()
            unclosed = "unexpected end" in str(error)
            yield BadRecord(lines.start, _UNCLOSED if unclosed else _BAD_QUOTES)
        else:
            if any(cells) and any(map(str.strip, cells)):
                yield Record(lines.start, cells)


_TOO_LONG = (
    f"the row is longer than {MAX_ROW_CHARACTERS:,} characters or {MAX_ROW_LINES} lines; "
    "perhaps a quotation mark is not closed"
)
_UNCLOSED = "a quotation mark opened in this row is never closed"
_BAD_QUOTES = "a quotation mark stands within a quoted cell; it is written twice there"


class _TooLong(Exception):
    pass


class _Lines:
    """Physical lines for `csv.reader`, bounded, numbered, and able to go back to the line after a bad row's first."""

    def __init__(self, file: TextIO, first_line: int) -> None:
        self._readline = file.readline
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._characters = 0
        self.start = first_line

    def begin(self) -> None:
        self.start += len(self._taken)
        self._taken.clear()
        self._characters = 0

    def back_up(self) -> None:
        self._again.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        if not line:
            raise StopIteration
        self._taken.append(line)
        self._characters += len(line)
        if self._characters > MAX_ROW_CHARACTERS or len(self._taken) > MAX_ROW_LINES:
            raise _TooLong
        return line

    def _read(self) -> str:
        line = self._readline(MAX_ROW_CHARACTERS + 1)
        if len(line) > MAX_ROW_CHARACTERS:
            rest = line
            while rest and rest[-1] not in "\r\n":
                rest = self._readline(MAX_ROW_CHARACTERS)
        return line
