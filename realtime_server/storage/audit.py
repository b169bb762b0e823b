"""Checking a session's log against its own chain and its checkpoint, and naming the first thing that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from realtime_server.core.commits import ChainBreak, ChainVerifier, Commit, digest
from realtime_server.storage.mongo import MongoStore

#: How far a commit is looked for that stands in another's place. Beyond it the place is named, but not what came there.
_MOVED_AT_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an audit found: ``count`` sound commits from the first on, the ``head`` hash of the last of them.

    ``problem``: the first place that is not as it was written; None when the whole log is sound.
    """

    session_id: str
    count: int
    head: str
    problem: ChainBreak | None


class Auditor:
    """Checks the entries of one log in the order in which they are stored, in constant memory.

    Beside the chain itself (`ChainVerifier`) it looks at three things: where the last checkpoint stood, so that a log
    whose end was cut off is noticed; under which records a commit is filed, so that none is hidden from a record's
    history; and, where a commit stands in another's place, which one it was written as.
    """

    def __init__(self, session_id: str, checkpoint: Mapping[str, Any] | None) -> None:
        """``checkpoint``: read before the log, which can only have grown since."""
        self._session_id = session_id
        self._checkpoint = checkpoint
        self._verifier = ChainVerifier(session_id)

    def check(self, commit: Commit, well_filed: bool) -> ChainBreak | None:
        """None while the log is sound. After a break the auditor must not be used further."""
        if type(commit.seq) is not int:
            return ChainBreak(self._verifier.seq + 1, f"an entry with the number {commit.seq!r} was inserted")
        problem = self._verifier.check(commit)
        if problem is not None:
            return _moved(commit, self._verifier.seq) or problem
        if not well_filed:
            return ChainBreak(commit.seq, f"commit {commit.seq} was altered: it is filed under the wrong records")
        checkpoint = self._checkpoint
        if checkpoint is not None and checkpoint.get("seq") == commit.seq and checkpoint.get("hash") != commit.hash:
            text = f"commit {commit.seq} is not the one the checkpoint was taken of: the chain was made anew up to it"
            return ChainBreak(commit.seq, text)
        return None

    def finish(self) -> Verdict:
        """To be called when the log has ended without a break."""
        count = self._verifier.seq
        expected = 0 if self._checkpoint is None else self._checkpoint.get("seq")
        if type(expected) is not int:
            return self.verdict(ChainBreak(count, f"the checkpoint was altered: it stands at {expected!r}"))
        if count >= expected:
            return self.verdict(None)
        text = f"commit {count + 1} is missing: the log ends before it, and the checkpoint stood at {expected}"
        return self.verdict(ChainBreak(count + 1, text))

    def verdict(self, problem: ChainBreak | None) -> Verdict:
        return Verdict(self._session_id, self._verifier.seq, self._verifier.head, problem)


def _moved(commit: Commit, sound: int) -> ChainBreak | None:
    """What happened when a sound commit was given another number: others were put before it, or taken away."""
    place = commit.seq
    if place != sound + 1:
        return None
    for distance in range(1, _MOVED_AT_MOST + 1):
        for written in (place - distance, place + distance):
            if written > 0 and digest(replace(commit, seq=written)) == commit.hash:
                if written < place:
                    text = f"commit {written} was inserted: the one written as {written} stands at {place} now"
                    return ChainBreak(written, text)
                text = f"commit {place} was removed or moved: the one that stands there was written as {written}"
                return ChainBreak(place, text)
    return None


async def verify_session(
    store: MongoStore, session_id: str, *, each: Callable[[Commit], None] | None = None
) -> Verdict | None:
    """Read the log and judge it; None for a session nobody knows. Stops at the first break, unless somebody listens:

    ``each`` is given every entry as it is stored, those after a break too.
    """
    checkpoint = await store.sessions.load(session_id)
    auditor = Auditor(session_id, checkpoint)
    known = checkpoint is not None
    verdict: Verdict | None = None
    async for commit, well_filed in store.log.entries(session_id):
        known = True
        if verdict is None:
            problem = auditor.check(commit, well_filed)
            verdict = None if problem is None else auditor.verdict(problem)
        if each is not None:
            each(commit)
        elif verdict is not None:
            break
    return (verdict or auditor.finish()) if known else None


async def soundness(store: MongoStore, session_id: str) -> tuple[bool, str]:
    """Whether the log is sound, and that in words: what commands that write to logs say afterwards."""
    verdict = await verify_session(store, session_id)
    problem = None if verdict is None else verdict.problem
    return problem is None, "sound" if problem is None else f"broken at {problem.seq}: {problem.problem}"
