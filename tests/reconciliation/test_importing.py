"""Rows become records once, changes become edits, and a person's work is never overwritten."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from realtime_server.core.commands import AcquireLock, Actor, EndSession
from realtime_server.core.reconciliation_commands import MakeMatch, RemoveMatches, SetRecordStatus
from realtime_server.core.roles import Role
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.reconciliation.generated_files import write_files
from realtime_server.reconciliation.generator import generate_groups
from realtime_server.reconciliation.importing import ImportSummary, Listeners
from realtime_server.reconciliation.reading import ImportRow, ReadOptions, RowError, open_csv
from tests.reconciliation.imports import ADMIN, ALICE, BOB, REVIEWER, SESSION, Desk, row, rows, tally


async def test_new_rows_become_records_with_one_commit_for_each_chunk(desk: Desk) -> None:
    summary = await desk.importer(chunk_rows=40).run(SESSION, ALICE, "ledger", rows(1, 100))
    assert tally(summary) == {"new": 100}
    announced = await desk.log("record.imported")
    assert [commit.data["counts"] for commit in announced] == [{"new": 40}, {"new": 40}, {"new": 20}]
    assert {commit.user_id for commit in announced} == {"alice"}
    assert summary.seq == announced[-1].seq
    (record,) = [record for record in await desk.store.records.page(SESSION) if record.external_id == "A-7"]
    assert (record.record_id, record.source) == ("ledger:A-7", "ledger")
    assert record.base == {
        "date": "2026-11-01", "amount": "7.00", "currency": "GBP", "description": "payment 7", "reference": "",
        "status": "unmatched",
    }  # fmt: skip


async def test_the_same_file_again_changes_nothing_and_commits_nothing(desk: Desk) -> None:
    await desk.take(rows(1, 50))
    before = await desk.log()
    assert tally(await desk.take(rows(1, 50))) == {"unchanged": 50}
    assert tally(await desk.take(rows(1, 50), BOB)) == {"unchanged": 50}
    assert await desk.log() == before


async def test_both_sides_may_use_the_same_ids(desk: Desk) -> None:
    await desk.take(rows(1, 3))
    summary = await desk.importer().run(SESSION, ALICE, "statement", rows(1, 3))
    assert tally(summary) == {"new": 3}
    assert await desk.store.records.count(SESSION) == 6


async def test_a_longer_file_adds_only_what_is_new(desk: Desk) -> None:
    await desk.take(rows(1, 10))
    assert tally(await desk.take(rows(1, 15))) == {"new": 5, "unchanged": 10}
    assert [commit.data["counts"] for commit in await desk.log("record.imported")] == [{"new": 10}, {"new": 5}]


async def test_changed_values_become_edits_of_the_importing_person(desk: Desk) -> None:
    await desk.take(rows(1, 5))
    corrected = [row(1), row(2, amount="2.50"), row(3, description="corrected", amount="3.50"), row(4), row(5)]
    assert tally(await desk.take(corrected, BOB)) == {"unchanged": 3, "changed": 2}
    edits = await desk.log("edit.applied")
    assert {commit.user_id for commit in edits} == {"bob"}
    assert sorted((commit.data["record_id"], commit.data["field_name"], commit.data["new_value"]) for commit in edits) \
        == [
            ("ledger:A-2", "amount", "2.50"),
            ("ledger:A-3", "amount", "3.50"),
            ("ledger:A-3", "description", "corrected"),
        ]  # fmt: skip
    assert tally(await desk.take(corrected, BOB)) == {"unchanged": 5}


async def test_a_file_may_go_back_and_forth(desk: Desk) -> None:
    old, new = [row(1)], [row(1, amount="1.50")]
    await desk.take(old)
    for file, amount in ((new, "1.50"), (old, "1.00"), (new, "1.50"), (old, "1.00")):
        assert tally(await desk.take(file)) == {"changed": 1}
        assert (await desk.record(1)).value("amount") == amount
    assert await desk.engine.open_conflicts(SESSION) == []


async def test_a_persons_edit_in_between_becomes_a_conflict_and_stands(desk: Desk) -> None:
    await desk.take(rows(1, 3))
    await desk.edit(BOB, 2, "amount", "2.22")
    file = [row(1), row(2, amount="2.50"), row(3)]
    assert tally(await desk.take(file)) == {"unchanged": 2, "conflicting": 1}
    (conflict,) = await desk.engine.open_conflicts(SESSION)
    assert (conflict.record_id, conflict.field_name, conflict.base_value) == ("ledger:A-2", "amount", "2.00")
    assert [(item.user_id, item.value) for item in conflict.candidates] == [("alice", "2.50")]
    assert (await desk.record(2)).value("amount") == "2.22"
    assert tally(await desk.take(file)) == {"unchanged": 3}


async def test_a_change_after_a_resolved_conflict_asks_again(desk: Desk) -> None:
    await desk.take([row(1)])
    await desk.edit(BOB, 1, "amount", "1.11")
    await desk.take([row(1, amount="1.50")])
    await desk.resolve((await desk.engine.open_conflicts(SESSION))[0].conflict_id, "keep_current")
    assert tally(await desk.take([row(1, amount="1.60")])) == {"conflicting": 1}
    assert (await desk.record(1)).value("amount") == "1.11"


async def test_a_change_that_comes_back_after_its_conflict_was_resolved_is_not_taken_for_done(desk: Desk) -> None:
    await desk.take([row(1)])
    await desk.edit(BOB, 1, "amount", "1.11")
    for amount in ("1.50", "1.60", "1.50", "1.60"):
        assert tally(await desk.take([row(1, amount=amount)])) == {"conflicting": 1}
        (conflict,) = await desk.engine.open_conflicts(SESSION)
        assert [item.value for item in conflict.candidates] == [amount]
        await desk.resolve(conflict.conflict_id, "keep_current")


async def test_text_that_a_person_and_the_file_changed_in_different_places_is_merged_each_time(desk: Desk) -> None:
    await desk.take([row(1, description="one two three four")])
    await desk.edit(BOB, 1, "description", "one two three FOUR")
    for first in ("ONE", "Une", "ONE", "Une"):
        await desk.take([row(1, description=f"{first} two three four")])
        conflicts = await desk.engine.open_conflicts(SESSION)
        for conflict in conflicts:
            await desk.resolve(conflict.conflict_id, "take_candidate")
        description = (await desk.record(1)).value("description")
        assert description.startswith(first)
        # Bob's word is gone only where somebody took the file's whole text in its place.
        assert conflicts or description.endswith("FOUR")


async def test_a_value_that_a_person_has_entered_already_is_no_change(desk: Desk) -> None:
    await desk.take([row(1)])
    await desk.edit(BOB, 1, "amount", "1.50")
    before = await desk.log()
    assert tally(await desk.take([row(1, amount="1.50")])) == {"unchanged": 1}
    assert await desk.log() == before
    assert tally(await desk.take([row(1, amount="1.60")])) == {"changed": 1}


async def test_a_field_that_vanished_from_the_file_is_left_alone(desk: Desk) -> None:
    await desk.take([row(1, reference="R1", cost_centre="42")])
    narrower = ImportRow(2, "A-1", {"date": "2026-11-01", "amount": "1.00", "currency": "GBP"})
    assert tally(await desk.take([narrower])) == {"unchanged": 1}
    values = (await desk.record(1)).values()
    assert (values["description"], values["reference"], values["cost_centre"]) == ("payment 1", "R1", "42")


async def test_a_field_that_the_file_has_newly_is_added_where_it_says_something(desk: Desk) -> None:
    await desk.take(rows(1, 2))
    assert tally(await desk.take([row(1, vendor="Ferrari"), row(2, vendor="")])) == {"changed": 1, "unchanged": 1}
    assert (await desk.record(1)).value("vendor") == "Ferrari"


async def test_currency_and_amount_change_in_one_breath(desk: Desk) -> None:
    await desk.take([row(1, amount="10.50"), row(2)])
    file = [row(1, amount="1050", currency="JPY", description="yen"), row(2, amount="5", currency="JPY")]
    assert tally(await desk.take(file)) == {"changed": 2}
    values = (await desk.record(1)).values()
    assert (values["amount"], values["currency"], values["description"]) == ("1050", "JPY", "yen")
    assert tally(await desk.take(file)) == {"unchanged": 2}


async def test_currency_and_amount_of_which_a_person_changed_one_are_refused_together(desk: Desk) -> None:
    await desk.take([row(1)])
    await desk.edit(BOB, 1, "amount", "1.11")
    summary = await desk.take([row(1, amount="1.50", currency="EUR", description="still taken")])
    assert tally(summary) == {"refused": 1}
    assert [(error.line, error.field) for error in summary.errors] == [(2, "currency")]
    values = (await desk.record(1)).values()
    assert (values["amount"], values["currency"], values["description"]) == ("1.11", "GBP", "still taken")


async def test_the_sessions_rule_that_the_first_writer_wins_keeps_a_persons_value(desk: Desk) -> None:
    session = "first-come"
    await desk.create(session, field_policies={"description": "first_writer_wins"})
    importer = desk.importer()
    await importer.run(session, ALICE, "ledger", [row(1)])
    await desk.edit(BOB, 1, "description", "Bob's", session=session)
    summary = await importer.run(session, ALICE, "ledger", [row(1, description="the file's")])
    assert tally(summary) == {"kept": 1}
    again = await importer.run(session, ALICE, "ledger", [row(1, description="the file's")])
    assert tally(again) == {"unchanged": 1}


async def test_a_record_that_somebody_holds_locked_is_refused_and_taken_the_next_time(desk: Desk) -> None:
    await desk.take(rows(1, 2))
    lock = AcquireLock(actor=BOB, command_id="bob/lock", record_id="ledger:A-1", duration=60_000)
    await desk.engine.submit(SESSION, lock)
    file = [row(1, amount="1.50"), row(2, amount="2.50")]
    summary = await desk.take(file)
    assert tally(summary) == {"changed": 1, "refused": 1}
    assert [(error.line, error.field) for error in summary.errors] == [(2, "amount")]
    assert tally(await desk.take(file, BOB)) == {"changed": 1, "unchanged": 1}


async def test_another_amount_for_a_record_that_is_matched_or_set_aside_is_refused_and_the_rest_is_taken(
    desk: Desk,
) -> None:
    await desk.take(rows(1, 4))
    await desk.importer().run(SESSION, ALICE, "statement", rows(1, 4))
    match = MakeMatch(actor=BOB, command_id="bob/match", ledger=("ledger:A-1",), statement=("statement:A-1",))
    await desk.engine.submit(SESSION, match)
    aside = SetRecordStatus(
        actor=BOB, command_id="bob/aside", record_ids=("ledger:A-2",), status="exception", reason="asked the bank"
    )
    await desk.engine.submit(SESSION, aside)
    file = [
        row(1, amount="1.50", description="still taken"),
        row(2, amount="2.50", currency="EUR"),
        row(3, amount="3.50"),
        *rows(4, 6),
    ]
    summary = await desk.take(file)
    assert tally(summary) == {"new": 2, "changed": 1, "unchanged": 1, "refused": 2}
    assert sorted((error.line, error.field) for error in summary.errors) == [(2, "amount"), (3, "amount")]
    values = (await desk.record(1)).values()
    assert (values["amount"], values["description"]) == ("1.00", "still taken")
    await desk.engine.submit(
        SESSION, RemoveMatches(actor=BOB, command_id="bob/unmatch", match_ids=(await match_of(desk, 1),))
    )
    assert tally(await desk.take(file)) == {"changed": 1, "unchanged": 4, "refused": 1}


async def match_of(desk: Desk, number: int) -> str:
    match = (await desk.record(number)).match
    assert match is not None
    return match.match_id


async def test_refused_rows_keep_their_lines_and_do_not_stop_the_others(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "ledger.csv"
    path.write_text(
        "id,date,amount,currency\n"
        "A-1,2026-11-01,1.00,GBP\n"
        "A-2,2026-13-45,2.00,GBP\n"
        "A-3,2026-11-01,12.345,GBP\n"
        f"{'x' * 191},2026-11-01,4.00,GBP\n"
        "A-1,2026-11-01,5.00,GBP\n"
    )
    seen: list[RowError] = []
    summary = await desk.take(open_csv(path), listeners=Listeners(on_error=seen.append))
    assert tally(summary) == {"new": 1, "refused": 4}
    assert [(error.line, error.field) for error in summary.errors] == [
        (3, "date"), (4, "amount"), (5, "external_id"), (6, "external_id"),
    ]  # fmt: skip
    assert seen == summary.errors


async def test_of_many_errors_the_first_thousand_are_kept_and_all_are_told(desk: Desk) -> None:
    wrong = [RowError(line, "date", "no such day") for line in range(2, 2_502)]
    told: list[RowError] = []
    summary = await desk.take([*wrong, row(1)], listeners=Listeners(on_error=told.append))
    assert tally(summary) == {"new": 1, "refused": 2_500}
    assert (summary.errors, told) == (wrong[:1_000], wrong)


async def test_an_id_that_comes_twice_from_any_source_of_rows_is_refused(desk: Desk) -> None:
    summary = await desk.take([row(1), row(1, line=9, amount="5.00")])
    assert tally(summary) == {"new": 1, "refused": 1}
    assert (summary.errors[0].line, summary.errors[0].field) == (9, "external_id")


async def test_all_or_nothing_writes_nothing_where_a_row_is_refused(desk: Desk) -> None:
    before = await desk.log()
    summary = await desk.take([row(1), RowError(3, "date", "no such day")], all_or_nothing=True)
    assert (summary.written, summary.refused, summary.new) == (False, 1, 0)
    assert await desk.store.records.count(SESSION) == 0
    assert await desk.log() == before


async def test_all_or_nothing_writes_all_where_no_row_is_refused(desk: Desk) -> None:
    summary = await desk.take(rows(1, 5), all_or_nothing=True)
    assert summary.written
    assert tally(summary) == {"new": 5}


async def test_all_or_nothing_needs_rows_that_can_be_read_twice(desk: Desk) -> None:
    with pytest.raises(ValueError, match="only once"):
        await desk.take(iter(rows(1, 5)), all_or_nothing=True)


@pytest.mark.parametrize("actor", [REVIEWER, Actor("olga", "Olga", Role.AUDITOR)])
async def test_who_may_not_import_leaves_no_record_behind(desk: Desk, actor: Actor) -> None:
    with pytest.raises(CollaborationError) as caught:
        await desk.take(rows(1, 5), actor)
    assert caught.value.code is ErrorCode.FORBIDDEN
    assert await desk.store.records.count(SESSION) == 0


async def test_a_session_that_ended_or_never_was_takes_no_record(desk: Desk) -> None:
    await desk.engine.submit(SESSION, EndSession(actor=ADMIN, command_id="ada/end"))
    with pytest.raises(CollaborationError) as ended:
        await desk.take(rows(1, 5))
    with pytest.raises(CollaborationError) as unknown:
        await desk.importer().run("nowhere", ALICE, "ledger", rows(1, 5))
    assert (ended.value.code, unknown.value.code) == (ErrorCode.SESSION_ENDED, ErrorCode.NOT_FOUND)
    assert await desk.store.records.count(SESSION) == 0


async def test_two_people_importing_the_same_file_at_once_add_each_record_and_each_chunk_once(desk: Desk) -> None:
    other = desk.new_engine()
    try:
        await asyncio.gather(
            desk.importer(chunk_rows=50).run(SESSION, ALICE, "ledger", rows(1, 300)),
            desk.importer(chunk_rows=50, engine=other).run(SESSION, BOB, "ledger", rows(1, 300)),
        )
    finally:
        await other.close()
    assert await desk.store.records.count(SESSION) == 300
    assert [commit.data["counts"] for commit in await desk.log("record.imported")] == [{"new": 50}] * 6


async def test_progress_is_told_after_each_chunk(desk: Desk) -> None:
    told: list[int] = []

    def note(summary: ImportSummary) -> None:
        told.append(summary.rows)

    await desk.importer(chunk_rows=10).run(SESSION, ALICE, "ledger", rows(1, 25), listeners=Listeners(on_progress=note))
    assert told == [10, 20, 25]


async def test_what_fails_while_reading_reaches_the_caller(desk: Desk) -> None:
    def failing() -> Iterator[ImportRow]:
        yield row(1)
        raise CollaborationError(ErrorCode.INVALID, "the file changed while it was read")

    with pytest.raises(CollaborationError, match="changed while"):
        await desk.take(failing())


async def test_many_changes_are_sent_a_few_at_a_time(desk: Desk) -> None:
    await desk.take(rows(1, 500))
    waiting, most = 0, 0
    submit = desk.engine.submit

    class Counting:
        inspect = desk.engine.inspect

        def submit(self, session_id: str, command: Any) -> Any:
            nonlocal waiting, most
            waiting += 1
            most = max(most, waiting)
            future = submit(session_id, command)
            future.add_done_callback(lambda _: leave())
            return future

    def leave() -> None:
        nonlocal waiting
        waiting -= 1

    changed = [row(number, amount=f"{number}.50") for number in range(1, 501)]
    summary = await desk.importer(engine=Counting()).run(SESSION, ALICE, "ledger", changed)
    assert tally(summary) == {"changed": 500}
    assert 1 < most <= 64


async def test_generated_files_are_taken_whole(desk: Desk, tmp_path: Path) -> None:
    written = write_files(tmp_path, generate_groups(7, 2_000))
    importer = desk.importer()
    ledger = await importer.run(SESSION, ALICE, "ledger", open_csv(written.ledger, ReadOptions(money_in="debit")))
    statement = await importer.run(SESSION, ALICE, "statement", open_csv(written.statement))
    assert (tally(ledger), tally(statement)) == ({"new": written.ledger_rows}, {"new": written.statement_rows})
    assert await desk.store.records.count(SESSION) == written.ledger_rows + written.statement_rows


async def test_the_payments_files_are_taken_whole_and_twice_without_a_change(desk: Desk, payments: Path) -> None:
    importer = desk.importer()
    for expected in ({"ledger": "new", "statement": "new"}, {"ledger": "unchanged", "statement": "unchanged"}):
        ledger = await importer.run(SESSION, ALICE, "ledger", open_csv(payments / "ledger.csv"))
        statement = await importer.run(SESSION, ALICE, "statement", open_csv(payments / "statement.csv"))
        assert tally(ledger) == {expected["ledger"]: 4_794}
        assert tally(statement) == {expected["statement"]: 4_802}
    counted = [commit.data["counts"]["new"] for commit in await desk.log("record.imported")]
    assert sum(counted) == 9_596
    assert await desk.log("edit.applied") == []
