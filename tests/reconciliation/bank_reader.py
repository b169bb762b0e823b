"""Reading a bank's file in a test, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from realtime_server.errors import CollaborationError
from realtime_server.reconciliation.csv_rows import ImportRow, RowError


@dataclass(frozen=True)
class BankReader:
    """``open_file``: the format's own; ``name``: of the file that is written for it."""

    open_file: Callable[[Path], Iterable[ImportRow | RowError]]
    name: str

    def read(self, folder: Path, content: str | bytes) -> list[ImportRow | RowError]:
        path = folder / self.name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        file = self.open_file(path)
        items = list(file)
        assert list(file) == items  # an import reads a file twice
        return items

    def rows(self, folder: Path, content: str | bytes) -> list[ImportRow]:
        items = self.read(folder, content)
        assert [item for item in items if isinstance(item, RowError)] == []
        return [item for item in items if isinstance(item, ImportRow)]

    def refusal(self, folder: Path, content: str | bytes) -> str:
        with pytest.raises(CollaborationError) as error:
            self.read(folder, content)
        assert error.value.code == "invalid"
        return error.value.message
