"""Records that people set aside (an exception, excluded), take back, or give to somebody. Bulk, with a result each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from realtime_server.core import limits
from realtime_server.core.commits import Commit, Draft
from realtime_server.core.edits import set_field
from realtime_server.core.locks import refuse_locked
from realtime_server.core.matches import check_names
from realtime_server.core.money import canonical_amount
from realtime_server.core.outcomes import NoChange, Outcome, item_refused, reject
from realtime_server.core.reconciliation_commands import AssignRecords, SetRecordStatus
from realtime_server.core.state import Changes, RecordState, SessionState
from realtime_server.core.tallies import tally_statuses
from realtime_server.errors import ErrorCode, Rejection

_STATUSES: Final = ("exception", "excluded", "unmatched")


def decide_status(state: SessionState, command: SetRecordStatus, now: int) -> Outcome:
    if command.status not in _STATUSES:
        message = f"status is one of {', '.join(_STATUSES)}: the others follow from matches"
        return reject(ErrorCode.INVALID, message, fields={"status": [message]})
    if command.status != "unmatched" and not (command.reason or "").strip():
        message = f"say why this is {'an exception' if command.status == 'exception' else 'excluded'}"
        return reject(ErrorCode.REASON_REQUIRED, message, fields={"reason": ["is empty"]})
    if not 1 <= len(command.record_ids) <= limits.MAX_BULK:
        return reject(ErrorCode.INVALID, f"name 1 to {limits.MAX_BULK} records")
    changes: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for record_id in dict.fromkeys(command.record_ids):
        change = _status_of(state, command, record_id, now)
        if isinstance(change, Rejection):
            results.append(item_refused("record_id", record_id, change))
        else:
            results.append({"record_id": record_id, "ok": True})
            # Older versions let the field be edited by itself: it may say something else, and is put right.
            shown = state.records[record_id].value("status") or "unmatched"
            if {change["was"], shown} != {command.status}:
                changes.append(change)
    if not changes:
        return NoChange({"seq": state.seq, "results": results})
    data: dict[str, Any] = {
        "record_ids": [item["record_id"] for item in changes],
        "status": command.status,
        "changes": changes,
        "results": results,
    }
    if command.reason is not None:
        data["reason"] = command.reason
    return Draft("record.status_changed", data)


def _status_of(state: SessionState, command: SetRecordStatus, record_id: str, now: int) -> dict[str, Any] | Rejection:
    record = state.records.get(record_id)
    if record is None:
        return reject(ErrorCode.NOT_FOUND, f"there is no record {record_id}")
    locked = refuse_locked(state, record_id, command.actor.user_id, None, now)
    if locked is not None:
        return locked
    if record.match is not None:
        what = (
            "suggested for a match: reject that" if record.match.status.value == "suggested" else "matched: unmatch it"
        )
        return reject(ErrorCode.ALREADY_MATCHED, f"the record is {what} first", match_id=record.match.match_id)
    return {
        "record_id": record_id,
        "source": record.source,
        "was": record.disposition or "unmatched",
        "status": command.status,
        "currency": record.currency,
        "amount": _amount(record),
    }


def _amount(record: RecordState) -> str | None:
    try:
        return canonical_amount(record.value("amount") or "", record.currency)
    except ValueError:
        return None


def decide_assign(state: SessionState, command: AssignRecords, now: int) -> Outcome:
    if not 1 <= len(command.record_ids) <= limits.MAX_BULK:
        return reject(ErrorCode.INVALID, f"name 1 to {limits.MAX_BULK} records")
    problem = check_names(command.assignee)
    if problem is not None or command.assignee == "":
        return reject(ErrorCode.INVALID, problem or "an assignee has a name; null is nobody")
    results: list[dict[str, Any]] = []
    changed: list[str] = []
    for record_id in dict.fromkeys(command.record_ids):
        record = state.records.get(record_id)
        if record is None:
            missing = reject(ErrorCode.NOT_FOUND, f"there is no record {record_id}")
            results.append(item_refused("record_id", record_id, missing))
            continue
        results.append({"record_id": record_id, "ok": True})
        if record.value("assignee") != command.assignee:
            changed.append(record_id)
    if not changed:
        return NoChange({"seq": state.seq, "results": results})
    return Draft("record.assigned", {"record_ids": changed, "assignee": command.assignee, "results": results})


def evolve_record(state: SessionState, commit: Commit) -> Changes:
    data = commit.data
    if commit.message_type == "record.imported":
        return Changes(reconciliation=replace(state.reconciliation, amounts_seq=commit.seq))
    name = "assignee" if commit.message_type == "record.assigned" else "status"
    mutation = state.records.mutate()
    for record_id in data["record_ids"]:
        record = state.records[record_id]
        if record.seq < commit.seq:
            if name == "status":
                disposition = None if data["status"] == "unmatched" else data["status"]
                record = replace(record, disposition=disposition)
            mutation[record_id] = set_field(record, name, data[name], commit)
    changes = Changes(records=mutation.finish())
    if name == "status":
        changes["reconciliation"] = tally_statuses(state.reconciliation, commit)
    return changes


def record_answer(commit: Commit) -> Mapping[str, Any]:
    if "results" in commit.data:
        return {"seq": commit.seq, "results": commit.data["results"]}
    return {"seq": commit.seq}
