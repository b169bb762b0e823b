"""Whether Redis is there, as far as this process can tell; counted in turns of its own event loop.

A process that is busy, or that its machine gives no time, hears nothing either. Taken for a Redis that is away, its own
business would make it decide by itself what only Redis can decide for all. So it is not time that is counted but ticks:
however long the loop took to come round, a tick adds `TICK` to the silence, and before the next one whatever Redis has
said in between has been read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from realtime_server.ending import end_tasks

T = TypeVar("T")

#: Seconds. Between two looks; silence after which a connection counts as lost; silence after which Redis counts as
#: away: where it cannot be reached at all (refused, no route), and where it can but says nothing (it hangs).
TICK: Final = 0.25
SILENCE: Final = 2.0
UNREACHABLE: Final = 1.0
UNHEARD: Final = 4.0
#: Errors that say nothing about the command: Redis was not reached, or not in time.
UNANSWERED: Final = (RedisConnectionError, RedisTimeoutError, OSError, TimeoutError, EOFError)
#: Everything that a command can raise.
FAILED: Final = (RedisError, OSError, TimeoutError, EOFError)
#: Times that a command is sent at most, and seconds between them.
_TRIES: Final = 3
_PAUSE: Final = 0.05


class RedisAway(RedisError):
    """Redis does not answer this process now."""


class Hearing:
    """What is heard of one server. ``is_up``: it answered, and the connection holds. ``is_away``: it is not there.

    Between the two lies doubt: the connection is gone, or silent, but that may pass. ``changed`` is called after every
    change. Ticks come from outside (`tick`).
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.is_up = self.is_away = False
        #: The connection has been silent for too long.
        self.silent = asyncio.Event()
        self._changed = changed
        self._reachable = True
        self._silence = self._unheard = 0.0

    def connecting(self) -> None:
        """Another connection is tried."""
        self.silent.clear()
        self._silence = 0.0

    def answered(self) -> None:
        self._silence = self._unheard = 0.0
        self._reachable = True
        self._become(up=True, away=False)

    def lost(self, *, reachable: bool) -> None:
        """The connection is gone, or did not come about; ``reachable``: somebody took it at least."""
        self._reachable = reachable
        self._become(up=False, away=self.is_away)

    def tick(self) -> None:
        """The loop has come round once more."""
        self._silence += TICK
        self._unheard += TICK
        if self._silence >= SILENCE:
            self.silent.set()
        if self._unheard >= (UNHEARD if self._reachable else UNREACHABLE):
            self._become(up=self.is_up, away=not self.is_up)

    def _become(self, *, up: bool, away: bool) -> None:
        if (up, away) != (self.is_up, self.is_away):
            self.is_up, self.is_away = up, away
            self._changed()


class Asking:
    """Commands to a Redis that may be slow or away. ``is_up`` and ``is_away`` as of `Hearing`, of all its servers."""

    def __init__(self, is_up: Callable[[], bool], is_away: Callable[[], bool]) -> None:
        self._is_up, self._is_away = is_up, is_away
        self._change, self._loss = asyncio.Event(), asyncio.Event()

    def changed(self) -> None:
        """Something may have become up, lost or away."""
        self._change.set()
        self._change = asyncio.Event()
        if not self._is_up():
            self._loss.set()
            self._loss = asyncio.Event()

    async def known(self) -> bool:
        """Wait until Redis has answered, or counts as away; whether it is up."""
        while not (self._is_up() or self._is_away()):
            await self._change.wait()
        return self._is_up()

    async def ask(self, command: Callable[[], Awaitable[T]], *, patient: bool) -> T:
        """The answer of a command that may be sent twice. Raises redis-py's errors, `RedisAway` among them.

        While the connection holds a slow answer is waited for. ``patient``: lost connections too, until Redis answers
        again or counts as away; without it, the first loss is the end.
        """
        tries = 0
        while self._is_up() or (patient and not self._is_away()):
            if not self._is_up():
                await self._change.wait()
                continue
            tries += 1
            try:
                return await self._while_up(command)
            except UNANSWERED:
                if tries >= _TRIES or not patient:
                    raise
            except RedisAway:
                continue
            await asyncio.sleep(_PAUSE)
        raise RedisAway("Redis is away")

    async def _while_up(self, command: Callable[[], Awaitable[T]]) -> T:
        asking = asyncio.ensure_future(_result(command))
        losing = asyncio.ensure_future(self._loss.wait())
        try:
            await asyncio.wait({asking, losing}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise RedisAway("the connection to Redis was lost")
            return asking.result()
        finally:
            await end_tasks(asking, losing)


async def _result(command: Callable[[], Awaitable[T]]) -> T:
    return await command()
