"""The actor of one open session: the only writer of its log in this process.

It takes all waiting commands, decides them one after another in memory, appends their commits with one write, and only
then publishes and answers them, in order. A commit that another instance was faster with is read from the log, and what
is left is decided anew; how often is bounded.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from time import perf_counter

from realtime_server.core.commands import Command
from realtime_server.core.commits import Commit
from realtime_server.core.decide import needed_records
from realtime_server.core.evolve import evolve, set_records
from realtime_server.core.locks import due
from realtime_server.core.repeats import refuse_used_id
from realtime_server.core.sessions import NAME_ERASED
from realtime_server.core.snapshot import state_from_document
from realtime_server.core.state import SessionState
from realtime_server.engine.batch import Answer, Batch, Decided, Waiting, decide_batch
from realtime_server.engine.config import EngineConfig
from realtime_server.engine.fold_turns import FoldTurns
from realtime_server.engine.hinted import HintedCommits
from realtime_server.engine.materialiser import Materialiser
from realtime_server.engine.notifier import Notifier, Notify
from realtime_server.engine.recent import RecentCommits
from realtime_server.engine.record_loader import RecordLoader
from realtime_server.engine.rhythm import Rhythm
from realtime_server.engine.timing import EngineTimings
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.log_context import context_of
from realtime_server.ports import CommitLog, NoticeStore, RecordStore, SessionStore

log = logging.getLogger(__name__)

Publish = Callable[[Sequence[Commit]], None]
#: (session_id, seq, commits): see `ports.Hints.tell`.
Tell = Callable[[str, int, Sequence[Commit]], None]
#: (commits of a batch, when they were decided, appended, published: seconds of `time.perf_counter`).
Trace = Callable[[Sequence[Commit], float, float, float], None]
Needs = Callable[[SessionState], Collection[str]]

#: Commits read from the log at a time: at 60 µs each (``python -m loadtest.bench_open``) at most 15 ms in which nobody
#: else has a turn.
_PAGE = 250
#: Seconds after a failure until what nobody asked for (leases that end) is tried again.
_RETRY = 1.0


@dataclass(frozen=True, slots=True)
class Stores:
    """``notices``: None where nobody is notified."""

    log: CommitLog
    sessions: SessionStore
    records: RecordStore
    notices: NoticeStore | None = None


@dataclass(slots=True, eq=False)
class _Question:
    """Somebody wants the state, with some records loaded, as new as the log if ``refresh``, stored if ``stored``."""

    needs: Needs
    refresh: bool
    future: asyncio.Future[SessionState]
    stored: bool = False


def _unavailable(reason: str) -> CollaborationError:
    return CollaborationError(ErrorCode.UNAVAILABLE, f"{reason}; try again")


class SessionActor:
    """See the module. ``on_exit`` is called once, when the actor has nothing left to do and forgets its state.

    ``told``: up to where listeners were told by the actor before this one, if there are any.
    """

    def __init__(
        self,
        session_id: str,
        stores: Stores,
        config: EngineConfig,
        publish: Publish,
        tell: Tell,
        notify: Notify,
        clock: Callable[[], int],
        watched: Callable[[str], bool],
        on_exit: Callable[[SessionActor], None],
        timings: EngineTimings,
        fold_turns: FoldTurns,
        busy: Callable[[], float],
        trace: Trace | None = None,
        told: int | None = None,
    ) -> None:
        self.session_id = session_id
        self._stores, self._config, self._publish, self._clock = stores, config, publish, clock
        self._tell = tell
        self._timings, self._trace, self._fold_turns = timings, trace, fold_turns
        self._watched, self._on_exit = watched, on_exit
        #: Up to where listeners here have been told; None while there is nobody who was.
        self.told = told
        self._commands: deque[Waiting] = deque()
        self._rhythm = Rhythm(busy)
        self._questions: list[_Question] = []
        self._wake = asyncio.Event()
        #: Commands that gather wait no longer.
        self._hurry = asyncio.Event()
        self._closing = False
        self._stale = self._opened = False
        self._hinted = HintedCommits()
        self._used_at = asyncio.get_running_loop().time()
        #: Before this moment of the event loop nothing is tried again by itself: the database did not answer.
        self._rest_until = 0.0
        #: Appends in a row that failed, and that the log knows nothing of.
        self._failures = 0
        self._state = SessionState(session_id)
        self._recent = RecentCommits(config.recent_commits)
        self._notifier = None if stores.notices is None else Notifier(session_id, stores.notices, notify)
        self._materialiser = self._new_materialiser()
        self._loader = RecordLoader(session_id, stores.records)
        #: The checkpoint behind which records were last let go.
        self._evicted_to = 0
        # Not the context of whoever happened to open the session.
        context = context_of(session_id=session_id)
        self._task = asyncio.create_task(self._run(), name=f"session {session_id}", context=context)

    # -- what the engine calls ---------------------------------------------------------------------------------------

    @property
    def waiting_commands(self) -> int:
        return len(self._commands)

    @property
    def beyond_checkpoint(self) -> int:
        return self._state.seq - self._materialiser.stored_seq

    def submit(self, command: Command) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if self._closing:
            future.set_exception(_unavailable("the server is stopping"))
        elif len(self._commands) >= self._config.queue_limit:
            message = f"{self._config.queue_limit} commands wait for this session already; try again"
            future.set_exception(CollaborationError(ErrorCode.OVERLOADED, message))
        else:
            self._commands.append(Waiting(command, future, perf_counter()))
            self._wake.set()
        return future

    def inspect(self, needs: Needs, *, refresh: bool, stored: bool = False) -> asyncio.Future[SessionState]:
        future: asyncio.Future[SessionState] = asyncio.get_running_loop().create_future()
        self._questions.append(_Question(needs, refresh, future, stored))
        self._hurry.set()
        self._wake.set()
        return future

    @property
    def state(self) -> SessionState | None:
        """What is in memory; None until that has been read, and where there is no such session."""
        return self._state if self._opened and self._state.seq else None

    def commits_since(self, after: int) -> list[Commit] | None:
        """The commits after ``after`` so far as they are in memory, or None."""
        return self._recent.since(after) if self._recent.covers(after) else None

    def poke(self) -> None:
        """Look at the log: another instance may have added to it."""
        self._stale = True
        self._wake.set()

    def hint(self, seq: int, commits: Sequence[Commit] = ()) -> None:
        """Another process says that the log has grown to ``seq``, and may have brought its newest commits along."""
        if self._hinted.note(self._state.seq, seq, commits):
            self._wake.set()

    async def close(self) -> None:
        """Answer what waits, store a checkpoint, and end."""
        self._closing = True
        self._hurry.set()
        self._wake.set()
        await self._task

    # -- its life ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._open()
            while await self._wait():
                await self._work()
            await self._materialiser.finish()
        except CollaborationError as error:
            self._fail_all(error)
        except Exception:
            # A defect in an adapter or here: this session's people are told, and the next command starts afresh.
            log.exception("session %s failed", self.session_id)
            self._fail_all(CollaborationError(ErrorCode.INTERNAL, "the session failed; it is opened afresh"))
        finally:
            self._on_exit(self)
            self._fail_all(_unavailable("the session was closed"))

    async def _open(self) -> None:
        checkpoint = await self._stores.sessions.load(self.session_id)
        if checkpoint is not None:
            self._state = state_from_document(checkpoint)
        self._materialiser = self._new_materialiser()
        await self._catch_up(publish=False)
        self._opened = True
        if self.told is not None and self.told < self._state.seq:
            # The actor before this one failed, and others have written meanwhile. Of very much the end is enough:
            # whoever listens sees the gap before it, and asks.
            after = max(self.told, self._state.seq - self._config.replay_limit)
            self._publish(await self._stores.log.read(self.session_id, after, self._state.seq - after))
        self.told = self._state.seq

    def _new_materialiser(self) -> Materialiser:
        """As long as the state is the newest checkpoint."""
        stores, config = self._stores, self._config
        return Materialiser(
            stores.sessions,
            stores.records,
            lambda: self._state,
            self._fold_turns,
            self._notifier,
            self._state,
            (config.checkpoint_every, config.tail_limit),
        )

    async def _wait(self) -> bool:
        """True when there is something to do; False when the actor can go."""
        while not self._commands and not self._questions:
            if self._closing or self._state.seq == 0:
                return False
            self._wake.clear()
            try:
                async with asyncio.timeout(self._patience()):
                    await self._wake.wait()
            except TimeoutError:
                if self._lease_ended():
                    return True
                if self._idle and await self._stored_and_still_idle():
                    return False
                self._materialiser.start()
            if self._stale or self._hinted.ahead_of(self._state.seq):
                return True
        await self._gather()
        return True

    async def _gather(self) -> None:
        """Let commands wait for more, where that pays (`rhythm`); whoever asks a question, or closes, does not wait."""
        wait = self._rhythm.wait(perf_counter())
        if wait > 0.0 and not self._questions and not self._closing:
            self._hurry.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._hurry.wait()
        if self._commands:
            self._rhythm.begin(perf_counter(), len(self._commands))

    @property
    def _idle(self) -> bool:
        """Whether the session has been out of use for its time. One with a lock is in use until the lease ends."""
        unused = asyncio.get_running_loop().time() - self._used_at
        in_use = bool(self._state.locks) or self._watched(self.session_id)
        return not in_use and unused >= self._config.idle_unload

    async def _stored_and_still_idle(self) -> bool:
        await self._materialiser.finish()
        return self._idle and not self._commands and not self._questions

    def _lease_ended(self) -> bool:
        now = self._clock()
        return any(lock.expires_at <= now for lock in self._state.locks.values())

    def _patience(self) -> float:
        """Seconds until something has to be done without being asked."""
        patience = self._config.idle_unload
        if self._state.seq > self._materialiser.stored_seq and not self._materialiser.folding:
            patience = min(patience, self._config.checkpoint_after)
        if self._state.locks:
            first = min(lock.expires_at for lock in self._state.locks.values())
            patience = min(patience, max(0.0, (first - self._clock()) / 1000 + 0.001))
        return max(patience, self._rest_until - asyncio.get_running_loop().time())

    def _fail_all(self, error: CollaborationError) -> None:
        futures: list[asyncio.Future[Answer] | asyncio.Future[SessionState] | None] = []
        futures += [item.future for item in self._commands]
        futures += [question.future for question in self._questions]
        self._commands.clear()
        self._questions.clear()
        for future in futures:
            if future is not None and not future.done():
                future.set_exception(error)

    # -- one round ---------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        self._used_at = asyncio.get_running_loop().time()
        questions, self._questions = self._questions, []
        todo = [self._commands.popleft() for _ in range(min(len(self._commands), self._config.batch_size))]
        try:
            if self._hinted.ahead_of(self._state.seq):
                await self._follow_hints()
            refresh = self._stale or any(question.refresh for question in questions)
            if refresh:
                await self._catch_up()
            await self._load_wanted(questions)
            await self._process(todo, newest=refresh)
            if self._state.seq and any(question.stored for question in questions):
                await self._materialiser.finish()
        except CollaborationError as error:
            self._stale = True
            self._rest_until = asyncio.get_running_loop().time() + _RETRY
            _fail(todo, questions, error)
            return
        except BaseException:
            _fail(todo, questions, CollaborationError(ErrorCode.INTERNAL, "the session failed; it is opened afresh"))
            raise
        for question in questions:
            if not question.future.done():
                question.future.set_result(self._state)
        self._after_commits()
        if self._state.seq - self._materialiser.stored_seq > self._config.tail_limit:
            # Whoever opens the session after a crash replays what no checkpoint has: that stays bounded.
            await self._materialiser.pause()

    async def _process(self, todo: list[Waiting], *, newest: bool) -> None:
        """Decide, append, publish, answer; again with what is left while other instances are faster.

        ``newest``: the log has been read since these commands came.
        """
        lost_races = 0
        timed = False
        while lost_races < self._config.attempts:
            now = self._clock()
            ended = [Waiting(command, None) for command in due(self._state, now)]
            if not todo and not ended:
                return
            missing = await self._load_needed(todo)
            batch = decide_batch(self._state, [*ended, *todo], self._recent.of_command, missing, now)
            if batch.unproven and not newest:
                # What is refused here may have become possible through another instance.
                newest, known = True, self._state.seq
                await self._catch_up()
                if self._state.seq > known:
                    continue
            if not timed:
                timed = True
                self._decided(todo)
            complete, todo = await self._append(batch, newest=newest)
            newest = newest or not complete
            if todo and not complete:
                lost_races += 1
                self._timings.lost_races += 1
                await asyncio.sleep(random.uniform(0, min(0.001 * lost_races, 0.02)))
        message = "other instances write to this session faster than this one gets a turn; try again"
        _fail(todo, [], CollaborationError(ErrorCode.OVERLOADED, message))

    def _decided(self, todo: Iterable[Waiting]) -> None:
        now, timing = perf_counter(), self._timings.decided
        for item in todo:
            timing.observe(now - item.queued_at)

    async def _append(self, batch: Batch, *, newest: bool) -> tuple[bool, list[Waiting]]:
        """Make a batch durable and tell everybody. (nobody was faster, what has to be decided again).

        ``newest`` as in `_process`. Raises what the log raises when that has failed twice and it has none of the batch.
        """
        found = await self._done_before(batch)
        if found:
            # These were done long ago. Their commits answer them; everything else is decided again, now knowing them.
            left = [item.waiting for item in batch.decided if item.waiting.future is not None]
            return True, [item for item in left if not _settle_known(item, found)] + list(batch.rest)
        count = 0
        failure: CollaborationError | None = None
        decided_at = appended_at = perf_counter()
        if batch.commits:
            try:
                count = (await self._stores.log.append(batch.commits)).count
                self._failures = 0
                appended_at = perf_counter()
                self._timings.appended.observe(appended_at - decided_at)
            except CollaborationError as error:
                self._timings.failed_appends += 1
                # The outcome is unknown. The log knows: reading it either fails too, or shows what became of the batch.
                log.warning("append to session %s failed; reading the log", self.session_id)
                failure = error
        if count == len(batch.commits):
            self._adopt(batch.commits, batch.state)
        else:
            state = self._state
            for commit in batch.commits[:count]:
                state = evolve(state, commit)
            self._adopt(batch.commits[:count], state)
        if count:
            self._tell(self.session_id, self._state.seq, batch.commits[:count])
        # What is told depends on every commit before it, its own included: told only when those are durable. And a "no"
        # or "nothing to do" only of a state that proved to be the newest: by an append, or because the log was read.
        proven = newest or count > 0 or not batch.commits
        told: list[Decided] = []
        untold: list[Decided] = []
        for item in batch.decided:
            known = item.position <= count and (proven or isinstance(item.outcome, Commit))
            (told if known else untold).append(item)
        for item in told:
            item.settle()
        if count:
            published_at = perf_counter()
            self._timings.commits += count
            self._timings.published.observe(published_at - appended_at)
            if self._trace is not None:
                self._trace(batch.commits[:count], decided_at, appended_at, published_at)
        if count == len(batch.commits):
            return True, list(batch.rest)
        left = [item.waiting for item in untold if item.waiting.future is not None]
        durable = self._state.seq
        await self._catch_up()
        if failure is not None:
            if self._state.seq > durable:
                # Some of it may be in the log after all, and the others have not heard of that.
                self._tell(self.session_id, self._state.seq, ())
            else:
                self._failures += 1
                if self._failures > 1:
                    # No connection that broke, then: a database that can be read may still refuse to write.
                    raise failure
        found = await self._stores.log.find(self.session_id, {item.command.command_id for item in left})
        return False, [item for item in left if not _settle_known(item, found)] + list(batch.rest)

    async def _done_before(self, batch: Batch) -> dict[str, Commit]:
        """Commands of a batch that were done so long ago that only the log remembers them.

        Asked only of those that would be told "no" or "nothing to do": for the others the log's index sees to it.
        """
        doubtful = {item.waiting.command.command_id for item in batch.doubtful}
        if not doubtful or self._recent.covers(0) or self._state.seq == 0:
            return {}
        return await self._stores.log.find(self.session_id, doubtful)

    # -- state -------------------------------------------------------------------------------------------------------

    async def _load_wanted(self, questions: Iterable[_Question]) -> None:
        """Twice: what a question needs may follow from the records that it needs."""
        for _ in range(2):
            await self._load({name for question in questions for name in question.needs(self._state)})

    async def _load_needed(self, todo: Iterable[Waiting]) -> set[str]:
        return await self._load({name for item in todo for name in needed_records(self._state, item.command)})

    async def _load(self, names: set[str]) -> set[str]:
        """Load records that are not in memory; the ones that do not exist are returned."""
        absent = {name for name in names if name not in self._state.records}
        if not absent:
            return absent
        loaded = await self._loader.load(absent)
        known = self._state.records
        # What is in memory may be newer than what is stored.
        fresh = {name: record for name, record in loaded.items() if name not in known}
        if fresh:
            self._state = replace(self._state, records=known.update(fresh))
        return absent - loaded.keys()

    async def _follow_hints(self) -> None:
        """Apply commits that came with hints; what is missing between or after them is read from the log."""
        told = self._hinted.told
        await self._apply(self._hinted.following(self._state.seq, self._state.hash))
        if self._state.seq < told:
            await self._catch_up()
            self._hinted.settle(told)

    async def _catch_up(self, *, publish: bool = True) -> None:
        """Read and apply what other instances have added to the log."""
        while True:
            commits = await self._stores.log.read(self.session_id, self._state.seq, _PAGE)
            await self._apply(commits, publish=publish)
            if len(commits) < _PAGE:
                self._stale = False
                return

    async def _apply(self, commits: Sequence[Commit], *, publish: bool = True) -> None:
        """Commits that follow the state and are in the log."""
        await self._load({name for commit in commits for name in set_records(commit)})
        state = self._state
        for commit in commits:
            state = evolve(state, commit)
        self._adopt(commits, state, publish=publish)

    def _adopt(self, commits: Sequence[Commit], state: SessionState, *, publish: bool = True) -> None:
        """These commits are durable: they are the state, and everybody may know."""
        if not commits:
            return
        self._state = state
        self._recent.add(commits)
        for commit in commits:
            self._materialiser.note(commit)
            if commit.message_type == NAME_ERASED:
                self._recent.erase_name(commit.data["user_id"])
        if self._notifier is not None:
            self._notifier.note(state, commits, live=publish)
        if publish:
            self._publish(commits)
            self.told = state.seq

    def _after_commits(self) -> None:
        stored = self._materialiser.stored_seq
        if self._materialiser.due():
            self._materialiser.start()
        if len(self._state.records) > self._config.records_kept and (
            stored != self._evicted_to or not self._materialiser.folding
        ):
            # What is stored need not be in memory: it is loaded again when somebody touches it. Once after each fold:
            # where one begins as soon as another ends there is no moment without.
            self._evicted_to = stored
            kept = {name: item for name, item in self._state.records.items() if item.seq > stored}
            if len(kept) < len(self._state.records):
                self._state = replace(self._state, records=type(self._state.records)(kept))


def _settle_known(waiting: Waiting, found: dict[str, Commit]) -> bool:
    """Answer a command from the commit it made earlier, if it did; refuse another command under that one's id."""
    commit = found.get(waiting.command.command_id)
    if commit is None:
        return False
    Decided(waiting, refuse_used_id(waiting.command, commit) or commit, 0).settle()
    return True


def _fail(todo: Iterable[Waiting], questions: Iterable[_Question], error: CollaborationError) -> None:
    for item in todo:
        if item.future is not None and not item.future.done():
            item.future.set_exception(error)
    for question in questions:
        if not question.future.done():
            question.future.set_exception(error)
