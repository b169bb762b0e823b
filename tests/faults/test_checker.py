"""The checker finds nothing wrong with what a right server does, and finds each fault that is planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.checker import check, main
from tests.faults.history import Answered, CaughtUp, Event, Heard, History, Invoked, Kind, Presence
from tests.faults.made_histories import ACTIONS, FIELDS, PEOPLE, RECORDS, Choice, made_of

choices = st.tuples(
    st.sampled_from(ACTIONS), st.sampled_from(PEOPLE), st.sampled_from(RECORDS), st.sampled_from(FIELDS)
)

#: Something of everything.
STORY: list[Choice] = [
    ("edit", "ann", "r1", "note"),
    ("edit", "ben", "r1", "note"),
    ("lock", "ann", "r2", "note"),
    ("locked_edit", "ann", "r2", "note"),
    ("away", "cid", "r1", "note"),
    ("expire", "ann", "r2", "note"),
    ("lock", "ben", "r2", "note"),
    ("locked_edit", "ben", "r2", "colour"),
    ("back", "cid", "r1", "note"),
    ("unlock", "ben", "r2", "note"),
    ("stale", "cid", "r1", "note"),
    ("resolve", "ann", "r1", "note"),
    ("batch", "cid", "r1", "note"),
    ("lost", "ben", "r1", "colour"),
    ("never", "ben", "r1", "colour"),
    ("refused", "ann", "r1", "colour"),
    ("same", "ann", "r1", "colour"),
    ("edit", "cid", "r2", "colour"),
    ("edit", "ann", "r1", "colour"),
]


@given(st.lists(choices, max_size=60))
def test_nothing_is_wrong_with_a_history_of_a_right_server(chosen: list[Choice]) -> None:
    assert check(made_of(chosen)) == []


def test_the_story_has_something_of_everything() -> None:
    history = made_of(STORY)
    assert check(history) == []
    kinds = {commit["message_type"] for commit in history.log}
    assert kinds == {
        "session.updated", "edit.applied", "edit.batch_applied", "conflict.detected", "conflict.resolved",
        "lock.acquired", "lock.released", "lock.expired",
    }  # fmt: skip
    assert {event.kind for event in history.events if isinstance(event, Answered)} == set(Kind)


def test_a_history_is_judged_the_same_after_it_was_kept(tmp_path: Path) -> None:
    history = made_of(STORY)
    history.save(tmp_path / "good.jsonl")
    loaded = History.load(tmp_path / "good.jsonl")
    assert loaded == history
    assert main([str(tmp_path / "good.jsonl")]) == 0
    _lose_an_acknowledged_commit(loaded)
    loaded.save(tmp_path / "bad.jsonl")
    assert main([str(tmp_path / "bad.jsonl")]) == 1


# -- the faults --------------------------------------------------------------------------------------------------------


def _commit(history: History, kind: str, number: int = 0) -> dict[str, Any]:
    return [commit for commit in history.log if commit["message_type"] == kind][number]


def _find(history: History, kind: type[Event], fits: Callable[[Any], bool] = lambda event: True) -> int:
    return next(i for i, event in enumerate(history.events) if isinstance(event, kind) and fits(event))


def _change(history: History, position: int, **members: Any) -> None:
    history.events[position] = replace(history.events[position], **members)


def _acknowledged(history: History, number: int = 0) -> int:
    done = [
        i for i, event in enumerate(history.events)
        if isinstance(event, Answered) and event.kind is Kind.OK and event.answer.get("status") == "applied"
    ]  # fmt: skip
    return done[number]


def _grant_an_old_token(history: History) -> None:
    _commit(history, "lock.acquired", 1)["data"]["token"] = 1


def _grant_what_is_held(history: History) -> None:
    history.log.remove(_commit(history, "lock.expired"))


def _release_with_an_older_token(history: History) -> None:
    _commit(history, "lock.released")["data"]["token"] = _commit(history, "lock.acquired", 0)["data"]["token"]


def _accept_an_edit_with_an_older_token(history: History) -> None:
    old = _commit(history, "lock.acquired", 0)["data"]["token"]
    position = _find(history, Invoked, lambda event: event.request.get("lock_token", old) != old)
    _change(history, position, request={**history.events[position].request, "lock_token": old})


def _accept_an_edit_with_the_token_of_a_lock_given_back(history: History) -> None:
    token = _commit(history, "lock.acquired", 1)["data"]["token"]
    op = _commit(history, "edit.applied", -2)["command_id"]
    position = _find(history, Invoked, lambda event: event.op == op)
    _change(history, position, request={**history.events[position].request, "lock_token": token})


def _change_what_somebody_else_holds(history: History) -> None:
    edit = next(c for c in history.log if c["data"].get("record_id") == "r2" and c["message_type"] == "edit.applied")
    edit["user_id"] = "ben"


def _lose_an_acknowledged_commit(history: History) -> None:
    history.log.pop()


def _do_an_edit_twice(history: History) -> None:
    history.log.append({**history.log[-1], "seq": len(history.log) + 1, "prev_hash": history.log[-1]["hash"]})


def _do_an_unknown_edit_twice(history: History) -> None:
    lost = next(e.op for e in history.events if isinstance(e, Answered) and e.kind is Kind.UNKNOWN)
    commit = next(commit for commit in history.log if commit["command_id"] == lost)
    history.log.append({**commit, "seq": len(history.log) + 1})


def _acknowledge_another_number(history: History) -> None:
    position = _acknowledged(history)
    answer = history.events[position].answer  # type: ignore[union-attr]
    _change(history, position, answer={**answer, "seq": answer["seq"] + 1})


def _acknowledge_as_something_else(history: History) -> None:
    position = _acknowledged(history)
    answer = history.events[position].answer  # type: ignore[union-attr]
    _change(history, position, answer={**answer, "status": "conflict"})


def _do_what_was_refused(history: History) -> None:
    _change(history, _acknowledged(history), kind=Kind.FAIL, answer={"code": "locked"})


def _do_what_was_said_to_change_nothing(history: History) -> None:
    position = _acknowledged(history)
    answer = history.events[position].answer  # type: ignore[union-attr]
    _change(history, position, answer={**answer, "status": "unchanged"})


def _do_what_nobody_asked_for(history: History) -> None:
    history.log[-1]["command_id"] = "eve/1"


def _forget_how_a_request_ended(history: History) -> None:
    del history.events[_acknowledged(history)]


def _leave_a_gap_in_the_log(history: History) -> None:
    for commit in history.log[5:]:
        commit["seq"] += 1


def _break_the_chain(history: History) -> None:
    history.log[5]["prev_hash"] = "0" * 64


def _heard(history: History, number: int = 3, person: str = "ann") -> int:
    return [i for i, e in enumerate(history.events) if isinstance(e, Heard) and e.person == person][number]


def _skip_one_live(history: History) -> None:
    del history.events[_heard(history)]


def _tell_one_twice(history: History) -> None:
    history.events.insert(_heard(history), history.events[_heard(history)])


def _tell_two_the_wrong_way_round(history: History) -> None:
    first, second = _heard(history, 3), _heard(history, 4)
    history.events[first], history.events[second] = history.events[second], history.events[first]


def _tell_something_else_live(history: History) -> None:
    position = _heard(history)
    envelope = history.events[position].envelope  # type: ignore[union-attr]
    _change(history, position, envelope={**envelope, "user_id": "eve"})


def _tell_another_time(history: History) -> None:
    position = _heard(history)
    envelope = history.events[position].envelope  # type: ignore[union-attr]
    _change(history, position, envelope={**envelope, "timestamp": "2026-11-22T10:00:00.000Z"})


def _tell_what_is_not_in_the_log(history: History) -> None:
    position = _heard(history, -1)
    envelope = history.events[position].envelope  # type: ignore[union-attr]
    history.events.append(
        replace(history.events[position], envelope={**envelope, "seq": envelope["seq"] + 1})  # type: ignore[arg-type]
    )


def _caught_up(history: History) -> int:
    return _find(history, CaughtUp, lambda event: event.person == "cid" and len(event.commits) > 2)


def _skip_one_in_a_replay(history: History) -> None:
    commits = history.events[_caught_up(history)].commits  # type: ignore[union-attr]
    _change(history, _caught_up(history), commits=[*commits[:1], *commits[2:]])


def _replay_one_twice(history: History) -> None:
    commits = history.events[_caught_up(history)].commits  # type: ignore[union-attr]
    _change(history, _caught_up(history), commits=[commits[0], *commits])


def _replay_something_else(history: History) -> None:
    first, *rest = history.events[_caught_up(history)].commits  # type: ignore[union-attr]
    _change(history, _caught_up(history), commits=[{**first, "data": {}}, *rest])


def _send_somebody_away_who_asked(history: History) -> None:
    _change(history, _caught_up(history), complete=False, commits=[])


def _leave_somebody_behind(history: History) -> None:
    last = max(i for i, e in enumerate(history.events) if isinstance(e, Heard) and e.person == "ann")
    history.events[:] = [
        e for i, e in enumerate(history.events)
        if i != last and not (isinstance(e, CaughtUp) and e.person == "ann" and i > 1)
    ]  # fmt: skip


def _decide_against_the_order_of_time(history: History) -> None:
    """What was sent last stands first in the log, as if somebody had put it before what others were told already."""
    last = history.log[-1]
    for commit in history.log[3:-1]:
        commit["seq"] += 1
    history.log.insert(3, history.log.pop())
    last["seq"] = 4


def _answer_from_the_past(history: History) -> None:
    position = _find(history, Answered, lambda event: event.answer.get("status") == "unchanged")
    _change(history, position, answer={"status": "unchanged", "seq": 1})


def _read_the_past(history: History) -> None:
    last = max(i for i, e in enumerate(history.events) if isinstance(e, CaughtUp))
    _change(history, last, seq=history.events[last].seq - 1)  # type: ignore[union-attr]


def _store_another_value(history: History) -> None:
    history.stored["r1"]["note"] = ("something", history.stored["r1"]["note"][1])


def _store_another_version(history: History) -> None:
    history.stored["r1"]["note"] = (history.stored["r1"]["note"][0], 1)


def _store_too_little(history: History) -> None:
    del history.stored["r1"]["colour"]


def _show_somebody_another_value(history: History) -> None:
    history.views["ben"]["r2"]["colour"] = ("something", 1)


def _replace_what_was_not_there(history: History) -> None:
    _commit(history, "edit.applied", 1)["data"]["old_value"] = "something"


def _accept_an_edit_that_had_not_seen_the_field(history: History) -> None:
    commit = _commit(history, "edit.applied", 1)
    commit["data"]["base_version"] -= 1
    position = _find(history, Invoked, lambda event: event.op == commit["command_id"])
    request = history.events[position].request  # type: ignore[union-attr]
    _change(history, position, request={**request, "base_version": commit["data"]["base_version"]})


def _write_another_value_than_asked(history: History) -> None:
    commit = _commit(history, "edit.applied", -1)
    position = _find(history, Invoked, lambda event: event.op == commit["command_id"])
    request = history.events[position].request  # type: ignore[union-attr]
    _change(history, position, request={**request, "new_value": "what was meant"})


def _make_a_conflict_of_nothing(history: History) -> None:
    commit = _commit(history, "conflict.detected")
    version = commit["data"]["current"]["version"]
    commit["data"]["candidates"][0]["base_version"] = version
    position = _find(history, Invoked, lambda event: event.op == commit["command_id"])
    request = history.events[position].request  # type: ignore[union-attr]
    _change(history, position, request={**request, "base_version": version})


def _resolve_what_is_not_open(history: History) -> None:
    _commit(history, "conflict.resolved")["data"]["conflict_id"] = "another"


def _seen(history: History) -> Presence:
    assert history.presence is not None
    return history.presence


def _hide_somebody(history: History) -> None:
    presence = _seen(history)
    history.presence = replace(presence, seen={**presence.seen, "ann": frozenset({"ann", "ben"})})


def _show_a_ghost(history: History) -> None:
    presence = _seen(history)
    history.presence = replace(presence, seen={**presence.seen, "ann": presence.present | {"eve"}})


def _be_right_too_late(history: History) -> None:
    history.presence = replace(_seen(history), seconds=31.0)


FAULTS: dict[str, tuple[Callable[[History], None], ...]] = {
    "I1": (
        _grant_an_old_token,
        _grant_what_is_held,
        _release_with_an_older_token,
        _accept_an_edit_with_an_older_token,
        _accept_an_edit_with_the_token_of_a_lock_given_back,
        _change_what_somebody_else_holds,
    ),
    "I2": (
        _lose_an_acknowledged_commit,
        _do_an_edit_twice,
        _do_an_unknown_edit_twice,
        _acknowledge_another_number,
        _acknowledge_as_something_else,
        _do_what_was_refused,
        _do_what_was_said_to_change_nothing,
        _do_what_nobody_asked_for,
        _forget_how_a_request_ended,
    ),
    "I3": (
        _leave_a_gap_in_the_log,
        _break_the_chain,
        _skip_one_live,
        _tell_one_twice,
        _tell_two_the_wrong_way_round,
        _tell_something_else_live,
        _tell_another_time,
        _tell_what_is_not_in_the_log,
        _skip_one_in_a_replay,
        _replay_one_twice,
        _replay_something_else,
        _send_somebody_away_who_asked,
        _leave_somebody_behind,
    ),
    "I4": (_decide_against_the_order_of_time, _answer_from_the_past, _read_the_past),
    "I5": (
        _store_another_value,
        _store_another_version,
        _store_too_little,
        _show_somebody_another_value,
        _replace_what_was_not_there,
        _accept_an_edit_that_had_not_seen_the_field,
        _write_another_value_than_asked,
        _make_a_conflict_of_nothing,
        _resolve_what_is_not_open,
    ),
    "I6": (_hide_somebody, _show_a_ghost, _be_right_too_late),
}


@pytest.mark.parametrize(
    ("invariant", "plant"),
    [
        pytest.param(name, plant, id=f"{name}{plant.__name__}") for name, plants in FAULTS.items() for plant in plants
    ],
)
def test_a_planted_fault_is_found(invariant: str, plant: Callable[[History], None]) -> None:
    history = made_of(STORY)
    plant(history)
    assert invariant in {violation.invariant for violation in check(history)}
