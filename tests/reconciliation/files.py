"""Helpers for tests that read files."""

from __future__ import annotations

from collections.abc import Callable

from realtime_server.reconciliation.reading import CsvFile, ImportRow, RowError

Opener = Callable[..., CsvFile]
"""Writes text or bytes to a file, and opens it with the options given by name."""


def rows_of(file: CsvFile) -> list[ImportRow]:
    """Every row, in a file where none is wrong."""
    items = list(file)
    assert [item for item in items if isinstance(item, RowError)] == []
    return [item for item in items if isinstance(item, ImportRow)]


def errors_of(file: CsvFile) -> list[tuple[int, str | None]]:
    """Line and field of every refused row."""
    return [(item.line, item.field) for item in file if isinstance(item, RowError)]
