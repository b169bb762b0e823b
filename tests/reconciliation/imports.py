"""Helpers for tests that import: a session on the real mongod, and rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from realtime_server.core.commands import Actor, CreateSession, Edit, FieldEdit, Resolve, command_id_of
from realtime_server.core.commits import Commit
from realtime_server.core.roles import Role
from realtime_server.core.state import RecordState
from realtime_server.engine.config import EngineConfig
from realtime_server.engine.engine import Engine
from realtime_server.reconciliation.importing import Importer, Rows
from realtime_server.reconciliation.reading import ImportRow
from realtime_server.storage.mongo import MongoStore

SESSION = "month-end"
ADMIN = Actor("ada", "Ada", Role.ADMIN)
REVIEWER = Actor("rae", "Rae", Role.REVIEWER)
ALICE = Actor("alice", "Alice", Role.PREPARER)
BOB = Actor("bob", "Bob", Role.PREPARER)

_ids = count(1)


def row(number: int, line: int | None = None, **values: Any) -> ImportRow:
    """One row of a file; further values replace or join the usual ones."""
    usual = {"date": "2026-11-01", "amount": f"{number}.00", "currency": "GBP", "description": f"payment {number}"}
    return ImportRow(line or number + 1, f"A-{number}", {**usual, **values})


def rows(first: int, last: int) -> list[ImportRow]:
    return [row(number) for number in range(first, last + 1)]


def silent(commits: Sequence[Commit]) -> None:
    """Nobody follows these sessions."""


@dataclass
class Desk:
    """A store with one session, an engine on it, and what tests ask of both."""

    store: MongoStore
    engine: Engine

    def new_engine(self) -> Engine:
        """The engine of another process, or of this one after a crash."""
        store = self.store
        return Engine(store.log, store.sessions, store.records, publish=silent, config=EngineConfig())

    def importer(self, **stores: Any) -> Importer:
        """``records``, ``engine`` or ``chunk_rows`` other than usual."""
        usual: dict[str, Any] = {"engine": self.engine, "log": self.store.log, "records": self.store.records}
        return Importer(**{**usual, "pauses": (), **stores})

    async def take(self, file: Rows, actor: Actor = ALICE, **more: Any) -> Any:
        return await self.importer().run(SESSION, actor, "ledger", file, **more)

    async def create(self, session: str = SESSION, **more: Any) -> None:
        command = CreateSession(
            actor=ADMIN,
            command_id="ada/create",
            session_id=session,
            project_id="demo",
            name="Month end",
            expires_in=3600,
            **more,
        )
        await self.engine.submit(session, command)

    async def edit(
        self, actor: Actor, number: int, name: str, value: Any, base: int = 0, session: str = SESSION
    ) -> dict[str, Any]:
        edit_id = f"e{next(_ids)}"
        command = Edit(
            actor=actor,
            command_id=command_id_of(actor.user_id, edit_id),
            edit_id=edit_id,
            edit=FieldEdit(record_id=f"ledger:A-{number}", field_name=name, new_value=value, base_version=base),
        )
        return dict(await self.engine.submit(session, command))

    async def resolve(self, conflict_id: str, strategy: str) -> None:
        command = Resolve(
            actor=REVIEWER,
            command_id=command_id_of(REVIEWER.user_id, f"r{next(_ids)}"),
            conflict_id=conflict_id,
            strategy=strategy,
        )
        await self.engine.submit(SESSION, command)

    async def record(self, number: int) -> RecordState:
        record_id = f"ledger:A-{number}"
        state = await self.engine.inspect(SESSION, lambda _: {record_id})
        return state.records[record_id]

    async def log(self, *message_types: str) -> list[Commit]:
        """The log, or its commits of some types."""
        return [
            commit
            async for commit in self.store.log.scan(SESSION)
            if not message_types or commit.message_type in message_types
        ]


def tally(summary: Any) -> dict[str, int]:
    """The counts of a summary that are not zero."""
    names = ("new", "unchanged", "changed", "conflicting", "kept", "refused")
    return {name: getattr(summary, name) for name in names if getattr(summary, name)}
