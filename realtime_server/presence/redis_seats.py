"""Seats as they lie in Redis, and the commands on them.

``<prefix>presence:<session>``   hash: process NUL connection NUL person -> the seat as JSON, and @process -> until when
                                 the process lives at least, in Redis' own milliseconds. It is cleaned up by whoever has
                                 the session open, and ends by itself a day after the last of them
``<prefix>processes``            sorted set: process -> until when its lease runs, in Redis' own milliseconds

A seat holds as long as its process's lease does: one renewal keeps all the seats of a process, and a process that was
killed gives them all up. No command touches two keys, so that sessions may lie on different shards of a cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Final

import orjson

from realtime_server.core.roles import Role
from realtime_server.presence.members import Seat
from realtime_server.redis_bus import RedisBus

#: Seconds that a process's seats outlive its last sign of life. A killed server's people are gone within 30 s
#: (section 4 of the contract): the lease, and two rounds of `redis.RENEW`.
LEASE: Final = 12.0
#: Seconds that a session's seats are kept without being written: more than any clock of Redis is set wrong by. With an
#: hour, one that was set an hour ahead took the people of other processes out of sight.
_KEEP_SESSION: Final = 86_400
_KEEP_LEASE: Final = 3_600_000

# KEYS: the session. ARGV: field, person, maximum, seat, seconds to keep the session, this process, milliseconds of its
# lease, then the processes that live. Which these are was read before: a process that has begun since lives as well, by
# the lease that it put here with its first seat. 0 when the session is full; else the seat was taken: 2 when this
# process had none here before, 1 otherwise. One script is one step to Redis: nobody comes in between.
_CLAIM: Final = """
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local alive, people, count = {[ARGV[6]] = true}, {}, 0
for i = 8, #ARGV do alive[ARGV[i]] = true end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  local process, _, person = string.match(field, '^(%x+)%z(.-)%z(.*)$')
  if process then
    if alive[process] == nil then
      local lease = redis.call('HGET', KEYS[1], '@' .. process)
      alive[process] = (lease and tonumber(lease) > now) or false
    end
    if alive[process] and not people[person] then
      people[person] = true
      count = count + 1
    end
  end
