"""What concerns one person, told to whichever process has their connections: one topic per person, ``user:<id>``.

What concerns the holders of a role goes to every process, since nobody knows where they are.

Best effort, as everything in Redis: what must hold in spite of it lies in the database, and is looked for there
(revocations). Bodies are JSON; anything else is ignored and counted by the bus.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import orjson

from realtime_server.ports import Revocation
from realtime_server.redis_bus import EVERYBODY, RedisBus

_KIND: Final = b"u"
_REVOKED: Final = b"r"

#: (user_id, None for whomever it concerns; what is to be done): see `collaboration.people.People.heard`, which refuses
#: what it does not know.
Heard = Callable[[str | None, Mapping[str, Any]], None]


class RedisPeople:
    """`ports.Elsewhere` through Redis."""

    def __init__(self, bus: RedisBus, heard: Heard) -> None:
        self._bus = bus
        self._heard = heard
        bus.listen(EVERYBODY, _KIND, partial(self._receive, None))

    def follow(self, user_id: str) -> None:
        self._bus.listen(_topic(user_id), _KIND, partial(self._receive, user_id))

    def unfollow(self, user_id: str) -> None:
        self._bus.unlisten(_topic(user_id), _KIND)

    def say(self, user_id: str, message: Mapping[str, Any]) -> None:
        self._bus.publish(_topic(user_id), _KIND, orjson.dumps(message))

    def announce(self, message: Mapping[str, Any]) -> None:
        self._bus.publish(EVERYBODY, _KIND, orjson.dumps(message))

    def _receive(self, user_id: str | None, body: bytes) -> None:
        message = orjson.loads(body)
        if not isinstance(message, dict):
            raise ValueError("not a message about a person")
        self._heard(user_id, message)


def share_revocations(
    bus: RedisBus,
    on_made: Callable[[Callable[[Revocation], None]], None],
    learn: Callable[[Revocation], None],
) -> None:
    """``on_made``, ``learn``: of `auth.revocations.Revocations`.

    What is revoked at one process is known to all at once; without Redis, at their next look at the database.

    All of them: a token may be shown next to a process that has none of its person's connections.
    """

    def tell(made: Revocation) -> None:
        known = {"user_id": made.user_id, "project_id": made.project_id, "before": made.before}
        bus.publish(EVERYBODY, _REVOKED, orjson.dumps(known))

    def hear(body: bytes) -> None:
        members = orjson.loads(body)
        user_id, project_id, before = members["user_id"], members["project_id"], members["before"]
        if type(user_id) is not str or type(before) is not int or not isinstance(project_id, str | None):
            raise ValueError("not a revocation")
        learn(Revocation(user_id, project_id, before, by=""))

    on_made(tell)
    bus.listen(EVERYBODY, _REVOKED, hear)


def _topic(user_id: str) -> str:
    return f"user:{user_id}"
