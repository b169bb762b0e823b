"""What processes tell each other through Redis: topics that are subscribed only while somebody here listens.

One connection subscribes, others publish. Both are best effort: what is told while Redis is away is lost, nobody waits
for it, and whoever listens is told (`on_reset`) when something may have been missed, to read the truth elsewhere.

A message on the channel ``<prefix><topic>`` is::

    16 bytes   BLAKE2b over topic and the rest, keyed with a secret that lies in the database
    16 bytes   the sending process
     1 byte    kind: which listener it is for
    the rest   body

The key keeps out whatever else is on the channel: other programs, and deployments with another database that share the
Redis. Such messages are counted and ignored.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from hmac import compare_digest
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, BlockingConnectionPool, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from realtime_server.errors import ConfigurationError

log = logging.getLogger(__name__)

#: Bodies of one topic and kind; ValueError for one that makes no sense.
Listener = Callable[[bytes], None]

_MAC: Final = 16
_SENDER: Final = 16
_HEAD: Final = _MAC + _SENDER + 1
#: Larger messages are not sent: Redis copies them for every subscriber. In bytes.
MAX_BODY: Final = 256 * 1024
#: Bytes that wait to be sent; beyond it the oldest are dropped.
_QUEUE_BYTES: Final = 8 * 1024 * 1024
_PIPELINE: Final = 256
#: Topics in one SUBSCRIBE.
_CHUNK: Final = 500
#: Seconds: an answer of Redis; between two pings; silence after which the connection counts as lost; between attempts.
TIMEOUT: Final = 1.0
#: Connections for commands, and seconds that a command waits for one of them.
_CONNECTIONS: Final = 16
_TURN: Final = 4.0
_PING: Final = 0.5
_SILENCE: Final = 2.0
_FIRST_RETRY: Final = 0.05
_LAST_RETRY: Final = 0.5
#: Seconds between two lines in the log about foreign messages: anybody with access to Redis can send them.
_REPORT: Final = 60.0
#: The members of `RedisBus.counts`.
COUNTED: Final = ("published", "dropped", "received", "ignored")
#: A topic that every process listens to, so that the connection is always in the subscribed state.
EVERYBODY: Final = "all"

_AWAY = (RedisError, OSError, TimeoutError, EOFError)


async def end_tasks(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel until they are done: redis-py uses `wait_for`, which in Python 3.11 may swallow a cancellation."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_PING)
    await asyncio.gather(*tasks, return_exceptions=True)


class RedisBus:
    """See the module. Made by `open_bus`. ``instance`` names this process; ``client`` is for commands."""

    def __init__(self, pool: ConnectionPool, prefix: str, key: bytes) -> None:
        self.instance = secrets.token_hex(_SENDER // 2)
        self.client: Redis = Redis(connection_pool=pool)
        self.prefix = prefix
        self.counts: Counter[str] = Counter()
        self._pool, self._key = pool, key
        self._listeners: dict[str, dict[bytes, Listener]] = {EVERYBODY: {}}
        self._resets: list[Callable[[], None]] = []
        self._confirmed: set[str] = set()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._changed = asyncio.Event()
        self._outgoing: deque[tuple[str, bytes]] = deque()
        self._outgoing_bytes = 0
        self._something_to_send = asyncio.Event()
        self._up = self._warned = False
        self._reported = float("-inf")
        self._tasks = [
            asyncio.create_task(self._stay_connected(), name="redis subscriber"),
            asyncio.create_task(self._publish_forever(), name="redis publisher"),
        ]

    @property
    def is_up(self) -> bool:
        """Whether Redis answered within the last two seconds."""
        return self._up

    def on_reset(self, listener: Callable[[], None]) -> None:
        """Call this whenever the subscriptions are in force anew: what was told before may have been missed."""
        self._resets.append(listener)

    def listen(self, topic: str, kind: bytes, listener: Listener) -> None:
        """Subscribe. One listener per topic and kind; messages of this process itself do not come."""
        self._listeners.setdefault(topic, {})[kind] = listener
        self._changed.set()

    def unlisten(self, topic: str, kind: bytes) -> None:
        """The opposite of `listen`; harmless where nobody listens."""
        listeners = self._listeners.get(topic, {})
        listeners.pop(kind, None)
        if not listeners and topic != EVERYBODY:
            self._listeners.pop(topic, None)
            self._changed.set()

    async def ready(self) -> bool:
        """Wait for the first answer of Redis; False when there is none in time."""
        try:
            async with asyncio.timeout(TIMEOUT):
                while not self._up:  # noqa: ASYNC110 - once, at the start
                    await asyncio.sleep(0.005)
        except TimeoutError:
            return False
        return True

    async def subscribed(self, topic: str) -> bool:
        """Wait until a topic that is listened to is subscribed; False when Redis does not confirm it in time."""
        if topic in self._confirmed:
            return True
        waiting = self._waiting.get(topic)
        if waiting is None:
            waiting = self._waiting[topic] = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait_for(asyncio.shield(waiting), TIMEOUT)
        except TimeoutError:
            return False
        return True

    def publish(self, topic: str, kind: bytes, body: bytes) -> None:
        """Tell every other process that listens. Lost where Redis is away or the body is too large."""
        if not self._up or len(body) > MAX_BODY:
            self.counts["dropped"] += 1
            return
        message = self.seal(topic, kind, body)
        self._outgoing.append((self.channel(topic), message))
        self._outgoing_bytes += len(message)
        while self._outgoing_bytes > _QUEUE_BYTES:
            self._outgoing_bytes -= len(self._outgoing.popleft()[1])
            self.counts["dropped"] += 1
        self._something_to_send.set()

    def channel(self, topic: str) -> str:
        return self.prefix + topic

    def seal(self, topic: str, kind: bytes, body: bytes) -> bytes:
        """The message of a body."""
        rest = self.instance.encode() + kind + body
        return self._mac(topic, rest) + rest

    def _mac(self, topic: str, rest: bytes) -> bytes:
        mac = hashlib.blake2b(topic.encode() + b"\0", digest_size=_MAC, key=self._key)
        mac.update(rest)
        return mac.digest()

    # -- receiving ---------------------------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        pause = _FIRST_RETRY
        make: Any = self._pool.make_connection  # redis-py's types leave this out
        while True:
            connection = make()
            try:
                await connection.connect()
                await self._subscribe_and_read(connection)
            except _AWAY as error:
                pause = _FIRST_RETRY if self._up else min(2 * pause, _LAST_RETRY)
                if not self._warned:
                    log.warning("Redis is away, and other processes are heard later: %s", str(error)[:200])
                    self._warned = True
            except Exception:
                log.exception("the subscriptions in Redis are made anew")
            finally:
                self._lost()
                with suppress(*_AWAY):
                    await connection.disconnect(nowait=True)
            await asyncio.sleep(pause)

    def _lost(self) -> None:
        self._up = False
        self._confirmed.clear()
        self.counts["dropped"] += len(self._outgoing)
        self._outgoing.clear()
        self._outgoing_bytes = 0

    async def _subscribe_and_read(self, connection: AbstractConnection) -> None:
        # Where the sending fails the connection is broken, which the reading notices as well.
        ended = asyncio.Event()
        sender = asyncio.create_task(self._send_subscriptions(connection, ended))
        try:
            await self._read(connection)
        finally:
            ended.set()
            await end_tasks([sender])

    async def _send_subscriptions(self, connection: AbstractConnection, ended: asyncio.Event) -> None:
        """Keep what is subscribed at what is listened to, and the connection from being silent."""
        sent: set[str] = set()
        while not ended.is_set():  # sending on a closed connection would open it again
            self._changed.clear()
            wanted = set(self._listeners)
            self._confirmed -= sent - wanted
            for command, topics in (("SUBSCRIBE", wanted - sent), ("UNSUBSCRIBE", sent - wanted)):
                channels = [self.channel(topic) for topic in topics]
                for start in range(0, len(channels), _CHUNK):
                    await connection.send_command(command, *channels[start : start + _CHUNK], check_health=False)
            sent = wanted
            await connection.send_command("PING", check_health=False)
            with suppress(TimeoutError):
                async with asyncio.timeout(_PING):
                    await self._changed.wait()

    async def _read(self, connection: AbstractConnection) -> None:
        while True:
            reply = await connection.read_response(disable_decoding=True, timeout=_SILENCE)
            if reply is None:
                raise TimeoutError(f"no answer within {_SILENCE:g} s")
            match reply:
                case [b"message", channel, message]:
                    self._received(channel, message)
                case [b"subscribe", channel, _]:
                    self._confirm(channel)
                case [b"unsubscribe", channel, _]:
                    self._confirmed.discard(self._topic(channel))
                case [b"pong", _] if not self._up:
                    # The first ping came after the subscriptions, so all of them are in force.
                    self._up, self._warned = True, False
                    log.info("Redis answers; %d topics subscribed", len(self._confirmed))
                    for listener in self._resets:
                        listener()

    def _topic(self, channel: bytes) -> str:
        return channel.decode().removeprefix(self.prefix)

    def _confirm(self, channel: bytes) -> None:
        topic = self._topic(channel)
        self._confirmed.add(topic)
        waiting = self._waiting.pop(topic, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _received(self, channel: bytes, message: Any) -> None:
        topic = self._topic(channel)
        rest = message[_MAC:]
        if len(message) < _HEAD or not compare_digest(message[:_MAC], self._mac(topic, rest)):
            self._ignored("was not sent by a process with this database")
            return
        if rest[:_SENDER] == self.instance.encode():
            return
        kind, body = rest[_SENDER : _SENDER + 1], rest[_SENDER + 1 :]
        listener = self._listeners.get(topic, {}).get(kind)
        if listener is None:
            return
        self.counts["received"] += 1
        try:
            listener(body)
        except (ValueError, TypeError, KeyError):
            self._ignored("is not understood: other processes may be of another version")
        except Exception:
            log.exception("a message of another process could not be handled")

    def _ignored(self, reason: str) -> None:
        self.counts["ignored"] += 1
        now = asyncio.get_running_loop().time()
        if now - self._reported >= _REPORT:
            self._reported = now
            log.warning("a message in Redis under %s %s; such messages are ignored", self.prefix, reason)

    # -- sending -----------------------------------------------------------------------------------------------------

    async def _publish_forever(self) -> None:
        while True:
            await self._something_to_send.wait()
            self._something_to_send.clear()
            while self._outgoing:
                await self._publish_some()

    async def _publish_some(self) -> None:
        pipeline = self.client.pipeline(transaction=False)
        count = min(len(self._outgoing), _PIPELINE)
        for _ in range(count):
            channel, message = self._outgoing.popleft()
            self._outgoing_bytes -= len(message)
            pipeline.publish(channel, message)
        try:
            await pipeline.execute(raise_on_error=False)
        except _AWAY:
            self.counts["dropped"] += count
        else:
            self.counts["published"] += count

    async def close(self) -> None:
        """Send what waits, as far as Redis takes it, and end."""
        while self._outgoing and self._up:
            await self._publish_some()
        await end_tasks(self._tasks)
        with suppress(*_AWAY):
            await self.client.aclose()
        with suppress(*_AWAY):
            await self._pool.disconnect(inuse_connections=True)


@asynccontextmanager
async def open_bus(url: str, prefix: str, key: bytes) -> AsyncIterator[RedisBus]:
    """The bus of this process. It works towards a connection by itself, so a Redis that is away stops nobody.

    ``url``: ``redis://``, ``rediss://`` (TLS) or ``unix://``, with user and password if need be. ConfigurationError
    where it is none.
    """
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            protocol=2,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 1),
            max_connections=_CONNECTIONS,
            timeout=_TURN,
        )
    except (ValueError, RedisError):
        raise ConfigurationError("REDIS_URL is not usable: see redis://, rediss:// and unix:// URLs") from None
    bus = RedisBus(pool, prefix, key)
    try:
        yield bus
    finally:
        await bus.close()
