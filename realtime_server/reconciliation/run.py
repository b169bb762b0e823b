"""The reconciliation of sessions, as the socket and REST shells call it: runs, dry runs, candidates, the sign-off.

One per process. Any instance may work on a run: it holds it by a lease in the session's log, and when it dies another
one that has the session open, or starts, takes over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from realtime_server.core.commands import SYSTEM, Actor, Command
from realtime_server.core.commits import Commit
from realtime_server.core.matching.rules import Rule, check_all, document
from realtime_server.core.money import format_minor_units
from realtime_server.core.reconciliation_commands import (
    CancelRun,
    Certify,
    PauseRun,
    ResumeRun,
    StartRun,
    Submit,
)
from realtime_server.core.reconciling import RunStatus, difference
from realtime_server.core.runs import run_view
from realtime_server.core.state import SessionState
from realtime_server.core.workflow import workflow_view
from realtime_server.ending import end_tasks
from realtime_server.engine.engine import Engine, wall_clock
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import RecordStore, SessionStore
from realtime_server.reconciliation import worker
from realtime_server.reconciliation.candidates import Candidates
from realtime_server.reconciliation.jobs import loaded
from realtime_server.reconciliation.loading import Totals
from realtime_server.reconciliation.pool import MatchingPool
from realtime_server.reconciliation.runner import Busy, RunConfig, Runner, system_id
from realtime_server.reconciliation.totals import SessionTotals

log = logging.getLogger(__name__)

Answer = Mapping[str, Any]
#: How often a submission is tried anew because amounts changed while they were added up.
_ATTEMPTS: Final = 5
#: Sessions with a run under way that are looked for in one sweep.
_SWEPT: Final = 100
MAX_EXAMPLES: Final = 20


async def _nobody(session_id: str) -> Collection[str]:
    return frozenset()


class RunService:
    """Create it inside a running loop, `close` it before the engine. ``busy``: see `runner.Busy`."""

    def __init__(
        self,
        engine: Engine,
        sessions: SessionStore,
        records: RecordStore,
        *,
        config: RunConfig | None = None,
        busy: Busy = _nobody,
        clock: Callable[[], int] = wall_clock,
    ) -> None:
        self._engine, self._sessions, self._records = engine, sessions, records
        self._config, self._busy, self._clock = config or RunConfig(), busy, clock
        self._pool = MatchingPool()
        self._runners: dict[str, asyncio.Task[None]] = {}
        self._totals = SessionTotals(engine, records)
        self._candidates = Candidates(engine, records, self._pool)
        self._closed = False
        self._sweeper = asyncio.create_task(self._sweep_forever(), name="runs that nobody works on")

    # -- control: each answers what the acknowledgement adds to ``ok``, or raises `CollaborationError` -----------------

    async def start(self, session_id: str, actor: Actor, command_id: str) -> Answer:
        """``{seq, run_id}``; `invalid` while a run is under way."""
        command = StartRun(actor=actor, command_id=command_id, run_id=f"run-{uuid4().hex[:12]}")
        answer = await self._engine.submit(session_id, command)
        await self.ensure(session_id)
        return answer

    async def pause(self, session_id: str, actor: Actor, command_id: str) -> Answer:
        return await self._engine.submit(session_id, PauseRun(actor=actor, command_id=command_id))

    async def resume(self, session_id: str, actor: Actor, command_id: str) -> Answer:
        answer = await self._engine.submit(session_id, ResumeRun(actor=actor, command_id=command_id))
        await self.ensure(session_id)
        return answer

    async def cancel(self, session_id: str, actor: Actor, command_id: str, reason: str | None = None) -> Answer:
        return await self._engine.submit(session_id, CancelRun(actor=actor, command_id=command_id, reason=reason))

    async def status(self, session_id: str) -> dict[str, Any]:
        """``{seq, run, workflow, rules_version, records, difference}``; the difference is the unexplained, by currency.

        The amounts of a session are added up when first asked for, and kept up from the log after that (`totals`).
        """
        await self.ensure(session_id)
        totals = await self._totals.of(await self._engine.inspect(session_id), shown=True)
        state = await self._engine.inspect(session_id, refresh=False)
        return {
            "seq": state.seq,
            "run": run_view(state.reconciliation),
            "workflow": workflow_view(state.reconciliation),
            "rules_version": state.reconciliation.rules.version,
            "records": totals.records,
            "difference": _difference(state, totals),
        }

    async def rules(self, session_id: str) -> dict[str, Any]:
        """``{version, project_version, rules}``, in order."""
        rules = (await self._engine.inspect(session_id)).reconciliation.rules
        return {
            "version": rules.version,
            "project_version": rules.project_version,
            "rules": [document(rule) for rule in rules.rules],
        }

    # -- questions -----------------------------------------------------------------------------------------------------

    async def dry_run(self, session_id: str, rules: Sequence[Rule] | None = None, examples: int = 5) -> dict[str, Any]:
        """What a run would do, by these rules or the session's own; nothing is stored.

        ``{records, records_matched, matches, by_rule: {rule_id: {matches, confirmed}}, examples: [...]}``.
        """
        try:
            tried = None if rules is None else check_all(rules)
        except ValueError as error:
            raise CollaborationError(ErrorCode.INVALID, str(error), {"fields": {"rules": [str(error)]}}) from error
        async with self._pool.turn:
            state = await self._engine.inspect(session_id)
            async with loaded(self._pool, self._records, state) as job:
                chosen = state.reconciliation.rules.rules if tried is None else tried
                await self._pool.call(worker.match, job.job_id, chosen)
                found = await self._pool.call(worker.summary, job.job_id, min(examples, MAX_EXAMPLES))
        shown = [
            {
                "ledger": list(item.ledger),
                "statement": list(item.statement),
                "rule_id": item.rule_id,
                "score": item.score,
                "confirmed": item.confirmed,
                "reasons": list(item.reasons),
            }
            for item in found["examples"]
        ]
        return {"seq": state.seq, **found, "examples": shown}

    async def candidates_for(self, session_id: str, record_id: str, limit: int = 10) -> list[dict[str, Any]]:
        """Open records that could belong to an open record, the likeliest first: ``record_id``, ``score``, ``reasons``.

        Answered from what was read within the last half minute; records settled since are left out. `not_found` for a
        record that is not there; empty for one that is settled, or has no amount or date.
        """
        return await self._candidates.of(session_id, record_id, limit)

    # -- the sign-off --------------------------------------------------------------------------------------------------

    async def submit(self, session_id: str, actor: Actor, command_id: str, comment: str | None = None) -> Answer:
        """Submit for review: the amounts are added up for it."""
        return await self._with_totals(
            session_id,
            lambda figures: Submit(actor=actor, command_id=command_id, comment=comment, **figures),
        )

    async def certify(self, session_id: str) -> Answer:
        """Sign off by rule, where the settings allow it and nothing is left for a person to judge."""
        return await self._with_totals(
            session_id, lambda figures: Certify(actor=SYSTEM, command_id=system_id(), **figures)
        )

    async def _with_totals(self, session_id: str, command: Callable[[dict[str, Any]], Command]) -> Answer:
        for attempt in range(1, _ATTEMPTS + 1):
            state = await self._engine.inspect(session_id)
            totals = await self._totals.of(state)
            figures = {"totals": totals.as_tuples(), "records": totals.records, "counted_at": totals.seq}
            try:
                return await self._engine.submit(session_id, command(figures))
            except CollaborationError as error:
                if error.code is not ErrorCode.UNAVAILABLE or attempt == _ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    # -- who works on what ---------------------------------------------------------------------------------------------

    async def ensure(self, session_id: str) -> None:
        """Take up a session's run, if it has one under way that nobody works on."""
        state = await self._engine.inspect(session_id)
        run = state.reconciliation.run
        if run is None or run.status not in (RunStatus.QUEUED, RunStatus.RUNNING):
            return
        if run.runner is None or run.lease_until <= self._clock():
            self._take_up(session_id, run.run_id)

    def observe(self, commits: Sequence[Commit]) -> None:
        """What was decided, here or elsewhere: the engine's publish passes it on. Runs begin by it. Never blocks."""
        for commit in commits:
            if commit.message_type in ("reconciliation.started", "reconciliation.resumed"):
                self._spawn_ensure(commit.session_id)

    def _spawn_ensure(self, session_id: str) -> None:
        if not self._closed:
            task = asyncio.create_task(self._ensure_quietly(session_id))
            task.add_done_callback(lambda done: done.exception())

    def _take_up(self, session_id: str, run_id: str) -> None:
        if self._closed or (session_id in self._runners and not self._runners[session_id].done()):
            return
        runner = Runner(session_id, run_id, self._engine, self._records, self._pool, self._config, self._busy)
        task = asyncio.create_task(self._work(session_id, runner), name=f"run {run_id}")
        self._runners[session_id] = task

    async def _work(self, session_id: str, runner: Runner) -> None:
        # Somebody works on it: the session stays open, and hears of what other instances do to it.
        self._engine.watch(session_id)
        try:
            await runner.work()
            await self._certify_quietly(session_id)
        except Exception:
            log.exception("the run of session %s stopped", session_id)
        finally:
            self._engine.unwatch(session_id)
            if self._runners.get(session_id) is asyncio.current_task():
                del self._runners[session_id]

    async def _certify_quietly(self, session_id: str) -> None:
        state = await self._engine.inspect(session_id)
        run = state.reconciliation.run
        if state.reconciliation.settings.auto_certify and run is not None and run.status is RunStatus.COMPLETED:
            with suppress(CollaborationError):
                await self.certify(session_id)

    async def _sweep_forever(self) -> None:
        """Runs whose instance died are taken up when their lease has ended."""
        while True:
            for session_id in await self._under_way():
                await self._ensure_quietly(session_id)
            await asyncio.sleep(self._config.lease / 3)

    async def _under_way(self) -> list[str]:
        try:
            return await self._sessions.reconciling(_SWEPT)
        except CollaborationError as error:
            log.warning("looking for runs under way failed: %s", error.message)
        except Exception:
            log.exception("looking for runs under way failed")
        return []

    async def _ensure_quietly(self, session_id: str) -> None:
        try:
            await self.ensure(session_id)
        except CollaborationError as error:
            log.warning("the run of session %s is not taken up: %s", session_id, error.message)
        except Exception:
            log.exception("the run of session %s is not taken up", session_id)

    async def close(self) -> None:
        """Stop working; runs go on where they are taken up next."""
        self._closed = True
        await end_tasks(self._sweeper, *self._runners.values())
        await self._pool.close()


def _difference(state: SessionState, totals: Totals) -> dict[str, str]:
    run = state.reconciliation.run
    sign = run.statement_sign if run is not None else 1
    found = difference(totals.sums, state.reconciliation.tally.settled, sign)
    return {currency: format_minor_units(minor, currency) for currency, minor in found.items()}


#: What the shells wait for.
Pending = Awaitable[Answer]
