"""The engine of a command that an operator runs, beside whichever servers use the database, or alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from realtime_server.core.commits import Commit
from realtime_server.engine.engine import Engine
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.storage.mongo import MongoStore


@asynccontextmanager
async def command_engine(store: MongoStore) -> AsyncIterator[Engine]:
    """It decides as a server does: by the database's clock, not this machine's, and keeps who is to be notified.

    Whoever opens a session ends the leases that are over, and stores checkpoints that stand behind its notifications.
    """
    engine = Engine(
        store.log,
        store.sessions,
        store.records,
        publish=_published_by_the_log,
        notices=store.notices,
        clock=store.clock,
    )
    try:
        yield engine
    finally:
        await engine.close()


def failed_alone(error: CollaborationError) -> str:
    """Why one session's work failed, where others can be gone on with; a database that is away ends the command."""
    if error.code is ErrorCode.UNAVAILABLE:
        raise error
    return error.message


def _published_by_the_log(commits: Sequence[Commit]) -> None:
    """Servers find these commits in the log; nobody is connected to this process."""
