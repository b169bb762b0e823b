"""What the tests of files share."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from realtime_server.engine.engine import Engine
from realtime_server.reconciliation.reading import CsvFile, ReadOptions, open_csv
from realtime_server.storage.mongo import open_store
from tests.reconciliation.files import Opener
from tests.reconciliation.imports import Desk, silent
from tests.reconciliation.runs import Office


@pytest.fixture
def opened(tmp_path: Path) -> Opener:
    """Write text or bytes to ``file.csv`` in the test's folder, and open it with the options given."""

    def write_and_open(content: str | bytes, **options: Any) -> CsvFile:
        path = tmp_path / "file.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return open_csv(path, ReadOptions(**options))

    return write_and_open


@pytest.fixture
def payments() -> Path:
    """A reconciliation of 4,596 true pairs, kept beside the project; the test is skipped where it is absent."""
    beside = Path(__file__).parents[2].parent / "shared/data/payments"
    folder = Path(os.environ.get("PAYMENTS_DIR", beside))
    if not folder.is_dir():
        pytest.skip("the payments set is not beside the project")
    return folder


@pytest.fixture
async def desk(mongodb_url: str, database_name: str) -> AsyncIterator[Desk]:
    """An empty session on the real mongod."""
    async with open_store(mongodb_url, database_name) as store:
        engine = Engine(store.log, store.sessions, store.records, publish=silent)
        desk = Desk(store, engine)
        await desk.create()
        yield desk
        await engine.close()


@pytest.fixture
async def office(mongodb_url: str, database_name: str) -> AsyncIterator[Office]:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(mongodb_url, database_name))
        yield Office(store, stack)