end
if not people[ARGV[2]] and count >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return 1 + redis.call('HSET', KEYS[1], '@' .. ARGV[6], now + ARGV[7])
"""

# KEYS: the processes. ARGV: process, milliseconds of the lease, milliseconds after which old ones are dropped.
# Whether the process was known, then those whose leases run.
_RENEW: Final = """
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
local answer = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
table.insert(answer, 1, known and '1' or '0')
return answer
"""


@dataclass(frozen=True, slots=True)
class SharedSeat:
    """A seat, whose it is, and its ``revision``: of two, the higher one is the newer."""

    process: str
    revision: int
    seat: Seat

    def to_json(self) -> dict[str, Any]:
        members = asdict(self.seat)
        if self.seat.connected:
            del members["connected"]  # as instances of before write it, and read it
        return {"process": self.process, "revision": self.revision, **members}


def shared_seat(members: Mapping[str, Any]) -> SharedSeat:
    """The inverse of `SharedSeat.to_json`; ValueError, TypeError or KeyError for anything else."""
    rest = dict(members)
    process, revision = rest.pop("process"), rest.pop("revision")
    if type(process) is not str or type(revision) is not int:
        raise ValueError("not a seat")
    return SharedSeat(
        process, revision, Seat(**{**rest, "role": Role(rest["role"]), "drafts": _drafts(rest.get("drafts", []))})
    )


def _drafts(places: Any) -> tuple[tuple[str, str], ...]:
    if type(places) is not list or any(type(place) is not list for place in places):
        raise ValueError("not drafts")
    drafts = tuple((record_id, name) for record_id, name in places)
    if any(type(text) is not str for place in drafts for text in place):
        raise ValueError("not drafts")
    return drafts


class Claim(Enum):
    """What became of asking for a seat. FIRST: taken, and Redis knew of no seat of this process in the session."""

    FULL = 0
    TAKEN = 1
    FIRST = 2


class Seats:
    """Commands; all of them raise redis-py's errors."""

    def __init__(self, bus: RedisBus, lease: float = LEASE) -> None:
        self._bus = bus
        self._lease = lease
        self._processes = f"{bus.prefix}processes"
        self._claim = bus.client.register_script(_CLAIM)
        self._renew = bus.client.register_script(_RENEW)
        #: The processes that lived when this one renewed its lease, and when that was (the loop's seconds).
        self._alive: set[str] = set()
        self._renewed_at = float("-inf")

    def _key(self, session_id: str) -> str:
        return self._bus.key("presence", session_id)

    async def claim(self, session_id: str, shared: SharedSeat, maximum: int) -> Claim:
        """Take a seat unless ``maximum`` people are there and this one is not among them. Asking twice takes one."""
        if asyncio.get_running_loop().time() - self._renewed_at > self._lease / 2:
            await self.renew()
        seat = (_field(shared), shared.seat.user_id, maximum, orjson.dumps(shared.to_json()), _KEEP_SESSION)
        mine = (self._bus.instance, round(self._lease * 1000))
        return Claim(await self._claim(keys=[self._key(session_id)], args=[*seat, *mine, *self._alive]))

    async def renew(self, lease: float | None = None) -> tuple[bool, set[str]]:
        """This process lives: (was it known, the processes that live)."""
        lease = self._lease if lease is None else lease
        at = asyncio.get_running_loop().time()
        answer = await self._renew(keys=[self._processes], args=[self._bus.instance, round(lease * 1000), _KEEP_LEASE])
        known, *alive = answer
        self._alive, self._renewed_at = {process.decode() for process in alive}, at
        return known == b"1", self._alive

    async def of_session(self, session_id: str) -> list[SharedSeat]:
        """Everybody's seats, the oldest first, those of dead processes too."""
        found = await self._bus.client.hgetall(self._key(session_id))
        seats = []
        for field, value in found.items():
            if field.startswith(b"@"):
                continue
            try:
                seats.append(shared_seat(orjson.loads(value)))
            except (ValueError, TypeError, KeyError):
                self._bus.counts["ignored"] += 1
        return sorted(seats, key=lambda item: (item.seat.came_at, item.revision))

    async def write(self, changes: Iterable[Changes]) -> None:
        """Store changes and tell those who listen, in this order: who reads after listening misses nothing."""
        pipeline = self._bus.client.pipeline(transaction=False)
        for change in changes:
            key = self._key(change.session_id)
            if change.put:
                values: dict[Any, Any] = {_field(item): orjson.dumps(item.to_json()) for item in change.put}
                pipeline.hset(key, mapping=values)
            if change.gone:
                pipeline.hdel(key, *(_field(item) for item in change.gone))
            pipeline.expire(key, _KEEP_SESSION)
            topic, body = change.message()
            self._bus.publish_in(pipeline, topic, KIND, body)
        await pipeline.execute()

    async def keep(self, session_ids: Iterable[str]) -> None:
        """These sessions are in use."""
        pipeline = self._bus.client.pipeline(transaction=False)
        for session_id in session_ids:
            pipeline.expire(self._key(session_id), _KEEP_SESSION)
        await pipeline.execute()


#: Of messages about seats, beside the hints of the same session's log.
KIND: Final = b"p"


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed in a session: seats as they are now, and seats that were given up."""

    session_id: str
    put: list[SharedSeat]
    gone: list[SharedSeat]

    def message(self) -> tuple[str, bytes]:
        """(topic, body)."""
        body = {"put": [item.to_json() for item in self.put], "gone": [item.to_json() for item in self.gone]}
        return topic_of(self.session_id), orjson.dumps(body)


def topic_of(session_id: str) -> str:
    return f"session:{session_id}"


def changes_of(session_id: str, body: bytes) -> Changes:
    """The inverse of `Changes.message`; ValueError, TypeError or KeyError for anything else."""
    members = orjson.loads(body)
    return Changes(
        session_id,
        [shared_seat(item) for item in members["put"]],
        [shared_seat(item) for item in members["gone"]],
    )


def _field(shared: SharedSeat) -> str:
    return "\0".join((shared.process, shared.seat.connection_id, shared.seat.user_id))
