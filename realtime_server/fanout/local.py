"""Publishing for one process: what was decided here is told to the clients that are here, in order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from realtime_server.core.commits import Commit, envelope

log = logging.getLogger(__name__)

#: (session_id, envelope): queue for everybody who listens to the session, in the order of the calls.
Broadcast = Callable[[str, Mapping[str, Any]], None]


class LocalFanout:
    """Turns durable commits into one envelope each. ``publish`` is what the engine calls: it neither blocks nor raises.

    Clients get the commits of a session in ``seq`` order, because the engine publishes them so and nothing here waits.
    A client that misses one sees the gap, and fetches it.
    """

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast

    def publish(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            try:
                self._broadcast(commit.session_id, envelope(commit))
            except Exception:
                # The commit is durable and will be acknowledged; its absence shows as a gap, which clients fill.
                log.exception("commit %d of session %s could not be told", commit.seq, commit.session_id)
