"""A conflict is kept, grows, and is closed by one commit that sets the value."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from realtime_server.core import limits
from realtime_server.core.conflicts import forget_oldest
from realtime_server.errors import ErrorCode
from tests.core.session_log import ADA, ALICE, BOB, OLGA, RITA, Log, acknowledged, committed, record, refused


def test_a_clash_opens_a_conflict_and_the_field_keeps_its_value() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "amount", "11.00", base=0))
    commit = committed(log.edit(BOB, "r1", "amount", "12.00", base=0, edit_id="his", reason="receipt"))
    assert commit.message_type == "conflict.detected"
    assert {name: value for name, value in commit.data.items() if name != "suggestion"} == {
        "conflict_id": "conflict-3",
        "record_id": "r1",
        "field_name": "amount",
        "policy": "manual",
        "base": {"version": 0, "value": "10.50", "known": True},
        "current": {"version": 2, "value": "11.00", "user_id": "alice"},
        "candidates": [
            {"edit_id": "his", "user_id": "bob", "value": "12.00", "base_version": 0, "edit_reason": "receipt"}
        ],
    }
    assert acknowledged(commit) == {"status": "conflict", "seq": 3, "version": 2, "conflict_id": "conflict-3"}
    assert log.value("r1", "amount") == "11.00"


def test_of_a_hundred_writers_with_one_base_version_one_is_applied_and_the_others_are_candidates_of_one_conflict() -> (
    None
):
    log = Log()
    outcomes = [committed(log.edit(ALICE, "r1", "amount", f"{number}.00", base=0)) for number in range(100)]
    kinds = [commit.message_type for commit in outcomes]
    assert kinds == ["edit.applied", "conflict.detected", *["conflict.extended"] * 98]
    assert {acknowledged(commit)["conflict_id"] for commit in outcomes[1:]} == {"conflict-3"}
    conflict = log.field("r1", "amount").conflict
    assert conflict is not None
    assert len(conflict.candidates) == 99


def test_while_a_conflict_is_open_every_edit_of_the_field_is_a_candidate() -> None:
    log = Log()
    conflict_id = log.clash()
    for value in ("13.00", log.value("r1", "amount")):
        commit = committed(log.edit(ALICE, "r1", "amount", value), "conflict.extended")
        assert commit.data["conflict_id"] == conflict_id
    committed(log.edit(ALICE, "r1", "notes", "other fields go on"), "edit.applied")


def test_a_base_that_the_history_has_forgotten_is_said_to_be_unknown() -> None:
    log = Log()
    seen = log.state.seq
    for number in range(limits.MAX_FIELD_HISTORY + 1):
        committed(log.edit(ALICE, "r1", "description", f"text {number}"))
    commit = committed(log.edit(BOB, "r1", "description", "Card payment", base=seen), "conflict.detected")
    assert commit.data["base"] == {"version": seen, "value": None, "known": False}
    refused(log.resolve(RITA, commit.data["conflict_id"], "merge"), ErrorCode.INVALID)


def test_keeping_the_current_value_closes_the_conflict_and_makes_a_new_version() -> None:
    log = Log()
    conflict_id = log.clash()
    commit = committed(log.resolve(RITA, conflict_id, "keep_current", reason="agreed"), "conflict.resolved")
    assert acknowledged(commit) == {"seq": 4, "version": 4, "value": "11.00"}
    assert (log.field("r1", "amount").version, log.field("r1", "amount").conflict) == (4, None)
    assert commit.data["candidates"] == 1
    assert conflict_id not in log.state.conflicts


def test_a_candidate_is_taken_by_its_edit_id() -> None:
    log = Log()
    conflict_id = log.clash()
    committed(log.edit(ALICE, "r1", "amount", "13.00", edit_id="third"))
    assert acknowledged(log.resolve(OLGA, conflict_id, "take_candidate", edit_id="third"))["value"] == "13.00"
    assert log.value("r1", "amount") == "13.00"


def test_the_only_candidate_needs_no_name() -> None:
    log = Log()
    assert acknowledged(log.resolve(ADA, log.clash(), "take_candidate"))["value"] == "12.00"


@pytest.mark.parametrize("edit_id", [None, "nobody's"])
def test_one_of_several_candidates_must_be_named(edit_id: str | None) -> None:
    log = Log()
    conflict_id = log.clash()
    committed(log.edit(ALICE, "r1", "amount", "13.00"))
    refused(log.resolve(RITA, conflict_id, "take_candidate", edit_id=edit_id), ErrorCode.INVALID)


def test_two_people_cannot_give_their_candidates_the_same_name() -> None:
    log = Log()
    conflict_id = log.clash()
    committed(log.edit(ALICE, "r1", "amount", "13.00", edit_id="same"))
    assert (
        "edit_id"
        in refused(log.edit(BOB, "r1", "amount", "14.00", edit_id="same"), ErrorCode.INVALID).details["fields"]
    )
    assert acknowledged(log.resolve(RITA, conflict_id, "take_candidate", edit_id="same"))["value"] == "13.00"


def test_a_custom_value_is_checked_like_any_other() -> None:
    log = Log()
    conflict_id = log.clash()
    for value in ("ten", None, {"$gt": ""}, 1.5):
        refused(log.resolve(RITA, conflict_id, "custom", value=value), ErrorCode.INVALID)
    assert acknowledged(log.resolve(RITA, conflict_id, "custom", value=14))["value"] == "14.00"


def test_a_custom_currency_must_suit_the_amounts() -> None:
    log = Log()
    conflict_id = log.clash("currency", "USD", "EUR")
    refused(log.resolve(RITA, conflict_id, "custom", value="JPY"), ErrorCode.INVALID)
    assert acknowledged(log.resolve(RITA, conflict_id, "custom", value="CHF"))["value"] == "CHF"


def test_a_candidate_from_before_a_change_of_currency_cannot_become_the_amount_after_it() -> None:
    log = Log(record("r1", currency="KWD", amount="1.25", fee="0.25"))
    conflict_id = log.clash("fee", None, "1.125")
    committed(log.edit(ALICE, "r1", "currency", "GBP"))
    refused(log.resolve(RITA, conflict_id, "take_candidate"), ErrorCode.INVALID)
    committed(log.resolve(RITA, conflict_id, "keep_current"))


@pytest.mark.parametrize("strategy", ["", "newest", "KEEP_CURRENT"])
def test_a_strategy_that_does_not_exist_is_invalid(strategy: str) -> None:
    log = Log()
    assert "strategy" in refused(log.resolve(RITA, log.clash(), strategy), ErrorCode.INVALID).details["fields"]


@pytest.mark.parametrize(
    ("name", "base", "first", "second", "merged"),
    [
        ("description", "a b c", "a b x", "y b z", None),
        ("reference", "a b c", "a b x", "y b c", "y b x"),
        ("reference", None, "one", "two", None),
        ("reference", 5, "one", 6, None),
        ("reference", 5, "one", ["two"], None),
        ("labels_of_ours", None, None, ["two"], ["two"]),
        ("labels_of_ours", ["a"], ["a", "b"], ["c"], ["b", "c"]),
        ("amount", "10.50", "11.00", "12.00", None),
    ],
)
def test_a_resolution_merges_only_what_keeps_both_changes(
    name: str, base: Any, first: Any, second: Any, merged: Any
) -> None:
    log = Log(record("r1", **{name: base}))
    if first is None:
        committed(log.edit(ALICE, "r1", name, ["something"]))
    committed(log.edit(ALICE, "r1", name, first))
    conflict_id = committed(log.edit(BOB, "r1", name, second, base=0), "conflict.detected").data["conflict_id"]
    outcome = log.resolve(RITA, conflict_id, "merge")
    if merged is None:
        refused(outcome, ErrorCode.INVALID)
        assert log.value("r1", name) == first
    else:
        assert acknowledged(outcome)["value"] == merged


def test_a_cleared_list_and_a_candidate_list_are_merged_as_lists() -> None:
    log = Log()
    log = Log(record("r1", tags=None), policies={"tags": "manual"})
    conflict_id = log.clash("tags", ["a"], ["b"])
    assert acknowledged(log.resolve(RITA, conflict_id, "merge"))["value"] == ["a", "b"]


def test_a_conflict_is_resolved_once_and_the_second_is_told_by_which_commit() -> None:
    log = Log()
    conflict_id = log.clash()
    seq = committed(log.resolve(RITA, conflict_id, "keep_current")).seq
    assert refused(log.resolve(OLGA, conflict_id, "keep_current"), ErrorCode.ALREADY_RESOLVED).details == {"seq": seq}


def test_a_conflict_that_never_was_is_not_found() -> None:
    refused(Log().resolve(RITA, "conflict-7", "keep_current"), ErrorCode.NOT_FOUND)


def test_a_conflict_on_a_record_that_somebody_else_holds_waits() -> None:
    log = Log()
    conflict_id = log.clash()
    committed(log.lock(ALICE, "r1"))
    refused(log.resolve(RITA, conflict_id, "keep_current"), ErrorCode.LOCKED)


def test_after_a_resolution_a_field_can_clash_again_in_another_conflict() -> None:
    log = Log()
    first = log.clash()
    committed(log.resolve(RITA, first, "keep_current"))
    second = committed(log.edit(BOB, "r1", "amount", "15.00", base=0), "conflict.detected").data["conflict_id"]
    assert second != first


def test_a_conflict_has_a_bounded_number_of_candidates() -> None:
    log = Log()
    log.clash()
    for _ in range(limits.MAX_CANDIDATES - 1):
        committed(log.edit(ALICE, "r1", "amount", "13.00"))
    refused(log.edit(ALICE, "r1", "amount", "13.00"), ErrorCode.OVERLOADED)


def test_the_candidates_of_one_record_have_a_bounded_size() -> None:
    log = Log()
    log.clash("notes", "one", "two")
    large = [log.edit(ALICE, "r1", "notes", "x" * limits.MAX_TEXT) for _ in range(limits.MAX_RECORD_SIZE // 4_000)]
    refused(large[-1], ErrorCode.INVALID)
    small = [log.edit(ALICE, "r1", "notes", "x" * limits.SMALL_VALUE) for _ in range(10)]
    refused(small[-1], ErrorCode.OVERLOADED)
    committed(log.edit(ALICE, "r1", "amount", "1.00", base=0), "edit.applied")
    rejection = refused(log.edit(BOB, "r1", "amount", "2.00", base=0, reason="x" * 900), ErrorCode.OVERLOADED)
    assert "full" in rejection.message


def test_a_session_has_a_bounded_number_of_open_conflicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_OPEN_CONFLICTS", 1)
    log = Log()
    log.clash()
    committed(log.edit(ALICE, "r2", "amount", "1.00", base=0))
    refused(log.edit(BOB, "r2", "amount", "2.00", base=0), ErrorCode.OVERLOADED)


def test_the_oldest_closed_conflicts_are_forgotten_first_a_tenth_at_once() -> None:
    items = Map({f"conflict-{number}": number for number in range(1, 102)})
    kept = forget_oldest(items, 100)
    assert sorted(kept.values()) == list(range(12, 102))
    assert forget_oldest(kept, 100) is kept
