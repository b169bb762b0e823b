"""What is suggested in a conflict, why, and how sure; and that it never stands in the way of an edit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_server.core import commands as c
from realtime_server.core import limits
from realtime_server.core.commits import envelope
from realtime_server.core.decide import needed_records
from realtime_server.core.evidence import CODES
from realtime_server.core.precedents import remember_decided
from realtime_server.core.reconciling import Match, MatchStatus
from realtime_server.core.snapshot import state_document, state_from_document
from realtime_server.core.state import RecordState
from realtime_server.core.suggestions import WEIGHTS, Suggestion, suggest
from schemas.broadcasts import ConflictDetected, ConflictExtended, ConflictResolved
from schemas.views import EVIDENCE
from tests.core.session_log import ADA, ALICE, BOB, RITA, Log, committed, record

PEOPLE = (ALICE, BOB, ADA)


def matched(*records: RecordState, status: MatchStatus = MatchStatus.SUGGESTED) -> tuple[RecordState, ...]:
    sides = [tuple(item.record_id for item in records if item.source == side) for side in ("ledger", "statement")]
    match = Match("m@r1", status, sides[0], sides[1], (), None, None, (), "system", 0)
    return tuple(replace(item, match=match) for item in records)


def statement(record_id: str, **base: Any) -> RecordState:
    return replace(record(record_id, **base), source="statement")


def joined(*records: RecordState) -> Log:
    log = Log(*records)
    for person in (*PEOPLE, RITA):
        log.ask(c.Join, person)
    return log


def said(log: Log, conflict_id: str) -> Suggestion:
    conflict = log.state.open_conflict(conflict_id)
    assert conflict is not None
    found = suggest(log.state, conflict)
    assert found is not None
    return found


def codes(suggestion: Suggestion) -> list[str]:
    return [clue.code for clue in suggestion.evidence]


def test_what_the_other_side_says_decides_an_amount_and_is_quoted() -> None:
    log = joined(*matched(record("r1", amount="10.50"), statement("s1", amount="12.00")))
    found = said(log, log.clash("amount", "21.00", "12.00"))
    assert (found.option.strategy, found.option.value) == ("take_candidate", "12.00")
    assert found.confidence >= 90
    assert found.evidence[0].reason == "The record it is matched with says 12.00."


def test_an_amount_that_nobody_proposed_is_suggested_where_the_other_side_has_it() -> None:
    log = joined(*matched(record("r1", amount="1.00"), statement("s1", amount="99.00")))
    found = said(log, log.clash("amount", "21.00", "33.00"))
    assert (found.option.strategy, found.option.value, found.option.edit_id) == ("custom", "99.00", None)


def test_the_amount_with_which_a_match_of_several_nets_to_zero_is_preferred() -> None:
    rows = (record("r1", amount="5.00"), record("r2", amount="40.00"), statement("s1", amount="52.00"))
    log = joined(*matched(*rows))
    found = said(log, log.clash("amount", "21.00", "12.00"))
    assert (found.option.value, found.evidence[0].code) == ("12.00", "balances")


@pytest.mark.parametrize(
    ("field", "first", "second", "text"),
    [
        ("amount", "21.00", "1234.50", "Invoice 7 over 1,234.50 EUR"),
        ("date", "2026-12-11", "2026-11-12", "Value date 12.11.2026"),
        ("reference", "INV-8", "INV-2044", "Payment INV-2044"),
    ],
)
def test_what_the_imported_text_names_is_preferred(field: str, first: str, second: str, text: str) -> None:
    log = joined(record("r1", description=text))
    found = said(log, log.clash(field, first, second))
    assert found.option.value == second
    assert "document" in codes(found)


def test_a_value_that_two_people_set_by_themselves_is_preferred() -> None:
    log = joined()
    conflict_id = log.clash("amount", "21.00", "12.00")
    committed(log.edit(ADA, "r1", "amount", "12.00", base=1))
    found = said(log, conflict_id)
    assert (found.option.value, "agreed" in codes(found)) == ("12.00", True)
    assert found.option.authors == ("bob", "ada")


def test_who_corrects_themselves_is_taken_at_their_last_word() -> None:
    log = joined()
    seen = log.state.seq
    committed(log.edit(ALICE, "r1", "amount", "77.00", base=seen))
    conflict_id = committed(log.edit(ALICE, "r1", "amount", "66.00", base=seen)).data["conflict_id"]
    found = said(log, conflict_id)
    assert (found.option.value, found.evidence[0].code) == ("66.00", "own_later")
    assert found.option.authors == ("alice",)


def test_texts_that_differ_in_case_alone_need_nobody() -> None:
    log = joined()
    found = said(log, log.clash("description", "Train to Leeds", "TRAIN TO LEEDS"))
    assert (found.option.strategy, found.evidence[0].code) == ("keep_current", "same_words")


def test_a_resolution_says_what_was_suggested_and_whether_it_was_followed() -> None:
    log = joined(*matched(record("r1", amount="10.50"), statement("s1", amount="12.00")))
    commit = committed(log.resolve(RITA, log.clash("amount", "21.00", "12.00"), "take_candidate"))
    assert commit.data["followed_suggestion"] is True
    assert commit.data["suggestion"]["value"] == "12.00"
    assert (commit.data["between"], commit.data["won"]) == (["preparer", "preparer"], "candidate")
    commit = committed(log.resolve(RITA, log.clash("amount", "31.00", "12.00"), "keep_current"))
    assert (commit.data["followed_suggestion"], commit.data["won"]) == (False, "current")


def test_earlier_decisions_on_the_field_between_these_roles_count_and_others_do_not() -> None:
    log = joined()
    for number in range(4):
        log.resolve(RITA, log.clash("account", f"a{number}", f"b{number}"), "take_candidate")
    assert dict(log.state.precedents) == {("account", "preparer", "preparer"): (0, 4, 0)}
    found = said(log, log.clash("account", "x", "y"))
    assert (found.option.value, codes(found)) == ("y", ["precedent"])
    assert found.evidence[0].reason == "In 4 of 4 conflicts like this one the later change was taken."
    elsewhere = log.clash("category", "x", "y")
    other = log.state.open_conflict(elsewhere)
    assert other is not None
    assert suggest(log.state, other) is None


def test_what_is_remembered_of_decisions_is_bounded_and_fades(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PRECEDENTS", 20)
    state = Log().state
    for number in range(60):
        data = {"field_name": f"f{number}", "between": ["preparer", "admin"], "won": "candidate"}
        state = state.changed(precedents=remember_decided(state, data))
        assert len(state.precedents) <= 20
    for _ in range(200):
        data = {"field_name": "f59", "between": ["preparer", "admin"], "won": "current"}
        state = state.changed(precedents=remember_decided(state, data))
    assert sum(state.precedents["f59", "preparer", "admin"]) <= limits.MAX_PRECEDENT_WEIGHT


def test_what_was_decided_is_in_the_checkpoint_and_old_checkpoints_have_none() -> None:
    log = joined()
    log.resolve(RITA, log.clash(), "keep_current")
    document = orjson.loads(orjson.dumps(state_document(log.state)))
    assert state_from_document(document).precedents == log.state.precedents
    del document["precedents"]
    assert not state_from_document(document).precedents


def test_where_a_match_stands_no_other_amount_is_suggested() -> None:
    log = joined(*matched(record("r1", amount="10.50"), statement("s1", amount="12.00")))
    conflict_id = log.clash("amount", "21.00", "12.00")
    (confirmed,) = matched(log.state.records["r1"], status=MatchStatus.CONFIRMED)
    log.state = log.state.changed(records=log.state.records.set("r1", replace(confirmed, match=replace(
        confirmed.match, statement=("s1",)))))  # fmt: skip
    conflict = log.state.open_conflict(conflict_id)
    assert conflict is not None
    assert suggest(log.state, conflict) is None


def test_the_other_side_is_loaded_for_an_edit_that_may_clash_and_for_no_other() -> None:
    log = joined(*matched(record("r1"), statement("s1")))
    seen = log.state.seq
    committed(log.edit(ALICE, "r1", "amount", "11.00"))
    stale = log.edit_command(BOB, "r1", "amount", "12.00", base=seen)
    assert needed_records(log.state, stale) == {"r1", "s1"}
    assert needed_records(log.state, log.edit_command(BOB, "r1", "amount", "12.00")) == {"r1"}
    committed(log.send(stale), "conflict.detected")
    resolve = c.Resolve(actor=RITA, command_id="rita/r", conflict_id=next(iter(log.state.conflicts)), strategy="merge")
    assert needed_records(log.state, resolve) == {"r1", "s1"}


def test_every_clue_has_its_weight_and_its_place_in_the_contract() -> None:
    assert {name for name in WEIGHTS if ":" not in name} == set(EVIDENCE) == CODES


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-9, 10**6), st.text(max_size=12), st.sampled_from(
    ["10.50", "1050", "-10.5", "2026-11-22", "2026-22-11", "JPY", "Card payment", "CARD, payment!", "x" * 4_000]),
    st.lists(st.text(max_size=5), max_size=4))  # fmt: skip
FIELDS = st.sampled_from(["amount", "fee", "date", "description", "tags", "reference", "free", "currency", "account"])


@given(
    FIELDS,
    st.lists(st.tuples(st.sampled_from(PEOPLE), VALUES, st.integers(1, 9)), min_size=2, max_size=8),
    st.lists(VALUES, min_size=2, max_size=2),
    st.booleans(),
)
def test_whatever_is_edited_the_commits_are_as_the_contract_says(
    field: str, edits: list[tuple[c.Actor, Any, int]], bases: list[Any], with_match: bool
) -> None:
    own, other = record("r1", **{field: bases[0]}), statement("s1", **{field: bases[1]})
    log = joined(*(matched(own, other) if with_match else (own, other)))
    for person, value, base in edits:
        commit = log.edit(person, "r1", field, value, base=base)
        schema = {"conflict.detected": ConflictDetected, "conflict.extended": ConflictExtended}.get(
            getattr(commit, "message_type", "")
        )
        if schema is not None:
            data = envelope(committed(commit))["data"]
            assert not schema().validate(data)
            assert data["suggestion"] is None or 1 <= data["suggestion"]["confidence"] <= 99
    for conflict_id in log.state.conflicts:
        conflict = log.state.open_conflict(conflict_id)
        assert conflict is not None
        found = suggest(log.state, conflict)
        if found is not None:
            asked = {"edit_id": found.option.edit_id}
            if found.option.strategy == "custom":
                asked = {"value": found.option.value}
            commit = committed(log.resolve(RITA, conflict_id, found.option.strategy, **asked), "conflict.resolved")
            assert not ConflictResolved().validate(commit.data)
            assert commit.data["followed_suggestion"] is True
