"""The channels that this process has subscribed at one server of Redis, in force whatever becomes of the connection."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ClusterDownError, MovedError
from redis.exceptions import TimeoutError as RedisTimeoutError

from realtime_server.ending import end_tasks
from realtime_server.redis_hearing import FAILED, Hearing

log = logging.getLogger(__name__)

#: Channels in one SUBSCRIBE.
_CHUNK: Final = 500
#: Seconds between two pings; between attempts to connect.
_PING: Final = 0.5
_FIRST_RETRY: Final = 0.05
_LAST_RETRY: Final = 0.5


class Subscriber:
    """``heard``: (channel, message). ``up``: called when all subscriptions are in force anew.

    ``sharded``: the channels are those of a Redis Cluster's shards (SSUBSCRIBE), and this server has their slots.
    ``moved``: called when the server says that it has them no more.
    """

    def __init__(
        self,
        make_connection: Callable[[], AbstractConnection],
        hearing: Hearing,
        *,
        heard: Callable[[bytes, Any], None],
        up: Callable[[], None],
        sharded: bool = False,
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        self.hearing = hearing
        self.wanted: set[str] = set()
        self._make_connection = make_connection
        self._heard, self._came_up, self._moved = heard, up, moved
        self._prefix = "S" if sharded else ""
        self._confirmed: set[str] = set()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._change = asyncio.Event()
        self._warned = False
        self._task = asyncio.create_task(self._stay_connected(), name="redis subscriber")

    def want(self, channel: str) -> None:
        self.wanted.add(channel)
        self._change.set()

    def drop(self, channel: str) -> None:
        self.wanted.discard(channel)
        self._settle(channel)
        self._change.set()

    async def subscribed(self, channel: str) -> None:
        """Wait until a channel is subscribed, or not wanted any more."""
        if channel not in self._confirmed:
            waiting = self._waiting.get(channel)
            if waiting is None:
                waiting = self._waiting[channel] = asyncio.get_running_loop().create_future()
            await asyncio.shield(waiting)

    async def _stay_connected(self) -> None:
        pause = _FIRST_RETRY
        while True:
            was_up = await self._one_connection()
            pause = _FIRST_RETRY if was_up else min(2 * pause, _LAST_RETRY)
            await asyncio.sleep(pause)

    async def _one_connection(self) -> bool:
        """Connect, subscribe and read until the connection is lost; whether it was ever good for anything."""
        connection = self._make_connection()
        self.hearing.connecting()
        serving = asyncio.create_task(self._serve(connection))
        silence = asyncio.create_task(self.hearing.silent.wait())
        try:
            await asyncio.wait({serving, silence}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks(serving, silence)
            was_up = self.hearing.is_up
            error = None if serving.cancelled() else serving.exception()
            refused = not was_up and error is not None and not isinstance(error, (RedisTimeoutError, TimeoutError))
            self.hearing.lost(reachable=not refused)
            self._confirmed.clear()
            with suppress(*FAILED):
                await connection.disconnect(nowait=True)
        self._explain(error)
        return was_up

    def _explain(self, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, FAILED):
            log.error("the subscriptions in Redis are made anew", exc_info=error)
        elif not self._warned:
            reason = "it is silent" if error is None else str(error)[:200]
            log.warning("Redis is away, and other processes are heard later: %s", reason)
            self._warned = True

    async def _serve(self, connection: Any) -> None:
        await connection.connect()
        # Where the sending fails the connection is broken, which the reading notices as well.
        ended = asyncio.Event()
        sender = asyncio.create_task(self._send_subscriptions(connection, ended))
        try:
            while True:
                reply = await connection.read_response(disable_decoding=True, timeout=math.inf)
                self._received(reply)
        except (MovedError, ClusterDownError):
            self._moved()
            raise
        finally:
            ended.set()
            await end_tasks(sender)

    async def _send_subscriptions(self, connection: AbstractConnection, ended: asyncio.Event) -> None:
        """Keep what is subscribed at what is wanted, and the connection from being silent."""
        sent: set[str] = set()
        while not ended.is_set():  # sending on a closed connection would open it again
            self._change.clear()
            wanted = set(self.wanted)
            self._confirmed -= sent - wanted
            for command, changed in (("SUBSCRIBE", wanted - sent), ("UNSUBSCRIBE", sent - wanted)):
                await self._send(connection, command, list(changed))
            sent = wanted
            await connection.send_command("PING", check_health=False)
            with suppress(TimeoutError):
                async with asyncio.timeout(_PING):
                    await self._change.wait()

    async def _send(self, connection: AbstractConnection, command: str, channels: list[str]) -> None:
        # A command about shard channels may name those of one slot only.
        size = 1 if self._prefix else _CHUNK
        for start in range(0, len(channels), size):
            await connection.send_command(self._prefix + command, *channels[start : start + size], check_health=False)

    def _received(self, reply: Any) -> None:
        match reply:
            case [b"message" | b"smessage", channel, message]:
                self._heard(channel, message)
            case [b"subscribe" | b"ssubscribe", channel, _]:
                self._confirm(channel.decode())
            case [b"unsubscribe" | b"sunsubscribe", channel, _]:
                self._confirmed.discard(channel.decode())
                if channel.decode() in self.wanted and self._prefix:
                    self._moved()  # the slot went to another server
        was_up = self.hearing.is_up
        # The first ping was sent after the subscriptions, so its answer says that all of them are in force. Where
        # nothing is subscribed it is answered as to any client.
        if reply == b"PONG" or (isinstance(reply, list) and reply[0] == b"pong") or was_up:
            self.hearing.answered()
        if self.hearing.is_up and not was_up:
            self._warned = False
            log.info("Redis answers; %d channels subscribed", len(self._confirmed))
            self._came_up()

    def _confirm(self, channel: str) -> None:
        self._confirmed.add(channel)
        self._settle(channel)

    def _settle(self, channel: str) -> None:
        waiting = self._waiting.pop(channel, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def close(self) -> None:
        await end_tasks(self._task)
