"""One client's work, one job after another; clients do not wait for each other.

A job is a coroutine. When nothing of its client is under way it starts at once, inside the call that brought it, and if
it never waits it is done before that call returns: no task, no turn of the event loop, nothing touched in memory but
itself. A job that does wait is continued by a worker of a shared pool, which then takes whatever its client has sent
meanwhile. So there is a task for each client that is waiting for something, and none for the thousands that are not.

For the job this looks like an ordinary task: it has a `current_task()` (the worker that would continue it), timeouts
and task groups work, and it has a context of its own. `_enter_task` and `_leave_task` are asyncio's documented
extension points for this (Python documentation, "Extending", task lifetime support).

Hot path: `Lane.put` (see docs/performance.md).
"""

from __future__ import annotations

import asyncio
from asyncio import _enter_task, _leave_task, current_task
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, Final

Function = Callable[..., Coroutine[Any, Any, Any]]
_KEPT: Final = 64
"""Idle workers that are kept; more exist only while that many clients wait at once."""


class Steps:
    """A coroutine, perhaps begun already, as something to await; every step of it runs in its own context."""

    __slots__ = ("_begun", "_context", "_coroutine", "_yielded", "error")

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], context: Context, begun: bool = False, yielded: Any = None
    ) -> None:
        """`yielded` is what the coroutine waits for when it has `begun`."""
        self._coroutine, self._context, self._begun, self._yielded = coroutine, context, begun, yielded
        self.error: BaseException | None = None
        """Raised in the coroutine at its next step."""

    def __await__(self) -> Generator[Any, Any, None]:
        run, coroutine = self._context.run, self._coroutine
        error, yielded, begun = self.error, self._yielded, self._begun
        self._yielded = None
        try:
            while True:
                if begun and error is None:
                    try:
                        yield yielded
                    except BaseException as thrown:
                        error = thrown
                begun = True
                if error is None:
                    yielded = run(coroutine.send, None)
                else:
                    raised, error = error, None
                    yielded = run(coroutine.throw, raised)
        except StopIteration:
            return


class Worker:
    """A task that continues one client's jobs at a time."""

    __slots__ = ("_future", "_pool", "_shrugs", "job", "task")

    def __init__(self, pool: Workers) -> None:
        self._pool = pool
        self._shrugs = False
        self._future: asyncio.Future[None] | None = None
        self.job: tuple[Lane, Steps | None] | None = None
        self.task: asyncio.Task[None] = pool.loop.create_task(self._main())

    def give(self, lane: Lane, steps: Steps | None) -> None:
        """Continue `steps`, then what waits in `lane`."""
        self.job = (lane, steps)
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def is_disturbed(self) -> bool:
        """True when a job that never waited cancelled its own task: the worker wakes, shrugs and is idle again."""
        self._shrugs = self._future is None or self._future.done()
        return self._shrugs

    async def _main(self) -> None:
        pool = self._pool
        while True:
            error: BaseException | None = None
            if self.job is None:
                self._future = pool.loop.create_future()
                if not pool.take_back(self):
                    return
                try:
                    await self._future
                except asyncio.CancelledError as cancelled:
                    if self.job is None and not self._shrugs:
                        pool.remove(self)
                        raise
                    error = cancelled  # meant for the job whose first step ran in this task's name
                self._future, self._shrugs = None, False
            if self.job is None:
                await self._take_cancels()
                continue
            (lane, steps), self.job = self.job, None
            if steps is not None:
                steps.error = error
            await self._work(lane, steps)
            del lane, steps

    async def _work(self, lane: Lane, steps: Steps | None) -> None:
        """Run jobs of one client until none is left."""
        try:
            while steps is not None or (steps := lane.next()) is not None:
                try:
                    await steps
                except asyncio.CancelledError as error:
                    if self.task.cancelling():
                        raise
                    self._pool.failed(error)  # what the job waited for was cancelled; the job was not
                except Exception as error:
                    self._pool.failed(error)
                steps = None
                if self.task.cancelling():
                    await self._take_cancels()
        except asyncio.CancelledError:
            self._pool.discard(self)
            lane.orphaned()
            raise

    async def _take_cancels(self) -> None:
        """A cancellation that a job asked for and did not stay for is that job's; the next begins without."""
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        while self.task.cancelling():
            self.task.uncancel()


