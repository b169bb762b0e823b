"""Erasing people's names from a session: a commit for each that says so, and then the name is nowhere any more.

The commit comes first: every process forgets the name when it applies it. The log's own copies go last, so that
somebody who repeats what was interrupted still finds the session by them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from realtime_server.core.commands import EraseName
from realtime_server.engine.engine import Engine
from realtime_server.ports import CommitLog, NoticeStore


@dataclass(frozen=True, slots=True)
class Erased:
    """``seq``: the commit that says so, the last of several. ``commits``: how many had the names beside them."""

    seq: int
    commits: int


async def erase(
    engine: Engine,
    log: CommitLog,
    notices: NoticeStore,
    session_id: str,
    commands: Sequence[EraseName],
) -> Erased:
    """Raises what `Engine.submit` raises; after `unavailable` part of it may be done, and doing it again is safe."""
    answers = await asyncio.gather(*(engine.submit(session_id, command) for command in commands))
    # The stored checkpoint has the name; a new one takes along all that it stands behind.
    await engine.checkpoint(session_id)
    commits = 0
    for command in commands:
        await notices.erase_name(session_id, command.user_id)
        commits += await log.erase_name(session_id, command.user_id)
    return Erased(max(answer["seq"] for answer in answers), commits)
