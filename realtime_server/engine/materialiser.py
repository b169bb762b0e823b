"""Folds the log into stored records, notifications and checkpoints, beside the actor and never in an edit's way
(`fold_turns`).

Records and notifications first, then the checkpoint: a crash in between leaves records that are ahead of it, which a
replay recognises by their ``seq``, and notifications, which have the same ids when they are derived again. What a
checkpoint stands behind has been kept; what it does not, whoever opens the session next derives from the log's tail.
All writes are guarded, so that several instances may fold the same log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter
from typing import Final

from realtime_server.core.commits import Commit
from realtime_server.core.evolve import set_records
from realtime_server.core.snapshot import found_by, state_document
from realtime_server.core.state import SessionState
from realtime_server.engine.fold_turns import PRESSING, FoldTurns, Turn
from realtime_server.engine.notifier import Notifier
from realtime_server.errors import CollaborationError
from realtime_server.ports import RecordStore, SessionStore

log = logging.getLogger(__name__)

#: Records written by one bulk write: with full histories up to 8 ms of the event loop, and as much of mongod.
_CHUNK: Final = 25


class Materialiser:
    """Knows which records of one session are newer than their stored form. At most one fold runs at a time.

    ``state`` gives the newest durable state, all of whose commits were noted. ``stored``: the newest checkpoint.
    ``tail``: the commits behind it with which the next one is due, and the most there may be.
    """

    def __init__(
        self,
        sessions: SessionStore,
        records: RecordStore,
        state: Callable[[], SessionState],
        turns: FoldTurns,
        notifier: Notifier | None,
        stored: SessionState,
        tail: tuple[int, int],
    ) -> None:
        self._sessions = sessions
        self._records = records
        self._state = state
        self._turns = turns
        self._notifier = notifier
        self._dirty: set[str] = set()
        self._due_after, self._longest = tail
        self._turn = Turn()
        self._task: asyncio.Task[None] | None = None
        #: The ``seq`` of the newest checkpoint that is stored, and what searches find it by.
        self.stored_seq = stored.seq
        self._found_by = found_by(stored)

    def note(self, commit: Commit) -> None:
        self._dirty |= set_records(commit)

    @property
    def folding(self) -> bool:
        return self._task is not None and not self._task.done()

    def due(self) -> bool:
        """Whether a checkpoint should not wait: many commits are behind none, or searches would not see the session
        as it is."""
        state = self._state()
        return state.seq - self.stored_seq >= self._due_after or self._hidden(state)

    def _urgency(self) -> float:
        """As `Turn.urgency`."""
        state = self._state()
        over = state.seq - self.stored_seq - self._due_after
        urgency = over / max(1, self._longest - self._due_after)
        return max(urgency, PRESSING) if self._hidden(state) else urgency

    def _hidden(self, state: SessionState) -> bool:
        return found_by(state) != self._found_by or (state.seq > 0 and not self.stored_seq)

    def start(self) -> None:
        """Fold everything up to the newest state when this session's turn comes, unless a fold is under way."""
        state = self._state()
        if not self.folding and state.seq > self.stored_seq:
            self._turn = Turn(self._urgency)
            self._task = asyncio.create_task(self._fold_quietly(self._turn), name=f"fold {state.session_id}")

    async def pause(self) -> None:
        """Return when the fold that is under way, if any, has ended, well or not."""
        if self._task is not None:
            self._turn.hurry()
            await asyncio.wait([self._task])

    async def finish(self) -> None:
        """Fold everything up to the newest state and return when it is stored."""
        await self.pause()
        if self._state().seq > self.stored_seq:
            await self._fold()
        elif self._notifier is not None:
            await self._notifier.deliver()

    async def _fold_quietly(self, turn: Turn) -> None:
        try:
            async with self._turns.taken(turn):
                await self._fold(turn)
                while self._hidden(self._state()):
                    await self._fold(turn)
        except CollaborationError as error:
            # The log has everything; the next fold takes these records along.
            session_id = self._state().session_id
            log.warning("checkpoint of session %s after %d put off: %s", session_id, self.stored_seq, error.message)

    async def _fold(self, turn: Turn | None = None) -> None:
        """Without a turn in one go."""
        # Taken together, before further commits make more of either.
        state, taken, self._dirty = self._state(), self._dirty, set()
        changed = [state.records[record_id] for record_id in taken if record_id in state.records]
        try:
            for start in range(0, len(changed), _CHUNK):
                began, chunk = perf_counter(), changed[start : start + _CHUNK]
                await self._records.save(state.session_id, chunk)
                if turn is not None:
                    await turn.rest(self._turns.rest(turn, perf_counter() - began, len(chunk) / _CHUNK))
            if self._notifier is not None:
                # All of this state's: they were noted together with its commits.
                await self._notifier.deliver()
            await self._sessions.save(state_document(state))
        except BaseException:
            self._dirty |= taken
            raise
        if state.seq > self.stored_seq:
            self.stored_seq, self._found_by = state.seq, found_by(state)
