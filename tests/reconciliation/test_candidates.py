"""Who could belong to a record: beside runs, in many sessions, and after the worker died."""

from __future__ import annotations

import asyncio
import multiprocessing
from contextlib import suppress
from itertools import cycle
from typing import Any

import pytest

from realtime_server.core.commands import CreateSession
from realtime_server.core.reconciliation_commands import MakeMatch
from realtime_server.errors import CollaborationError
from realtime_server.ports import NewRecord
from realtime_server.reconciliation import candidates, worker
from realtime_server.reconciliation.candidates import Candidates
from realtime_server.reconciliation.jobs import Job, load
from realtime_server.reconciliation.pool import MatchingPool, WorkerLost
from tests.reconciliation.imports import ADMIN, ALICE
from tests.reconciliation.runs import QUICK, SESSION, Instance, Office, command_id
from tests.support import eventually

OTHERS = [f"session-{number}" for number in range(6)]


async def open_others(office: Office, instance: Instance) -> None:
    """Sessions with one pair each: ``ledger:1``, ``statement:1``."""
    values = {"date": "2026-11-01", "amount": "1.00", "currency": "EUR", "description": "rent", "status": "unmatched"}
    for session_id in OTHERS:
        command = CreateSession(
            actor=ADMIN, command_id=command_id(ADMIN), session_id=session_id, project_id="demo", name="Other",
            expires_in=3600,
        )  # fmt: skip
        await instance.engine.submit(session_id, command)
        pair = [NewRecord(f"{side}:1", side, "1", values, "chunk") for side in ("ledger", "statement")]
        await office.store.records.insert(session_id, pair)


async def candidates_of(instance: Instance, session_id: str) -> list[str]:
    return [item["record_id"] for item in await instance.service.candidates_for(session_id, "ledger:1")]


async def test_candidates_for_a_record_come_ranked_with_reasons(office: Office) -> None:
    one = await office.instance()
    await office.open(one, 300)
    ledger, statement = office.pairs[0]
    found = await one.service.candidates_for(SESSION, ledger)
    assert found[0]["record_id"] == statement
    assert "same amount" in found[0]["reasons"]
    assert [item["score"] for item in found] == sorted((item["score"] for item in found), reverse=True)
    await one.ask(MakeMatch, ALICE, ledger=(ledger,), statement=(statement,))
    assert await one.service.candidates_for(SESSION, ledger) == []
    with pytest.raises(CollaborationError):
        await one.service.candidates_for(SESSION, "nobody")


async def test_candidates_are_answered_in_more_sessions_than_the_worker_keeps_records_of(office: Office) -> None:
    one = await office.instance()
    await open_others(office, one)
    for session_id in [*OTHERS, *OTHERS]:
        assert await candidates_of(one, session_id) == ["statement:1"]


async def test_a_run_is_not_disturbed_by_questions_in_other_sessions(office: Office) -> None:
    one = await office.instance(QUICK)
    await office.open(one, 3_000)
    await open_others(office, one)
    await one.start()
    asking = cycle(OTHERS)
    answers = 0
    while not any(item.message_type == "reconciliation.completed" for item in one.told):
        assert await candidates_of(one, next(asking)) == ["statement:1"]
        answers += 1
    assert answers > len(OTHERS)
    runners = {item.data["runner"] for item in one.told if item.message_type == "reconciliation.progress"}
    assert len(runners) == 1


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """What is read for candidates."""
    jobs: list[Job] = []

    async def noted(*arguments: Any) -> Job:
        jobs.append(await load(*arguments))
        return jobs[-1]

    monkeypatch.setattr(candidates, "load", noted)
    return jobs


async def test_a_session_that_many_ask_about_at_once_is_read_once(office: Office, loaded: list[Job]) -> None:
    one = await office.instance()
    await open_others(office, one)
    found = await asyncio.gather(*(candidates_of(one, OTHERS[0]) for _ in range(8)))
    assert found == [["statement:1"]] * 8
    assert len(loaded) == 1


async def test_the_worker_keeps_the_records_of_the_last_four_sessions(office: Office, loaded: list[Job]) -> None:
    one = await office.instance()
    await open_others(office, one)
    pool = MatchingPool()
    office.stack.push_async_callback(pool.close)
    asked = Candidates(one.engine, office.store.records, pool)
    await asyncio.gather(*(asked.of(session_id, "ledger:1", 10) for session_id in OTHERS * 3))
    kept = 0
    for job in loaded:
        with suppress(WorkerLost):
            await pool.call(worker.results, job.job_id, 0, 1)
            kept += 1
    assert kept == 4


async def test_candidates_are_answered_though_the_worker_died_since_the_last_question(office: Office) -> None:
    one = await office.instance()
    await open_others(office, one)
    assert await candidates_of(one, OTHERS[0]) == ["statement:1"]
    for process in multiprocessing.active_children():
        process.kill()
    await eventually(lambda: not multiprocessing.active_children())
    assert await candidates_of(one, OTHERS[0]) == ["statement:1"]
