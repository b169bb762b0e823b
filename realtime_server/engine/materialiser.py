"""Folds the log into stored records, notifications and checkpoints, beside the actor and never in an edit's way.

Records and notifications first, then the checkpoint: a crash in between leaves records that are ahead of it, which a
replay recognises by their ``seq``, and notifications, which have the same ids when they are derived again. What a
checkpoint stands behind has been kept; what it does not, whoever opens the session next derives from the log's tail.
All writes are guarded, so that several instances may fold the same log.
"""

from __future__ import annotations

import asyncio
import logging

from realtime_server.core.commits import Commit
from realtime_server.core.evolve import set_records
from realtime_server.core.snapshot import state_document
from realtime_server.core.state import SessionState
from realtime_server.engine.notifier import Notifier
from realtime_server.errors import CollaborationError
from realtime_server.ports import RecordStore, SessionStore

log = logging.getLogger(__name__)

#: Records written by one bulk write: it bounds the document that is built for it.
_CHUNK = 1_000


class Materialiser:
    """Knows which records of one session are newer than their stored form. At most one fold runs at a time."""

    def __init__(
        self, sessions: SessionStore, records: RecordStore, stored_seq: int, notifier: Notifier | None = None
    ) -> None:
        self._sessions = sessions
        self._records = records
        self._notifier = notifier
        self._dirty: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        #: The ``seq`` of the newest checkpoint that is stored.
        self.stored_seq = stored_seq

    def note(self, commit: Commit) -> None:
        self._dirty |= set_records(commit)

    @property
    def folding(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, state: SessionState) -> None:
        """Begin to fold everything up to this state, unless a fold is running."""
        if not self.folding and state.seq > self.stored_seq:
            taken = self._take()
            self._task = asyncio.create_task(self._fold_quietly(state, taken), name=f"fold {state.session_id}")

    async def pause(self) -> None:
        """Return when the fold that runs, if any, has ended, well or not."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def finish(self, state: SessionState) -> None:
        """Fold everything up to this state and return when it is stored."""
        if self._task is not None:
            await self._task
        if state.seq > self.stored_seq:
            await self._fold(state, self._take())
        elif self._notifier is not None:
            await self._notifier.deliver()

    def _take(self) -> set[str]:
        """What is dirty now: taken together with the state, before further commits make more of it."""
        taken, self._dirty = self._dirty, set()
        return taken

    async def _fold_quietly(self, state: SessionState, taken: set[str]) -> None:
        try:
            await self._fold(state, taken)
        except CollaborationError as error:
            # The log has everything; the next fold takes these records along.
            log.warning("checkpoint of session %s at %d put off: %s", state.session_id, state.seq, error.message)

    async def _fold(self, state: SessionState, taken: set[str]) -> None:
        changed = [state.records[record_id] for record_id in taken if record_id in state.records]
        try:
            for start in range(0, len(changed), _CHUNK):
                await self._records.save(state.session_id, changed[start : start + _CHUNK])
            if self._notifier is not None:
                # All of this state's: they were noted together with its commits.
                await self._notifier.deliver()
            await self._sessions.save(state_document(state))
        except BaseException:
            self._dirty |= taken
            raise
        self.stored_seq = max(self.stored_seq, state.seq)
