"""Sessions' open records in the worker process: brought there page by page, and let go of by whoever brought them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from realtime_server.core.state import SessionState
from realtime_server.ports import RecordStore
from realtime_server.reconciliation import worker
from realtime_server.reconciliation.loading import current_records, part_of
from realtime_server.reconciliation.pool import MatchingPool


@dataclass(frozen=True, slots=True)
class Job:
    """``job_id``: its name in `worker`. ``records``: all of the session, those that are not open too."""

    job_id: str
    records: int


async def load(pool: MatchingPool, records: RecordStore, state: SessionState) -> Job:
    """A job with the session's open records. It is there until `MatchingPool.forget`."""
    job_id, count = f"{state.session_id}/{uuid4().hex}", 0
    try:
        await pool.call(worker.begin, job_id)
        async for page in current_records(records, state):
            count += len(page)
            await pool.call(worker.add, job_id, part_of(page))
    except BaseException:
        pool.forget(job_id)
        raise
    return Job(job_id, count)


@asynccontextmanager
async def loaded(pool: MatchingPool, records: RecordStore, state: SessionState) -> AsyncIterator[Job]:
    """A job with the session's open records, forgotten at the end."""
    job = await load(pool, records, state)
    try:
        yield job
    finally:
        pool.forget(job.job_id)
