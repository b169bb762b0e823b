"""One client's work, one job after another, in one task that lives as long as its connection.

A lane gives a client order without giving the others a wait. Its task is made at the first job and sleeps between
jobs, so that no task is made per message (see docs/performance.md).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

Job = tuple[Callable[..., Awaitable[Any]], tuple[Any, ...]]


class Lane:
    """An ordered queue of jobs with one worker task."""

    __slots__ = ("_drained", "_failed", "_jobs", "_loop", "_low", "_task", "_waiter", "busy")

    def __init__(self, loop: asyncio.AbstractEventLoop, failed: Callable[[BaseException], None]) -> None:
        """`failed` hears of an exception that a job let out; the lane goes on with the next job."""
        self._loop = loop
        self._failed = failed
        self._jobs: deque[Job] | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._drained: Callable[[], None] | None = None
        self._low = 0
        self.busy = False

    def put(self, function: Callable[..., Awaitable[Any]], *args: Any) -> int:
        """Append a job; the number of jobs now waiting."""
        jobs = self._jobs
        if jobs is None:
            jobs = self._jobs = deque()
            self._task = self._loop.create_task(self._work(jobs))
        jobs.append((function, args))
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        return len(jobs)

    def when_drained(self, low: int, call: Callable[[], None]) -> None:
        """Call `call` once when no more than `low` jobs are left."""
        self._low, self._drained = low, call

    def clear(self) -> None:
        """Forget the jobs that have not begun."""
        if self._jobs:
            self._jobs.clear()

    def is_current(self) -> bool:
        """True inside one of this lane's own jobs."""
        return self._task is not None and asyncio.current_task() is self._task

    def end(self) -> None:
        """End the worker after the job it is in; jobs that have not begun are forgotten."""
        self.clear()
        if self._task is not None and not self._task.done():
            self.put(_end)

    async def _work(self, jobs: deque[Job]) -> None:
        while True:
            while jobs:
                function, args = jobs.popleft()
                if function is _end:
                    return
                self.busy = True
                try:
                    await function(*args)
                except asyncio.CancelledError as error:
                    task = asyncio.current_task()
                    if task is not None and task.cancelling():
                        raise
                    self._failed(error)  # something the job waited for was cancelled; the lane was not
                except Exception as error:
                    self._failed(error)
                finally:
                    self.busy = False
                if self._drained is not None and len(jobs) <= self._low:
                    drained, self._drained = self._drained, None
                    drained()
            del function, args  # an idle lane must not keep its last message alive
            self._waiter = self._loop.create_future()
            await self._waiter


async def _end() -> None:
    """The job that ends a lane."""
