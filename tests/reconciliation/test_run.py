"""Runs on a real mongod: beside people, paused and resumed, on several instances, and after a crash."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from realtime_server.core.commands import AcquireLock, ReleaseLock
from realtime_server.core.commits import Draft, seal
from realtime_server.core.matching.rules import DEFAULT_RULES, Rule
from realtime_server.core.reconciliation_commands import (
    Approve,
    Configure,
    MakeMatch,
    RejectMatches,
    SetRecordStatus,
    SetRules,
    StartRun,
)
from realtime_server.core.reconciling import RunStatus, Settings
from realtime_server.core.workflow import settings_view
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import NewRecord
from realtime_server.reconciliation import worker
from realtime_server.reconciliation.generated import Kind
from realtime_server.reconciliation.generator import generate
from realtime_server.reconciliation.worker import match as worker_match
from tests.reconciliation.imports import ADMIN, ALICE, BOB, REVIEWER
from tests.reconciliation.runs import QUICK, SESSION, SLOW, Instance, Office, command_id, rows_of
from tests.support import eventually

#: Rules that confirm nothing.
SUGGESTING = tuple(replace(rule, auto_confirm=False) for rule in DEFAULT_RULES)


async def status_of(instance: Instance) -> RunStatus:
    run = (await instance.engine.state(SESSION)).reconciliation.run
    assert run is not None
    return run.status


async def test_a_run_finds_what_belongs_together_and_counts_what_it_stored(office: Office) -> None:
    one = await office.instance()
    await office.open(one, 400)
    await one.start()
    done = await one.hears("reconciliation.completed")
    confirmed, suggested = await office.check(one)
    assert confirmed > 0 < suggested
    found = {
        (frozenset(item.match.ledger), frozenset(item.match.statement))
        for item in (await office.records(one)).values()
        if item.match is not None
    }
    assert len(found & office.truth) >= 0.95 * len(office.truth)
    assert len(found & office.truth) >= 0.98 * len(found)
    assert (done.data["total"], done.data["processed"]) == (400, 400)
    assert done.data["matches_confirmed"] == confirmed


async def test_progress_is_told_with_counts_rate_and_time_left(office: Office) -> None:
    one = await office.instance(SLOW)
    await office.open(one, 100)
    await one.start()
    await one.hears("reconciliation.completed")
    reports = [item.data for item in one.told if item.message_type == "reconciliation.progress"]
    processed = [item["processed"] for item in reports]
    assert processed == sorted(processed)
    assert any(item["rate"] > 0 and item["seconds_left"] is not None for item in reports)
    assert {"total", "processed", "matched", "suggested", "exceptions"} <= reports[-1].keys()


async def test_a_pause_holds_within_a_second_and_a_resumed_run_goes_on_to_the_end(office: Office) -> None:
    one = await office.instance(SLOW)
    await office.open(one, 200)
    await one.start()
    await one.hears("match.suggested", 2)
    asked = monotonic()
    pause = await one.service.pause(SESSION, ALICE, command_id(ALICE))
    assert monotonic() - asked < 1
    await asyncio.wait([task for task in asyncio.all_tasks() if task.get_name().startswith("run ")], timeout=5)
    assert not [item for item in one.told if item.seq > pause["seq"] and item.message_type == "match.suggested"]
    before = await office.check(one)
    await one.service.resume(SESSION, BOB, command_id(BOB))
    await one.hears("reconciliation.completed")
    after = await office.check(one)
    assert sum(after) > sum(before)


async def test_a_pause_while_the_matches_are_being_found_holds_too(office: Office) -> None:
    one = await office.instance(SLOW)
    await office.open(one, 200)
    await one.start()
    await one.service.pause(SESSION, ALICE, command_id(ALICE))
    await asyncio.wait([task for task in asyncio.all_tasks() if task.get_name().startswith("run ")], timeout=5)
    assert await office.check(one) == (0, 0)
    assert await status_of(one) is RunStatus.PAUSED


async def test_a_run_that_is_resumed_goes_on_by_the_rules_that_it_says(office: Office) -> None:
    one = await office.instance(SLOW)
    await office.open(one, 200)
    await one.start()
    await one.hears("match.suggested", 2)
    with pytest.raises(CollaborationError, match="works by these rules"):
        await one.ask(SetRules, rules=SUGGESTING, base_version=0)
    await one.service.pause(SESSION, ALICE, command_id(ALICE))
    rules = await one.ask(SetRules, rules=SUGGESTING, base_version=0)
    resumed = await one.service.resume(SESSION, ALICE, command_id(ALICE))
    await one.hears("reconciliation.completed")
    found = [item for item in one.told if item.message_type == "match.suggested" and item.seq > resumed["seq"]]
    assert found
    assert all(match["status"] == "suggested" for item in found for match in item.data["matches"])
    assert (await one.service.status(SESSION))["run"]["rules_version"] == rules["version"]


async def test_a_cancelled_run_keeps_what_it_found_and_finds_no_more(office: Office) -> None:
    one = await office.instance(SLOW)
    await office.open(one, 200)
    await one.start()
    await one.hears("match.suggested", 2)
    cancel = await one.service.cancel(SESSION, ALICE, command_id(ALICE), "the wrong file")
    assert await status_of(one) is RunStatus.CANCELLED
    await asyncio.wait([task for task in asyncio.all_tasks() if task.get_name().startswith("run ")], timeout=5)
    assert not [item for item in one.told if item.seq > cancel["seq"]]
    assert sum(await office.check(one)) > 0


async def test_one_run_at_a_time(office: Office) -> None:
    one = await office.instance(SLOW)
    await office.open(one, 100)
    await one.start()
    with pytest.raises(CollaborationError) as refused:
        await one.start()
    assert refused.value.code is ErrorCode.INVALID


async def test_a_run_of_a_period_that_an_older_version_locked_ends(office: Office) -> None:
    one = await office.instance(replace(QUICK, lease=60.0))
    await office.open(one, 100)
    await one.ask(StartRun, run_id="run-1")
    state = await one.engine.state(SESSION)
    locked = Draft("reconciliation.configured", {"settings": settings_view(Settings(period_locked=True))})
    commit = seal(
        locked, session_id=SESSION, project_id="demo", seq=state.seq + 1, command_id="ada/lock", user_id="ada",
        at=state.at, prev_hash=state.hash,
    )  # fmt: skip
    await office.store.log.append([commit])
    await one.service.ensure(SESSION)
    failed = await one.hears("reconciliation.failed")
    assert failed.data["message"] == "the period is locked"


async def test_records_that_somebody_holds_are_left_alone_and_picked_up_when_they_are_free(office: Office) -> None:
    one = await office.instance(SLOW)
    await office.open(one, 100)
    held = office.pairs[0][0]
    lock = await one.ask(AcquireLock, BOB, record_id=held, duration=60_000)
    await one.start()
    await eventually(lambda: one.told[-1].data.get("processed") == 98, within=30)
    assert (await office.records(one))[held].match is None
    await one.ask(ReleaseLock, BOB, record_id=held, token=lock["token"])
    done = await one.hears("reconciliation.completed")
    assert (await office.records(one))[held].match is not None
    assert done.data["left_out"] == 0


async def test_a_run_does_not_wait_for_ever_and_says_what_it_left_out(office: Office) -> None:
    one = await office.instance(QUICK)
    await office.open(one, 100)
    held = office.pairs[0][0]
    await one.ask(AcquireLock, BOB, record_id=held, duration=60_000)
    await one.start()
    done = await one.hears("reconciliation.completed")
    assert done.data["left_out"] == 1


async def test_records_on_which_somebody_is_at_work_without_a_lock_are_left_alone_too(office: Office) -> None:
    busy: set[str] = set()

    async def at_work(session_id: str) -> set[str]:
        return busy

    one = await office.instance(QUICK, busy=at_work)
    await office.open(one, 100)
    busy.add(office.pairs[0][0])
    await one.start()
    assert (await one.hears("reconciliation.completed")).data["left_out"] == 1
    assert (await office.records(one))[office.pairs[0][0]].match is None


async def test_people_match_beside_a_run_and_nothing_is_matched_twice(office: Office) -> None:
    one = await office.instance(SLOW)
    await office.open(one, 300)
    other = await office.instance(SLOW)
    ledger = sorted(record for group in office.truth for record in group[0])
    statement = sorted(record for group in office.truth for record in group[1])
    await one.start()
    await one.hears("match.suggested")

    async def by_hand(instance: Instance, records: list[tuple[str, str]]) -> int:
        done = 0
        for left, right in records:
            members = {"ledger": (left,), "statement": (right,), "reason": "I know"}
            outcome = (await asyncio.gather(instance.ask(MakeMatch, BOB, **members), return_exceptions=True))[0]
            refused = isinstance(outcome, CollaborationError)
            assert not refused or outcome.code is ErrorCode.ALREADY_MATCHED
            done += not refused
        return done

    pairs = list(zip(ledger[::4], statement[::4], strict=False))
    made = await asyncio.gather(by_hand(one, pairs), by_hand(other, pairs))
    assert 0 < sum(made) <= len(pairs)
    await one.hears("reconciliation.completed")
    await office.check(one)


async def test_a_run_goes_on_where_a_dead_instance_left_it(office: Office) -> None:
    one = await office.instance(SLOW)
    await office.open(one, 200)
    run_id = await one.start()
    await one.hears("match.suggested", 3)
    await one.service.close()  # no word to the log, as after a kill
    before = sum(await office.check(one))
    two = await office.instance(SLOW)
    async with asyncio.timeout(30):
        while await status_of(two) is not RunStatus.COMPLETED:
            await two.service.ensure(SESSION)
            await asyncio.sleep(0.1)
    after = sum(await office.check(two))
    assert after > before > 0
    starts = [item async for item in office.store.log.scan(SESSION) if item.message_type == "reconciliation.started"]
    assert [item.data["run_id"] for item in starts] == [run_id]


async def test_a_new_instance_finds_runs_that_nobody_works_on_by_itself(office: Office) -> None:
    one = await office.instance(SLOW)
    await office.open(one, 100)
    await one.start()
    await one.hears("match.suggested", 2)
    await one.service.close()
    await one.engine.close()  # stores the checkpoint in which the search finds it
    two = await office.instance(SLOW)
    await two.hears("reconciliation.completed")
    await office.check(two)


async def test_two_instances_do_not_work_on_one_run(office: Office) -> None:
    one = await office.instance(SLOW)
    await office.open(one, 100)
    await one.start()
    two = await office.instance(SLOW)
    for _ in range(5):
        await two.service.ensure(SESSION)
        await asyncio.sleep(0.05)
    await one.hears("reconciliation.completed")
    commits = [item async for item in office.store.log.scan(SESSION)]
    runners = {item.data["runner"] for item in commits if item.message_type == "reconciliation.progress"}
    assert len(runners) == 1
    await office.check(one)


async def test_a_dry_run_shows_what_the_rules_would_do_and_stores_nothing(office: Office) -> None:
    one = await office.instance()
    await office.open(one, 200)
    before = (await one.engine.state(SESSION)).seq
    shown = await one.service.dry_run(SESSION, examples=2)
    assert (await one.engine.state(SESSION)).seq == before
    await one.start()
    await one.hears("reconciliation.completed")
    assert sum(await office.check(one)) == shown["matches"] == sum(n["matches"] for n in shown["by_rule"].values())
    assert 0 < len(shown["examples"]) <= 2 * len(shown["by_rule"])
    assert all(item["reasons"] for item in shown["examples"])


async def test_a_rejected_suggestion_is_not_made_again_by_the_next_run(office: Office) -> None:
    one = await office.instance()
    await office.open(one, 100, auto=False)
    await one.start()
    await one.hears("reconciliation.completed")
    record = next(item for item in (await office.records(one)).values() if item.match is not None)
    assert record.match is not None
    await one.ask(RejectMatches, match_ids=(record.match.match_id,))
    await one.start()
    await one.hears("reconciliation.completed", 2)
    again = (await office.records(one))[record.record_id].match
    assert again is None or set(again.records) != set(record.match.records)


async def test_after_a_rejection_the_next_run_suggests_the_next_best(office: Office) -> None:
    one = await office.instance()
    await office.open(one, 200, auto=False)
    values = {"amount": "7654.32", "currency": "EUR", "description": "Rent Smith", "status": "unmatched"}
    rows = [("LA", "ledger", "2026-11-05"), ("SX", "statement", "2026-11-06"), ("SY", "statement", "2026-11-16")]
    await office.store.records.insert(
        SESSION, [NewRecord(name, source, name, {**values, "date": date}, "late") for name, source, date in rows]
    )
    suggested: list[str] = []
    for times in (1, 2):
        await one.start()
        await one.hears("reconciliation.completed", times)
        match = (await office.records(one))["LA"].match
        assert match is not None
        suggested += match.statement
        await one.ask(RejectMatches, match_ids=(match.match_id,))
        # What is matched with them tells the next run what a likeness is worth.
        await office.store.records.insert(SESSION, rows_of(generate(8, 200)))
    assert sorted(suggested) == ["SX", "SY"]


async def test_a_few_pairs_that_come_after_a_run_are_found_by_the_next(office: Office) -> None:
    one = await office.instance()
    await office.open(one, 600)
    await one.start()
    await one.hears("reconciliation.completed")
    books = generate(9, 600)
    plain = [group for group in books.groups if group.kind is Kind.TRUNCATED][:5]
    late = {row.external_id: f"late-{row.external_id}" for group in plain for row in (*group.ledger, *group.statement)}
    rows = [row for row in rows_of(books) if row.record_id in late]
    await office.store.records.insert(SESSION, [replace(row, record_id=late[row.record_id]) for row in rows])
    dry = await one.service.dry_run(SESSION)
    candidates = await one.service.candidates_for(SESSION, late[plain[0].ledger[0].external_id])
    await one.start()
    await one.hears("reconciliation.completed", 2)
    records = await office.records(one)
    for group in plain:
        ledger, statement = late[group.ledger[0].external_id], late[group.statement[0].external_id]
        match = records[ledger].match
        assert match is not None
        assert match.statement == (statement,)
    assert dry["matches"] >= len(plain)
    assert candidates[0]["score"] > 0.9
    await office.check(one)


async def test_the_next_run_goes_by_the_sign_of_the_first_though_little_is_open(office: Office) -> None:
    one = await office.instance()
    await office.open(one, 200, turned=True)
    await one.start()
    await one.hears("reconciliation.completed")
    found, before = await office.check(one), await one.service.status(SESSION)
    await one.start()
    await one.hears("reconciliation.completed", 2)
    run = (await one.engine.state(SESSION)).reconciliation.run
    assert run is not None
    assert run.statement_sign == -1
    assert (await one.service.status(SESSION))["difference"] == before["difference"]
    assert (await office.check(one))[0] >= found[0]


async def test_the_difference_is_shown_live_and_judged_at_the_submission(office: Office) -> None:
    one = await office.instance()
    await office.open(one, 200)
    before = (await one.service.status(SESSION))["difference"]["EUR"]
    with pytest.raises(CollaborationError) as refused:
        await one.service.submit(SESSION, ALICE, command_id(ALICE))
    assert refused.value.code is ErrorCode.UNBALANCED
    assert refused.value.details["difference"]["EUR"] == before
    await one.start()
    await one.hears("reconciliation.completed")
    status = await one.service.status(SESSION)
    assert status["run"]["status"] == "completed"
    assert status["difference"]["EUR"] == before  # what the run confirmed nets to zero
    alone = next(item for item in (await office.records(one)).values() if item.match is None)
    await one.ask(SetRecordStatus, record_ids=(alone.record_id,), status="exception", reason="asked the bank")
    assert (await one.service.status(SESSION))["difference"]["EUR"] != before
    await one.ask(Configure, ADMIN, settings={"threshold": 10**12})
    await one.service.submit(SESSION, ALICE, command_id(ALICE), "done")
    await one.ask(Approve, REVIEWER)
    assert (await one.service.status(SESSION))["workflow"]["status"] == "approved"


async def test_a_run_in_the_middle_does_not_submit(office: Office) -> None:
    one = await office.instance(SLOW)
    await office.open(one, 100)
    await one.start()
    with pytest.raises(CollaborationError) as refused:
        await one.service.submit(SESSION, ALICE, command_id(ALICE))
    assert refused.value.code is ErrorCode.INVALID


# Run in the worker in place of `worker.match`.


def match_that_fails(job_id: str, rules: Sequence[Rule]) -> tuple[int, int]:
    raise KeyError("a defect")


def match_that_dies(job_id: str, rules: Sequence[Rule]) -> tuple[int, int]:
    os._exit(1)


def match_that_dies_once(job_id: str, rules: Sequence[Rule]) -> tuple[int, int]:
    died = Path(os.environ["TEST_DIED"])
    if not died.exists():
        died.touch()
        os._exit(1)
    return worker_match(job_id, rules)


@pytest.mark.parametrize(
    ("match", "message"), [(match_that_fails, "unexpected failure"), (match_that_dies, "ended twice in a row")]
)
async def test_a_run_that_cannot_be_computed_says_that_it_failed(
    match: Any, message: str, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "match", match)
    one = await office.instance()
    await office.open(one, 100)
    await one.start()
    failed = await one.hears("reconciliation.failed")
    assert message in failed.data["message"]
    assert await status_of(one) is RunStatus.FAILED


async def test_a_run_whose_worker_dies_once_is_computed_again_at_once(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_DIED", str(tmp_path / "died"))
    monkeypatch.setattr(worker, "match", match_that_dies_once)
    one = await office.instance()
    await office.open(one, 100)
    await one.start()
    await one.hears("reconciliation.completed")
    assert sum(await office.check(one)) > 0
    runners = {item.data["runner"] for item in one.told if item.message_type == "reconciliation.progress"}
    assert len(runners) == 1
