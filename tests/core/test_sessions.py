"""A session is created, joined, imported into, ends or expires; comments stand beside its records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from realtime_server.core import commands as c
from realtime_server.core import limits
from realtime_server.core.clock import from_iso, to_iso
from realtime_server.core.commits import envelope
from realtime_server.core.decide import needed_records
from realtime_server.core.roles import Role
from realtime_server.core.sessions import admit
from realtime_server.core.state import SessionStatus
from realtime_server.errors import ErrorCode
from tests.core.session_log import (
    ADA,
    ALICE,
    AUDREY,
    BOB,
    PROJECT,
    RITA,
    SESSION,
    START,
    Log,
    acknowledged,
    committed,
    create,
    refused,
    unchanged,
)


def test_the_first_commit_creates_the_session() -> None:
    log = Log(created=False)
    commit = committed(log.send(create({"notes": "manual"})), "session.created")
    assert envelope(commit) == {
        "message_type": "session.created",
        "session_id": SESSION,
        "project_id": PROJECT,
        "user_id": "ada",
        "timestamp": to_iso(START),
        "seq": 1,
        "data": {
            "name": "November",
            "expires_in": 3600,
            "field_policies": {"notes": "manual"},
            "created_by": {"user_id": "ada", "name": "Ada"},
        },
    }
    state = log.state
    assert (state.project_id, state.name, state.created_by, state.created_at) == (PROJECT, "November", "ada", START)


def test_nothing_happens_in_a_session_that_does_not_exist() -> None:
    refused(Log(created=False).edit(ALICE, "r1", "notes", "x", base=0), ErrorCode.NOT_FOUND)


@pytest.mark.parametrize(
    "members",
    [
        {"name": "x" * 201},
        {"name": "\x00"},
        {"name": "\ud800"},
        {"name": 5},
        {"expires_in": -1},
        {"expires_in": 10**12},
    ],
    ids=repr,
)
def test_a_session_has_a_bounded_name_and_a_bounded_time(members: dict[str, Any]) -> None:
    refused(Log(created=False).send(replace(create(), **members)), ErrorCode.INVALID)


def test_a_join_is_kept_once_and_again_when_the_role_or_the_name_has_changed() -> None:
    log = Log()
    assert committed(log.ask(c.Join, ALICE)).data["change"] == "participant_added"
    unchanged(log.ask(c.Join, ALICE))
    promoted = c.Actor("alice", "Alice", Role.ADMIN)
    assert committed(log.ask(c.Join, promoted)).data["change"] == "participant_changed"
    assert log.state.participants["alice"].role is Role.ADMIN


def test_a_bounded_number_of_people_is_ever_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PARTICIPANTS", 1)
    log = Log()
    committed(log.ask(c.Join, ALICE))
    refused(log.ask(c.Join, BOB), ErrorCode.SESSION_FULL)
    unchanged(log.ask(c.Join, ALICE))


def test_the_last_place_is_taken_once_and_a_second_tab_takes_none() -> None:
    assert admit({"alice"}, "bob", 2) is None
    assert admit({"alice", "bob"}, "bob", 2) is None
    rejection = admit({"alice", "bob"}, "carol", 2)
    assert rejection is not None
    assert rejection.code is ErrorCode.SESSION_FULL


def test_an_import_is_tied_to_the_log_by_its_digest() -> None:
    log = Log()
    commit = committed(
        log.ask(c.RecordImport, ALICE, import_id="i1", source="ledger", counts={"new": 2}, digest="ab"),
        "record.imported",
    )
    assert acknowledged(commit) == {"seq": 2}
    assert commit.data == {"import_id": "i1", "source": "ledger", "counts": {"new": 2}, "digest": "ab"}


@pytest.mark.parametrize("reason", [None, "done"])
def test_nothing_but_looking_is_possible_after_the_end_and_nothing_is_committed(reason: str | None) -> None:
    log = Log()
    committed(log.ask(c.EndSession, ADA, reason=reason), "session.ended")
    assert log.state.status is SessionStatus.ENDED
    refused(log.edit(ALICE, "r1", "notes", "x"), ErrorCode.SESSION_ENDED)
    refused(log.ask(c.EndSession, ADA), ErrorCode.SESSION_ENDED)
    unchanged(log.ask(c.Join, AUDREY))


def test_a_session_expires_after_the_time_without_a_persons_doing() -> None:
    log = Log(expires_in=60)
    log.now += 50_000
    committed(log.edit(ALICE, "r1", "notes", "x"))
    log.now += 10_000
    unchanged(log.ask(c.ExpireSession, c.SYSTEM))
    log.now += 50_000
    committed(log.ask(c.ExpireSession, c.SYSTEM), "session.expired")
    assert log.state.status is SessionStatus.EXPIRED


def test_what_the_system_does_by_itself_keeps_no_session_alive() -> None:
    log = Log(expires_in=60)
    committed(log.lock(ALICE, "r1", 1_000))
    log.now += 30_000
    committed(log.ask(c.ExpireLock, c.SYSTEM, record_id="r1", token=2), "lock.expired")
    assert log.state.expires_at == START + 60_000


def test_a_session_without_a_time_never_expires() -> None:
    log = Log(expires_in=0)
    log.now += 10**12
    unchanged(log.ask(c.ExpireSession, c.SYSTEM))


def test_a_commit_is_never_dated_before_the_one_it_follows() -> None:
    log = Log()
    log.now -= 5_000
    assert committed(log.edit(ALICE, "r1", "notes", "x")).at == START


# ---- comments


def test_a_comment_gets_an_id_and_a_reply_stands_on_the_same_record() -> None:
    log = Log()
    comment_id = acknowledged(log.ask(c.AddComment, RITA, text="why?", record_id="r1", mentions=("alice",)))[
        "comment_id"
    ]
    reply = committed(log.ask(c.AddComment, ALICE, text="because", parent_id=comment_id))
    assert (reply.data["record_id"], reply.data["parent_id"]) == ("r1", comment_id)
    refused(log.ask(c.AddComment, ALICE, text="no", parent_id=comment_id, record_id="r2"), ErrorCode.INVALID)


@pytest.mark.parametrize("members", [{"record_id": "r9"}, {"parent_id": "comment-9"}])
def test_a_comment_on_what_does_not_exist_is_refused(members: dict[str, Any]) -> None:
    refused(Log().ask(c.AddComment, ALICE, text="x", **members), ErrorCode.NOT_FOUND)


@pytest.mark.parametrize(
    "members",
    [
        {"text": ""},
        {"text": " \n"},
        {"text": "x" * (limits.MAX_COMMENT_TEXT + 1)},
        {"text": "\x00"},
        {"text": "\ud800"},
        {"text": ["x"]},
        {"text": "x", "mentions": ("a",) * (limits.MAX_MENTIONS + 1)},
        {"text": "x", "mentions": ("a" * 201,)},
        {"text": "x", "mentions": ("\ud800",)},
        {"text": "x", "mentions": (5,)},
    ],
    ids=lambda members: repr(members)[:30],
)
def test_a_comment_is_a_bounded_text_with_bounded_mentions(members: dict[str, Any]) -> None:
    refused(Log().ask(c.AddComment, ALICE, **members), ErrorCode.INVALID)


def test_a_comment_is_resolved_once() -> None:
    log = Log()
    comment_id = acknowledged(log.ask(c.AddComment, ALICE, text="x"))["comment_id"]
    committed(log.ask(c.ResolveComment, RITA, comment_id=comment_id), "comment.resolved")
    unchanged(log.ask(c.ResolveComment, RITA, comment_id=comment_id))
    refused(log.ask(c.ResolveComment, RITA, comment_id="comment-99"), ErrorCode.NOT_FOUND)


def test_the_oldest_comments_can_no_longer_be_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_COMMENTS", 10)
    log = Log()
    ids = [acknowledged(log.ask(c.AddComment, ALICE, text=str(number)))["comment_id"] for number in range(11)]
    refused(log.ask(c.AddComment, ALICE, text="x", parent_id=ids[0]), ErrorCode.NOT_FOUND)
    committed(log.ask(c.AddComment, ALICE, text="x", parent_id=ids[-1]))


# ---- what must be loaded


def test_a_command_names_the_records_that_must_be_loaded_for_it() -> None:
    log = Log()
    conflict_id = log.clash()
    comment_id = acknowledged(log.ask(c.AddComment, ALICE, text="x", record_id="r2"))["comment_id"]
    committed(log.batch(ALICE, log.part("r2", "notes", "x"), log.part("r3", "notes", "x")))
    common: dict[str, Any] = {"actor": ALICE, "command_id": "alice/x"}
    edit = log.part("r1", "notes", "x")
    for command, needed in (
        (c.Edit(**common, edit_id="x", edit=edit), {"r1"}),
        (c.EditBatch(**common, edit_id="x", edits=(edit, log.part("r2", "notes", "x"))), {"r1", "r2"}),
        (c.AcquireLock(**common, record_id="r3", duration=1), {"r3"}),
        (c.AddComment(**common, text="x", record_id="r1"), {"r1"}),
        (c.AddComment(**common, text="x", parent_id=comment_id), {"r2"}),
        (c.AddComment(**common, text="x", parent_id="comment-99"), set()),
        (c.AddComment(**common, text="x"), set()),
        (c.Resolve(**common, conflict_id=conflict_id, strategy="keep_current"), {"r1"}),
        (c.Resolve(**common, conflict_id="conflict-99", strategy="keep_current"), set()),
        (c.Undo(**common), {"r2", "r3"}),
        (c.Redo(**common), set()),
        (c.Join(**common), set()),
    ):
        assert needed_records(log.state, command) == needed


# ---- instants


@pytest.mark.parametrize("milliseconds", [0, 1, 999, START, START + 123, 253_402_300_799_999, -1])
def test_an_instant_reads_back_as_it_was_written(milliseconds: int) -> None:
    assert from_iso(to_iso(milliseconds)) == milliseconds


def test_an_instant_is_written_in_utc_with_milliseconds() -> None:
    assert to_iso(1_795_341_600_123) == "2026-11-22T10:00:00.123Z"
    assert from_iso("2026-11-22T11:00:00.123+01:00") == 1_795_341_600_123


def test_an_instant_without_a_zone_is_none() -> None:
    with pytest.raises(ValueError, match="time zone"):
        from_iso("2026-11-22T10:00:00")
