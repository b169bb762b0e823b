"""Who could belong to a record: answered from records that stay in the worker for half a minute, for a few sessions."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from realtime_server.core.state import SessionState
from realtime_server.engine.engine import Engine
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import RecordStore
from realtime_server.reconciliation import worker
from realtime_server.reconciliation.jobs import load
from realtime_server.reconciliation.loading import is_open
from realtime_server.reconciliation.pool import MatchingPool, WorkerLost

MAX_CANDIDATES: Final = 50
#: Sessions whose records, settled ones too, stay in the worker, some 300 bytes a record; and how many are brought there
#: at a time.
_KEPT: Final = 4
_LOADED_AT_ONCE: Final = 2
#: Seconds for which candidates are answered from what was read before.
_FRESH: Final = 30.0


@dataclass(slots=True)
class _Session:
    """``loaded_at``: by the loop's clock. ``waiting``: how many want its records at this moment."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    job_id: str | None = None
    loaded_at: float = 0.0


class Candidates:
    """Several may ask for one session at a time: its records are read once."""

    def __init__(self, engine: Engine, records: RecordStore, pool: MatchingPool) -> None:
        self._engine, self._records, self._pool = engine, records, pool
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._loading = asyncio.Semaphore(_LOADED_AT_ONCE)

    async def of(self, session_id: str, record_id: str, limit: int) -> list[dict[str, Any]]:
        """See `RunService.candidates_for`."""
        state = await self._engine.inspect(session_id, lambda _: {record_id})
        if record_id not in state.records:
            raise CollaborationError(ErrorCode.NOT_FOUND, f"there is no record {record_id}", {"record_id": record_id})
        if not is_open(state.records[record_id]):
            return []
        wanted = min(limit, MAX_CANDIDATES)
        found = await self._asked(session_id, record_id, wanted * 2)
        names = {item["record_id"] for item in found}
        state = await self._engine.inspect(session_id, lambda _: names)
        return [item for item in found if _still_open(state, item["record_id"])][:wanted]

    async def _asked(self, session_id: str, record_id: str, limit: int) -> list[dict[str, Any]]:
        try:
            return await self._ask(session_id, record_id, limit)
        except WorkerLost:
            # It died since the records were read, perhaps long ago: they are read again, once.
            return await self._ask(session_id, record_id, limit)

    async def _ask(self, session_id: str, record_id: str, limit: int) -> list[dict[str, Any]]:
        session = self._sessions.setdefault(session_id, _Session())
        session.waiting += 1
        try:
            async with session.turn:
                job_id = await self._fresh(session_id, session)
        finally:
            session.waiting -= 1
            self._sessions.move_to_end(session_id)
            self._evict()
        try:
            return await self._pool.call(worker.candidates, job_id, record_id, limit)
        except WorkerLost:
            if session.job_id == job_id:
                session.job_id = None
            raise

    async def _fresh(self, session_id: str, session: _Session) -> str:
        """The job with the session's records, read anew if they are old."""
        now = asyncio.get_running_loop().time()
        if session.job_id is None or now - session.loaded_at > _FRESH:
            self._forget(session)
            async with self._loading:
                job = await load(self._pool, self._records, await self._engine.inspect(session_id))
            session.job_id, session.loaded_at = job.job_id, asyncio.get_running_loop().time()
        return session.job_id

    def _evict(self) -> None:
        """Those that were asked for longest ago go."""
        idle = [name for name, session in self._sessions.items() if not session.waiting]
        for name in idle[:-_KEPT]:
            self._forget(self._sessions.pop(name))

    def _forget(self, session: _Session) -> None:
        if session.job_id is not None:
            self._pool.forget(session.job_id)
            session.job_id = None


def _still_open(state: SessionState, record_id: str) -> bool:
    record = state.records.get(record_id)
    return record is not None and is_open(record)
