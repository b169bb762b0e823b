"""The one worker process for matching: started when it is needed, replaced when it dies."""

from __future__ import annotations

import asyncio
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


class MatchingPool:
    """Calls of `worker` from an event loop. One process, so that a job's parts meet."""

    def __init__(self) -> None:
        self._executor: ProcessPoolExecutor | None = None

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Raises `unavailable` when the worker died or forgot the job: whoever asks begins the job anew."""
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
            raise CollaborationError(ErrorCode.UNAVAILABLE, "the matching process ended; try again") from error
        except KeyError as error:
            raise CollaborationError(ErrorCode.UNAVAILABLE, "the matching process has begun anew; try again") from error

    async def close(self) -> None:
        """Let the worker finish what it is at, and end it."""
        executor, self._executor = self._executor, None
        if executor is not None:
            for process in list(executor._processes.values()):
                process.terminate()
            await asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)
