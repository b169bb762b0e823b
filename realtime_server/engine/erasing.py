"""Erasing a person's name from a session: one commit that says so, and then the name is nowhere any more.

The commit comes first: every process forgets the name when it applies it. The log's own copies go last, so that
somebody who repeats what was interrupted still finds the session by them.
"""

from __future__ import annotations

from dataclasses import dataclass

from realtime_server.core.commands import EraseName
from realtime_server.core.snapshot import state_document
from realtime_server.engine.engine import Engine
from realtime_server.ports import CommitLog, NoticeStore, SessionStore


@dataclass(frozen=True, slots=True)
class Erased:
    """``seq``: the commit that says so. ``commits``: how many had the name beside them."""

    seq: int
    commits: int


async def erase(
    engine: Engine,
    log: CommitLog,
    sessions: SessionStore,
    notices: NoticeStore,
    session_id: str,
    command: EraseName,
) -> Erased:
    """Raises what `Engine.submit` raises; after `unavailable` part of it may be done, and doing it again is safe."""
    answer = await engine.submit(session_id, command)
    await sessions.save(state_document(await engine.inspect(session_id)))
    await notices.erase_name(session_id, command.user_id)
    return Erased(answer["seq"], await log.erase_name(session_id, command.user_id))
