"""Undo and redo: one's own last edits, each a new commit, refused when the field has moved on."""

from __future__ import annotations

import pytest

from realtime_server.core import commands as c
from realtime_server.core import limits
from realtime_server.core.roles import Role
from realtime_server.errors import ErrorCode
from tests.core.session_log import ALICE, BOB, RITA, Log, acknowledged, committed, record, refused


def test_an_undo_brings_back_what_was_there_as_a_new_version() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "amount", "11.00"))
    commit = committed(log.undo(ALICE), "edit.applied")
    assert commit.data == {
        "record_id": "r1",
        "field_name": "amount",
        "old_value": "11.00",
        "new_value": "10.50",
        "base_version": 2,
        "restored_version": 0,
        "version": 3,
        "undo_of": 2,
        "edit_id": "e2",
    }
    assert acknowledged(commit) == {"status": "applied", "seq": 3, "version": 3, "value": "10.50"}


def test_edits_of_one_field_are_undone_one_after_the_other_and_done_again() -> None:
    log = Log()
    values = ["10.50", *(f"{number}.00" for number in range(1, 11))]
    for value in values[1:]:
        committed(log.edit(ALICE, "r1", "amount", value))
    for value in values[-2::-1]:
        committed(log.undo(ALICE))
        assert log.value("r1", "amount") == value
    refused(log.undo(ALICE), ErrorCode.NOTHING_TO_UNDO)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5])
def test_as_many_redos_as_undos_end_where_they_began(steps: int) -> None:
    log = Log()
    for number in range(1, 6):
        committed(log.edit(ALICE, "r1", "amount", f"{number}.00"))
        committed(log.edit(ALICE, "r2", "amount", f"{number}.00"))
    for _ in range(2):
        before = [log.value("r1", "amount"), log.value("r2", "amount")]
        for _ in range(steps):
            committed(log.undo(ALICE))
        assert [log.value("r1", "amount"), log.value("r2", "amount")] != before
        for _ in range(steps):
            committed(log.redo(ALICE))
        assert [log.value("r1", "amount"), log.value("r2", "amount")] == before
    refused(log.redo(ALICE), ErrorCode.NOTHING_TO_UNDO)


def test_an_undo_reaches_as_far_back_as_the_field_remembers_and_no_further() -> None:
    log = Log()
    edits = limits.MAX_FIELD_HISTORY
    for number in range(edits):
        committed(log.edit(ALICE, "r1", "notes", str(number)))
    for _ in range(edits // 2):
        committed(log.undo(ALICE))
    refused(log.undo(ALICE), ErrorCode.NOTHING_TO_UNDO)
    assert log.value("r1", "notes") == str(edits // 2 - 1)


def test_a_new_edit_leaves_nothing_to_redo() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "amount", "11.00"))
    committed(log.undo(ALICE))
    committed(log.edit(ALICE, "r2", "amount", "11.00"))
    refused(log.redo(ALICE), ErrorCode.NOTHING_TO_UNDO)


def test_a_field_that_somebody_else_has_changed_since_is_left_alone() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "amount", "11.00"))
    committed(log.edit(BOB, "r1", "amount", "12.00"))
    assert refused(log.undo(ALICE), ErrorCode.NOTHING_TO_UNDO).details["version"] == 3
    assert log.value("r1", "amount") == "12.00"


def test_only_ones_own_edits_are_undone() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "amount", "11.00"))
    refused(log.undo(BOB), ErrorCode.NOTHING_TO_UNDO)


def test_an_edit_is_undone_by_name_past_later_ones_of_other_fields() -> None:
    log = Log()
    first = committed(log.edit(ALICE, "r1", "amount", "11.00")).seq
    committed(log.edit(ALICE, "r2", "amount", "11.00"))
    assert committed(log.undo(ALICE, first)).data["undo_of"] == first
    refused(log.undo(ALICE, first), ErrorCode.NOTHING_TO_UNDO)
    assert (log.value("r1", "amount"), log.value("r2", "amount")) == ("10.50", "11.00")


def test_an_earlier_edit_of_a_field_is_not_undone_under_a_later_one() -> None:
    log = Log()
    first = committed(log.edit(ALICE, "r1", "amount", "11.00")).seq
    committed(log.edit(ALICE, "r1", "amount", "12.00"))
    refused(log.undo(ALICE, first), ErrorCode.NOTHING_TO_UNDO)


