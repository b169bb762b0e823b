"""Engines over real stores: in memory and on the real mongod, the same tests for both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from realtime_server.core.commands import Actor, CreateSession, Edit, FieldEdit, command_id_of
from realtime_server.core.commits import Commit
from realtime_server.core.roles import Role
from realtime_server.engine.config import EngineConfig
from realtime_server.engine.engine import Engine, wall_clock
from realtime_server.ports import CommitLog, Hints, NewRecord, RecordStore, SessionStore
from realtime_server.storage.memory import MemoryStore
from realtime_server.storage.mongo import open_store

SESSION = "month-end"
ADMIN = Actor("ada", "Ada", Role.ADMIN)
REVIEWER = Actor("rae", "Rae", Role.REVIEWER)


def preparer(name: str) -> Actor:
    return Actor(name, name.title(), Role.PREPARER)


_ids = count(1)


def edit(
    actor: Actor, value: Any, *, base: int = 0, record: str = "ledger:1", name: str = "amount", edit_id: str = ""
) -> Edit:
    edit_id = edit_id or f"e{next(_ids)}"
    return Edit(
        actor=actor,
        command_id=command_id_of(actor.user_id, edit_id),
        edit_id=edit_id,
        edit=FieldEdit(record_id=record, field_name=name, new_value=value, base_version=base),
    )


@dataclass
class Stores:
    log: CommitLog
    sessions: SessionStore
    records: RecordStore


@dataclass
class Bench:
    """Engines over the same stores, each with what it published."""

    stores: Stores
    engines: list[Engine] = field(default_factory=list)
    published: list[list[Commit]] = field(default_factory=list)

    def engine(
        self,
        *,
        clock: Callable[[], int] = wall_clock,
        log: CommitLog | None = None,
        hints: Hints | None = None,
        busy: Callable[[], float] = lambda: 0.0,
        **config: Any,
    ) -> Engine:
        published: list[Commit] = []

        def publish(commits: Sequence[Commit]) -> None:
            published.extend(commits)

        engine = Engine(
            log or self.stores.log,
            self.stores.sessions,
            self.stores.records,
            publish=publish,
            hints=hints,
            config=EngineConfig(**config),
            clock=clock,
            busy=busy,
        )
        self.engines.append(engine)
        self.published.append(published)
        return engine

    async def create(self, engine: Engine, *, records: int = 3, **more: Any) -> None:
        command = CreateSession(
            actor=ADMIN,
            command_id="ada/create",
            session_id=SESSION,
            project_id="demo",
            name="Month end",
            expires_in=more.pop("expires_in", 3600),
            **more,
        )
        await engine.submit(SESSION, command)
        await self.stores.records.insert(SESSION, [_record(number) for number in range(1, records + 1)])

    async def whole_log(self) -> list[Commit]:
        return [commit async for commit in self.stores.log.scan(SESSION)]


class GatedStore:
    """A real store whose `save` waits at a gate; ``came`` and ``stored`` hold ``label`` of what it was first given."""

    def __init__(self, store: Any, label: Callable[[Any], Any], *, is_open: bool) -> None:
        self._store, self._label = store, label
        self.gate = asyncio.Event()
        if is_open:
            self.gate.set()
        self.came: list[Any] = []
        self.stored: list[Any] = []
        self.somebody_came = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def save(self, first: Any, *more: Any) -> None:
        self.came.append(self._label(first))
        self.somebody_came.set()
        await self.gate.wait()
        await self._store.save(first, *more)
        self.stored.append(self._label(first))


def _record(number: int) -> NewRecord:
    values = {
        "amount": f"{number}.00",
        "currency": "GBP",
        "date": "2026-11-01",
        "description": f"payment {number}",
        "status": "unmatched",
    }
    return NewRecord(f"ledger:{number}", "ledger", str(number), values, "chunk-1")


@pytest.fixture(params=["memory", "mongo"])
def backend(request: pytest.FixtureRequest) -> tuple[str, str] | None:
    """(url, database) of the real mongod; None for the stores in memory."""
    if request.param == "memory":
        return None
    return request.getfixturevalue("mongodb_url"), request.getfixturevalue("database_name")


@pytest.fixture
async def bench(backend: tuple[str, str] | None) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        store = MemoryStore() if backend is None else await stack.enter_async_context(open_store(*backend))
        bench = Bench(Stores(store.log, store.sessions, store.records))
        yield bench
        await asyncio.gather(*(engine.close() for engine in bench.engines))
