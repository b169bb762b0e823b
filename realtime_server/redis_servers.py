"""The servers of Redis behind one URL: a single one, or a Redis Cluster whose shards share the channels among them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import AbstractConnection, BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from realtime_server.ending import end_tasks
from realtime_server.errors import ConfigurationError
from realtime_server.redis_hearing import FAILED, Hearing
from realtime_server.redis_subscriber import Subscriber

log = logging.getLogger(__name__)

#: Seconds: for an answer; for a connection; between two looks at a cluster that is not in order.
_ANSWER: Final = 5.0
_CONNECT: Final = 2.0
_LOOK: Final = 0.25
#: Connections for commands, and seconds that a command waits for one of them.
_CONNECTIONS: Final = 16
_TURN: Final = 4.0
#: A URL that says so, beside a server that says so itself.
_CLUSTER: Final = "+cluster"

Heard = Callable[[bytes, Any], None]


class Servers(Protocol):
    """What the bus needs of them. ``client`` is for commands; ``tick`` is called every `redis_hearing.TICK` seconds."""

    client: Any

    @property
    def is_up(self) -> bool: ...
    @property
    def is_away(self) -> bool: ...
    def want(self, channel: str) -> None: ...
    def drop(self, channel: str) -> None: ...
    def tick(self) -> None: ...
    def name(self, kind: str, about: str) -> str: ...
    def publish(self, pipeline: Any, channel: str, message: bytes) -> None: ...
    async def subscribed(self, channel: str) -> None: ...
    async def close(self) -> None: ...


class SingleServer:
    """One server, or whatever stands behind one address."""

    def __init__(self, url: str, *, heard: Heard, up: Callable[[], None], changed: Callable[[], None]) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            protocol=2,
            socket_timeout=_ANSWER,
            socket_connect_timeout=_CONNECT,
            retry=Retry(NoBackoff(), 1),
            max_connections=_CONNECTIONS,
            timeout=_TURN,
        )
        make: Any = pool.make_connection  # redis-py's types leave this out
        self._pool = pool
        self.client: Any = Redis(connection_pool=pool)
        self._hearing = Hearing(changed)
        self._subscriber = Subscriber(make, self._hearing, heard=heard, up=up)
        self.want, self.drop = self._subscriber.want, self._subscriber.drop
        self.subscribed, self.tick = self._subscriber.subscribed, self._hearing.tick

    @property
    def is_up(self) -> bool:
        return self._hearing.is_up

    @property
    def is_away(self) -> bool:
        return self._hearing.is_away

    def name(self, kind: str, about: str) -> str:
        return f"{kind}:{about}"

    def publish(self, pipeline: Any, channel: str, message: bytes) -> None:
        pipeline.publish(channel, message)

    async def close(self) -> None:
        await self._subscriber.close()
        with suppress(*FAILED):
            await self.client.aclose()
        with suppress(*FAILED):
            await self._pool.disconnect(inuse_connections=True)


class ClusterServers:
    """A Redis Cluster, 7.0 or newer: each channel is one of the shard that has its slot, and of no other.

    Keys and channels about one thing (`name`) hold the same hash tag, so they lie on one shard: what is written and
    told in one pipeline happens in this order.
    """

    def __init__(self, url: str, *, heard: Heard, up: Callable[[], None], changed: Callable[[], None]) -> None:
        self.client: Any = RedisCluster.from_url(
            url, protocol=2, socket_timeout=_ANSWER, socket_connect_timeout=_CONNECT, retry=Retry(NoBackoff(), 1)
        )
        self._heard, self._came_up, self._changed = heard, up, changed
        self._subscribers: dict[str, Subscriber] = {}
        self._place: dict[str, Subscriber | None] = {}
        self._arranged = self._unreachable = False
        self._doubt = asyncio.Event()
        self._doubt.set()
        self._task = asyncio.create_task(self._follow_topology(), name="redis cluster")

    @property
    def is_up(self) -> bool:
        return self._arranged and all(each.hearing.is_up for each in self._subscribers.values())

    @property
    def is_away(self) -> bool:
        """One shard away is as bad as all: what concerns its sessions cannot be told."""
        return self._unreachable or any(each.hearing.is_away for each in self._subscribers.values())

    def want(self, channel: str) -> None:
        subscriber = self._subscriber_of(channel) if self._arranged else None
        self._place[channel] = subscriber
        if subscriber is not None:
            subscriber.want(channel)

    def drop(self, channel: str) -> None:
        subscriber = self._place.pop(channel, None)
        if subscriber is not None:
            subscriber.drop(channel)

    async def subscribed(self, channel: str) -> None:
        while (subscriber := self._place.get(channel, self)) is None:  # noqa: ASYNC110 - until the cluster is known
            await asyncio.sleep(_LOOK)
        if isinstance(subscriber, Subscriber):
            await subscriber.subscribed(channel)

    def tick(self) -> None:
        for subscriber in self._subscribers.values():
            subscriber.hearing.tick()

    def name(self, kind: str, about: str) -> str:
        return f"{kind}:{{{about}}}"

    def publish(self, pipeline: Any, channel: str, message: bytes) -> None:
        pipeline.execute_command("SPUBLISH", channel, message, target_nodes=self.client.get_node_from_key(channel))

    def _subscriber_of(self, channel: str) -> Subscriber | None:
        try:
            node = self.client.nodes_manager.get_node_from_slot(self.client.keyslot(channel))
        except RedisError:
            return None  # nobody has the slot at this moment
        return self._subscribers.get(node.name)

    # -- which shard has what ----------------------------------------------------------------------------------------

    async def _follow_topology(self) -> None:
        while True:
            await self._doubt.wait()
            self._doubt.clear()
            try:
                await (self.client.nodes_manager.initialize() if self._arranged else self.client.initialize())
                moved = await self._arrange()
            except FAILED as error:
                if not self._unreachable:
                    log.warning("the Redis Cluster does not say which shard has what: %s", str(error)[:200])
                self._unreachable = True
                self._doubt.set()
            else:
                self._arranged, self._unreachable = True, False
                if moved:
                    # What was told on the way from one shard to another may have been missed.
                    await asyncio.wait([asyncio.create_task(self._settled(moved))], timeout=_ANSWER)
            self._changed()
            await asyncio.sleep(_LOOK)

    async def _arrange(self) -> list[str]:
        """A subscriber for every shard's server, and every channel at its shard; the channels that have moved."""
        nodes = {node.name: node for node in self.client.get_primaries()}
        for name in self._subscribers.keys() - nodes.keys():
            gone = self._subscribers.pop(name)
            self._place = {channel: None if at is gone else at for channel, at in self._place.items()}
            await gone.close()
        for name in nodes.keys() - self._subscribers.keys():
            self._subscribers[name] = self._subscriber(nodes[name])
        moved = []
        for channel, before in list(self._place.items()):
            after = self._subscriber_of(channel)
            if after is before:
                continue
            if before is not None:
                before.drop(channel)
            self._place[channel] = after
            if after is not None:
                after.want(channel)
                moved.append(channel)
        if None in self._place.values():
            self._doubt.set()
        return moved

    def _subscriber(self, node: ClusterNode) -> Subscriber:
        return Subscriber(
            partial(_connection, node),
            Hearing(self._noticed),
            heard=self._heard,
            up=self._one_up,
            sharded=True,
            moved=self._doubt.set,
        )

    def _noticed(self) -> None:
        if not all(each.hearing.is_up for each in self._subscribers.values()):
            self._doubt.set()
        self._changed()

    def _one_up(self) -> None:
        if self.is_up:
            self._came_up()

    async def _settled(self, moved: list[str]) -> None:
        for channel in moved:
            await self.subscribed(channel)
        self._one_up()

    async def close(self) -> None:
        await end_tasks(self._task)
        for subscriber in self._subscribers.values():
            await subscriber.close()
        with suppress(*FAILED):
            await self.client.aclose()


