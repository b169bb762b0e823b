"""Sessions as their status shows them, and how those that are followed here are shown to other processes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Final

from realtime_server.core.commits import Commit
from realtime_server.core.snapshot import state_from_document
from realtime_server.core.state import SessionState
from realtime_server.ending import end_tasks
from realtime_server.engine.engine import Engine
from realtime_server.errors import CollaborationError
from realtime_server.ports import CommitLog, Overviews, SessionOverview, SessionStore

log = logging.getLogger(__name__)

#: Seconds between two rounds: a commit shows in the next one. A commit of another process that no hint told of is
#: found half a second later (`engine.poller`); both together are less than the second that a status may be old.
ROUND: Final = 0.2
#: Rounds after which everything is shown again that has not changed: what is shown ends by itself some time.
_AGAIN: Final = 100


def overview_of(state: SessionState) -> SessionOverview:
    return SessionOverview(
        session_id=state.session_id,
        project_id=state.project_id,
        name=state.name,
        status=state.status.value,
        created_by=state.created_by,
        created_at=state.created_at,
        last_activity=state.last_activity,
        expires_at=state.expires_at,
        seq=state.seq,
        field_policies=dict(state.field_policies),
        open_conflicts=len(state.conflicts),
        locks=tuple(state.locks.values()),
    )


class OverviewWriter:
    """Shows the sessions that are followed here, as long as they are. ``observe`` what is published."""

    def __init__(self, engine: Engine, overviews: Overviews) -> None:
        self._engine = engine
        self._overviews = overviews
        self._changed: set[str] = set()
        self._shown: set[str] = set()
        self._round = 0
        self._task = asyncio.create_task(self._write_forever(), name="session overviews")

    def observe(self, commits: Iterable[Commit]) -> None:
        self._changed.update(commit.session_id for commit in commits)

    async def _write_forever(self) -> None:
        while True:
            try:
                await self._write(self._engine.followed)
            except CollaborationError as error:
                # Everything again in the next round. Until then what was shown before is not believed any more.
                self._shown.clear()
                log.debug("sessions could not be shown to other processes: %s", error.message)
            except Exception:
                log.exception("sessions could not be shown to other processes")
            await asyncio.sleep(ROUND)

    async def _write(self, followed: Collection[str]) -> None:
        self._round = (self._round + 1) % _AGAIN
        changed, self._changed = self._changed, set()
        if self._round == 0:
            self._shown &= set(followed)
            wanted = set(followed)
        else:
            wanted = {name for name in followed if name in changed or name not in self._shown}
        states = (self._engine.live(name) for name in wanted)
        shown = [overview_of(state) for state in states if state is not None]
        gone = self._shown - set(followed)
        await self._overviews.show(shown, gone)
        self._shown = (self._shown - gone) | {item.session_id for item in shown}

    async def close(self) -> None:
        await end_tasks(self._task)
        with suppress(CollaborationError):  # without this process they are not believed either
            await self._overviews.show([], self._shown)


async def stored_overview(session_id: str, log_: CommitLog, sessions: SessionStore) -> SessionOverview | None:
    """The session's newest checkpoint, if nothing has happened since; None if something has, or there is none.

    Asking the log afterwards is what makes it sure: a checkpoint that was at the log's end then is how it stands.
    """
    document = await sessions.load(session_id)
    if document is None:
        return None
    head = (await log_.heads([session_id])).get(session_id)
    return overview_of(state_from_document(document)) if head == document["seq"] else None
