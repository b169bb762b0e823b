"""Locks: leases on records, with fencing tokens.

The token is the ``seq`` of the commit that granted the lock, so tokens only grow, and an edit that names an old one is
refused (`lock_lost`) however late it comes. A lease that has run out counts as gone at once; the commit that says so
follows (`due`). Same holder locking again renews.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from realtime_server.core import limits
from realtime_server.core.clock import from_iso, to_iso
from realtime_server.core.commands import (
    SYSTEM,
    AcquireLock,
    ExpireLock,
    ReleaseLock,
    RenewLock,
    TakeOverLock,
)
from realtime_server.core.commits import SYSTEM_USER, Commit, Draft
from realtime_server.core.nameless import name_of
from realtime_server.core.outcomes import NoChange, Outcome, reject
from realtime_server.core.state import Changes, Lock, SessionState
from realtime_server.errors import ErrorCode, Rejection

#: Lease length when a client names none (section 4 of the contract), in milliseconds.
DEFAULT_LEASE = 300_000


def lease_duration(asked: float | None, maximum: float) -> int:
    """Milliseconds of a lease: what was asked for (seconds), the default without, never above the maximum (seconds)."""
    return round(min(DEFAULT_LEASE / 1000 if asked is None else asked, maximum) * 1000)


def live_lock(state: SessionState, record_id: str, now: int) -> Lock | None:
    """The record's lock, unless its lease has run out."""
    lock = state.locks.get(record_id)
    return lock if lock is not None and lock.expires_at > now else None


def refuse_locked(state: SessionState, record_id: str, user_id: str, token: int | None, now: int) -> Rejection | None:
    """Why this person may not change the record just now: a token that is no longer good, or somebody else's lock.

    The token comes first: who names an old one is told that it is gone (`lock_lost`), not to wait (`locked`).
    """
    lock = live_lock(state, record_id, now)
    if token is not None and (lock is None or lock.token != token):
        return _lost(record_id, token, lock)
    return None if lock is None or lock.user_id == user_id else _locked(lock)


def _locked(lock: Lock) -> Rejection:
    message = f"{lock.name} is working on this record"
    return Rejection(ErrorCode.LOCKED, message, {"record_id": lock.record_id, **_holder(lock)})


def _lost(record_id: str, token: int, lock: Lock | None) -> Rejection:
    details = {"record_id": record_id, "token": token, **({} if lock is None else _holder(lock))}
    return Rejection(ErrorCode.LOCK_LOST, f"the lock with token {token} is gone", details)


def _holder(lock: Lock) -> dict[str, Any]:
    return {"holder": {"user_id": lock.user_id, "name": lock.name}, "expires_at": to_iso(lock.expires_at)}


def _lease(message_type: str, record_id: str, user_id: str, name: str, expires_at: int, **more: Any) -> Draft:
    holder = {"user_id": user_id, "name": name}
    return Draft(message_type, {"record_id": record_id, "holder": holder, "expires_at": to_iso(expires_at), **more})


def decide_acquire(state: SessionState, command: AcquireLock, now: int) -> Outcome:
    if command.record_id not in state.records:
        return reject(ErrorCode.NOT_FOUND, f"there is no record {command.record_id}", record_id=command.record_id)
    actor = command.actor
    lock = live_lock(state, command.record_id, now)
    if lock is not None:
        return _renewal(lock, command.duration, now) if lock.user_id == actor.user_id else _locked(lock)
    refused = _refuse_lease(command.duration) or _refuse_more(state, actor.user_id, now)
    if refused is not None:
        return refused
    expires_at, name = now + command.duration, name_of(state, actor)
    return _lease("lock.acquired", command.record_id, actor.user_id, name, expires_at, token=state.seq + 1)


def _refuse_lease(duration: int) -> Rejection | None:
    if 0 < duration <= limits.MAX_LEASE:
        return None
    message = "a lease lasts some time, and at most a year"
    return reject(ErrorCode.INVALID, message, fields={"ttl": [message]})


def _refuse_more(state: SessionState, user_id: str, now: int) -> Rejection | None:
    if len(state.locks) >= limits.MAX_LOCKS:
        return reject(ErrorCode.OVERLOADED, f"the session has {limits.MAX_LOCKS} locks")
    held = sum(lock.user_id == user_id and lock.expires_at > now for lock in state.locks.values())
    if held < limits.MAX_LOCKS_PER_USER:
        return None
    return reject(ErrorCode.RATE_LIMITED, f"you hold {held} locks already; give some back first")


def decide_renew(state: SessionState, command: RenewLock, now: int) -> Outcome:
    lock = _own(state, command.record_id, command.actor.user_id, command.token, now)
    return lock if isinstance(lock, Rejection) else _renewal(lock, command.duration, now)