def test_a_batch_is_undone_as_one() -> None:
    log = Log()
    committed(log.batch(ALICE, log.part("r1", "amount", "1.00"), log.part("r2", "notes", "x")))
    commit = committed(log.undo(ALICE), "edit.batch_applied")
    assert acknowledged(commit) == {"status": "applied", "seq": 3, "versions": [3, 3]}
    assert (log.value("r1", "amount"), log.value("r2", "notes")) == ("10.50", None)
    committed(log.redo(ALICE))
    assert (log.value("r1", "amount"), log.value("r2", "notes")) == ("1.00", "x")


def test_a_batch_of_which_one_field_has_moved_on_is_not_undone_at_all() -> None:
    log = Log()
    committed(log.batch(ALICE, log.part("r1", "amount", "1.00"), log.part("r2", "notes", "x")))
    committed(log.edit(BOB, "r2", "notes", "y"))
    before = log.state
    refused(log.undo(ALICE), ErrorCode.NOTHING_TO_UNDO)
    assert log.state is before


def test_undoing_a_merge_leaves_what_the_other_had_written() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "description", "Card refund to the baker", base=0))
    committed(log.edit(BOB, "r1", "description", "Card payment to the butcher", base=0), "edit.merged")
    refused(log.undo(ALICE), ErrorCode.NOTHING_TO_UNDO)
    committed(log.undo(BOB))
    assert log.value("r1", "description") == "Card refund to the baker"


def test_an_edit_is_not_undone_during_a_conflict_nor_after_its_resolution() -> None:
    log = Log()
    conflict_id = log.clash()
    refused(log.undo(ALICE), ErrorCode.NOTHING_TO_UNDO)
    committed(log.resolve(RITA, conflict_id, "keep_current"))
    refused(log.undo(ALICE), ErrorCode.NOTHING_TO_UNDO)
    refused(log.undo(BOB), ErrorCode.NOTHING_TO_UNDO)


def test_an_edit_of_a_record_that_somebody_else_holds_is_not_undone() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "amount", "11.00"))
    committed(log.lock(BOB, "r1"))
    refused(log.undo(ALICE), ErrorCode.LOCKED)


def test_an_amount_from_before_a_change_of_currency_does_not_come_back_after_it() -> None:
    log = Log(record("r1", currency="KWD", amount="1.25", fee=None))
    committed(log.edit(ALICE, "r1", "fee", "0.125"))
    committed(log.edit(ALICE, "r1", "fee", None))
    committed(log.edit(BOB, "r1", "currency", "GBP"))
    refused(log.undo(ALICE), ErrorCode.INVALID)


def test_a_currency_from_before_a_change_of_amount_does_not_come_back_after_it() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "currency", "KWD"))
    committed(log.edit(BOB, "r1", "amount", "1.125"))
    refused(log.undo(ALICE), ErrorCode.INVALID)


def test_a_currency_and_its_amounts_come_back_together() -> None:
    log = Log()
    parts = [("currency", "JPY"), ("amount", "1050"), ("fee", None)]
    committed(log.batch(ALICE, *(log.part("r1", name, value) for name, value in parts)))
    committed(log.undo(ALICE))
    assert [log.value("r1", name) for name in ("currency", "amount", "fee")] == ["GBP", "10.50", "0.25"]


def test_who_may_not_edit_any_more_may_not_undo_either() -> None:
    log = Log()
    committed(log.edit(ALICE, "r1", "amount", "11.00"))
    refused(log.undo(c.Actor("alice", "Alice", Role.REVIEWER)), ErrorCode.FORBIDDEN)


def test_the_stacks_point_at_a_bounded_number_of_fields() -> None:
    log = Log()
    for turn in range(5):
        parts = [log.part("r1", f"f{i}", turn) for i in range(80)]
        committed(log.batch(ALICE, *parts))
    history = log.state.histories["alice"]
    assert sum(len(entry.fields) for entry in history.undo) <= limits.MAX_UNDO_FIELDS
    assert [entry.seq for entry in history.undo] == [5, 6]


def test_the_stacks_of_a_bounded_number_of_people_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_UNDO_USERS", 20)
    log = Log()
    for number in range(21):
        committed(log.edit(c.Actor(f"user-{number}", "X", Role.PREPARER), "r1", f"f{number}", "x"))
    assert set(log.state.histories) == {f"user-{number}" for number in range(3, 21)}
