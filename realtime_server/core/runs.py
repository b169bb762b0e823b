"""The matching run as the log knows it, and the rules it works by. The work itself is `reconciliation.run`.

``queued → running ⇄ paused → completed | failed | cancelled``. Counts come from the tally of what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from realtime_server.core import limits
from realtime_server.core.clock import to_iso
from realtime_server.core.commits import Commit, Draft
from realtime_server.core.matching.rules import RuleSet, check_all, document, from_document
from realtime_server.core.nameless import name_of
from realtime_server.core.numbers import plain_number
from realtime_server.core.outcomes import NoChange, Outcome, reject
from realtime_server.core.reconciliation_commands import (
    CancelRun,
    CompleteRun,
    FailRun,
    PauseRun,
    ReportProgress,
    ResumeRun,
    SetRules,
    StartRun,
)
from realtime_server.core.reconciling import Reconciliation, Run, RunStatus
from realtime_server.core.state import SessionState
from realtime_server.errors import ErrorCode, Rejection

#: message_type -> the run's status after it.
_AFTER: Final[Mapping[str, RunStatus]] = {
    "reconciliation.paused": RunStatus.PAUSED,
    "reconciliation.resumed": RunStatus.RUNNING,
    "reconciliation.progress": RunStatus.RUNNING,
    "reconciliation.completed": RunStatus.COMPLETED,
    "reconciliation.failed": RunStatus.FAILED,
    "reconciliation.cancelled": RunStatus.CANCELLED,
}


def decide_rules(state: SessionState, command: SetRules, now: int) -> Outcome:
    rules = state.reconciliation.rules
    if command.base_version != rules.version:
        message = f"the rules were changed since version {command.base_version}"
        return reject(ErrorCode.VERSION_STALE, message, version=rules.version)
    try:
        checked = check_all(command.rules)
    except ValueError as error:
        return reject(ErrorCode.INVALID, str(error), fields={"rules": [str(error)]})
    if checked == rules.rules:
        return NoChange({"seq": state.seq, "version": rules.version})
    run = state.reconciliation.run
    if run is not None and run.status in (RunStatus.QUEUED, RunStatus.RUNNING):
        message = "a run works by these rules: pause it, or let it end"
        return reject(ErrorCode.INVALID, message, run_id=run.run_id, status=run.status.value)
    data = {"version": state.seq + 1, "rules": [document(rule) for rule in checked]}
    return Draft("reconciliation.rules_changed", data)


def decide_start(state: SessionState, command: StartRun, now: int) -> Outcome:
    run = state.reconciliation.run
    if run is not None and run.active:
        message = f"a run is {run.status.value} already"
        return reject(ErrorCode.INVALID, message, run_id=run.run_id, status=run.status.value)
    data = {
        "run_id": command.run_id,
        "status": RunStatus.QUEUED.value,
        "started_by": {"user_id": command.actor.user_id, "name": name_of(state, command.actor)},
        "rules_version": state.reconciliation.rules.version,
    }
    return Draft("reconciliation.started", data)


def _active(state: SessionState) -> Run | Rejection:
    run = state.reconciliation.run
    if run is None or not run.active:
        return reject(ErrorCode.INVALID, "no run is under way")
    return run


def _runners(state: SessionState, run_id: str) -> Run | Rejection:
    """The run, if it is this one and has not ended: a runner that lost its lease may come too late."""
    run = state.reconciliation.run
    if run is None or run.run_id != run_id or not run.active:
        return reject(ErrorCode.INVALID, f"run {run_id} is over", run_id=run_id)
    return run


def decide_pause(state: SessionState, command: PauseRun, now: int) -> Outcome:
    run = _active(state)
    if isinstance(run, Rejection):
        return run
    if run.status is RunStatus.PAUSED:
        return NoChange({"seq": state.seq, "status": run.status.value})
    # Whoever goes on when it is resumed need not wait for the lease.
    return Draft("reconciliation.paused", _counts(state, replace(run, runner=None, lease_until=0)))


def decide_resume(state: SessionState, command: ResumeRun, now: int) -> Outcome:
    run = _active(state)
    if isinstance(run, Rejection):
        return run
    if run.status is not RunStatus.PAUSED:
        return NoChange({"seq": state.seq, "status": run.status.value})
    # While it was paused they may have been changed.
    return Draft("reconciliation.resumed", {**_counts(state, run), "rules_version": state.reconciliation.rules.version})


def decide_cancel(state: SessionState, command: CancelRun, now: int) -> Outcome:
    run = _active(state)
    if isinstance(run, Rejection):
        return run
    data = _counts(state, run)
    if command.reason is not None:
        data["reason"] = command.reason
    return Draft("reconciliation.cancelled", data)


def decide_progress(state: SessionState, command: ReportProgress, now: int) -> Outcome:
    run = _runners(state, command.run_id)
    if isinstance(run, Rejection):
        return run
    if run.status is RunStatus.PAUSED:
        return reject(ErrorCode.INVALID, f"run {run.run_id} is paused", run_id=run.run_id)
    if run.runner not in (None, command.runner) and run.lease_until > now:
        return reject(ErrorCode.LOCKED, "another instance works on this run", run_id=run.run_id)
    if command.rules_version not in (None, run.rules_version):
        return reject(ErrorCode.LOCK_LOST, "the run goes on by other rules", run_id=run.run_id)
    changed = replace(
        run,
        runner=command.runner,
        lease_until=now + command.lease,
        total=command.total,
        processed=command.processed,
        rate=round(command.rate, 1),
        seconds_left=None if command.seconds_left is None else round(command.seconds_left, 1),
        statement_sign=command.statement_sign,
    )
    return Draft("reconciliation.progress", _counts(state, changed))


def decide_complete(state: SessionState, command: CompleteRun, now: int) -> Outcome:
    run = _runners(state, command.run_id)
    if isinstance(run, Rejection):
        return run
    data = _counts(state, replace(run, total=command.total, processed=command.total, seconds_left=0.0))
    return Draft("reconciliation.completed", {**data, "left_out": command.left_out})


def decide_fail(state: SessionState, command: FailRun, now: int) -> Outcome:
    run = _runners(state, command.run_id)
    if isinstance(run, Rejection):
        return run
    return Draft("reconciliation.failed", {**_counts(state, run), "message": command.message[: limits.MAX_REASON]})


def counts(reconciliation: Reconciliation) -> dict[str, int]:
    """Records and matches by what has become of them, counted from what is stored."""
    records, matches = reconciliation.tally.records, reconciliation.tally.matches
    return {
        "matched": records.get("matched", 0),
        "suggested": records.get("suggested", 0),
        "exceptions": records.get("exception", 0),
        "excluded": records.get("excluded", 0),
        "matches_confirmed": matches.get("confirmed", 0),
        "matches_suggested": matches.get("suggested", 0),
    }


def _counts(state: SessionState, run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "total": run.total,
        "processed": run.processed,
        **counts(state.reconciliation),
        "rate": plain_number(run.rate),
        "seconds_left": None if run.seconds_left is None else plain_number(run.seconds_left),
        "statement_sign": run.statement_sign,
        "runner": run.runner,
        "lease_until": run.lease_until,
    }


def evolve_run(before: Reconciliation, commit: Commit) -> Reconciliation:
    data, kind = commit.data, commit.message_type
    if kind == "reconciliation.rules_changed":
        rules = RuleSet(tuple(from_document(item) for item in data["rules"]), data["version"])
        return replace(before, rules=rules)
    if kind == "reconciliation.started":
        sign = before.run.statement_sign if before.run is not None else 1
        user_id = data["started_by"]["user_id"]
        run = Run(
            data["run_id"], RunStatus.QUEUED, user_id, commit.at, commit.at, data["rules_version"], statement_sign=sign
        )
        return replace(before, run=run)
    if before.run is None:
        raise ValueError(f"commit {commit.seq} speaks of a run that was never started")
    run = replace(
        before.run,
        status=_AFTER[kind],
        updated_at=commit.at,
        rules_version=data.get("rules_version", before.run.rules_version),
        total=data["total"],
        processed=data["processed"],
        rate=data["rate"],
        seconds_left=data["seconds_left"],
        statement_sign=data["statement_sign"],
        runner=data["runner"],
        lease_until=data["lease_until"],
        left_out=data.get("left_out", 0),
        message=data.get("message") or data.get("reason"),
    )
    return replace(before, run=run)


def run_view(reconciliation: Reconciliation) -> dict[str, Any]:
    """The run and the counts as `join` and the status show them; ``status`` not_started before the first run."""
    run = reconciliation.run
    if run is None:
        return {"status": "not_started", **counts(reconciliation)}
    view: dict[str, Any] = {
        "run_id": run.run_id,
        "status": run.status.value,
        "started_by": run.started_by,
        "started_at": to_iso(run.started_at),
        "updated_at": to_iso(run.updated_at),
        "rules_version": run.rules_version,
        "total": run.total,
        "processed": run.processed,
        **counts(reconciliation),
        "rate": run.rate,
        "seconds_left": run.seconds_left,
        "left_out": run.left_out,
        "statement_sign": run.statement_sign,
    }
    if run.message is not None:
        view["message"] = run.message
    return view


def run_answer(commit: Commit) -> Mapping[str, Any]:
    """``seq``, and what the event set: the run it started, the version of the rules, whether a signature was final."""
    data = commit.data
    return {"seq": commit.seq, **{name: data[name] for name in ("run_id", "version", "final") if name in data}}
