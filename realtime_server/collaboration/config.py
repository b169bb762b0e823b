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
    ``pending``        commands of one connection that may wait for the engine
    """

    max_users: int = 50
    lock_timeout: float = 1800.0
    lock_grace: float = 30.0
    presence_grace: float = 1.5
    token_warning: float = 60.0
    sessions: int = 16
    pending: int = 256
