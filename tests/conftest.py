"""What every test may ask for: a real mongod for the whole run, and a database of its own in it."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from pymongo import MongoClient

from realtime_server.storage.embedded import embedded_mongod

#: ``HYPOTHESIS_PROFILE=fuzz`` (``make fuzz``): for long, and other inputs each time.
_INPUTS = int(os.environ.get("HYPOTHESIS_INPUTS", "20000"))
settings.register_profile("fuzz", max_examples=_INPUTS, deadline=None, print_blob=True)
if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz":
    settings.load_profile("fuzz")


@contextmanager
def _own_mongod(data_dir: Path) -> Iterator[str]:
    # A runner of its own: the tests' event loops come and go, the mongod stays for the whole run.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        context = embedded_mongod(data_dir)
        address = runner.run(context.__aenter__())
        try:
            yield address.url
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def mongodb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real mongod: ``TEST_MONGODB_URL``, else one that lives as long as the test run."""
    given = os.environ.get("TEST_MONGODB_URL")
    if given:
        yield given
        return
    with _own_mongod(tmp_path_factory.mktemp("mongod")) as url:
        yield url


@pytest.fixture(scope="session")
def _mongodb_admin(mongodb_url: str) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        yield client


@pytest.fixture
def database_name(_mongodb_admin: MongoClient[dict[str, Any]]) -> Iterator[str]:
    """A database name nobody else uses; the database is dropped after the test."""
    name = f"test_{uuid.uuid4().hex}"
    yield name
    _mongodb_admin.drop_database(name)


#: Folders whose files take longest. They come first, so that no process is left with one of them at the end.
_LONG = ("web", "faults", "loadtest")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    root = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(root).parts[0] not in _LONG)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The closing lines of runners that a test ran (`record_property("closing", …)`)."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, value in getattr(report, "user_properties", ()):
                if name == "closing":
                    terminalreporter.write_line(value)
