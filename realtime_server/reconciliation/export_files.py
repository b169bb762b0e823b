"""Files of an export, written row by row: memory does not grow with what is exported."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson

from realtime_server.spreadsheets import cell

_BLOCK: Final = 1024 * 1024


class Table:
    """One table as CSV and as a JSON array of objects, side by side: ``name.csv`` and ``name.json``."""

    def __init__(self, folder: Path, name: str, columns: Sequence[str]) -> None:
        self._columns = tuple(columns)
        # Where a spreadsheet opens it, the mark at its beginning says that it is UTF-8.
        self._csv = (folder / f"{name}.csv").open("w", encoding="utf-8-sig", newline="")
        self._json = (folder / f"{name}.json").open("wb")
        self._writer = csv.writer(self._csv, lineterminator="\r\n")  # RFC 4180
        self._writer.writerow(self._columns)
        self._json.write(b"[")
        self.rows = 0

    def add(self, row: Mapping[str, Any]) -> None:
        self._writer.writerow([_cell(row.get(name)) for name in self._columns])
        self._json.write(b",\n" if self.rows else b"\n")
        self._json.write(orjson.dumps(dict(row)))
        self.rows += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._json.write(b"\n]\n")
        self._json.close()
        self._csv.close()


def _cell(value: Any) -> str:
    """A list of texts is read by people: one after another. No cell is a formula."""
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return cell("; ".join(value))
    return cell(value)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def join_json(folder: Path, target: Path, members: Sequence[str]) -> None:
    """One JSON object of several JSON files: ``{"matches": <matches.json>, …}``."""
    with target.open("wb") as out:
        for index, name in enumerate(members):
            out.write(b"{" if index == 0 else b",")
            out.write(orjson.dumps(name) + b":")
            with (folder / f"{name}.json").open("rb") as part:
                while block := part.read(_BLOCK):
                    out.write(block)
        out.write(b"}\n")
