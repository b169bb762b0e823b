"""A session's log for people and programs outside: JSON lines, or a table for a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol, TextIO

import orjson

from realtime_server.core.clock import to_iso
from realtime_server.core.commits import Commit
from realtime_server.spreadsheets import cell


class Writer(Protocol):
    """Writes commits one by one, so that a log of any length passes through in constant memory."""

    def write(self, commit: Commit) -> None: ...


def exported(commit: Commit) -> dict[str, Any]:
    """What the chain needs, in the form of the envelope that clients receive: without ``timestamp`` and ``hash`` it is
    what is hashed. People are in it by their ids alone.
    """
    return {
        "message_type": commit.message_type,
        "session_id": commit.session_id,
        "project_id": commit.project_id,
        "user_id": commit.user_id,
        "timestamp": _timestamp(commit),
        "seq": commit.seq,
        "data": commit.data,
        "at": commit.at,
        "command_id": commit.command_id,
        "prev_hash": commit.prev_hash,
        "hash": commit.hash,
    }


def _timestamp(commit: Commit) -> str | None:
    try:
        return to_iso(commit.at)
    except (TypeError, ValueError, OverflowError):  # an entry that somebody damaged
        return None


class JsonLines:
    """One commit, one line of JSON."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, commit: Commit) -> None:
        self._file.write(orjson.dumps(exported(commit)).decode() + "\n")


CSV_COLUMNS: Final = (
    "seq", "timestamp", "user_id", "message_type", "record_id", "field_name", "old_value", "new_value", "reason",
    "details", "command_id", "prev_hash", "hash",
)  # fmt: skip

# What has a column of its own; the rest of a commit's data goes to `details`.
_OWN_COLUMN: Final = frozenset({"record_id", "field_name", "old_value", "new_value", "reason", "edit_reason"})


class CsvTable:
    """One row per field that a commit sets, so a batch has several with one ``seq``; one row for any other commit."""

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file, lineterminator="\r\n")  # RFC 4180
        self._writer.writerow(CSV_COLUMNS)

    def write(self, commit: Commit) -> None:
        shared = {
            "seq": commit.seq,
            "timestamp": _timestamp(commit),
            "user_id": commit.user_id,
            "message_type": commit.message_type,
            "command_id": commit.command_id,
            "prev_hash": commit.prev_hash,
            "hash": commit.hash,
        }
        for change in _changes(commit.data):
            row = {**shared, **change}
            self._writer.writerow([cell(row.get(name)) for name in CSV_COLUMNS])


def _changes(data: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(data, dict):  # an entry that somebody damaged
        yield {"details": data}
        return
    edits = data.get("edits")
    if not isinstance(edits, list) or not all(isinstance(edit, dict) for edit in edits):
        yield _change(data)
        return
    common = {name: value for name, value in data.items() if name != "edits"}
    for edit in edits:
        yield _change({**common, **edit})


def _change(data: Mapping[str, Any]) -> Mapping[str, Any]:
    rest = {name: value for name, value in data.items() if name not in _OWN_COLUMN}
    return {
        "record_id": data.get("record_id"),
        "field_name": data.get("field_name"),
        "old_value": data.get("old_value"),
        "new_value": data.get("new_value"),
        "reason": data.get("reason", data.get("edit_reason")),
        "details": rest or None,
    }