def _renewal(lock: Lock, duration: int, now: int) -> Outcome:
    refused = _refuse_lease(duration)
    if refused is not None:
        return refused
    return _lease("lock.renewed", lock.record_id, lock.user_id, lock.name, now + duration, token=lock.token)


def decide_release(state: SessionState, command: ReleaseLock, now: int) -> Outcome:
    lock = _own(state, command.record_id, command.actor.user_id, command.token, now)
    if isinstance(lock, Rejection):
        return lock
    return Draft("lock.released", {"record_id": lock.record_id, "token": lock.token, "user_id": lock.user_id})


def _own(state: SessionState, record_id: str, user_id: str, token: int, now: int) -> Lock | Rejection:
    lock = live_lock(state, record_id, now)
    if lock is None:
        return reject(ErrorCode.LOCK_NOT_HELD, "nobody holds a lock on this record", record_id=record_id)
    if lock.user_id != user_id or lock.token != token:
        return _lost(record_id, token, lock)
    return lock


def decide_takeover(state: SessionState, command: TakeOverLock, now: int) -> Outcome:
    if not command.reason.strip():
        return reject(ErrorCode.REASON_REQUIRED, "say why you take over this lock", fields={"reason": ["is empty"]})
    lock = live_lock(state, command.record_id, now)
    if lock is None:
        return reject(ErrorCode.LOCK_NOT_HELD, "nobody holds a lock on this record", record_id=command.record_id)
    if lock.user_id == command.actor.user_id:
        return _renewal(lock, command.duration, now)
    actor = command.actor
    refused = _refuse_lease(command.duration) or _refuse_more(state, actor.user_id, now)
    if refused is not None:
        return refused
    return _lease(
        "lock.taken_over",
        command.record_id,
        actor.user_id,
        name_of(state, actor),
        now + command.duration,
        token=state.seq + 1,
        previous={"user_id": lock.user_id, "name": lock.name, "token": lock.token},
        reason=command.reason,
    )


def decide_expire(state: SessionState, command: ExpireLock, now: int) -> Outcome:
    """Nothing happens when the lease named is not there any more, or was renewed meanwhile."""
    lock = state.locks.get(command.record_id)
    if lock is None or lock.token != command.token or (lock.expires_at > now and not command.holder_gone):
        return NoChange({})
    cause = "lease_ended" if lock.expires_at <= now else "holder_gone"
    data = {"record_id": lock.record_id, "token": lock.token, "user_id": lock.user_id, "cause": cause}
    return Draft("lock.expired" if cause == "lease_ended" else "lock.released", data)


def due(state: SessionState, now: int) -> Iterable[ExpireLock]:
    """The commands that end every lease which has run out, in the order in which they ran out."""
    ended = sorted((lock.expires_at, lock.token, lock.record_id) for lock in state.locks.values())
    for expires_at, token, record_id in ended:
        if expires_at <= now:
            # A renewed lease keeps its token, so the instant belongs to the id.
            command_id = f"{SYSTEM_USER}/expire/{token}/{expires_at}"
            yield ExpireLock(actor=SYSTEM, command_id=command_id, record_id=record_id, token=token)


def held_by(state: SessionState, user_id: str) -> tuple[Lock, ...]:
    return tuple(lock for lock in state.locks.values() if lock.user_id == user_id)


def evolve_lock(state: SessionState, commit: Commit) -> Changes:
    data = commit.data
    record_id = data["record_id"]
    kind = commit.message_type.partition(".")[2]
    if kind in ("released", "expired"):
        return Changes(locks=state.locks.delete(record_id))
    expires_at = from_iso(data["expires_at"])
    if kind == "renewed":
        return Changes(locks=state.locks.set(record_id, replace(state.locks[record_id], expires_at=expires_at)))
    holder = data["holder"]
    lock = Lock(record_id, holder["user_id"], holder["name"], data["token"], commit.at, expires_at)
    return Changes(locks=state.locks.set(record_id, lock))


def lock_answer(commit: Commit) -> Mapping[str, Any]:
    """``expires_at``: until when the lease goes; of one that was given back, when that was."""
    data = commit.data
    return {"seq": commit.seq, "token": data["token"], "expires_at": data.get("expires_at") or to_iso(commit.at)}


def lock_view(lock: Lock) -> dict[str, Any]:
    """A lock as `join` lists it."""
    return {
        "record_id": lock.record_id,
        "holder": {"user_id": lock.user_id, "name": lock.name},
        "token": lock.token,
        "acquired_at": to_iso(lock.acquired_at),
        "expires_at": to_iso(lock.expires_at),
    }
