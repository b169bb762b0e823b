"""What processes tell each other through Redis: topics that are subscribed only while somebody here listens.

One connection subscribes (one to each shard of a Redis Cluster), others publish. Both are best effort: what is told
while Redis is away is lost, nobody waits for it, and whoever listens is told (`on_reset`) when something may have been
missed, to read the truth elsewhere.

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
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hmac import compare_digest
from typing import Any, Final, TypeVar

from realtime_server.ending import end_tasks
from realtime_server.redis_hearing import FAILED, TICK, Asking, RedisAway
from realtime_server.redis_servers import Servers, open_servers

log = logging.getLogger(__name__)

T = TypeVar("T")
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
#: Seconds in which Redis takes what is told: later it would be news to nobody.
_TELL: Final = 2.0
#: Seconds between two lines in the log about foreign messages: anybody with access to Redis can send them.
_REPORT: Final = 60.0
#: The members of `RedisBus.counts`.
COUNTED: Final = ("published", "dropped", "received", "ignored")
#: A topic that every process listens to, so that there is always something subscribed.
EVERYBODY: Final = "all"


class RedisBus:
    """See the module. Made by `open_bus`. ``instance`` names this process."""

    def __init__(self, prefix: str, key: bytes) -> None:
        self.instance = secrets.token_hex(_SENDER // 2)
        self.prefix = prefix
        self.counts: Counter[str] = Counter()
        self._key = key
        self._listeners: dict[str, dict[bytes, Listener]] = {}
        self._topics: dict[bytes, str] = {}
        self._resets: list[Callable[[], None]] = []
        self._outgoing: deque[tuple[str, bytes]] = deque()
        self._outgoing_bytes = 0
        self._something_to_send = asyncio.Event()
        self._reported = float("-inf")
        self._asking = Asking(lambda: self.is_up, lambda: self._servers.is_away)
        self._servers: Servers
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, url: str) -> None:
        """Once, before anything else."""
        self._servers = await open_servers(url, heard=self._received, up=self._came_up, changed=self._changed)
        self.listen(EVERYBODY, b"", lambda body: None)
        self._tasks = [
            asyncio.create_task(self._publish_forever(), name="redis publisher"),
            asyncio.create_task(self._tick_forever(), name="redis attention"),
        ]

    @property
    def is_up(self) -> bool:
        """Whether Redis answered within the last two seconds in which this process was listening."""
        return self._servers.is_up

    @property
    def client(self) -> Any:
        """For commands: redis-py's `Redis` or `RedisCluster`."""
        return self._servers.client

    async def ask(self, command: Callable[[], Awaitable[T]], *, patient: bool = False) -> T:
        """See `Asking.ask`."""
        return await self._asking.ask(command, patient=patient)

    def on_reset(self, listener: Callable[[], None]) -> None:
        """Call this whenever the subscriptions are in force anew: what was told before may have been missed."""
        self._resets.append(listener)

    def listen(self, topic: str, kind: bytes, listener: Listener) -> None:
        """Subscribe. One listener per topic and kind; messages of this process itself do not come."""
        self._listeners.setdefault(topic, {})[kind] = listener
        channel = self.channel(topic)
        self._topics[channel.encode()] = topic
        self._servers.want(channel)

    def unlisten(self, topic: str, kind: bytes) -> None:
        """The opposite of `listen`; harmless where nobody listens."""
        listeners = self._listeners.get(topic, {})
        listeners.pop(kind, None)
        if not listeners and self._listeners.pop(topic, None) is not None:
            channel = self.channel(topic)
            self._topics.pop(channel.encode(), None)
            self._servers.drop(channel)

    async def ready(self) -> bool:
        """Wait for the first answer of Redis; False when it counts as away before."""
        return await self._asking.known()

    async def subscribed(self, topic: str) -> bool:
        """Wait until a topic that is listened to is subscribed; False when Redis is away before."""
        try:
            await self.ask(lambda: self._servers.subscribed(self.channel(topic)), patient=True)
        except RedisAway:
            return False
        return True

    def publish(self, topic: str, kind: bytes, body: bytes) -> None:
        """Tell every other process that listens. Lost where Redis is away or the body is too large."""
        if not self.is_up or len(body) > MAX_BODY:
            self.counts["dropped"] += 1
            return
        message = self.seal(topic, kind, body)
        self._outgoing.append((self.channel(topic), message))
        self._outgoing_bytes += len(message)
        while self._outgoing_bytes > _QUEUE_BYTES:
            self._outgoing_bytes -= len(self._outgoing.popleft()[1])
            self.counts["dropped"] += 1
        self._something_to_send.set()

    def publish_in(self, pipeline: Any, topic: str, kind: bytes, body: bytes) -> None:
        """Tell as part of a pipeline of ``client``, after what stands before it about the same thing."""
        self._servers.publish(pipeline, self.channel(topic), self.seal(topic, kind, body))

    def channel(self, topic: str) -> str:
        kind, colon, about = topic.partition(":")
        return self.key(kind, about) if colon else self.prefix + topic

    def key(self, kind: str, about: str) -> str:
        """The name of a key, or channel; those about the same thing are on the same server of a cluster."""
        return self.prefix + self._servers.name(kind, about)

    def seal(self, topic: str, kind: bytes, body: bytes) -> bytes:
        """The message of a body."""
        rest = self.instance.encode() + kind + body
        return self._mac(topic, rest) + rest

    def unseal(self, topic: str, kind: bytes, message: bytes) -> tuple[str, bytes] | None:
        """(the process that sealed it, the body); None, and counted, for what no process with this database did."""
        rest = message[_MAC:]
        if len(message) < _HEAD or not compare_digest(message[:_MAC], self._mac(topic, rest)):
            self._ignored("was not written by a process with this database")
            return None
        body = rest[_SENDER + 1 :]
        return (rest[:_SENDER].decode(), body) if rest[_SENDER : _SENDER + 1] == kind else None

    def _mac(self, topic: str, rest: bytes) -> bytes:
        mac = hashlib.blake2b(topic.encode() + b"\0", digest_size=_MAC, key=self._key)
        mac.update(rest)
        return mac.digest()

    # -- hearing -----------------------------------------------------------------------------------------------------

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._servers.tick()

    def _changed(self) -> None:
        if not self.is_up:
            self.counts["dropped"] += len(self._outgoing)
            self._outgoing.clear()
            self._outgoing_bytes = 0
        self._asking.changed()

    def _came_up(self) -> None:
        for listener in self._resets:
            listener()

    def _received(self, channel: bytes, message: Any) -> None:
        topic = self._topics.get(channel)
        if topic is None:
            return
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
            self._servers.publish(pipeline, channel, message)
        try:
            async with asyncio.timeout(_TELL):
                await pipeline.execute(raise_on_error=False)
        except FAILED:
            self.counts["dropped"] += count
        except Exception:
            self.counts["dropped"] += count
            log.exception("messages to other processes could not be sent")
        else:
            self.counts["published"] += count

    async def close(self) -> None:
        """Send what waits, as far as Redis takes it, and end."""
        while self._outgoing and self.is_up:
            await self._publish_some()
        await end_tasks(*self._tasks)
        await self._servers.close()


@asynccontextmanager
async def open_bus(url: str, prefix: str, key: bytes) -> AsyncIterator[RedisBus]:
    """The bus of this process. It works towards a connection by itself, so a Redis that is away stops nobody.

    ``url``: ``redis://``, ``rediss://`` (TLS) or ``unix://``, with user and password if need be; for a Redis
    Cluster ``redis+cluster://`` or ``rediss+cluster://``. ConfigurationError where it is none.
    """
    bus = RedisBus(prefix, key)
    await bus.open(url)
    try:
        yield bus
    finally:
        await bus.close()


__all__ = ["COUNTED", "MAX_BODY", "RedisBus", "open_bus"]
