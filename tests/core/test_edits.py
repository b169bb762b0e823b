"""An edit is applied, merged, unchanged, kept as a candidate, or refused with a code."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_server.core import limits
from realtime_server.core.commits import Commit
from realtime_server.errors import ErrorCode
from tests.core.session_log import (
    ALICE,
    BOB,
    RITA,
    Log,
    acknowledged,
    committed,
    create,
    record,
    refused,
    unchanged,
)


def test_an_edit_of_the_latest_version_is_applied_and_the_field_gets_the_version_of_the_commit() -> None:
    log = Log()
    commit = committed(log.edit(ALICE, "r1", "amount", "11.00", base=0, reason="typo"), "edit.applied")
    assert acknowledged(commit) == {"status": "applied", "seq": 2, "version": 2, "value": "11.00"}
    assert commit.data == {
        "edit_id": "e1",
        "record_id": "r1",
        "field_name": "amount",
        "old_value": "10.50",
        "new_value": "11.00",
        "base_version": 0,
        "version": 2,
        "edit_reason": "typo",
    }
    assert (log.field("r1", "amount").version, log.field("r1", "amount").user_id) == (2, "alice")


def test_who_has_seen_the_whole_log_has_seen_the_latest_version_of_every_field() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "amount", "11.00"))
    committed(log.edit(ALICE, "r2", "amount", "11.00"))
    committed(log.edit(BOB, "r1", "amount", "12.00", base=log.state.seq), "edit.applied")


def test_an_edit_to_the_value_that_is_there_changes_nothing_whatever_its_author_had_seen() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "amount", "11.00"))
    for seen in (0, log.state.seq):
        answer = acknowledged(unchanged(log.edit(BOB, "r1", "amount", "+11", base=seen)))
        assert answer == {"status": "unchanged", "seq": 2, "version": 2}


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("amount", "11.00", "12.00"),
        ("date", "2026-11-23", "2026-11-24"),
        ("category", "rent", "travel"),
        ("reference", "A", "B"),
    ],
)
def test_money_dates_choices_and_free_fields_are_never_merged(name: str, first: str, second: str) -> None:
    log = Log()
    conflict_id = log.clash(name, first, second)
    assert log.value("r1", name) == first
    assert conflict_id in log.state.conflicts


def test_an_edit_of_other_words_of_a_text_is_merged_and_the_commit_keeps_what_was_submitted() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "description", "Card refund to the baker", base=0))
    commit = committed(log.edit(BOB, "r1", "description", "Card payment to the butcher", base=0), "edit.merged")
    assert commit.data["new_value"] == "Card refund to the butcher"
    assert commit.data["submitted_value"] == "Card payment to the butcher"
    assert acknowledged(commit) == {"status": "merged", "seq": 3, "version": 3, "value": "Card refund to the butcher"}


def test_an_edit_of_the_same_words_of_a_text_becomes_a_conflict() -> None:
    log = Log()
    log.clash("description", "Card payment to the butcher", "Card payment to the brewer")


def test_tags_are_merged_as_sets() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "tags", ["new", "urgent"], base=0))
    commit = committed(log.edit(BOB, "r1", "tags", ["checked"], base=0), "edit.merged")
    assert commit.data["new_value"] == ["urgent", "checked"]


def test_tags_are_not_merged_beyond_the_length_of_a_list() -> None:
    log = Log()
    half = limits.MAX_LIST_ITEMS // 2 + 1
    committed(log.edit(ALICE, "r1", "tags", [f"a{i}" for i in range(half)], base=0))
    committed(log.edit(BOB, "r1", "tags", [f"b{i}" for i in range(half)], base=0), "conflict.detected")


def test_a_merge_that_finds_everything_done_already_changes_nothing() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "tags", ["new", "urgent", "big"], base=0))
    unchanged(log.edit(BOB, "r1", "tags", ["new", "big"], base=0))


def test_the_last_writer_wins_where_the_session_asks_for_it() -> None:
    log = Log(policies={"amount": "last_writer_wins"})
    committed(log.edit(ALICE, "r1", "amount", "11.00", base=0))
    committed(log.edit(BOB, "r1", "amount", "12.00", base=0), "edit.applied")
    assert log.value("r1", "amount") == "12.00"


def test_the_first_writer_wins_where_the_session_asks_for_it_and_the_second_is_told_what_is_there() -> None:
    log = Log(policies={"amount": "first_writer_wins"})
    committed(log.edit(ALICE, "r1", "amount", "11.00", base=0))
    rejection = refused(log.edit(BOB, "r1", "amount", "12.00", base=0), ErrorCode.VERSION_STALE)
    assert (rejection.details["version"], rejection.details["value"]) == (2, "11.00")


def test_a_free_field_is_merged_as_text_where_the_session_asks_for_it() -> None:
    log = Log(policies={"reference": "three_way"})
    committed(log.edit(ALICE, "r1", "reference", "INV-1 paid", base=0))
    unchanged(log.edit(BOB, "r1", "reference", "INV-1", base=0))
    committed(log.edit(BOB, "r1", "reference", "see INV-1", base=0), "edit.merged")
    assert log.value("r1", "reference") == "see INV-1 paid"


@pytest.mark.parametrize(
    "policies",
    [
        {"amount": "three_way"},
        {"date": "union"},
        {"status": "three_way"},
        {"tags": "three_way"},
        {"notes": "newest"},
        {"notes": ["three_way"]},
        {"$notes": "manual"},
        {f"f{i}": "manual" for i in range(limits.MAX_FIELDS + 1)},
    ],
)
def test_a_session_cannot_ask_for_a_policy_that_its_field_must_not_have(policies: dict[str, Any]) -> None:
    log = Log(created=False)
    refused(log.send(create(policies)), ErrorCode.INVALID)


def test_a_version_ahead_of_the_log_is_unknown() -> None:
    log = Log()
    assert refused(log.edit(ALICE, "r1", "notes", "x", base=2), ErrorCode.VERSION_UNKNOWN).details == {"seq": 1}


@pytest.mark.parametrize("version", [-1, True, 0.0, "0", None, [], {}, float("nan")], ids=repr)
def test_a_version_that_is_no_whole_number_from_zero_is_invalid(version: Any) -> None:
    log = Log()
    command = log.edit_command(ALICE, "r1", "notes", "x", base=0)
    object.__setattr__(command.edit, "base_version", version)
    assert "base_version" in refused(log.send(command), ErrorCode.INVALID).details["fields"]


def test_a_record_that_does_not_exist_is_not_found() -> None:
    refused(Log().edit(ALICE, "r9", "notes", "x"), ErrorCode.NOT_FOUND)


@pytest.mark.parametrize("name", ["record_id", "source", "external_id"])
def test_what_a_record_is_known_by_cannot_be_edited(name: str) -> None:
    refused(Log().edit(ALICE, "r1", name, "x"), ErrorCode.INVALID)


@pytest.mark.parametrize("value", ["matched", "exception", "unmatched", None])
def test_the_status_is_not_edited_by_itself(value: Any) -> None:
    log = Log()
    rejection = refused(log.edit(ALICE, "r1", "status", value), ErrorCode.INVALID)
    assert "record_status" in rejection.message
    assert "field_name" in rejection.details["fields"]
    refused(log.batch(ALICE, log.part("r1", "notes", "x"), log.part("r1", "status", value)), ErrorCode.INVALID)


@pytest.mark.parametrize("name", ["amount", "currency", "date"])
@pytest.mark.parametrize("value", [None, ""])
def test_what_reconciling_needs_cannot_be_emptied(name: str, value: Any) -> None:
    refused(Log().edit(ALICE, "r1", name, value), ErrorCode.INVALID)


def test_a_record_has_a_bounded_number_of_fields() -> None:
    log = Log(record("r1", **{f"f{i}": i for i in range(limits.MAX_FIELDS - 9)}))
    committed(log.edit(ALICE, "r1", "one_more", 1))
    refused(log.edit(ALICE, "r1", "too_many", 1), ErrorCode.INVALID)
    committed(log.edit(ALICE, "r1", "one_more", 2))


def test_a_record_has_a_bounded_size_and_small_values_still_fit() -> None:
    log = Log()
    large = ["x" * limits.MAX_LIST_ITEM_TEXT] * limits.MAX_LIST_ITEMS
    outcomes = [log.edit(ALICE, "r1", f"f{turn % 7}", [str(turn), *large[1:]]) for turn in range(60)]
    assert sum(isinstance(outcome, Commit) for outcome in outcomes) == 50
    refused(outcomes[-1], ErrorCode.INVALID)
    committed(log.edit(ALICE, "r1", "f0", "short"))
    committed(log.edit(ALICE, "r2", "f0", large))


def test_a_currency_keeps_every_amount_of_its_record_possible() -> None:
    log = Log(record("r1", amount="10.00", fee="0.25"))
    assert "amount" in refused(log.edit(ALICE, "r1", "currency", "JPY"), ErrorCode.INVALID).message
    committed(log.edit(ALICE, "r1", "currency", "KWD"))
    committed(log.edit(ALICE, "r1", "fee", "0.125"))
    assert "fee" in refused(log.edit(ALICE, "r1", "currency", "EUR"), ErrorCode.INVALID).message


@pytest.mark.parametrize("reason", ["x" * (limits.MAX_REASON + 1), "\x00", "\ud800", 5], ids=repr)
def test_a_reason_is_a_bounded_text(reason: Any) -> None:
    assert (
        "edit_reason"
        in refused(Log().edit(ALICE, "r1", "notes", "x", reason=reason), ErrorCode.INVALID).details["fields"]
    )


def test_an_id_that_cannot_be_written_as_json_is_invalid() -> None:
    refused(Log().edit(ALICE, "r1", "notes", "x", edit_id="\ud800"), ErrorCode.INVALID)


# ---- batches


def test_a_batch_is_one_commit_that_sets_all_its_fields() -> None:
    log = Log()
    outcome = log.batch(
        ALICE, log.part("r1", "amount", "1.00"), log.part("r1", "notes", "x"), log.part("r2", "reference", "INV-1")
    )
    commit = committed(outcome, "edit.batch_applied")
    assert acknowledged(commit) == {"status": "applied", "seq": 2, "versions": [2, 2, 0]}
    assert (log.value("r1", "amount"), log.value("r1", "notes"), log.value("r2", "reference")) == ("1.00", "x", "INV-1")
    assert len(commit.data["edits"]) == 2


def test_a_batch_that_changes_nothing_is_no_commit() -> None:
    log = Log()
    assert acknowledged(unchanged(log.batch(ALICE, log.part("r1", "amount", "10.5"))))["versions"] == [0]


def test_a_batch_is_all_or_nothing_and_says_which_edit_was_refused() -> None:
    log = Log()
    before = log.state
    rejection = refused(
        log.batch(ALICE, log.part("r1", "notes", "x"), log.part("r2", "amount", "ten")), ErrorCode.INVALID
    )
    assert rejection.details["index"] == 1
    assert log.state is before


def test_a_batch_that_would_open_or_extend_a_conflict_is_refused() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "amount", "11.00", base=0))
    rejection = refused(log.batch(BOB, log.part("r1", "amount", "12.00", base=0)), ErrorCode.VERSION_STALE)
    assert (rejection.details["index"], rejection.details["version"]) == (0, 2)
    committed(log.edit(BOB, "r1", "amount", "12.00", base=0), "conflict.detected")
    refused(log.batch(BOB, log.part("r1", "amount", "12.00")), ErrorCode.VERSION_STALE)


def test_a_batch_merges_what_can_be_merged_and_keeps_what_was_submitted() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "tags", ["new", "a"], base=0))
    commit = committed(log.batch(BOB, log.part("r1", "tags", ["new", "b"], base=0)))
    (entry,) = commit.data["edits"]
    assert (entry["new_value"], entry["submitted_value"]) == (["new", "a", "b"], ["new", "b"])


def test_a_batch_sets_each_field_at_most_once() -> None:
    log = Log()
    refused(log.batch(ALICE, log.part("r1", "notes", "x"), log.part("r1", "notes", "y")), ErrorCode.INVALID)


def test_a_batch_has_a_bounded_number_of_edits() -> None:
    log = Log()
    refused(log.batch(ALICE), ErrorCode.INVALID)
    parts = [log.part("r1", f"f{i}", i) for i in range(limits.MAX_BATCH + 1)]
    refused(log.batch(ALICE, *parts), ErrorCode.INVALID)


def test_a_batch_cannot_carry_a_record_over_its_number_of_fields() -> None:
    log = Log()
    parts = [log.part("r1", f"f{i}", i) for i in range(limits.MAX_FIELDS)]
    assert refused(log.batch(ALICE, *parts), ErrorCode.INVALID).details["index"] == limits.MAX_FIELDS - 8


def test_a_batch_with_a_name_that_is_no_text_is_invalid() -> None:
    log = Log()
    refused(log.batch(ALICE, log.part("r1", ["notes"], "x")), ErrorCode.INVALID)


@pytest.mark.parametrize("order", [1, -1])
def test_a_currency_changes_together_with_the_amounts_of_its_record(order: int) -> None:
    log = Log()
    parts = [log.part("r1", "currency", "JPY"), log.part("r1", "amount", "1050"), log.part("r1", "fee", None)]
    commit = committed(log.batch(ALICE, *parts[::order]))
    assert {item["field_name"]: item["new_value"] for item in commit.data["edits"]} == {
        "currency": "JPY",
        "amount": "1050",
        "fee": None,
    }


def test_a_currency_does_not_change_together_with_only_some_of_the_amounts() -> None:
    log = Log()
    parts = [log.part("r1", "amount", "1050"), log.part("r1", "currency", "JPY")]
    rejection = refused(log.batch(ALICE, *parts), ErrorCode.INVALID)
    assert rejection.details["index"] == 1
    assert "fee" in rejection.message


def test_the_currency_of_one_record_says_nothing_about_another_in_the_batch() -> None:
    log = Log()
    parts = [log.part("r1", "currency", "KWD"), log.part("r2", "amount", "1.125")]
    assert refused(log.batch(ALICE, *parts), ErrorCode.INVALID).details["index"] == 1


@pytest.mark.parametrize("currency", [None, "", "gbp", 7, ["GBP"], True], ids=repr)
def test_a_batch_with_a_currency_that_is_none_is_refused(currency: Any) -> None:
    log = Log()
    refused(log.batch(ALICE, log.part("r1", "amount", "1"), log.part("r1", "currency", currency)), ErrorCode.INVALID)


def test_a_reviewer_does_not_edit_what_she_will_sign() -> None:
    refused(Log().edit(RITA, "r1", "notes", "x"), ErrorCode.FORBIDDEN)
