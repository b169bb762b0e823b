"""Helpers for tests of runs: sessions with generated books on a real mongod, and instances that work on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count
from typing import Any

from realtime_server.core.commands import Actor, Command, CreateSession
from realtime_server.core.commits import Commit
from realtime_server.core.matching.rules import DEFAULT_RULES
from realtime_server.core.reconciliation_commands import SetRules
from realtime_server.core.reconciling import MatchStatus
from realtime_server.core.state import RecordState
from realtime_server.engine.engine import Engine
from realtime_server.ports import NewRecord
from realtime_server.reconciliation.generated import GeneratedSet, Kind, Row
from realtime_server.reconciliation.generator import generate
from realtime_server.reconciliation.loading import current_records
from realtime_server.reconciliation.run import RunService
from realtime_server.reconciliation.runner import RunConfig
from realtime_server.storage.mongo import MongoStore
from tests.reconciliation.imports import ADMIN, ALICE

SESSION = "november"
_ids = count(1)

#: Small steps, so that a test finds the run in the middle of its work.
SLOW = RunConfig(chunk=2, share=0.2, report_every=0.0, lease=1.0, patience=20.0, retry_every=0.05)
QUICK = RunConfig(chunk=100, share=1.0, lease=2.0, patience=0.2, retry_every=0.05)


def rows_of(books: GeneratedSet, *, turned: bool = False) -> list[NewRecord]:
    """Generated books as they are imported. ``turned``: the statement counts the other way."""
    return [
        NewRecord(row.external_id, source, row.external_id, _values(row, turned and source == "statement"), "chunk")
        for source, side in (("ledger", books.ledger), ("statement", books.statement))
        for row in side
    ]


def _values(row: Row, turned: bool) -> dict[str, Any]:
    values = {**row.values(), "status": "unmatched"}
    return {**values, "amount": str(-Decimal(values["amount"]))} if turned else values


def command_id(actor: Actor) -> str:
    return f"{actor.user_id}/t{next(_ids)}"


@dataclass
class Instance:
    """One server's share: an engine, its run service, and what it told its clients."""

    engine: Engine
    service: RunService
    told: list[Commit] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, commits: Sequence[Commit]) -> None:
        self.told.extend(commits)
        self._news.set()

    async def hears(self, message_type: str, times: int = 1) -> Commit:
        """The first commit of this type, when there have been so many."""
        async with asyncio.timeout(30):
            while True:
                found = [item for item in self.told if item.message_type == message_type]
                if len(found) >= times:
                    return found[0]
                self._news.clear()
                await self._news.wait()

    async def ask(self, kind: Callable[..., Command], actor: Actor = ALICE, **members: Any) -> Any:
        return await self.engine.submit(SESSION, kind(actor=actor, command_id=command_id(actor), **members))

    async def start(self) -> str:
        return str((await self.service.start(SESSION, ALICE, command_id(ALICE)))["run_id"])


@dataclass
class Office:
    """A store with one session, and the instances on it."""

    store: MongoStore
    stack: AsyncExitStack
    truth: frozenset[tuple[frozenset[str], frozenset[str]]] = frozenset()
    #: (ledger, statement) of plain pairs: the same amount, nothing else to them.
    pairs: tuple[tuple[str, str], ...] = ()

    async def instance(self, config: RunConfig = QUICK, **more: Any) -> Instance:
        engine = Engine(
            self.store.log, self.store.sessions, self.store.records, publish=lambda commits: instance.hear(commits)
        )
        service = RunService(engine, self.store.sessions, self.store.records, config=config, **more)
        instance = Instance(engine, service)
        self.stack.push_async_callback(engine.close)
        self.stack.push_async_callback(service.close)
        return instance

    async def open(
        self, instance: Instance, size: int = 200, seed: int = 7, *, auto: bool = True, turned: bool = False
    ) -> None:
        """A new session with generated books. ``auto``: whether rules may confirm. ``turned``: the statement counts the
        other way."""
        command = CreateSession(
            actor=ADMIN, command_id="ada/create", session_id=SESSION, project_id="demo", name="Books", expires_in=3600
        )
        await instance.engine.submit(SESSION, command)
        books = generate(seed, size)
        await self.store.records.insert(SESSION, rows_of(books, turned=turned))
        self.truth = frozenset(
            (frozenset(r.external_id for r in g.ledger), frozenset(r.external_id for r in g.statement))
            for g in books.groups
            if g.is_matched
        )
        plain = (group for group in books.groups if group.kind is Kind.ONE_TO_ONE)
        self.pairs = tuple((group.ledger[0].external_id, group.statement[0].external_id) for group in plain)
        if not auto:
            rules = tuple(replace(rule, auto_confirm=False) for rule in DEFAULT_RULES)
            await instance.ask(SetRules, rules=rules, base_version=0)

    async def records(self, instance: Instance) -> dict[str, RecordState]:
        state = await instance.engine.state(SESSION)
        return {item.record_id: item async for page in current_records(self.store.records, state) for item in page}

    async def check(self, instance: Instance) -> tuple[int, int]:
        """Fail when a record is matched twice or a count is not that of the records; (confirmed, suggested) matches."""
        records = await self.records(instance)
        matches = {item.match.match_id: item.match for item in records.values() if item.match is not None}
        members = [record_id for match in matches.values() for record_id in match.records]
        assert len(members) == len(set(members)), "a record is in two matches"
        for match in matches.values():
            assert all(records[record_id].match == match for record_id in match.records)
        state = await instance.engine.state(SESSION)
        tally = state.reconciliation.tally
        confirmed = sum(match.status is MatchStatus.CONFIRMED for match in matches.values())
        assert dict(tally.matches) == {
            name: number
            for name, number in (("confirmed", confirmed), ("suggested", len(matches) - confirmed))
            if number
        }
        assert sum(tally.records.get(name, 0) for name in ("matched", "suggested")) == len(members)
        return confirmed, len(matches) - confirmed
