"""A batch of commands against a state: which commits it would make, and who gets which answer. No I/O here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from realtime_server.core.commands import Command
from realtime_server.core.commits import Commit
from realtime_server.core.decide import answer, decide, needed_records
from realtime_server.core.evolve import evolve
from realtime_server.core.outcomes import NoChange
from realtime_server.core.repeats import refuse_used_id
from realtime_server.core.state import SessionState
from realtime_server.errors import ErrorCode, Rejection

log = logging.getLogger(__name__)

Answer = Mapping[str, Any]


@dataclass(slots=True, eq=False)
class Waiting:
    """A command and whoever waits for its answer; nobody waits for what the system asks for.

    ``queued_at``: seconds of `time.perf_counter`; 0 where nobody asks how long it took.
    """

    command: Command
    future: asyncio.Future[Answer] | None
    queued_at: float = 0.0


@dataclass(slots=True, eq=False)
class Decided:
    """One decision of a batch. ``position``: how many commits of the batch must be durable before it can be told."""

    waiting: Waiting
    outcome: Commit | NoChange | Rejection
    position: int

    def settle(self) -> None:
        future = self.waiting.future
        if future is None or future.done():
            return
        match self.outcome:
            case Commit():
                future.set_result(answer(self.outcome))
            case NoChange(answer=told):
                future.set_result(told)
            case Rejection():
                future.set_exception(self.outcome.to_error())


@dataclass(slots=True)
class Batch:
    """What a batch comes to, if all its commits can be appended. ``rest``: commands whose records are not loaded."""

    state: SessionState
    commits: list[Commit] = field(default_factory=list)
    decided: list[Decided] = field(default_factory=list)
    rest: Sequence[Waiting] = ()

    @property
    def unproven(self) -> bool:
        """Whether somebody would be told "no" or "nothing to do", and no append shows that this state is the newest."""
        return not self.commits and any(
            item.waiting.future is not None and (isinstance(item.outcome, Rejection) or item.waiting.command.repeatable)
            for item in self.decided
            if not isinstance(item.outcome, Commit)
        )

    @property
    def doubtful(self) -> list[Decided]:
        """Decisions that would be wrong if their command had been done long ago: it is worth asking the log."""
        return [
            item for item in self.decided if not isinstance(item.outcome, Commit) and item.waiting.command.repeatable
        ]


def _decide(batch: Batch, command: Command, now: int) -> Commit | NoChange | Rejection:
    """One decision. A defect in the rules refuses the one command that met it, and nobody else's."""
    try:
        outcome = decide(batch.state, command, now)
        if isinstance(outcome, Commit):
            batch.state = evolve(batch.state, outcome)
    except Exception:
        log.exception("deciding a %s failed", type(command).__name__)
        return Rejection(ErrorCode.INTERNAL, "the server failed to decide this")
    return outcome


def decide_batch(
    state: SessionState,
    waiting: Sequence[Waiting],
    known: Callable[[str], Commit | None],
    missing: Collection[str],
    now: int,
) -> Batch:
    """Decide commands one after another, each in the state that the ones before it would leave.

    ``known``: the commit that a command made already, so far as one knows. ``missing``: records that storage does not
    have, so that a command that names one can be decided all the same.
    """
    batch = Batch(state)
    mine: dict[str, Commit] = {}
    for index, item in enumerate(waiting):
        command = item.command
        done = mine.get(command.command_id) or known(command.command_id)
        if done is not None:
            batch.decided.append(Decided(item, refuse_used_id(command, done) or done, len(batch.commits)))
            continue
        if any(
            name not in batch.state.records and name not in missing for name in needed_records(batch.state, command)
        ):
            batch.rest = waiting[index:]
            break
        outcome = _decide(batch, command, now)
        if isinstance(outcome, Commit):
            batch.commits.append(outcome)
            mine[command.command_id] = outcome
        batch.decided.append(Decided(item, outcome, len(batch.commits)))
    return batch
