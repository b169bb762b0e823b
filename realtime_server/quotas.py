"""How much one person, one session and one project may ask of a process, whichever way it comes.

Hot path: `of_user` and `of_session` run once for every event (``python -m loadtest.stages``, stage "quotas"); nothing
in them may await, and nothing is made but a key's first bucket.
"""

from __future__ import annotations

from typing import Final

from realtime_server.errors import CollaborationError, ErrorCode

#: Keys that are remembered before those are looked for whose bucket is full, so that forgetting changes nothing.
_SWEEP_ABOVE: Final = 10_000


class Bucket:
    """A token bucket: ``rate`` tokens a second, at most ``burst`` saved. The caller brings the monotonic time."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, now

    def take(self, now: float) -> float:
        """Take one token: 0, or the seconds until there is one, when nothing was taken."""
        tokens = self._tokens + (now - self._at) * self._rate
        self._at = now
        if tokens > self._burst:
            tokens = self._burst
        if tokens < 1.0:
            self._tokens = tokens
            return (1.0 - tokens) / self._rate
        self._tokens = tokens - 1.0
        return 0.0

    def borrow(self, tokens: float, longest: float, now: float) -> float:
        """Take tokens, on credit where there are none: the seconds until they are paid, ``longest`` at most."""
        left = min(self._tokens + (now - self._at) * self._rate, self._burst) - tokens
        self._at = now
        self._tokens = max(left, -longest * self._rate)
        return max(-self._tokens / self._rate, 0.0)

    def charge(self, tokens: float) -> None:
        """Take what something turned out to cost. It may leave a debt, of one burst at most, that is paid in time."""
        self._tokens = max(self._tokens - tokens, -self._burst)

    def is_full(self, now: float) -> bool:
        """True when forgetting this bucket would change nothing."""
        return self._tokens + (now - self._at) * self._rate >= self._burst


class Quota:
    """A bucket for each key. ``rate`` 0: no limit."""

    def __init__(self, scope: str, rate: float, burst: float) -> None:
        self.scope, self._rate, self._burst = scope, rate, burst
        self._buckets: dict[str, Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, now: float) -> float:
        """Take one token of the key's: 0, or the seconds until there is one."""
        if not self._rate:
            return 0.0
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._new(key, now)
        return bucket.take(now)

    def borrow(self, key: str, longest: float, now: float) -> float:
        """One token of the key's, on credit where there is none (`Bucket.borrow`)."""
        return (self._buckets.get(key) or self._new(key, now)).borrow(1.0, longest, now) if self._rate else 0.0

    def charge(self, key: str, tokens: float, now: float) -> None:
        """What something turned out to cost, beyond the one token (`Bucket.charge`)."""
        if self._rate:
            (self._buckets.get(key) or self._new(key, now)).charge(tokens)

    def _new(self, key: str, now: float) -> Bucket:
        if len(self._buckets) >= _SWEEP_ABOVE:
            self._buckets = {name: bucket for name, bucket in self._buckets.items() if not bucket.is_full(now)}
        bucket = self._buckets[key] = Bucket(self._rate, self._burst, now)
        return bucket

    def refusal(self, wait: float) -> CollaborationError:
        """`rate_limited`, with the seconds after which the same request can succeed."""
        return rate_limited(self.scope, self._rate, wait)


def rate_limited(scope: str, rate: float, wait: float) -> CollaborationError:
    """``details``: ``scope``, whose limit it is, and ``retry_after``, in seconds."""
    message = f"more than {rate:g} requests a second of one {scope}; wait {wait:.2g} s"
    return CollaborationError(ErrorCode.RATE_LIMITED, message, {"scope": scope, "retry_after": round(wait, 3) or 0.001})


#: Tokens a second, and how many can be saved.
Rate = tuple[float, float]
UNLIMITED: Final[Rate] = (0.0, 0.0)


class Quotas:
    """A process's, shared by all ways in. ``now`` is `time.perf_counter`'s everywhere: it never runs backwards."""

    def __init__(self, user: Rate = UNLIMITED, session: Rate = UNLIMITED, project: Rate = UNLIMITED) -> None:
        self._user, self._session = Quota("user", *user), Quota("session", *session)
        self._project = Quota("project", *project)

    def of_user(self, user_id: str, now: float) -> None:
        """One request of the person; `rate_limited` when they have had their share."""
        wait = self._user.take(user_id, now)
        if wait:
            raise self._user.refusal(wait)

    def of_session(self, session_id: str, project_id: str, now: float) -> None:
        """One request about the session; `rate_limited` when it, or its project, has had its share."""
        wait = self._session.take(session_id, now)
        if wait:
            raise self._session.refusal(wait)
        wait = self._project.take(project_id, now)
        if wait:
            raise self._project.refusal(wait)

    def charge_user(self, user_id: str, tokens: float, now: float) -> None:
        """What a request of theirs turned out to cost, beyond the first token."""
        self._user.charge(user_id, tokens, now)

    def charge_session(self, session_id: str, tokens: float, now: float) -> None:
        """The same for a request about the session."""
        self._session.charge(session_id, tokens, now)
