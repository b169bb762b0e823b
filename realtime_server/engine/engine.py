"""The engine: every open session has one actor, and this is where the shells find it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from realtime_server.core.commands import Command
from realtime_server.core.commits import Commit
from realtime_server.core.conflict_views import conflict_records, open_conflicts
from realtime_server.core.state import Conflict, SessionState
from realtime_server.ending import end_tasks
from realtime_server.engine.actor import Needs, Publish, SessionActor, Stores, Trace
from realtime_server.engine.batch import Answer
from realtime_server.engine.config import EngineConfig
from realtime_server.engine.fold_turns import FoldTurns
from realtime_server.engine.notifier import Notify
from realtime_server.engine.poller import poll_forever
from realtime_server.engine.sweeper import sweep_forever
from realtime_server.engine.timing import EngineTimings
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import CommitLog, Hints, NoticeStore, RecordStore, SessionStore

#: Seconds after which a followed session that had to close is opened again.
_REOPEN_AFTER = 1.0


def wall_clock() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Replay:
    """What a client needs to catch up: the commits after its ``since`` up to ``seq``, or the word to begin afresh."""

    seq: int
    commits: list[Commit]
    reset: bool


def _nothing(state: SessionState) -> Collection[str]:
    return ()


class NoHints:
    """`Hints` for a process that is alone, or whose commits the others look for."""

    def follow(self, session_id: str) -> None:
        pass

    def unfollow(self, session_id: str) -> None:
        pass

    def tell(self, session_id: str, seq: int, commits: Sequence[Commit]) -> None:
        pass


class Engine:
    """Decides, stores and publishes what is asked of sessions. One for a process; create it inside a running loop.

    ``publish`` is called with durable commits, in ``seq`` order per session, before their submitters are answered. It
    must not block, and must not raise. ``hints``: how other processes hear of what was appended here; what they tell
    comes in as `hint`. ``notices``: where notifications are kept; ``notify`` is called with those that are kept, once
    in every process that has the session open, and with the ids of those that this process was the first to keep. It
    must not block, and must not raise. ``busy``: the share of a core that the process uses, 0 to 1 (`rhythm`).
    """

    def __init__(
        self,
        log: CommitLog,
        sessions: SessionStore,
        records: RecordStore,
        *,
        publish: Publish,
        hints: Hints | None = None,
        notices: NoticeStore | None = None,
        notify: Notify = lambda notices, first: None,
        config: EngineConfig | None = None,
        clock: Callable[[], int] = wall_clock,
        trace: Trace | None = None,
        busy: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._stores = Stores(log, sessions, records, notices)
        self._publish = publish
        self._notify = notify
        self._hints: Hints = hints or NoHints()
        self._config = config or EngineConfig()
        self._clock = clock
        self._trace, self._busy = trace, busy
        self.timings = EngineTimings()
        self._fold_turns = FoldTurns()
        self._actors: dict[str, SessionActor] = {}
        self._watchers: Counter[str] = Counter()
        #: Followed sessions that had to close: up to where their listeners have been told.
        self._told: dict[str, int] = {}
        self._closed = False
        self._tasks = [asyncio.create_task(sweep_forever(self, sessions, self._config.sweep_interval, clock))]
        if self._config.poll_interval is not None:
            polling = poll_forever(log, self._config.poll_interval, lambda: self._watchers.keys(), self._grown)
            self._tasks.append(asyncio.create_task(polling))

    @property
    def open_sessions(self) -> int:
        return len(self._actors)

    @property
    def waiting_commands(self) -> int:
        return sum(actor.waiting_commands for actor in self._actors.values())

    @property
    def beyond_checkpoints(self) -> int:
        """The most commits that any open session's log is ahead of its checkpoint."""
        return max((actor.beyond_checkpoint for actor in self._actors.values()), default=0)

    def submit(self, session_id: str, command: Command) -> asyncio.Future[Answer]:
        """Queue a command, in the order of the calls; the future gives what its acknowledgement adds to ``ok``.

        The future raises `CollaborationError`: what the rules refuse, `overloaded` when the queue is full,
        `unavailable` when the database does not answer. When it has a result, the commit is journaled and published.
        """
        try:
            return self._actor(session_id).submit(command)
        except CollaborationError as error:
            future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            future.set_exception(error)
            return future

    async def inspect(self, session_id: str, needs: Needs = _nothing, *, refresh: bool = True) -> SessionState:
        """The session after every command submitted before, as durable, with the records loaded that ``needs`` names.

        ``refresh``: with everything that other instances have stored until now. Raises `not_found`, `unavailable`.
        """
        state = await self._actor(session_id).inspect(needs, refresh=refresh)
        if state.seq == 0:
            raise CollaborationError(ErrorCode.NOT_FOUND, f"there is no session {session_id}")
        return state

    async def state(self, session_id: str) -> SessionState:
        return await self.inspect(session_id)

    async def checkpoint(self, session_id: str) -> SessionState:
        """The session as of now, with a checkpoint of it stored: lists, which read checkpoints, show it so.

        A checkpoint is never stored by itself: what it stands behind (`materialiser`) is stored before it.
        """
        state = await self._actor(session_id).inspect(_nothing, refresh=True, stored=True)
        if state.seq == 0:
            raise CollaborationError(ErrorCode.NOT_FOUND, f"there is no session {session_id}")
        return state

    async def open_conflicts(self, session_id: str) -> list[Conflict]:
        """The session's open conflicts, oldest first."""
        return open_conflicts(await self.inspect(session_id, conflict_records))

    async def replay(self, session_id: str, since: int, *, refresh: bool = True) -> Replay:
        """What happened after ``since``; ``reset`` when that is more than the replay limit, or lies in the future.

        ``refresh`` as for `inspect`; without it, for somebody who has just read the state so.
        """
        state = await self.inspect(session_id, refresh=refresh)
        if not 0 <= state.seq - since <= self._config.replay_limit:
            return Replay(state.seq, [], reset=True)
        commits = self._actor(session_id).commits_since(since)
        if commits is None and since < state.seq:
            commits = await self._stores.log.read(session_id, since, state.seq - since)
        return Replay(commits[-1].seq if commits else state.seq, commits or [], reset=False)

    def watch(self, session_id: str) -> None:
        """Somebody follows this session: it stays open, and is looked after when other instances write to it."""
        self._watchers[session_id] += 1
        self._reopen(session_id)
        if self._watchers[session_id] == 1:
            self._hints.follow(session_id)
            # Nobody was told until now what an actor that is open already has missed. Who comes later needs no look:
            # a thousand people who join within seconds would each have cost one.
            self.poke(session_id)

    def unwatch(self, session_id: str) -> None:
        """The opposite of `watch`, once for each."""
        self._watchers[session_id] -= 1
        if self._watchers[session_id] <= 0:
            del self._watchers[session_id]
            self._told.pop(session_id, None)
            self._hints.unfollow(session_id)

    @property
    def followed(self) -> Collection[str]:
        """The sessions that somebody follows."""
        return self._watchers.keys()

    def is_open(self, session_id: str) -> bool:
        return session_id in self._actors

    def live(self, session_id: str) -> SessionState | None:
        """A session that is open here, as it stands in memory: as new as what this process was told of.

        Of one that nobody follows here that is what was done here; other processes' commits may be missing.
        """
        actor = self._actors.get(session_id)
        return None if actor is None else actor.state

    def watched(self, session_id: str) -> bool:
        return session_id in self._watchers

    def poke(self, session_id: str) -> None:
        """A hint that the log of an open session has grown. Hints may be lost, late, or wrong."""
        actor = self._actors.get(session_id)
        if actor is not None:
            actor.poke()

    def hint(self, session_id: str, seq: int, commits: Sequence[Commit] = ()) -> None:
        """Another process says that a log is durable up to ``seq``; ``commits`` are the newest of it.

        Commits that follow the state by number and by hash are applied as they are, everything else makes the engine
        look at the log. They must come from somebody who may append (the adapter sees to that).
        """
        actor = self._actors.get(session_id)
        if actor is not None:
            actor.hint(seq, commits)

    def poke_watched(self) -> None:
        """Hints may have been lost: look at the log of every session that somebody follows."""
        for session_id in self._watchers:
            self.poke(session_id)

    def _grown(self, heads: Mapping[str, int]) -> None:
        for session_id, seq in heads.items():
            self.hint(session_id, seq)

    async def close(self) -> None:
        """Answer everything that waits, store checkpoints, and refuse what comes after."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(actor.close() for actor in list(self._actors.values())))
        await end_tasks(*self._tasks)

    def _actor(self, session_id: str) -> SessionActor:
        actor = self._actors.get(session_id)
        if actor is not None:
            return actor
        if self._closed:
            raise CollaborationError(ErrorCode.UNAVAILABLE, "the server is stopping; try again")
        if len(self._actors) >= self._config.open_sessions:
            raise CollaborationError(ErrorCode.OVERLOADED, "too many sessions are open; try again later")
        actor = SessionActor(
            session_id,
            self._stores,
            self._config,
            self._publish,
            self._hints.tell,
            self._notify,
            self._clock,
            self.watched,
            self._forget,
            self.timings,
            self._fold_turns,
            self._busy,
            self._trace,
            self._told.pop(session_id, None),
        )
        self._actors[session_id] = actor
        return actor

    def _forget(self, actor: SessionActor) -> None:
        if self._actors.get(actor.session_id) is actor:
            del self._actors[actor.session_id]
        if self.watched(actor.session_id) and not self._closed:
            if actor.told is not None:
                self._told[actor.session_id] = actor.told
            asyncio.get_running_loop().call_later(_REOPEN_AFTER, self._reopen, actor.session_id)

    def _reopen(self, session_id: str) -> None:
        """Open a session that is followed: it may have closed because the database was away."""
        if self.watched(session_id) and not self._closed and len(self._actors) < self._config.open_sessions:
            self._actor(session_id)
