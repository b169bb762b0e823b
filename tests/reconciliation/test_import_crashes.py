"""An import that dies anywhere is made good by importing again: nothing twice, nothing without its commit."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import NewRecord
from tests.reconciliation.imports import ALICE, BOB, SESSION, Desk, row, rows, tally


class Crash(BaseException):
    """The process is gone: nothing after it runs, and no handler of ours may swallow it."""


class Faulty:
    """The real records, or the real engine, up to the moment at which the process dies."""

    def __init__(self, inner: Any, **faults: Any) -> None:
        self._inner, self._faults = inner, faults

    def __getattr__(self, name: str) -> Any:
        return self._faults.get(name) or getattr(self._inner, name)


async def import_until_crash(desk: Desk, file: Any, **faulty: Any) -> None:
    with pytest.raises(Crash):
        await desk.importer(chunk_rows=20, **faulty).run(SESSION, ALICE, "ledger", file)


async def import_again(desk: Desk, file: Any, actor: Any = ALICE) -> dict[str, int]:
    """In a new process: with an engine that remembers nothing."""
    engine = desk.new_engine()
    try:
        return tally(await desk.importer(chunk_rows=20, engine=engine).run(SESSION, actor, "ledger", file))
    finally:
        await engine.close()


async def assert_every_record_is_vouched_for_once(desk: Desk) -> None:
    """Recomputed from the database as the digest is documented, with nothing of the importer's own."""
    stored: dict[str, dict[str, Any]] = defaultdict(dict)
    async for document in desk.store.database["records"].find({"session_id": SESSION}):
        stored[document["chunk_id"]][document["record_id"]] = document["base"]
    expected = {}
    for chunk_id, records in stored.items():
        lines = "".join(
            json.dumps([name, records[name]], sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
            for name in sorted(records)
        )
        expected[chunk_id] = (len(records), hashlib.sha256(lines.encode()).hexdigest())
    commits = await desk.log("record.imported")
    said = [(commit.data["import_id"], commit.data["counts"]["new"], commit.data["digest"]) for commit in commits]
    assert sorted(said) == sorted((chunk_id, *rest) for chunk_id, rest in expected.items())


def crash_after_insert(desk: Desk, stored: int) -> Faulty:
    """Dies when so many records of the second chunk are stored."""
    calls = 0

    async def insert(session_id: str, records: Sequence[NewRecord]) -> int:
        nonlocal calls
        calls += 1
        if calls < 2:
            return await desk.store.records.insert(session_id, records)
        await desk.store.records.insert(session_id, records[:stored])
        raise Crash

    return Faulty(desk.store.records, insert=insert)


@pytest.mark.parametrize("stored", [0, 7, 20])
@pytest.mark.parametrize("actor", [ALICE, BOB])
async def test_after_a_crash_between_insert_and_commit_the_chunk_gets_exactly_one_commit(
    desk: Desk, stored: int, actor: Any
) -> None:
    await import_until_crash(desk, rows(1, 50), records=crash_after_insert(desk, stored))
    assert len(await desk.log("record.imported")) == 1
    assert await import_again(desk, rows(1, 50), actor) == {"unchanged": 20, "new": 30}
    assert len(await desk.log("record.imported")) == 3
    assert await import_again(desk, rows(1, 50), actor) == {"unchanged": 50}
    assert len(await desk.log("record.imported")) == 3
    await assert_every_record_is_vouched_for_once(desk)


async def test_after_a_crash_before_the_commits_answer_the_chunk_is_known_to_be_done(desk: Desk) -> None:
    async def submit(session_id: str, command: Any) -> Any:
        await desk.engine.submit(session_id, command)
        raise Crash

    await import_until_crash(desk, rows(1, 50), engine=Faulty(desk.engine, submit=submit))
    assert await import_again(desk, rows(1, 50)) == {"unchanged": 20, "new": 30}
    await assert_every_record_is_vouched_for_once(desk)


async def test_a_file_that_was_changed_after_the_crash_leaves_no_record_without_its_commit(desk: Desk) -> None:
    await import_until_crash(desk, rows(1, 50), records=crash_after_insert(desk, 20))
    changed = [row(99), *rows(1, 25), row(26, amount="26.50"), *rows(27, 48)]
    assert await import_again(desk, changed) == {"new": 28, "unchanged": 20, "changed": 1}
    await assert_every_record_is_vouched_for_once(desk)
    assert await import_again(desk, changed) == {"unchanged": 49}
    assert (await desk.record(26)).value("amount") == "26.50"


async def test_records_of_a_crash_are_vouched_for_even_if_most_are_not_in_the_file_any_more(desk: Desk) -> None:
    await import_until_crash(desk, rows(1, 50), records=crash_after_insert(desk, 20))
    assert await import_again(desk, rows(30, 31)) == {"new": 2}
    await assert_every_record_is_vouched_for_once(desk)


def crash_before_mark(desk: Desk) -> Faulty:
    async def mark_imported(session_id: str, record_id: str, values: Mapping[str, tuple[Any, int]]) -> None:
        raise Crash

    return Faulty(desk.store.records, mark_imported=mark_imported)


async def test_after_a_crash_between_an_edit_and_its_mark_the_edit_is_not_made_twice(desk: Desk) -> None:
    await desk.take([row(1)])
    file = [row(1, amount="1.50", description="corrected")]
    await import_until_crash(desk, file, records=crash_before_mark(desk))
    await desk.edit(BOB, 1, "amount", "1.11", base=3)
    assert await import_again(desk, file) == {"changed": 1}
    assert [commit.user_id for commit in await desk.log("edit.applied")] == ["alice", "alice", "bob"]
    assert (await desk.record(1)).value("amount") == "1.11"
    assert await import_again(desk, file) == {"unchanged": 1}


async def test_after_a_crash_between_a_batch_and_its_mark_the_batch_is_not_made_twice(desk: Desk) -> None:
    await desk.take([row(1, amount="10.50")])
    file = [row(1, amount="1050", currency="JPY")]
    await import_until_crash(desk, file, records=crash_before_mark(desk))
    assert await import_again(desk, file) == {"changed": 1}
    assert len(await desk.log("edit.batch_applied")) == 1
    assert await import_again(desk, file) == {"unchanged": 1}


async def test_after_a_crash_between_a_conflict_and_its_mark_there_is_one_candidate(desk: Desk) -> None:
    await desk.take([row(1)])
    await desk.edit(BOB, 1, "amount", "1.11")
    await import_until_crash(desk, [row(1, amount="1.50")], records=crash_before_mark(desk))
    assert await import_again(desk, [row(1, amount="1.50")]) == {"conflicting": 1}
    (conflict,) = await desk.engine.open_conflicts(SESSION)
    assert [item.value for item in conflict.candidates] == ["1.50"]
    assert await import_again(desk, [row(1, amount="1.50")]) == {"unchanged": 1}


def refusing(desk: Desk, code: ErrorCode, times: int) -> Faulty:
    """An engine that refuses each command so many times before it takes it."""
    refused: dict[str, int] = defaultdict(int)

    async def submit(session_id: str, command: Any) -> Any:
        refused[command.command_id] += 1
        if refused[command.command_id] <= times:
            raise CollaborationError(code, "try again")
        return await desk.engine.submit(session_id, command)

    return Faulty(desk.engine, submit=submit)


@pytest.mark.parametrize("code", [ErrorCode.OVERLOADED, ErrorCode.UNAVAILABLE])
async def test_what_is_refused_for_the_moment_is_tried_again(desk: Desk, code: ErrorCode) -> None:
    patient = desk.importer(engine=refusing(desk, code, 2), pauses=(0.0, 0.0))
    assert tally(await patient.run(SESSION, ALICE, "ledger", rows(1, 3))) == {"new": 3}
    assert tally(await patient.run(SESSION, ALICE, "ledger", [row(1, amount="1.50")])) == {"changed": 1}
    await assert_every_record_is_vouched_for_once(desk)


async def test_patience_ends_and_the_import_can_be_repeated(desk: Desk) -> None:
    impatient = desk.importer(engine=refusing(desk, ErrorCode.OVERLOADED, 3), pauses=(0.0, 0.0))
    with pytest.raises(CollaborationError) as caught:
        await impatient.run(SESSION, ALICE, "ledger", rows(1, 3))
    assert caught.value.code is ErrorCode.OVERLOADED
    assert await import_again(desk, rows(1, 3)) == {"new": 3}
    await assert_every_record_is_vouched_for_once(desk)
