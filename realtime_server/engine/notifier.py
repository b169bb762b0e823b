"""Keeps the notifications that follow from one session's commits, and tells whoever is there.

They are kept at once, beside the actor, and again before a checkpoint where that failed (`materialiser`): none is lost
by a crash. People are told of what is kept, so whatever somebody was told of can be marked as read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence, Set
from dataclasses import replace

from realtime_server.core.commits import Commit
from realtime_server.core.notifications import NOTIFYING, Notice, notices_of
from realtime_server.core.sessions import NAME_ERASED
from realtime_server.core.state import SessionState
from realtime_server.errors import CollaborationError
from realtime_server.ports import NoticeStore

log = logging.getLogger(__name__)

#: (what is kept now, ids of those that nobody had kept before).
Notify = Callable[[Sequence[Notice], Set[str]], None]

#: Notifications kept by one write.
_CHUNK = 500


class Notifier:
    """``notify`` is called with what has been kept."""

    def __init__(self, session_id: str, store: NoticeStore, notify: Notify) -> None:
        self._session_id = session_id
        self._store = store
        self._notify = notify
        #: What is to be kept, and whether it has just happened: of what is replayed only what is new is told.
        self._waiting: list[tuple[Notice, bool]] = []
        #: Whose names have been erased from the session, and may be in what is kept.
        self._erased: set[str] = set()
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def note(self, state: SessionState, commits: Sequence[Commit], *, live: bool) -> None:
        """These commits are durable, and ``state`` is what they led to. ``live``: they have been published now.

        On the hot path: a commit that concerns nobody costs one look into a set.
        """
        for commit in commits:
            if commit.message_type in NOTIFYING:
                self._waiting += [(notice, live) for notice in notices_of(state, commit)]
            elif commit.message_type == NAME_ERASED:
                self._erase(commit.data["user_id"])
        if (self._waiting or self._erased) and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._deliver_quietly(), name=f"notify {self._session_id}")

    def _erase(self, user_id: str) -> None:
        """What waits has the name, and what is being kept at this moment, and what another process keeps late: so every
        process that comes by the erasure sees to it, after whatever it kept before."""
        self._waiting = [
            (replace(notice, name=user_id) if notice.user_id == user_id else notice, live)
            for notice, live in self._waiting
        ]
        self._erased.add(user_id)

    async def _deliver_quietly(self) -> None:
        try:
            await self.deliver()
        except CollaborationError as error:
            # The next checkpoint waits for them.
            log.warning("notifications of session %s put off: %s", self._session_id, error.message)

    async def deliver(self) -> None:
        """Keep everything noted until now, and tell. Raises `CollaborationError`; then it waits for the next time."""
        async with self._turn:
            while self._waiting:
                taken, self._waiting = self._waiting[:_CHUNK], self._waiting[_CHUNK:]
                try:
                    new = await self._store.add([notice for notice, _ in taken])
                except BaseException:
                    self._waiting = taken + self._waiting
                    raise
                self._notify([notice for notice, live in taken if live or notice.notice_id in new], new)
            while self._erased:
                user_id = next(iter(self._erased))
                await self._store.erase_name(self._session_id, user_id)
                self._erased.discard(user_id)
