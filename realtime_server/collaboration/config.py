"""What an operator can tune of the collaboration namespace."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CollaborationConfig:
    """Bounds and intervals; times in seconds.

    ``max_users``      people in one session
    ``lock_timeout``   longest lease
    ``lock_grace``     locks are released so long after their holder's last connection is gone
    ``presence_grace`` a dropped connection is waited for so long before others see its person leave
    ``token_warning``  so long before its token expires a client is told
    ``sessions``       sessions that one connection may be in at a time
    ``pending``        commands of one connection that may wait for the engine; then it is not read from for a while
    ``event_rate``     events a second from one connection in the long run; `rate_limited` beyond
    ``event_burst``    events that it may send at once after a pause
    ``user_connections`` connections of one person at this process; more are refused
    """

    max_users: int = 50
    lock_timeout: float = 1800.0
    lock_grace: float = 30.0
    presence_grace: float = 1.5
    token_warning: float = 60.0
    sessions: int = 16
    #: Fifty people who send as fast as they can (`max_users`) just fill the engine's queue of a session (1,000).
    pending: int = 20
    event_rate: float = 500.0
    event_burst: int = 1_000
    user_connections: int = 100
