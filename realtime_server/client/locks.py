"""A lock that is renewed while it is needed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from realtime_server.ending import end_tasks
from realtime_server.errors import CollaborationError, ErrorCode

log = logging.getLogger(__name__)

Ask = Callable[..., Awaitable[dict[str, Any]]]

_GONE = frozenset({ErrorCode.LOCK_LOST, ErrorCode.LOCK_NOT_HELD, ErrorCode.SESSION_ENDED, ErrorCode.FORBIDDEN})


@dataclass(slots=True)
class HeldLock:
    """``token``: the fencing token, for edits that must not happen without the lock. ``lost``: somebody else has it."""

    record_id: str
    token: int
    expires_at: str
    lost: bool = False


@asynccontextmanager
async def hold(ask: Ask, record_id: str, ttl: float) -> AsyncIterator[HeldLock]:
    """See `Session.lock`."""
    ack = await ask("lock", record_id=record_id, ttl=ttl, request_id=uuid4().hex)
    held = HeldLock(record_id, ack["token"], ack["expires_at"])
    renewing = asyncio.create_task(_renew(ask, held, ttl), name=f"renew {record_id}")
    try:
        yield held
    finally:
        await end_tasks(renewing)
        if not held.lost:
            with suppress(CollaborationError):
                await ask("unlock", record_id=record_id, token=held.token, request_id=uuid4().hex)


async def _renew(ask: Ask, held: HeldLock, ttl: float) -> None:
    """A third of the lease before its end at the latest: two attempts may fail without harm."""
    while not held.lost:
        await asyncio.sleep(ttl / 3)
        try:
            ack = await ask("renew", record_id=held.record_id, token=held.token, ttl=ttl, request_id=uuid4().hex)
            held.expires_at = ack["expires_at"]
        except CollaborationError as error:
            if error.code in _GONE:
                held.lost = True
            log.warning("the lock on %s was not renewed: %s", held.record_id, error.message)
