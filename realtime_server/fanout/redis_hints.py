"""`ports.Hints` through Redis: commits travel with the hint, so that another process need not read the log for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from typing import Any, Final

import orjson

from realtime_server.core.commits import Commit
from realtime_server.redis_bus import MAX_BODY, RedisBus

_KIND: Final = b"c"
_MEMBERS: Final = {field.name for field in fields(Commit)}
_NUMBERS: Final = {"seq", "at"}
_TYPES: Final = {"data": dict, "names": list}

#: (session_id, seq, commits): what `Engine.hint` takes.
Received = Callable[[str, int, Sequence[Commit]], None]


def session_topic(session_id: str) -> str:
    return f"session:{session_id}"


class RedisHints:
    """One topic per session, subscribed while the session is followed here."""

    def __init__(self, bus: RedisBus, received: Received) -> None:
        self._bus = bus
        self._received = received

    def follow(self, session_id: str) -> None:
        self._bus.listen(session_topic(session_id), _KIND, partial(self._receive, session_id))

    def unfollow(self, session_id: str) -> None:
        self._bus.unlisten(session_topic(session_id), _KIND)

    def tell(self, session_id: str, seq: int, commits: Sequence[Commit]) -> None:
        body = orjson.dumps({"seq": seq, "commits": [vars(commit) for commit in commits]})
        if len(body) > MAX_BODY:
            body = orjson.dumps({"seq": seq, "commits": []})
        self._bus.publish(session_topic(session_id), _KIND, body)

    def _receive(self, session_id: str, body: bytes) -> None:
        message = orjson.loads(body)
        commits = [_commit(session_id, item) for item in message["commits"]]
        if type(message["seq"]) is not int:
            raise ValueError("seq")
        self._received(session_id, message["seq"], commits)


def _commit(session_id: str, members: dict[str, Any]) -> Commit:
    if members.keys() != _MEMBERS or members["session_id"] != session_id:
        raise ValueError("not a commit of this session")
    for name, value in members.items():
        if type(value) is not (int if name in _NUMBERS else _TYPES.get(name, str)):
            raise ValueError(name)
    return Commit(**{**members, "names": tuple(_name(item) for item in members["names"])})


def _name(item: Any) -> tuple[str, str]:
    user_id, name = item
    if type(user_id) is not str or type(name) is not str:
        raise ValueError("names")
    return user_id, name