def _connection(node: ClusterNode) -> AbstractConnection:
    return node.connection_class(**{**node.connection_kwargs, "retry": Retry(NoBackoff(), 0)})


async def open_servers(
    url: str, *, heard: Heard, up: Callable[[], None], changed: Callable[[], None]
) -> SingleServer | ClusterServers:
    """The servers of a URL. A cluster is one by its scheme (``redis+cluster://``), or when it answers that it is.

    ConfigurationError where the URL is none.
    """
    parts = urlsplit(url)
    plain = urlunsplit(parts._replace(scheme=parts.scheme.removesuffix(_CLUSTER)))
    try:
        cluster = parts.scheme.endswith(_CLUSTER) or await _says_it_is_a_cluster(plain)
        return (ClusterServers if cluster else SingleServer)(plain, heard=heard, up=up, changed=changed)
    except (ValueError, RedisError):
        raise ConfigurationError("REDIS_URL is not usable: see redis://, rediss:// and unix:// URLs") from None


async def _says_it_is_a_cluster(url: str) -> bool:
    client: Any = Redis.from_url(
        url, protocol=2, socket_timeout=_CONNECT, socket_connect_timeout=_CONNECT, retry=Retry(NoBackoff(), 0)
    )
    try:
        answer: Any = await client.execute_command("INFO", "cluster")
    except FAILED:
        return False  # away, or not allowed to say
    finally:
        with suppress(*FAILED):
            await client.aclose()
    return bool(answer.get("cluster_enabled")) if isinstance(answer, dict) else b"cluster_enabled:1" in answer
