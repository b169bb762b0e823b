"""Conflicts: a field on which people disagree, as a stored object, until somebody resolves it.

While a field has an open conflict every further edit of it becomes a candidate. A resolution sets the value, carries
its edit inside itself, and closes the conflict: one commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from immutables import Map

from realtime_server.core import limits
from realtime_server.core.commands import Edit, Resolve
from realtime_server.core.commits import Commit, Draft
from realtime_server.core.fields import candidate_size, check_amounts, check_new_value, record_size
from realtime_server.core.locks import refuse_locked
from realtime_server.core.merging import NEVER_MERGED, Policy, keep_both
from realtime_server.core.outcomes import Outcome, reject
from realtime_server.core.precedents import outcome, remember_decided
from realtime_server.core.settled import refuse_settled
from realtime_server.core.state import Candidate, Changes, Conflict, FieldState, RecordState, SessionState
from realtime_server.core.suggestions import suggest, suggestion_data
from realtime_server.core.values import field_type, same
from realtime_server.errors import ErrorCode, Rejection

V = TypeVar("V")

STRATEGIES = ("keep_current", "take_candidate", "merge", "custom")


def _candidate_data(command: Edit, value: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "edit_id": command.edit_id,
        "user_id": command.actor.user_id,
        "value": value,
        "base_version": command.edit.base_version,
    }
    if command.reason is not None:
        data["edit_reason"] = command.reason
    return data


def detect(
    state: SessionState, field: FieldState, policy: Policy, command: Edit, value: Any, now: int
) -> Draft | Rejection:
    """Open a conflict with the edit as its first candidate. The field keeps its value."""
    if len(state.conflicts) >= limits.MAX_OPEN_CONFLICTS:
        return reject(ErrorCode.OVERLOADED, f"the session has {limits.MAX_OPEN_CONFLICTS} open conflicts")
    if _no_room(state, command, value):
        return reject(ErrorCode.OVERLOADED, "the record's open conflicts are full; resolve them first")
    known, base_value = field.value_at(command.edit.base_version)
    first = _candidate_data(command, value)
    conflict = Conflict(
        conflict_id=f"conflict-{state.seq + 1}",
        record_id=command.edit.record_id,
        field_name=command.edit.field_name,
        policy=policy.value,
        base_version=command.edit.base_version,
        base_value=base_value,
        base_known=known,
        opened_at=now,
        candidates=(_as_candidate(first, state.seq + 1, now),),
    )
    return Draft(
        "conflict.detected",
        {
            "conflict_id": conflict.conflict_id,
            "record_id": conflict.record_id,
            "field_name": conflict.field_name,
            "policy": conflict.policy,
            "base": {"version": conflict.base_version, "value": base_value, "known": known},
            "current": {"version": field.version, "value": field.value, "user_id": field.user_id},
            "candidates": [first],
            "suggestion": suggestion_data(state, conflict),
        },
    )


def _no_room(state: SessionState, command: Edit, value: Any) -> bool:
    size = record_size(state.records[command.edit.record_id]) + candidate_size(value, command.reason)
    return size > limits.MAX_RECORD_SIZE


def extend(
    state: SessionState, field: FieldState, conflict: Conflict, command: Edit, value: Any, now: int
) -> Draft | Rejection:
    """One more candidate for an open conflict."""
    if len(conflict.candidates) >= limits.MAX_CANDIDATES or _no_room(state, command, value):
        return reject(
            ErrorCode.OVERLOADED,
            f"the conflict has its {len(conflict.candidates)} candidates; resolve it first",
            conflict_id=conflict.conflict_id,
        )
    user_id, edit_id = command.actor.user_id, command.edit_id
    if any(item.edit_id == edit_id and item.user_id != user_id for item in conflict.candidates):
        # A resolution names a candidate by its edit_id alone.
        message = f"another person's candidate is called {edit_id} already: send the edit under another edit_id"
        return reject(ErrorCode.INVALID, message, fields={"edit_id": [message]})
    added = _candidate_data(command, value)
    extended = replace(conflict, candidates=(*conflict.candidates, _as_candidate(added, state.seq + 1, now)))
    return Draft(
        "conflict.extended",
        {
            "conflict_id": conflict.conflict_id,
            "record_id": conflict.record_id,
            "field_name": conflict.field_name,
            "current": {"version": field.version, "value": field.value, "user_id": field.user_id},
            "candidate": added,
            "suggestion": suggestion_data(state, extended),
        },
    )


def decide_resolve(state: SessionState, command: Resolve, now: int) -> Outcome:
    conflict = state.open_conflict(command.conflict_id)
    if conflict is None:
        return _not_open(state, command.conflict_id)
    locked = refuse_locked(state, conflict.record_id, command.actor.user_id, None, now)
    if locked is not None:
        return locked
    record = state.records[conflict.record_id]
    field = record.field_state(conflict.field_name)
    chosen = _chosen(record, conflict, field, command)
    if isinstance(chosen, Rejection):
        return chosen
    if command.strategy != "keep_current":
        settled = refuse_settled(record, conflict.field_name)
        if settled is not None:
            return settled
        try:
            # The record's currency may have changed since the candidate came.
            check_amounts(record, {conflict.field_name: chosen})
        except ValueError as error:
            return reject(ErrorCode.INVALID, str(error), fields={"value": [str(error)]})
    data: dict[str, Any] = {
        "conflict_id": conflict.conflict_id,
        "record_id": conflict.record_id,
        "field_name": conflict.field_name,
        "strategy": command.strategy,
        "old_value": field.value,
        "new_value": chosen,
        "version": state.seq + 1,
        "candidates": len(conflict.candidates),
        # Whom it concerns: the log alone says so (`notifications`).
        "authors": sorted({candidate.user_id for candidate in conflict.candidates}),
        **outcome(state, conflict, field, chosen),
    }
    suggestion = suggest(state, conflict)
    if suggestion is not None:
        data["suggestion"] = suggestion.summary()
        data["followed_suggestion"] = same(suggestion.option.value, chosen)
    if command.edit_id is not None:
        data["edit_id"] = command.edit_id
    if command.reason is not None:
        data["reason"] = command.reason
    return Draft("conflict.resolved", data)


def _not_open(state: SessionState, conflict_id: str) -> Rejection:
    seq = state.resolved.get(conflict_id)
    if seq is not None:
        return reject(ErrorCode.ALREADY_RESOLVED, f"conflict {conflict_id} was resolved by commit {seq}", seq=seq)
    return reject(ErrorCode.NOT_FOUND, f"there is no conflict {conflict_id}", conflict_id=conflict_id)


def _chosen(record: RecordState, conflict: Conflict, field: FieldState, command: Resolve) -> Any | Rejection:
    """The value that a resolution sets."""
    if command.strategy not in STRATEGIES:
        message = f"a strategy is one of {', '.join(STRATEGIES)}"
        return reject(ErrorCode.INVALID, message, fields={"strategy": [message]})
    if command.strategy == "keep_current":
        return field.value
    if command.strategy == "custom":
        return _custom(record, conflict, command.value)
    candidate = _candidate(conflict, command.edit_id)
    if isinstance(candidate, Rejection) or command.strategy == "take_candidate":
        return candidate if isinstance(candidate, Rejection) else candidate.value
    return _merged(conflict, field, candidate)


def _custom(record: RecordState, conflict: Conflict, value: Any) -> Any | Rejection:
    try:
        return check_new_value(record, conflict.field_name, value)
    except ValueError as error:
        return reject(ErrorCode.INVALID, str(error), fields={"value": [str(error)]})


def _candidate(conflict: Conflict, edit_id: str | None) -> Candidate | Rejection:
    """The candidate named by its edit; without a name, the only one there is."""
    found = [item for item in conflict.candidates if edit_id is None or item.edit_id == edit_id]
    if len(found) == 1:
        return found[0]
    message = f"name one candidate by its edit_id: {len(found)} fit"
    return reject(ErrorCode.INVALID, message, fields={"edit_id": [message]})


def _merged(conflict: Conflict, field: FieldState, candidate: Candidate) -> Any | Rejection:
    kind = field_type(conflict.field_name)
    if kind in NEVER_MERGED:
        return reject(ErrorCode.INVALID, f"{conflict.field_name} holds {kind}, which is never merged")
    known, base = conflict.base_for(candidate, field)
    merged, value = keep_both(base, field.value, candidate.value) if known else (False, None)
    if not merged:
        return reject(ErrorCode.INVALID, "the two cannot be merged: choose one, or write the value yourself")
    return value


def _as_candidate(data: Mapping[str, Any], seq: int, at: int) -> Candidate:
    return Candidate(
        edit_id=data["edit_id"],
        user_id=data["user_id"],
        value=data["value"],
        base_version=data["base_version"],
        seq=seq,
        at=at,
        reason=data.get("edit_reason"),
    )


def evolve_conflict(state: SessionState, commit: Commit) -> Changes:
    data = commit.data
    place = (data["record_id"], data["field_name"])
    record = state.records[place[0]]
    changes = Changes()
    if record.seq < commit.seq:
        field = _evolve_field(record.field_state(place[1]), commit)
        record = replace(record, fields=record.fields.set(place[1], field), seq=commit.seq)
        changes["records"] = state.records.set(place[0], record)
    if commit.message_type == "conflict.detected":
        changes["conflicts"] = state.conflicts.set(data["conflict_id"], place)
    if commit.message_type == "conflict.resolved":
        changes["conflicts"] = state.conflicts.delete(data["conflict_id"])
        changes["resolved"] = forget_oldest(state.resolved.set(data["conflict_id"], commit.seq), limits.MAX_RESOLVED)
        changes["precedents"] = remember_decided(state, data)
    return changes


def _evolve_field(field: FieldState, commit: Commit) -> FieldState:
    data = commit.data
    if commit.message_type == "conflict.detected":
        conflict = Conflict(
            conflict_id=data["conflict_id"],
            record_id=data["record_id"],
            field_name=data["field_name"],
            policy=data["policy"],
            base_version=data["base"]["version"],
            base_value=data["base"]["value"],
            base_known=data["base"]["known"],
            opened_at=commit.at,
            candidates=tuple(_as_candidate(item, commit.seq, commit.at) for item in data["candidates"]),
        )
        return replace(field, conflict=conflict)
    if commit.message_type == "conflict.extended":
        if field.conflict is None:
            raise ValueError(f"commit {commit.seq} extends a conflict that is not open")
        candidates = (*field.conflict.candidates, _as_candidate(data["candidate"], commit.seq, commit.at))
        return replace(field, conflict=replace(field.conflict, candidates=candidates))
    history = (*field.history, (field.version, field.value))[-limits.MAX_FIELD_HISTORY :]
    return FieldState(data["new_value"], commit.seq, commit.user_id, history, None)


def forget_oldest(items: Map[str, V], limit: int) -> Map[str, V]:
    """Bounded: when full, a tenth goes at once, so that the sorting is paid for rarely. Ids end in their ``seq``."""
    if len(items) <= limit:
        return items
    newest = sorted(items, key=lambda item: int(item.rpartition("-")[2]))[-(limit - limit // 10) :]
    return Map({item: items[item] for item in newest})


def conflict_answer(commit: Commit) -> Mapping[str, Any]:
    """The acknowledgement of an edit that became a candidate, or of a resolution."""
    data = commit.data
    if commit.message_type == "conflict.resolved":
        return {"seq": commit.seq, "version": commit.seq, "value": data["new_value"]}
    return {
        "status": "conflict",
        "seq": commit.seq,
        "version": data["current"]["version"],
        "conflict_id": data["conflict_id"],
    }
