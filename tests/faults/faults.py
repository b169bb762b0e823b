"""What is done to a cluster while a team works in it. Each fault by its name, with what it needs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from tests.faults.cluster import has_faketime
from tests.faults.proxy import Proxy
from tests.faults.stage import Cause, Stage

#: A record that nobody but a fault locks.
_CONTESTED: Final = "ledger:12"


@dataclass(frozen=True, slots=True)
class Fault:
    """``members``: of the replica set it needs, 1 for a mongod alone. ``times``: how often the full campaign causes it.

    ``short``: whether it is quick enough for every test run."""

    name: str
    cause: Cause
    members: int
    times: int
    on_disk: bool
    short: bool
    skipped: Callable[[], str | None]


FAULTS: Final[dict[str, Fault]] = {}


def _needs_nothing() -> str | None:
    return None


def _needs_faketime() -> str | None:
    return None if has_faketime() else "needs libfaketime (Debian's package faketime)"


def _fault(
    name: str, *, members: int = 1, times: int = 5, on_disk: bool = False, short: bool = True,
    skipped: Callable[[], str | None] = _needs_nothing,
) -> Callable[[Cause], Cause]:  # fmt: skip
    def declare(cause: Cause) -> Cause:
        FAULTS[name] = Fault(name, cause, members, times, on_disk, short, skipped)
        return cause

    return declare


# -- servers -----------------------------------------------------------------------------------------------------------


@_fault("instance-killed")
async def kill_an_instance(stage: Stage) -> None:
    for _ in range(stage.times):
        server = stage.random.choice(stage.cluster.servers)
        await server.stop(signal.SIGKILL)
        await stage.calm(1)
        await server.start()
        stage.over()
        await stage.calm(2)


@_fault("instance-stopped")
async def stop_an_instance_past_a_lease(stage: Stage) -> None:
    """Somebody there holds a lock, and edits under it while the server stands still; the lease ends, somebody else
    gets the lock at another server, edits, and then the first server goes on with what it finds in its sockets."""
    server = stage.cluster.servers[0]
    assert server.process is not None
    for number in range(stage.times):
        await _everybody_is_there(stage)
        holder, other = stage.somebody_at(0), stage.somebody_at(1)
        holder.resting = other.resting = True
        lock = await holder.do("lock", record_id=_CONTESTED, ttl=0.8)
        server.process.send_signal(signal.SIGSTOP)
        late = asyncio.create_task(
            holder.set(_CONTESTED, "note_late", f"late {number}", lock_token=lock["token"] if lock else 1)
        )
        await asyncio.sleep(1.0)
        lock = await other.do("lock", record_id=_CONTESTED, ttl=4)
        assert lock is not None
        await other.set(_CONTESTED, "note_late", f"in time {number}", lock_token=lock["token"])
        # Now and then so long that people take it for dead and go elsewhere.
        await stage.calm(6 if number % 2 else 0.5)
        server.process.send_signal(signal.SIGCONT)
        stage.over()
        stage.notes["late edits applied" if await late else "late edits refused"] += 1
        await other.do("unlock", record_id=_CONTESTED, token=lock["token"])
        holder.resting = other.resting = False
        await stage.calm(1)


async def _everybody_is_there(stage: Stage) -> None:
    """Half of the people at each server again, as at the beginning."""
    for number, member in enumerate(stage.team):
        if member.at != number % 2:
            member.move(number % 2)
    async with asyncio.timeout(30):
        for member in stage.team:
            await member.ready.wait()


# -- Redis -------------------------------------------------------------------------------------------------------------


@_fault("redis-killed", times=3)
async def kill_redis(stage: Stage) -> None:
    for _ in range(stage.times):
        await stage.cluster.redis.kill()
        await stage.calm(2)
        await stage.cluster.redis.start()
        stage.over()
        await stage.calm(2)


@_fault("redis-paused", times=3, short=False)
async def pause_redis(stage: Stage) -> None:
    for _ in range(stage.times):
        stage.cluster.redis.pause()
        await stage.calm(4)
        stage.cluster.redis.resume()
        stage.over()
        await stage.calm(2)


@_fault("redis-flushed", times=5)
async def flush_redis(stage: Stage) -> None:
    for _ in range(stage.times):
        await stage.cluster.redis.command("FLUSHALL")
        stage.over()
        await stage.calm(1)


# -- MongoDB -----------------------------------------------------------------------------------------------------------


@_fault("mongod-killed", times=20)
async def kill_mongod(stage: Stage) -> None:
    mongod = stage.cluster.mongods[0]
    for _ in range(stage.times):
        await mongod.kill()
        await stage.calm(stage.random.uniform(0, 1))
        await mongod.start()
        stage.over()
        await stage.calm(2)


@_fault("primary-steps-down", members=3, times=3)
async def step_down(stage: Stage) -> None:
    for _ in range(stage.times):
        primary = await stage.cluster.primary()
        async with AsyncMongoClient[dict[str, Any]](primary.url) as client:
            with suppress(PyMongoError):  # an older server hangs up
                await client.admin.command({"replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 4})
        stage.over()
        await stage.calm(6)


@_fault("primary-killed", members=3, times=2, short=False)
async def kill_the_primary(stage: Stage) -> None:
    for _ in range(stage.times):
        primary = await stage.cluster.primary()
        await primary.kill()
        stage.over()
        await stage.cluster.primary()
        await stage.calm(2)
        await primary.start()
        await stage.calm(6)


@_fault("disk-full", on_disk=True, times=2, short=False)
async def fill_the_disk(stage: Stage) -> None:
    mongod, disk = stage.cluster.mongods[0], stage.cluster.disk
    for _ in range(stage.times):
        # mongod writes into space that it has taken beforehand for a while: its files are closed to it as well.
        if disk is not None:
            disk.fill()
        mongod.limit_files(4096)
        await stage.calm(4)
        if disk is not None:
            disk.free()
        if mongod.running:
            mongod.limit_files(None)
        if mongod.running and not await _answers(mongod.url):
            stage.notes["mongod refused"] += 1
            await mongod.kill()
        elif not mongod.running:
            stage.notes["mongod ended itself"] += 1
        if not mongod.running:
            await mongod.start()
        stage.over()
        await stage.calm(4)


async def _answers(url: str) -> bool:
    async with AsyncMongoClient[dict[str, Any]](url, timeoutMS=2000) as client:
        try:
            await client["probe"]["probe"].insert_one({})
        except PyMongoError:
            return False
    return True


# -- the network -------------------------------------------------------------------------------------------------------


@_fault("client-cut", times=1)
async def cut_clients(stage: Stage) -> None:
    """Every third request loses its connection between the sending and the answer."""
    for _ in range(stage.times):
        for member in stage.team:
            member.cutting = 0.3
        await stage.calm(10)
        for member in stage.team:
            member.cutting = 0.0
        stage.over()
        await stage.calm(1)


def _everywhere(stage: Stage) -> list[Proxy]:
    return [*stage.cluster.proxies, *stage.cluster.links]


@_fault("network-slow", times=2)
async def delay_everything(stage: Stage) -> None:
    for _ in range(stage.times):
        for proxy in _everywhere(stage):
            proxy.delay = (0.01, 0.15)
        await stage.calm(5)
        for proxy in _everywhere(stage):
            proxy.delay = (0.0, 0.0)
        stage.over()
        await stage.calm(1)


@_fault("network-lossy", times=3)
async def break_connections(stage: Stage) -> None:
    """Again and again half of all connections are reset: people's, and a server's to its database and to Redis."""
    for _ in range(stage.times):
        for _ in range(6):
            for proxy in _everywhere(stage):
                stage.notes["connections reset"] += proxy.break_connections(0.5)
            await stage.calm(0.5)
        stage.over()
        await stage.calm(1)


@_fault("network-half-open", times=2, short=False)
async def fall_silent(stage: Stage) -> None:
    """The way between people and a server swallows everything, and no end is told."""
    for _ in range(stage.times):
        stage.cluster.proxies[0].silent = True
        await stage.calm(6)
        stage.cluster.proxies[0].silent = False
        stage.over()
        await stage.calm(2)


@_fault("database-unreachable", times=2, short=False)
async def cut_off_the_database(stage: Stage) -> None:
    """A server's way to its database and to Redis swallows everything, and people stay connected to it."""
    for _ in range(stage.times):
        for link in stage.cluster.links:
            link.silent = True
        await stage.calm(8)
        for link in stage.cluster.links:
            link.silent = False
        stage.over()
        await stage.calm(3)


# -- clocks ------------------------------------------------------------------------------------------------------------


def _wrong_clock(who: str, hours: int) -> Cause:
    async def set_wrong(stage: Stage) -> None:
        for _ in range(stage.times):
            stage.cluster.clocks[who].set(hours)
            await stage.calm(5)
            stage.cluster.clocks[who].set(0)
            stage.over()
            await stage.calm(2)

    return set_wrong


for _who, _named in (("server", "instance"), ("redis", "redis")):
    for _direction, _hours in (("ahead", 1), ("behind", -1)):
        _fault(
            f"{_named}-clock-{_direction}", times=2, short=(_who == "server") == (_hours > 0), skipped=_needs_faketime
        )(_wrong_clock(_who, _hours))
