"""One run, worked on: records to the worker process, matches back, and chunk by chunk into the session's log.

The log is the checkpoint: what is matched there is not open any more, so a runner that takes over after a crash looks
at what is still open, and nothing is matched twice. A pause takes effect at the next chunk, for the log itself refuses
further ones; while the worker computes, nothing is stored at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final
from uuid import uuid4

from realtime_server.core.commands import SYSTEM, generated_command_id
from realtime_server.core.commits import SYSTEM_USER
from realtime_server.core.matching.proposals import Proposal
from realtime_server.core.reconciliation_commands import (
    CompleteRun,
    FailRun,
    Found,
    ProposeMatches,
    ReportProgress,
)
from realtime_server.core.reconciling import Run, RunStatus
from realtime_server.core.state import SessionState
from realtime_server.ending import end_tasks
from realtime_server.engine.engine import Engine
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import RecordStore
from realtime_server.reconciliation import worker
from realtime_server.reconciliation.jobs import loaded
from realtime_server.reconciliation.pool import MatchingPool, WorkerLost

log = logging.getLogger(__name__)

#: Records that people are working on at this moment, though they hold no lock.
Busy = Callable[[str], Awaitable[Collection[str]]]


@dataclass(frozen=True, slots=True)
class RunConfig:
    """``chunk``: matches stored by one commit, and ``share`` of the event loop's time that storing them may take.
    ``report_every``: seconds between two reports. ``lease``: seconds for which a report holds the run. ``check_every``:
    seconds between two looks at the log while the worker computes. ``patience``: seconds that a run waits for records
    that people hold, looking again every ``retry_every``."""

    chunk: int = 5
    share: float = 0.15
    report_every: float = 0.25
    lease: float = 15.0
    check_every: float = 0.2
    patience: float = 30.0
    retry_every: float = 1.0


#: Matches fetched from the worker at a time.
_FETCH: Final = 500


#: Codes that say that the run is another instance's by now, or the session ended. Not that it is frozen: the run would
#: be taken up again and again, so it fails.
_TAKEN_AWAY: Final = frozenset({ErrorCode.LOCKED, ErrorCode.LOCK_LOST, ErrorCode.SESSION_ENDED})
#: Codes that say that the database is away, or the server has too much to do.
_AWAY: Final = frozenset({ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED})


class _Over(Exception):
    """The run is paused, cancelled, or another instance's: there is nothing more to do here."""


def system_id() -> str:
    return generated_command_id(SYSTEM_USER, uuid4().hex)


