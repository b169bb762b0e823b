"""State and records as documents: nothing is lost on the way through a store."""

from __future__ import annotations

from typing import Any

import orjson

from realtime_server.core import commands as c
from realtime_server.core.snapshot import record_document, record_from_document, state_document, state_from_document
from realtime_server.core.state import SessionState
from tests.core.session_log import ALICE, BOB, RITA, Log, acknowledged, committed


def busy() -> Log:
    """A session with something of everything."""
    log = Log(policies={"notes": "manual"})
    committed(log.ask(c.Join, ALICE))
    committed(log.batch(ALICE, log.part("r1", "notes", "é"), log.part("r2", "tags", ["a", "b"])))
    committed(log.edit(ALICE, "r1", "flag", True))
    committed(log.undo(ALICE))
    committed(log.resolve(RITA, log.clash(), "keep_current"))
    conflict = committed(log.edit(BOB, "r1", "amount", "9.00", base=0, reason="why"), "conflict.detected")
    committed(log.edit(ALICE, "r1", "amount", "8.00"), "conflict.extended")
    assert conflict.data["conflict_id"] in log.state.conflicts
    committed(log.lock(ALICE, "r3"))
    comment_id = acknowledged(log.ask(c.AddComment, ALICE, text="x", record_id="r1"))["comment_id"]
    committed(log.ask(c.AddComment, ALICE, text="y"))
    committed(log.ask(c.ResolveComment, RITA, comment_id=comment_id))
    return log


def through_a_store(document: Any) -> Any:
    return orjson.loads(orjson.dumps(document))


def test_a_state_comes_back_as_it_was_without_its_records() -> None:
    state = busy().state
    assert state_from_document(through_a_store(state_document(state))) == state.changed(
        records=SessionState("").records
    )


def test_records_come_back_as_they_were() -> None:
    for record in busy().state.records.values():
        assert record_from_document(through_a_store(record_document(record))) == record


def test_a_checkpoint_is_plain_lists_and_mappings_whose_keys_nobody_chose() -> None:
    def check(item: Any) -> None:
        if isinstance(item, dict):
            assert all(key.isidentifier() for key in item)
            for value in item.values():
                check(value)
        elif isinstance(item, list | tuple):
            for value in item:
                check(value)
        else:
            assert item is None or isinstance(item, str | int | float | bool)

    check(state_document(busy().state))


def test_a_session_goes_on_from_its_documents_as_if_nothing_had_happened() -> None:
    log = busy()
    for record in log.state.records.values():
        document = through_a_store(record_document(record))
        log.state = log.state.changed(records=log.state.records.set(record.record_id, record_from_document(document)))
    log.state = state_from_document(through_a_store(state_document(log.state))).changed(records=log.state.records)
    (conflict_id,) = log.state.conflicts
    conflict = log.field("r1", "amount").conflict
    assert conflict is not None
    committed(log.resolve(RITA, conflict_id, "take_candidate", edit_id=conflict.candidates[1].edit_id))
    assert log.value("r1", "amount") == "8.00"
    committed(log.undo(ALICE, log.state.histories["alice"].undo[0].seq))
    assert log.value("r2", "tags") == ["new"]
