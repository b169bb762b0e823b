"""Every adapter of the storage ports, each empty, by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from realtime_server.ports import (
    CommitLog,
    ImportStatusStore,
    MappingStore,
    NoticeStore,
    RecordStore,
    RevocationStore,
    RuleStore,
    SessionStore,
    Turns,
)
from realtime_server.storage.memory import MemoryStore
from realtime_server.storage.mongo import open_store


class Store(Protocol):
    @property
    def log(self) -> CommitLog: ...
    @property
    def sessions(self) -> SessionStore: ...
    @property
    def records(self) -> RecordStore: ...
    @property
    def mappings(self) -> MappingStore: ...
    @property
    def revocations(self) -> RevocationStore: ...
    @property
    def rules(self) -> RuleStore: ...
    @property
    def notices(self) -> NoticeStore: ...
    @property
    def imports(self) -> ImportStatusStore: ...
    @property
    def turns(self) -> Turns: ...


@pytest.fixture(params=["memory", "mongo"])
def _place(request: pytest.FixtureRequest) -> tuple[str, str] | None:
    """None: in memory. Asked for here, because the mongod's fixture cannot start inside a running event loop."""
    if request.param == "memory":
        return None
    return request.getfixturevalue("mongodb_url"), request.getfixturevalue("database_name")


@pytest.fixture
async def store(_place: tuple[str, str] | None) -> AsyncIterator[Store]:
    if _place is None:
        yield MemoryStore()
        return
    async with open_store(*_place) as opened:
        yield opened
