"""Commits of a session that other processes say they have appended: kept until they follow the state. Bounded."""

from __future__ import annotations

from collections.abc import Sequence

from realtime_server.core.commits import Commit, is_sound

#: Commits kept at most. More than that wait for a state that is far behind, which reads the log faster.
_LIMIT = 1_000


class HintedCommits:
    """``told``: how far the log is said to have grown."""

    def __init__(self) -> None:
        self.told = 0
        self._commits: dict[int, Commit] = {}

    def note(self, have: int, seq: int, commits: Sequence[Commit]) -> bool:
        """Remember a hint; whether it is news to a state at ``have``."""
        if seq <= have:
            return False
        self.told = max(self.told, seq)
        if len(self._commits) + len(commits) > _LIMIT:
            self._commits.clear()
        else:
            self._commits.update((commit.seq, commit) for commit in commits if commit.seq > have)
        return True

    def ahead_of(self, have: int) -> bool:
        return self.told > have

    def following(self, seq: int, head: str) -> list[Commit]:
        """The commits that follow ``seq``, as far as each has its hash and that of the one before; others go."""
        run: list[Commit] = []
        while (commit := self._commits.get(seq + 1)) is not None:
            if commit.prev_hash != head or not is_sound(commit):
                break
            run.append(commit)
            seq, head = commit.seq, commit.hash
        self._commits = {number: commit for number, commit in self._commits.items() if number > seq + 1}
        return run

    def settle(self, told: int) -> None:
        """The log was read since it was said to be at ``told``: if it is not there, that was wrong."""
        if self.told == told:
            self.told = 0
            self._commits.clear()
