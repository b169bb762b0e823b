"""A lock is a lease with a token that only grows: one live holder, and no edit by anybody else."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_server.core import commands as c
from realtime_server.core import limits, locks
from realtime_server.core.clock import to_iso
from realtime_server.core.commits import envelope
from realtime_server.core.roles import Role
from realtime_server.errors import ErrorCode
from tests.core.session_log import (
    ADA,
    ALICE,
    BOB,
    LEASE,
    OLGA,
    RITA,
    START,
    Log,
    acknowledged,
    committed,
    refused,
    unchanged,
)

REASON = "she went home"


def take_over(log: Log, actor: c.Actor, record_id: str = "r1", reason: Any = REASON) -> Any:
    return log.ask(c.TakeOverLock, actor, record_id=record_id, reason=reason, duration=LEASE)


def test_a_lock_is_granted_for_its_lease_and_its_token_is_the_seq_of_the_grant() -> None:
    log = Log()
    commit = committed(log.lock(ALICE, "r1"), "lock.acquired")
    assert acknowledged(commit) == {"seq": 2, "token": 2, "expires_at": to_iso(START + LEASE)}
    assert locks.lock_view(log.state.locks["r1"]) == {
        "record_id": "r1",
        "holder": {"user_id": "alice", "name": "Alice"},
        "token": 2,
        "acquired_at": to_iso(START),
        "expires_at": to_iso(START + LEASE),
    }
    assert locks.held_by(log.state, "alice") == (log.state.locks["r1"],)


def test_while_a_record_is_locked_others_are_told_by_whom_and_until_when() -> None:
    log = Log()
    committed(log.lock(ALICE, "r1"))
    for outcome in (log.edit(BOB, "r1", "notes", "x"), log.lock(BOB, "r1")):
        assert refused(outcome, ErrorCode.LOCKED).details == {
            "record_id": "r1",
            "holder": {"user_id": "alice", "name": "Alice"},
            "expires_at": to_iso(START + LEASE),
        }
    committed(log.edit(BOB, "r2", "notes", "x"))
    committed(log.edit(ALICE, "r1", "notes", "x"))


def test_the_holder_edits_with_the_token() -> None:
    log = Log()
    token = acknowledged(log.lock(ALICE, "r1"))["token"]
    committed(log.edit(ALICE, "r1", "notes", "x", token=token))


def test_locking_again_renews_and_keeps_the_token() -> None:
    log = Log()
    token = acknowledged(log.lock(ALICE, "r1"))["token"]
    log.now += 10_000
    commit = committed(log.lock(ALICE, "r1"), "lock.renewed")
    assert acknowledged(commit) == {"seq": 3, "token": token, "expires_at": to_iso(START + 10_000 + LEASE)}


def test_renewing_needs_the_token_of_the_lock() -> None:
    log = Log()
    token = acknowledged(log.lock(ALICE, "r1"))["token"]
    refused(log.ask(c.RenewLock, ALICE, record_id="r1", token=token - 1, duration=LEASE), ErrorCode.LOCK_LOST)
    refused(log.ask(c.RenewLock, BOB, record_id="r1", token=token, duration=LEASE), ErrorCode.LOCK_LOST)
    refused(log.ask(c.RenewLock, ALICE, record_id="r2", token=token, duration=LEASE), ErrorCode.LOCK_NOT_HELD)
    committed(log.ask(c.RenewLock, ALICE, record_id="r1", token=token, duration=LEASE), "lock.renewed")


def test_a_released_lock_is_free_for_the_next_and_its_token_is_good_for_nothing() -> None:
    log = Log()
    token = acknowledged(log.lock(ALICE, "r1"))["token"]
    commit = committed(log.ask(c.ReleaseLock, ALICE, record_id="r1", token=token), "lock.released")
    assert acknowledged(commit) == {"seq": 3, "token": token, "expires_at": to_iso(commit.at)}
    refused(log.ask(c.ReleaseLock, ALICE, record_id="r1", token=token), ErrorCode.LOCK_NOT_HELD)
    refused(log.edit(ALICE, "r1", "notes", "x", token=token), ErrorCode.LOCK_LOST)
    assert acknowledged(log.lock(BOB, "r1"))["token"] > token


def test_a_lease_that_has_run_out_counts_as_gone_before_the_log_says_so() -> None:
    log = Log()
    token = acknowledged(log.lock(ALICE, "r1"))["token"]
    log.now += LEASE
    refused(log.edit(ALICE, "r1", "notes", "late", token=token), ErrorCode.LOCK_LOST)
    refused(log.ask(c.RenewLock, ALICE, record_id="r1", token=token, duration=LEASE), ErrorCode.LOCK_NOT_HELD)
    refused(take_over(log, RITA), ErrorCode.LOCK_NOT_HELD)
    committed(log.edit(BOB, "r1", "notes", "mine"))
    assert acknowledged(log.lock(BOB, "r1"))["token"] == 4
    assert log.state.locks["r1"].user_id == "bob"


def test_the_last_millisecond_of_a_lease_belongs_to_its_holder() -> None:
    log = Log()
    committed(log.lock(ALICE, "r1"))
    log.now += LEASE - 1
    refused(log.edit(BOB, "r1", "notes", "x"), ErrorCode.LOCKED)


def test_an_old_token_is_lost_even_while_somebody_else_holds_the_record() -> None:
    log = Log()
    token = acknowledged(log.lock(ALICE, "r1"))["token"]
    committed(take_over(log, RITA))
    details = refused(log.edit(ALICE, "r1", "notes", "x", token=token), ErrorCode.LOCK_LOST).details
    assert (details["token"], details["holder"]["user_id"]) == (token, "rita")
    refused(log.edit(ALICE, "r1", "notes", "x"), ErrorCode.LOCKED)


def test_somebody_elses_token_opens_nothing() -> None:
    log = Log()
    token = acknowledged(log.lock(ALICE, "r1"))["token"]
    refused(log.edit(BOB, "r1", "notes", "x", token=token), ErrorCode.LOCKED)


def test_a_takeover_is_a_new_grant_that_names_who_lost_the_lock_and_why() -> None:
    log = Log()
    token = acknowledged(log.lock(ALICE, "r1"))["token"]
    commit = committed(take_over(log, RITA), "lock.taken_over")
    assert envelope(commit)["data"]["previous"] == {"user_id": "alice", "name": "Alice", "token": token}
    assert commit.data["reason"] == REASON
    assert acknowledged(commit)["token"] == commit.seq > token
    assert log.state.locks["r1"].user_id == "rita"


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_takeover_needs_a_reason(reason: str) -> None:
    log = Log()
    committed(log.lock(ALICE, "r1"))
    refused(take_over(log, RITA, reason=reason), ErrorCode.REASON_REQUIRED)


def test_a_reason_for_a_takeover_is_bounded() -> None:
    log = Log()
    committed(log.lock(ALICE, "r1"))
    refused(take_over(log, RITA, reason="x" * (limits.MAX_REASON + 1)), ErrorCode.INVALID)


def test_a_takeover_needs_a_lock_and_of_ones_own_it_renews() -> None:
    log = Log()
    refused(take_over(log, RITA), ErrorCode.LOCK_NOT_HELD)
    committed(log.lock(RITA, "r1"))
    committed(take_over(log, RITA), "lock.renewed")


def test_a_record_that_does_not_exist_cannot_be_locked() -> None:
    refused(Log().lock(ALICE, "r9"), ErrorCode.NOT_FOUND)


@pytest.mark.parametrize("duration", [0, -1, limits.MAX_LEASE + 1, 10**30])
def test_a_lease_lasts_some_time_and_not_for_ever(duration: int) -> None:
    log = Log()
    refused(log.lock(ALICE, "r1", duration), ErrorCode.INVALID)
    committed(log.lock(ALICE, "r1"))
    refused(log.lock(ALICE, "r1", duration), ErrorCode.INVALID)
    refused(log.ask(c.TakeOverLock, RITA, record_id="r1", reason=REASON, duration=duration), ErrorCode.INVALID)


@pytest.mark.parametrize(
    ("asked", "maximum", "milliseconds"),
    [(None, 1800, 300_000), (None, 60, 60_000), (10, 1800, 10_000), (0.5, 1800, 500), (10**9, 1800, 1_800_000)],
)
def test_a_lease_is_what_was_asked_for_up_to_the_maximum(
    asked: float | None, maximum: float, milliseconds: int
) -> None:
    assert locks.lease_duration(asked, maximum) == milliseconds
    assert locks.lease_duration(float("inf"), maximum) == maximum * 1000


def test_one_person_holds_a_bounded_number_of_locks_and_leases_that_ran_out_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MAX_LOCKS_PER_USER", 1)
    log = Log()
    committed(log.lock(ALICE, "r1"))
    refused(log.lock(ALICE, "r2"), ErrorCode.RATE_LIMITED)
    committed(log.lock(ALICE, "r1"), "lock.renewed")
    log.now += LEASE
    committed(log.lock(ALICE, "r2"))


def test_takeovers_count_as_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_LOCKS_PER_USER", 1)
    log = Log()
    committed(log.lock(ALICE, "r1"))
    committed(log.lock(BOB, "r2"))
    committed(take_over(log, RITA, "r1"))
    refused(take_over(log, RITA, "r2"), ErrorCode.RATE_LIMITED)


def test_a_session_has_a_bounded_number_of_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_LOCKS", 1)
    log = Log()
    committed(log.lock(ALICE, "r1"))
    refused(log.lock(BOB, "r2"), ErrorCode.OVERLOADED)


def test_leases_that_have_run_out_are_due_in_the_order_in_which_they_ran_out() -> None:
    log = Log()
    committed(log.lock(ALICE, "r2", LEASE + 5))
    committed(log.lock(BOB, "r1"))
    committed(log.lock(OLGA, "r3", LEASE + 10))
    log.now += LEASE + 5
    due = list(locks.due(log.state, log.now))
    assert [(item.record_id, item.token) for item in due] == [("r1", 3), ("r2", 2)]
    assert len({item.command_id for item in due}) == 2
    assert {item.actor for item in due} == {c.SYSTEM}
    for command in due:
        assert committed(log.send(command), "lock.expired").data["cause"] == "lease_ended"
    assert list(log.state.locks) == ["r3"]
    assert not list(locks.due(log.state, log.now))


def test_an_expiry_that_was_overtaken_by_a_renewal_or_a_new_lock_does_nothing() -> None:
    log = Log()
    committed(log.lock(ALICE, "r1"))
    expiry = c.ExpireLock(actor=c.SYSTEM, command_id="system/expire/2/1", record_id="r1", token=2)
    unchanged(log.send(expiry))
    log.now += LEASE
    committed(log.lock(BOB, "r1"))
    unchanged(log.send(expiry))
    assert log.state.locks["r1"].user_id == "bob"


def test_a_renewed_lease_is_due_under_another_id() -> None:
    log = Log()
    committed(log.lock(ALICE, "r1"))
    first = next(iter(locks.due(log.state, log.now + LEASE))).command_id
    log.now += 1
    committed(log.lock(ALICE, "r1"))
    assert next(iter(locks.due(log.state, log.now + LEASE))).command_id != first


def test_the_lock_of_somebody_who_is_gone_is_released_before_its_lease_ends() -> None:
    log = Log()
    committed(log.lock(ALICE, "r1"))
    commit = committed(log.ask(c.ExpireLock, c.SYSTEM, record_id="r1", token=2, holder_gone=True), "lock.released")
    assert commit.data == {"record_id": "r1", "token": 2, "user_id": "alice", "cause": "holder_gone"}
    assert not log.state.locks


def test_leases_are_judged_by_the_time_of_the_log_where_a_clock_lags_behind_it() -> None:
    log = Log()
    token = acknowledged(log.lock(ALICE, "r1"))["token"]
    log.now = START + LEASE
    committed(log.edit(BOB, "r2", "notes", "by an instance whose clock is right"))
    log.now = START + LEASE - 1_000
    refused(log.edit(ALICE, "r1", "notes", "by one whose clock is late", token=token), ErrorCode.LOCK_LOST)
    assert committed(log.lock(BOB, "r1"), "lock.acquired").at == START + LEASE
    assert log.state.locks["r1"].expires_at == START + 2 * LEASE


def test_the_locks_go_with_the_session() -> None:
    log = Log()
    committed(log.lock(ALICE, "r1"))
    committed(log.ask(c.EndSession, ADA))
    assert not log.state.locks
    assert not list(locks.due(log.state, log.now + LEASE))


def test_a_change_of_role_takes_no_lock_away_but_what_the_role_may_not_do_is_refused() -> None:
    log = Log()
    token = acknowledged(log.lock(ALICE, "r1"))["token"]
    demoted = c.Actor("alice", "Alice", Role.AUDITOR)
    refused(log.ask(c.ReleaseLock, demoted, record_id="r1", token=token), ErrorCode.FORBIDDEN)
