"""The newest commits of a session, in memory: a bounded window that ends at the session's ``seq``."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from realtime_server.core.commits import Commit
from realtime_server.core.names import without


class RecentCommits:
    """A gapless window over the end of a log, also indexed by command."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._commits: deque[Commit] = deque()
        self._by_command: dict[str, Commit] = {}

    def add(self, commits: Iterable[Commit]) -> None:
        for commit in commits:
            self._commits.append(commit)
            self._by_command[commit.command_id] = commit
        while len(self._commits) > self._limit:
            del self._by_command[self._commits.popleft().command_id]

    def erase_name(self, user_id: str) -> None:
        """Nobody is told any more what the person was called."""
        for place, commit in enumerate(self._commits):
            if any(item[0] == user_id for item in commit.names):
                nameless = replace(commit, names=without(commit.names, user_id))
                self._commits[place] = self._by_command[commit.command_id] = nameless

    def of_command(self, command_id: str) -> Commit | None:
        return self._by_command.get(command_id)

    def covers(self, after: int) -> bool:
        """Whether every commit with ``seq > after`` is here."""
        return bool(self._commits) and self._commits[0].seq <= after + 1

    def since(self, after: int) -> list[Commit]:
        """The commits with ``seq > after``; ask `covers` first."""
        return [commit for commit in self._commits if commit.seq > after]