class Workers:
    """The workers of one server."""

    def __init__(self, loop: asyncio.AbstractEventLoop, failed: Callable[[BaseException], None]) -> None:
        """`failed` hears of an exception that a job let out; its client's next job runs all the same."""
        self.loop = loop
        self.failed = failed
        self.is_closed = False
        self._idle: list[Worker] = []
        self._all: set[Worker] = {Worker(self)}

    def take(self) -> Worker | None:
        """An idle worker, if there is one that has started."""
        return self._idle.pop() if self._idle else None

    def take_back(self, worker: Worker) -> bool:
        """`worker` is idle; False when it is one too many."""
        if self.is_closed or len(self._idle) >= _KEPT:
            self._all.discard(worker)
            return False
        self._idle.append(worker)
        return True

    def put_back(self, worker: Worker) -> None:
        """`worker` was taken and not needed."""
        if not worker.is_disturbed():
            self._idle.append(worker)

    def discard(self, worker: Worker) -> None:
        """`worker` has ended."""
        self._all.discard(worker)

    def remove(self, worker: Worker) -> None:
        """`worker` ended although it was idle."""
        self.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)

    def give(self, lane: Lane) -> None:
        """Have a worker run what waits in `lane`."""
        worker = self.take()
        if worker is None:
            worker = Worker(self)
            self._all.add(worker)
        worker.give(lane, None)

    def close(self) -> None:
        """Cancel everything."""
        self.is_closed = True
        for worker in self._all:
            worker.task.cancel()


class Lane:
    """One client's jobs."""

    __slots__ = ("_drained", "_jobs", "_low", "_workers", "busy", "ended")

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._jobs: deque[tuple[Function, tuple[Any, ...]]] | None = None
        self._drained: Callable[[], None] | None = None
        self._low = 0
        self.busy = False
        """True while a job is under way."""
        self.ended = False

    def put(self, function: Function, *args: Any) -> int:
        """Run `function(*args)` after the jobs before it; the number that waits now, this one included if it does."""
        if self.ended:
            return 0
        if not self.busy:
            workers = self._workers
            # The loop is named because asking for the running one is a system call (`getpid`) in Python 3.11.
            worker = workers.take() if current_task(workers.loop) is None else None
            if worker is not None:
                return self._begin(worker, function(*args))
            self.busy = True
            self._jobs = deque(((function, args),))
            self._workers.give(self)
            return 1
        if self._jobs is None:
            self._jobs = deque()
        self._jobs.append((function, args))
        return len(self._jobs)

    def _begin(self, worker: Worker, coroutine: Coroutine[Any, Any, Any]) -> int:
        """Run a job's first step here and now, in the name of `worker`, who continues it when it waits."""
        self.busy = True
        workers = self._workers
        loop, task = workers.loop, worker.task
        context = copy_context()
        _enter_task(loop, task)
        waits = False
        yielded = None
        try:
            yielded = context.run(coroutine.send, None)
            waits = True
        except StopIteration:
            pass
        except (Exception, asyncio.CancelledError) as error:
            workers.failed(error)
        finally:
            _leave_task(loop, task)
        if waits:
            worker.give(self, Steps(coroutine, context, True, yielded))
            return 0
        if self._jobs:  # the job itself brought more
            worker.give(self, None)
            return len(self._jobs)
        self.busy = False
        workers.put_back(worker)
        return 0

    def next(self) -> Steps | None:
        """The next job, for a worker; None when there is none and the lane is idle again."""
        jobs = self._jobs
        if self._drained is not None and len(jobs or ()) <= self._low:
            drained, self._drained = self._drained, None
            drained()
        if not jobs:
            self.busy = False
            self._jobs = None
            return None
        function, args = jobs.popleft()
        return Steps(function(*args), copy_context())

    def orphaned(self) -> None:
        """The worker of this lane was cancelled; another goes on, if there is anything to go on with."""
        self.busy = bool(self._jobs) and not self._workers.is_closed
        if self.busy:
            self._workers.give(self)

    def __len__(self) -> int:
        """How many jobs wait."""
        return len(self._jobs or ())

    @property
    def holds(self) -> bool:
        """Whether `when_drained` has not called yet."""
        return self._drained is not None

    def when_drained(self, low: int, call: Callable[[], None]) -> None:
        """Call `call` once when no more than `low` jobs wait."""
        self._low, self._drained = low, call

    def clear(self) -> None:
        """Forget the jobs that have not begun."""
        if self._jobs:
            self._jobs.clear()

    def end(self) -> None:
        """Take no more jobs, and forget those that have not begun."""
        self.ended = True
        self.clear()