class Runner:
    """Works on one run until it ends, is paused, or is taken over. `work` never raises for what concerns the run."""

    def __init__(
        self, session_id: str, run_id: str, engine: Engine, records: RecordStore, pool: MatchingPool, config: RunConfig,
        busy: Busy,
    ) -> None:  # fmt: skip
        self._session_id, self._run_id = session_id, run_id
        self._engine, self._records, self._pool, self._config, self._busy = engine, records, pool, config, busy
        self._runner = uuid4().hex
        self._reported = self._began = monotonic()
        self._total = self._first = self._done = 0
        self._sign = 1
        self._rules_version: int | None = None

    async def work(self) -> None:
        try:
            state = await self._engine.inspect(self._session_id)
            run = self._still_mine(state)
            self._total, self._sign, self._rules_version = run.total, run.statement_sign, run.rules_version
            await self._report()
            proposals = await self._found()
            left_out = await self._store(proposals)
            await self._submit(CompleteRun(**self._ids(), run_id=self._run_id, total=self._total, left_out=left_out))
        except _Over:
            return
        except WorkerLost:
            await self._fail("the matching process ended twice in a row: is there too little memory for this session?")
        except CollaborationError as error:
            if error.code in _AWAY:
                # Its lease ends, and somebody takes it up again.
                log.warning("run %s of session %s stopped: %s", self._run_id, self._session_id, error.message)
            else:
                await self._fail(error.message)
        except Exception:
            log.exception("run %s of session %s", self._run_id, self._session_id)
            await self._fail("an unexpected failure, of which the server's log says more")

    # -- finding -------------------------------------------------------------------------------------------------------

    async def _found(self) -> list[Proposal]:
        """What `_find` finds. Where the worker dies it is tried once more: something else may have killed it."""
        try:
            return await self._while_mine(self._find())
        except WorkerLost:
            log.warning("the matching process ended; run %s of session %s begins anew", self._run_id, self._session_id)
            return await self._while_mine(self._find())

    async def _find(self) -> list[Proposal]:
        """Everything that the rules match among the open records."""
        async with self._pool.turn:
            state = await self._engine.inspect(self._session_id)
            async with loaded(self._pool, self._records, state) as job:
                self._total = job.records
                rules = state.reconciliation.rules.rules
                count, self._sign = await self._pool.call(worker.match, job.job_id, rules)
                proposals: list[Proposal] = []
                for first in range(0, count, _FETCH):
                    proposals += await self._pool.call(worker.results, job.job_id, first, _FETCH)
        # A record that nothing was found for is done with.
        self._first = self._done = self._total - sum(len(item.records) for item in proposals)
        return proposals

    async def _while_mine(self, finding: Awaitable[list[Proposal]]) -> list[Proposal]:
        """The result, unless the run is paused or taken over meanwhile."""
        task = asyncio.ensure_future(finding)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=self._config.check_every)
                self._still_mine(await self._engine.inspect(self._session_id))
                if monotonic() - self._reported > self._config.lease / 3:
                    await self._report()
            return task.result()
        finally:
            await end_tasks(task)

    def _still_mine(self, state: SessionState) -> Run:
        run = state.reconciliation.run
        if run is None or run.run_id != self._run_id or run.status not in (RunStatus.QUEUED, RunStatus.RUNNING):
            raise _Over
        return run

    # -- storing -------------------------------------------------------------------------------------------------------

    async def _store(self, proposals: Sequence[Proposal]) -> int:
        """Store the matches, those that people hold last; how many were left out to the end."""
        self._began = monotonic()
        await self._report()
        held: list[Proposal] = []
        for first in range(0, len(proposals), self._config.chunk):
            held += await self._chunk(proposals[first : first + self._config.chunk])
        deadline = monotonic() + self._config.patience
        while held and monotonic() < deadline:
            await asyncio.sleep(self._config.retry_every)
            self._still_mine(await self._engine.inspect(self._session_id))
            again, held = held, []
            for first in range(0, len(again), self._config.chunk):
                held += await self._chunk(again[first : first + self._config.chunk])
            await self._report()
        return len(held)

    async def _chunk(self, proposals: Sequence[Proposal]) -> list[Proposal]:
        """Store some; those that people hold come back."""
        busy = frozenset(await self._busy(self._session_id))
        free = [item for item in proposals if busy.isdisjoint(item.records)]
        held = [item for item in proposals if not busy.isdisjoint(item.records)]
        started = monotonic()
        if free:
            items = tuple(_as_found(item) for item in free)
            command = ProposeMatches(**self._ids(), run_id=self._run_id, items=items, runner=self._runner)
            answer = await self._submit(command)
            refused = [item for item in answer["results"] if not item["ok"]]
            held += [free[item["index"]] for item in refused if item["error"]["code"] == ErrorCode.LOCKED]
        kept = {record for item in held for record in item.records}
        self._done += sum(len(item.records) for item in proposals) - len(kept)
        took = monotonic() - started
        if monotonic() - self._reported >= self._config.report_every:
            await self._report()
        await asyncio.sleep(took * (1 / self._config.share - 1))
        return held

    # -- the log -------------------------------------------------------------------------------------------------------

    def _ids(self) -> dict[str, Any]:
        return {"actor": SYSTEM, "command_id": system_id()}

    async def _submit(self, command: Any) -> Any:
        try:
            return await self._engine.submit(self._session_id, command)
        except CollaborationError as error:
            if error.code in _TAKEN_AWAY:
                raise _Over from error
            # Paused or cancelled meanwhile? Else it is a defect, and the run fails with it.
            self._still_mine(await self._engine.inspect(self._session_id))
            raise

    async def _report(self) -> None:
        now = monotonic()
        elapsed = now - self._began
        handled = self._done - self._first
        rate = handled / elapsed if elapsed > 0 and handled else 0.0
        left = (self._total - self._done) / rate if rate else None
        self._reported = now
        await self._submit(
            ReportProgress(
                **self._ids(),
                run_id=self._run_id,
                runner=self._runner,
                lease=round(self._config.lease * 1000),
                rules_version=self._rules_version,
                total=self._total,
                processed=min(self._done, self._total),
                rate=rate,
                seconds_left=left,
                statement_sign=self._sign,
            )
        )

    async def _fail(self, message: str) -> None:
        """A run that cannot go on says so."""
        log.warning("run %s of session %s failed: %s", self._run_id, self._session_id, message)
        command = FailRun(**self._ids(), run_id=self._run_id, message=message)
        await asyncio.gather(self._engine.submit(self._session_id, command), return_exceptions=True)


def _as_found(item: Proposal) -> Found:
    return Found(
        ledger=item.ledger,
        statement=item.statement,
        rule_id=item.rule_id,
        score=item.score,
        confirmed=item.confirmed,
        reasons=item.reasons,
    )
