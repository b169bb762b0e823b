"""The one worker process for matching: started when it is needed, replaced when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import ParamSpec, TypeVar

from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.reconciliation import worker

P = ParamSpec("P")
T = TypeVar("T")


class WorkerLost(CollaborationError):
    """The worker died, and all jobs with it: whoever asks begins anew."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.UNAVAILABLE, "the matching process ended; try again")


class MatchingPool:
    """Calls of `worker` from an event loop. One process, so that a job's parts meet.

    ``turn``: whoever matches a session's records holds it from the first record to the last result. The worker computes
    one thing at a time anyway; so it holds the records of one such job, and nobody else's is lost when that kills it.
    """

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self._executor: ProcessPoolExecutor | None = None
        self._closed = False

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Raises `WorkerLost` when the worker died, at this or before; what ``function`` raises is raised here."""
        if self._closed:
            raise CollaborationError(ErrorCode.UNAVAILABLE, "the server is stopping")
        fresh = self._executor is None
        if self._executor is None:
            # A fresh interpreter: a fork would copy the server's sockets and locks.
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=worker.start)
        executor = self._executor
        submit = partial(executor.submit, function, *args, **kwargs)
        try:
            # The first call starts the process, which takes a tenth of a second: not on the event loop.
            future = await asyncio.to_thread(submit) if fresh else submit()
            return await asyncio.wrap_future(future)
        except BrokenProcessPool as error:
            if self._executor is executor:
                self._executor = None
            executor.shutdown(wait=False)
            raise WorkerLost from error
        except worker.Forgotten as error:
            raise WorkerLost from error

    def forget(self, job_id: str) -> None:
        """The job is done with. Does not wait: the worker gets to it after what it has been asked before."""
        if self._executor is not None:
            # A worker that is dead has forgotten it already.
            with contextlib.suppress(BrokenProcessPool):
                self._executor.submit(worker.forget, job_id)

    async def close(self) -> None:
        """End the worker, whatever it is at."""
        self._closed = True
        executor, self._executor = self._executor, None
        if executor is not None:
            for process in list(executor._processes.values()):
                process.terminate()
            await asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)
