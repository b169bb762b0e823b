"""Matches: what may be joined, by whom, and that nothing is ever joined twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_server.core import commands as c
from realtime_server.core import reconciliation_commands as r
from realtime_server.core.commits import Commit
from realtime_server.core.decide import answer, decide, needed_records
from realtime_server.core.evolve import evolve, replay
from realtime_server.core.money import parse_minor_units
from realtime_server.core.outcomes import NoChange
from realtime_server.core.reconciling import MatchStatus
from realtime_server.core.snapshot import (
    record_document,
    record_from_document,
    state_document,
    state_from_document,
)
from realtime_server.errors import ErrorCode, Rejection
from tests.core.reconciled import Books, entry
from tests.core.session_log import ALICE, BOB, RITA, START, Log, committed


def results_of(outcome: Any) -> list[Any]:
    """True for what was done, the code of what was refused, item by item."""
    told = answer(outcome) if isinstance(outcome, Commit) else outcome.answer
    return [True if item["ok"] else item["error"]["code"] for item in told["results"]]


def refused(outcome: Any) -> ErrorCode:
    assert isinstance(outcome, Rejection), outcome
    return outcome.code


def status(log: Log, record_id: str) -> Any:
    return log.state.records[record_id].value("status")


def test_a_found_match_is_suggested_and_its_records_say_so() -> None:
    books = Books()
    assert results_of(books.found((("l1",), ("s1",)))) == [True]
    match = books.state.records["s1"].match
    assert match is not None
    assert (match.status, match.ledger, match.rule_id) == (MatchStatus.SUGGESTED, ("l1",), "exact")
    assert match == books.state.records["l1"].match
    assert (status(books, "l1"), status(books, "l2")) == ("suggested", "unmatched")


def test_a_rule_may_confirm_at_once() -> None:
    books = Books()
    books.found((("l1",), ("s1",)), confirmed=True)
    assert status(books, "s1") == "matched"
    assert dict(books.state.reconciliation.tally.matches) == {"confirmed": 1}


def test_a_record_is_found_once_even_within_one_chunk() -> None:
    books = Books()
    outcome = books.found((("l1",), ("s1",)), (("l2",), ("s1",)), (("l3",), ("s3",)))
    assert results_of(outcome) == [True, "already_matched", True]


def test_a_record_that_somebody_holds_is_left_to_them() -> None:
    books = Books()
    books.lock(BOB, "s1")
    assert results_of(books.found((("l1",), ("s1",)), (("l2",), ("s2",)))) == ["locked", True]
    assert results_of(books.found((("l1",), ("s1",)))) == ["locked"]


def test_a_record_in_an_open_conflict_is_left_alone_too() -> None:
    books = Books()
    seen = books.state.seq
    books.edit(ALICE, "l1", "date", "2026-11-21", base=seen)
    books.edit(BOB, "l1", "date", "2026-11-20", base=seen)
    assert len(books.state.conflicts) == 1
    assert results_of(books.found((("l1",), ("s1",)))) == ["locked"]


def test_a_chunk_of_a_run_that_is_over_changes_nothing() -> None:
    books = Books()
    books.ask(r.CancelRun, ALICE)
    assert refused(books.found((("l1",), ("s1",)))) is ErrorCode.INVALID
    assert status(books, "l1") == "unmatched"


def test_a_chunk_while_the_run_is_paused_changes_nothing() -> None:
    books = Books()
    books.ask(r.PauseRun, ALICE)
    assert refused(books.found((("l1",), ("s1",)))) is ErrorCode.INVALID


def test_a_suggestion_is_confirmed_by_a_person() -> None:
    books = Books()
    books.found((("l1",), ("s1",)))
    assert results_of(books.ask(r.ConfirmMatches, BOB, match_ids=(books.match_of("s1"),))) == [True]
    match = books.state.records["l1"].match
    assert match is not None
    assert (match.status, match.user_id, status(books, "l1")) == (MatchStatus.CONFIRMED, "bob", "matched")


def test_bulk_confirmation_answers_for_each_item() -> None:
    books = Books()
    books.found((("l1",), ("s1",)), (("l2",), ("s2",)), (("l3",), ("s3",)))
    ids = tuple(books.match_of(item) for item in ("l1", "l2", "l3"))
    books.lock(BOB, "l2")
    outcome = books.ask(r.ConfirmMatches, ALICE, match_ids=(*ids, "match-9-9@l1", "nonsense"))
    assert results_of(outcome) == [True, "locked", True, "not_found", "not_found"]
    assert results_of(books.ask(r.ConfirmMatches, ALICE, match_ids=ids)) == [
        "already_matched",
        "locked",
        "already_matched",
    ]


def test_a_bulk_action_of_which_nothing_can_be_done_stores_nothing() -> None:
    books = Books()
    outcome = books.ask(r.ConfirmMatches, ALICE, match_ids=("match-9-9@l1",))
    assert isinstance(outcome, NoChange)
    assert results_of(outcome) == ["not_found"]


def test_a_rejected_suggestion_does_not_come_back() -> None:
    books = Books()
    books.found((("l1",), ("s1",)))
    books.ask(r.RejectMatches, ALICE, match_ids=(books.match_of("l1"),), reason="another invoice")
    assert (status(books, "l1"), books.state.records["l1"].match) == ("unmatched", None)
    assert results_of(books.found((("l1",), ("s1",)), (("l1",), ("s2",)))) == ["already_resolved", True]


def test_by_hand_many_match_many_where_they_net_to_zero() -> None:
    books = Books(entry("l1", "10.00"), entry("l2", "5.00"), entry("s1", "7.00"), entry("s2", "8.00"))
    assert results_of(books.ask(r.MakeMatch, BOB, ledger=("l1", "l2"), statement=("s1", "s2"))) == [True]
    assert {status(books, item) for item in ("l1", "l2", "s1", "s2")} == {"matched"}


def test_by_hand_a_difference_needs_a_reason() -> None:
    books = Books(entry("l1", "10.00"), entry("s1", "9.90"))
    outcome = books.ask(r.MakeMatch, BOB, ledger=("l1",), statement=("s1",))
    assert refused(outcome) is ErrorCode.UNBALANCED
    assert isinstance(outcome, Rejection)
    assert outcome.details["difference"] == {"GBP": "0.10"}
    blank = books.ask(r.MakeMatch, BOB, ledger=("l1",), statement=("s1",), reason="  ")
    assert refused(blank) is ErrorCode.UNBALANCED
    assert results_of(books.ask(r.MakeMatch, BOB, ledger=("l1",), statement=("s1",), reason="bank fee")) == [True]


def test_two_of_one_side_that_net_to_nothing_match_each_other() -> None:
    books = Books(entry("l1", "10.00"), entry("l2", "-10.00"), entry("s1"))
    assert results_of(books.ask(r.MakeMatch, BOB, ledger=("l1", "l2"), statement=())) == [True]


def test_currencies_are_not_added_up() -> None:
    books = Books(entry("l1", "10.00"), entry("s1", "10.00", currency="EUR"))
    outcome = books.ask(r.MakeMatch, BOB, ledger=("l1",), statement=("s1",))
    assert refused(outcome) is ErrorCode.UNBALANCED


def test_a_statement_that_counts_the_other_way_balances_by_its_sign() -> None:
    books = Books(entry("l1", "10.00"), entry("s1", "-10.00"))
    books.system(r.ReportProgress, run_id="run-1", total=2, processed=0, statement_sign=-1)
    assert results_of(books.ask(r.MakeMatch, BOB, ledger=("l1",), statement=("s1",))) == [True]


def test_a_match_by_hand_dissolves_the_suggestions_of_its_records() -> None:
    books = Books()
    books.found((("l1",), ("s1",)), (("l2",), ("s2",)))
    books.ask(r.MakeMatch, BOB, ledger=("l1",), statement=("s2",))
    assert [status(books, item) for item in ("l1", "l2", "s1", "s2")] == [
        "matched",
        "unmatched",
        "unmatched",
        "matched",
    ]
    assert dict(books.state.reconciliation.tally.records) == {"matched": 2}


def test_what_is_matched_is_not_matched_again() -> None:
    books = Books()
    books.ask(r.MakeMatch, ALICE, ledger=("l1",), statement=("s1",))
    outcome = books.ask(r.MakeMatch, BOB, ledger=("l2",), statement=("s1",))
    assert refused(outcome) is ErrorCode.ALREADY_MATCHED


@pytest.mark.parametrize(
    ("ledger", "statement"),
    [(("l1",), ()), (("l1", "l1"), ("s1",)), (("s1",), ("l1",)), (("l1",), ("nobody",)), ((), ())],
)
def test_a_match_has_known_records_each_once_and_on_its_side(
    ledger: tuple[str, ...], statement: tuple[str, ...]
) -> None:
    outcome = Books().ask(r.MakeMatch, ALICE, ledger=ledger, statement=statement, reason="because")
    assert refused(outcome) in (ErrorCode.INVALID, ErrorCode.NOT_FOUND)


def test_unmatching_opens_the_records_again() -> None:
    books = Books()
    books.ask(r.MakeMatch, ALICE, ledger=("l1",), statement=("s1",))
    books.ask(r.RemoveMatches, BOB, match_ids=(books.match_of("l1"),))
    assert (status(books, "l1"), dict(books.state.reconciliation.tally.settled)) == ("unmatched", {})
    assert results_of(books.ask(r.MakeMatch, BOB, ledger=("l1",), statement=("s1",))) == [True]


def test_what_somebody_unmatched_a_run_suggests_and_never_confirms_again() -> None:
    books = Books()
    books.found((("l1",), ("s1",)), confirmed=True)
    books.ask(r.RemoveMatches, ALICE, match_ids=(books.match_of("l1"),))
    books.found((("l1",), ("s1",)), (("l2",), ("s2",)), confirmed=True)
    assert (status(books, "l1"), status(books, "l2")) == ("suggested", "matched")
    match = books.state.records["l1"].match
    assert match is not None
    assert match.reasons == ("a match of it was undone", "same amount")
    books.ask(r.ConfirmMatches, BOB, match_ids=(match.match_id,))
    assert status(books, "l1") == "matched"


def test_a_suggestion_is_not_unmatched_and_a_match_not_rejected() -> None:
    books = Books()
    books.found((("l1",), ("s1",)))
    books.ask(r.MakeMatch, ALICE, ledger=("l2",), statement=("s2",))
    assert results_of(books.ask(r.RemoveMatches, ALICE, match_ids=(books.match_of("l1"),))) == ["invalid"]
    assert results_of(books.ask(r.RejectMatches, ALICE, match_ids=(books.match_of("l2"),))) == ["already_matched"]


def test_a_match_is_split_in_balanced_parts() -> None:
    books = Books()
    books.ask(r.MakeMatch, ALICE, ledger=("l1", "l2"), statement=("s1", "s2"))
    whole = books.match_of("l1")
    books.ask(r.SplitMatch, ALICE, match_id=whole, parts=((("l1",), ("s1",)), (("l2",), ("s2",))))
    assert books.match_of("l1") == books.match_of("s1") != books.match_of("l2") == books.match_of("s2")
    assert dict(books.state.reconciliation.tally.matches) == {"confirmed": 2}


def test_what_no_part_of_a_split_names_is_open_again() -> None:
    books = Books()
    books.ask(r.MakeMatch, ALICE, ledger=("l1", "l2"), statement=("s1", "s2"))
    books.ask(r.SplitMatch, ALICE, match_id=books.match_of("l1"), parts=((("l1",), ("s1",)),))
    assert (status(books, "l1"), status(books, "l2")) == ("matched", "unmatched")


def test_a_split_that_does_not_balance_changes_nothing() -> None:
    books = Books(entry("l1", "10.00"), entry("l2", "5.00"), entry("s1", "8.00"), entry("s2", "7.00"))
    books.ask(r.MakeMatch, ALICE, ledger=("l1", "l2"), statement=("s1", "s2"))
    parts = ((("l1",), ("s1",)), (("l2",), ("s2",)))
    outcome = books.ask(r.SplitMatch, ALICE, match_id=books.match_of("l1"), parts=parts)
    assert refused(outcome) is ErrorCode.UNBALANCED
    assert books.match_of("l1") == books.match_of("s2")


def test_the_amount_of_a_matched_record_stands_still() -> None:
    books = Books()
    books.ask(r.MakeMatch, ALICE, ledger=("l1",), statement=("s1",))
    assert refused(books.edit(ALICE, "l1", "amount", "11.00")) is ErrorCode.UNBALANCED
    assert refused(books.edit(ALICE, "l1", "status", "unmatched")) is ErrorCode.INVALID
    assert isinstance(books.edit(ALICE, "l1", "notes", "seen"), Commit)
    assert books.state.records["l1"].match is not None


def test_an_undo_does_not_reach_under_a_match() -> None:
    books = Books(entry("l1", "9.00"), entry("s1", "10.00"))
    books.edit(ALICE, "l1", "amount", "10.00")
    books.ask(r.MakeMatch, ALICE, ledger=("l1",), statement=("s1",))
    assert refused(books.ask(c.Undo, ALICE)) is ErrorCode.UNBALANCED


def test_a_suggestion_whose_amount_changed_is_not_confirmed() -> None:
    books = Books()
    books.found((("l1",), ("s1",)))
    books.edit(ALICE, "l1", "amount", "11.00")
    assert results_of(books.ask(r.ConfirmMatches, BOB, match_ids=(books.match_of("l1"),))) == ["unbalanced"]


def test_an_exception_needs_a_reason_and_counts_as_explained() -> None:
    books = Books()
    assert (
        refused(books.ask(r.SetRecordStatus, ALICE, record_ids=("l1",), status="exception"))
        is ErrorCode.REASON_REQUIRED
    )
    outcome = books.ask(r.SetRecordStatus, ALICE, record_ids=("l1", "x"), status="exception", reason="bank's error")
    assert results_of(outcome) == [True, "not_found"]
    assert status(books, "l1") == "exception"
    assert dict(books.state.reconciliation.tally.settled) == {("ledger", "GBP"): 1000}
    assert results_of(books.found((("l1",), ("s1",)))) == ["already_matched"]
    books.ask(r.SetRecordStatus, ALICE, record_ids=("l1",), status="unmatched")
    assert results_of(books.found((("l1",), ("s1",)))) == [True]


def test_a_status_that_an_older_version_let_be_edited_is_put_right() -> None:
    books = Books(entry("l1", status="matched"), entry("l2", status="exception"))
    outcome = books.ask(r.SetRecordStatus, ALICE, record_ids=("l1", "l2"), status="unmatched")
    assert (results_of(outcome), status(books, "l1"), status(books, "l2")) == ([True, True], "unmatched", "unmatched")
    assert dict(books.state.reconciliation.tally.records) == {}
    books.ask(r.SetRecordStatus, ALICE, record_ids=("l2",), status="exception", reason="odd")
    assert books.state.records["l2"].disposition == "exception"
    assert isinstance(books.ask(r.SetRecordStatus, ALICE, record_ids=("l1",), status="unmatched"), NoChange)


def test_a_matched_record_is_not_set_aside() -> None:
    books = Books()
    books.ask(r.MakeMatch, ALICE, ledger=("l1",), statement=("s1",))
    outcome = books.ask(r.SetRecordStatus, ALICE, record_ids=("l1",), status="excluded", reason="why not")
    assert results_of(outcome) == ["already_matched"]


def test_whoever_holds_a_record_is_not_named_in_the_log_of_those_set_aside() -> None:
    books = Books()
    books.lock(BOB, "l1")  # what is stored without names, `Books` sees to
    outcome = books.ask(r.SetRecordStatus, ALICE, record_ids=("l1", "l2"), status="excluded", reason="a copy")
    assert results_of(outcome) == ["locked", True]
    error = committed(outcome).data["results"][0]["error"]
    assert (error["message"], error["details"]["holder"]) == ("bob is working on this record", {"user_id": "bob"})


def test_records_are_given_to_people_in_bulk() -> None:
    books = Books()
    assert results_of(books.ask(r.AssignRecords, RITA, record_ids=("l1", "l2", "x"), assignee="bob")) == [
        True,
        True,
        "not_found",
    ]
    assert books.state.records["l1"].value("assignee") == "bob"
    again = books.ask(r.AssignRecords, RITA, record_ids=("l1", "l2"), assignee="bob")
    assert isinstance(again, NoChange)


def test_the_records_of_a_match_are_found_from_its_id_alone() -> None:
    books = Books()
    books.ask(r.MakeMatch, ALICE, ledger=("l1", "l2"), statement=("s1", "s2"))
    match_id = books.match_of("s2")
    command = r.RemoveMatches(actor=ALICE, command_id="alice/x", match_ids=(match_id,))
    assert needed_records(books.state, command) == {"l1", "l2", "s1", "s2"}
    bare = Books().state.changed(records=type(books.state.records)())
    assert needed_records(bare, command) == {"l1"}


# -- for any course of events ------------------------------------------------------------------------------------------

LEDGER, STATEMENT = ("l1", "l2", "l3"), ("s1", "s2", "s3")
sides = st.tuples(
    st.lists(st.sampled_from(LEDGER), max_size=2, unique=True).map(tuple),
    st.lists(st.sampled_from(STATEMENT), max_size=2, unique=True).map(tuple),
)
records = st.lists(st.sampled_from(LEDGER + STATEMENT), min_size=1, max_size=3).map(tuple)
actions = st.one_of(
    st.tuples(st.just("found"), sides, st.booleans()),
    st.tuples(st.just("make"), sides, st.sampled_from([None, "because"])),
    st.tuples(st.sampled_from(["confirm", "reject", "remove"]), records),
    st.tuples(st.just("status"), records, st.sampled_from(["exception", "excluded", "unmatched"])),
    st.tuples(st.just("edit"), st.sampled_from(LEDGER + STATEMENT), st.sampled_from(["10.00", "20.00"])),
)


def perform(books: Books, action: tuple[Any, ...]) -> None:
    kind = action[0]
    if kind == "found":
        books.found(action[1], confirmed=action[2])
    elif kind == "make":
        books.ask(r.MakeMatch, ALICE, ledger=action[1][0], statement=action[1][1], reason=action[2])
    elif kind == "status":
        books.ask(r.SetRecordStatus, BOB, record_ids=action[1], status=action[2], reason="so it is")
    elif kind == "edit":
        books.edit(BOB, action[1], "amount", action[2])
    else:
        ids = tuple(dict.fromkeys(m.match_id for x in action[1] if (m := books.state.records[x].match) is not None))
        command = {"confirm": r.ConfirmMatches, "reject": r.RejectMatches, "remove": r.RemoveMatches}[kind]
        books.ask(command, ALICE, match_ids=ids or ("match-0-0@l1",))


@given(st.lists(actions, max_size=25))
@settings(max_examples=60, deadline=None)
def test_whatever_happens_nothing_is_matched_twice_and_the_counts_are_those_of_the_records(course: list[Any]) -> None:
    books = Books()
    for action in course:
        perform(books, action)
    standing = {item.match.match_id: item.match for item in books.state.records.values() if item.match is not None}
    members = [record_id for match in standing.values() for record_id in match.records]
    assert len(members) == len(set(members))
    for match in standing.values():
        assert all(books.state.records[record_id].match == match for record_id in match.records)
    counted: dict[str, int] = {}
    for item in books.state.records.values():
        confirmed = item.match is not None and item.match.status is MatchStatus.CONFIRMED
        name = ("matched" if confirmed else "suggested") if item.match is not None else item.disposition
        if name is not None:
            counted[name] = counted.get(name, 0) + 1
            assert item.value("status") == name
        else:
            assert item.value("status") == "unmatched"
    tally = books.state.reconciliation.tally
    assert dict(tally.records) == counted
    confirmed_ones = [match for match in standing.values() if match.status is MatchStatus.CONFIRMED]
    assert tally.by_hand == sum(match.rule_id is None for match in confirmed_ones)
    gross: dict[tuple[str, str], int] = {}
    for source, currency, minor in (item for match in confirmed_ones for item in match.sums):
        gross[source, currency] = gross.get((source, currency), 0) + abs(minor)
    for item in books.state.records.values():
        if item.disposition is not None:
            place = (item.source, item.currency)
            gross[place] = gross.get(place, 0) + abs(parse_minor_units(item.value("amount"), item.currency))
    assert dict(tally.gross) == gross


@given(st.lists(actions, max_size=20))
@settings(max_examples=30, deadline=None)
def test_a_replay_and_a_snapshot_come_to_the_same_state(course: list[Any]) -> None:
    books = Books()
    for action in course:
        perform(books, action)
    assert replay(books.first, books.commits) == books.state
    stored = [record_from_document(record_document(item)) for item in books.state.records.values()]
    assert {item.record_id: item for item in stored} == dict(books.state.records)
    restored = state_from_document(state_document(books.state))
    assert restored == books.state.changed(records=restored.records)


@given(st.lists(actions, min_size=1, max_size=15))
@settings(max_examples=30, deadline=None)
def test_a_replay_over_records_that_are_ahead_keeps_them_and_counts_the_same(course: list[Any]) -> None:
    books = Books()
    for action in course:
        perform(books, action)
    state = books.first.changed(records=books.state.records)
    for commit in books.commits:
        state = evolve(state, commit)
    assert state.records == books.state.records
    assert state.reconciliation == books.state.reconciliation


def test_of_two_who_want_the_same_record_at_once_the_second_is_told() -> None:
    books = Books()
    first, second = (
        r.MakeMatch(actor=actor, command_id=f"{actor.user_id}/m", ledger=(ledger,), statement=("s1",))
        for actor, ledger in ((ALICE, "l1"), (BOB, "l2"))
    )
    one = decide(books.state, first, START)
    other = decide(books.state, second, START)
    assert isinstance(one, Commit)
    assert isinstance(other, Commit)
    assert one.seq == other.seq  # one log: only one of the two can be appended
    assert refused(decide(evolve(books.state, one), second, START)) is ErrorCode.ALREADY_MATCHED
