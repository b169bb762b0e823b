"""Several instances on one database and one Redis: ``python -m loadtest.instances [own|throughput|across …]``.

``own``         four instances, sessions at one of them alone: what the others do meanwhile (processor time, messages
                from Redis), beside four instances with nobody at all
``throughput``  edits a second with one, two and four instances, each with sessions of its own, when 3,000 are asked;
                and what they cost
``across``      an edit's way from a client of one process to a client of another, one at a time: ours, and Node's
                Socket.IO with ``@socket.io/redis-adapter`` (`peers`), two processes each, in alternation
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import secrets
import statistics
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import socketio

from loadtest.controller import Generator, usage
from loadtest.machine import machine
from loadtest.peers import CONTENDERS, mongod, redis_server
from loadtest.results import Result
from loadtest.spec import WorkerSpec
from loadtest.target import Target, end_in_order, own_server

NAMESPACE: Final = "/collaboration"
RECORDS: Final = 60
_RECEIVED: Final = "collaboration_redis_messages_received_total"


@dataclass(frozen=True, slots=True)
class Cluster:
    """``targets``: the instances, any of which gives out tokens and makes sessions for all."""

    targets: Sequence[Target]

    def sessions(self, count: int) -> list[str]:
        return [self.targets[0].create_session(f"session {number}", RECORDS) for number in range(count)]

    def urls(self) -> str:
        return " ".join(target.websocket_url for target in self.targets)

    def pids(self) -> list[int]:
        return [pid for target in self.targets for pid in target.pids]


@contextmanager
def instances(count: int) -> Iterator[Cluster]:
    """So many servers with one mongod and one redis-server, on whatever cores there are."""
    with ExitStack() as stack:
        settings = {
            "MONGODB_URL": stack.enter_context(mongod()),
            "REDIS_URL": stack.enter_context(redis_server()),
            "AUTH_JWT_SECRET": secrets.token_urlsafe(48),
        }
        yield Cluster([stack.enter_context(own_server([], settings)) for _ in range(count)])


def received(target: Target) -> int:
    """Messages that an instance has had from others."""
    with urllib.request.urlopen(f"{target.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return int(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(_RECEIVED)))


def _spec(cluster: Cluster, urls: str, sessions: Sequence[str], rate: float, seats: int = 10) -> WorkerSpec:
    tokens = [cluster.targets[0].token(number, number // len(sessions)) for number in range(seats * len(sessions))]
    return WorkerSpec(
        url=urls, sessions=list(sessions), tokens=tokens, rates={"edit": rate}, records=RECORDS, seats=seats,
        seconds=3_600, warm=0.0, connect_over=1.0, apart=True,
    )  # fmt: skip


async def own(seconds: int) -> dict[str, Any]:
    """What each of four instances does while only the first one has people, 500 edits/s in 8 sessions of 10."""
    with instances(4) as cluster:
        sessions = cluster.sessions(8)
        await asyncio.sleep(2)
        quiet = [usage(target.pids)["cpu"] for target in cluster.targets]
        await asyncio.sleep(seconds)
        idle = [usage(target.pids)["cpu"] - before for target, before in zip(cluster.targets, quiet, strict=True)]
        spec = _spec(cluster, cluster.targets[0].websocket_url, sessions, 500)
        result = Result("own", 0.0)
        async with Generator(spec, 1, [], result, cluster.targets[0].pids) as generator:
            await generator.connected()
            await generator.start()
            await generator.seconds(2)
            before = [(usage(target.pids)["cpu"], received(target)) for target in cluster.targets]
            windows = len(result.windows)
            await generator.seconds(seconds)
            after = [(usage(target.pids)["cpu"], received(target)) for target in cluster.targets]
            edits = sum(window.counts["acks"] for window in result.windows[windows:])
            await generator.stop()
    shares = [round((now[0] - then[0]) / seconds, 4) for now, then in zip(after, before, strict=True)]
    return {
        "edits_per_second": round(edits / seconds, 1),
        "core_share": shares,
        "core_share_with_nobody": [round(each / seconds, 4) for each in idle],
        "messages_received": [now[1] - then[1] for now, then in zip(after, before, strict=True)],
        "faults": dict(result.counter("faults")),
    }


async def throughput(count: int, seconds: int) -> dict[str, Any]:
    """20 sessions of 10 people over so many instances, each session at one; 3,000 edits/s are asked."""
    with instances(count) as cluster:
        spec = _spec(cluster, cluster.urls(), cluster.sessions(20), 3_000)
        result = Result("throughput", 0.0)
        async with Generator(spec, 1, [], result, cluster.pids()) as generator:
            await generator.connected()
            await generator.start()
            await generator.seconds(3 + seconds)
            windows = result.windows[-seconds:]
            await generator.tell_all({"rates": {"edit": 0}})
            await generator.stop()
    edits = sum(window.counts["acks"] for window in windows[1:])
    elapsed = windows[-1].server["at"] - windows[0].server["at"]
    cpu = windows[-1].server["cpu"] - windows[0].server["cpu"]
    return {
        "instances": count,
        "edits_per_second": round(edits / elapsed, 1),
        "cores": round(cpu / elapsed, 3),
        "cpu_us_per_edit": round(cpu / edits * 1e6, 1) if edits else None,
        "faults": dict(result.counter("faults")),
    }


class _Member:
    """A stock client in a session, which says when it hears an edit."""

    def __init__(self) -> None:
        self.socket = socketio.AsyncClient(reconnection=False)
        self.heard: dict[str, asyncio.Future[float]] = {}
        self.socket.on("edit", self._edit, namespace=NAMESPACE)

    def _edit(self, envelope: dict[str, Any]) -> None:
        waiting = self.heard.get(envelope["data"]["edit_id"])
        if waiting is not None and not waiting.done():
            waiting.set_result(time.perf_counter())

    async def join(self, url: str, token: str, session_id: str) -> None:
        await self.socket.connect(url, auth={"token": token}, namespaces=[NAMESPACE], transports=["websocket"])
        answer = await self.socket.call("join", {"session_id": session_id}, namespace=NAMESPACE)
        assert answer["ok"], answer


async def _ways(urls: Sequence[str], tokens: Sequence[str], session_id: str, count: int) -> list[float]:
    """Milliseconds from an edit's emit at the first process to its arrival at a client of the second."""
    sender, listener = _Member(), _Member()
    took = []
    try:
        for member, url, token in zip((sender, listener), urls, tokens, strict=True):
            await member.join(url, token, session_id)
        version = 0
        for number in range(count + 50):
            edit_id = f"{session_id}-{number}"
            arrival = listener.heard[edit_id] = asyncio.get_running_loop().create_future()
            edit = {
                "session_id": session_id, "edit_id": edit_id, "record_id": "ledger:000001",
                "field_name": "description", "new_value": f"Payment {number} to a supplier, corrected by hand",
                "base_version": version,
            }  # fmt: skip
            began = time.perf_counter()
            answer = await sender.socket.call("edit", edit, namespace=NAMESPACE)
            assert answer["ok"], answer
            version = answer["version"]
            took.append((await asyncio.wait_for(arrival, 30) - began) * 1e3)
    finally:
        for member in (sender, listener):
            await member.socket.disconnect()
    return took[50:]


async def across_ours(count: int) -> list[float]:
    with instances(2) as cluster:
        (session_id,) = cluster.sessions(1)
        tokens = [cluster.targets[0].token(number, 1) for number in (1, 2)]
        return await _ways([target.url for target in cluster.targets], tokens, session_id, count)


async def across_node(count: int) -> list[float]:
    with CONTENDERS["node-redis"].start([], 1, RECORDS) as running:
        urls = [url.partition("/socket.io")[0].replace("ws://", "http://") for url in running.url.split()]
        return await _ways(urls, ["person-1", "person-2"], running.sessions[0], count)


def quantiles(took: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(took, n=100)
    return {"p50_ms": round(cuts[49], 2), "p99_ms": round(cuts[98], 2)}


async def across(rounds: int, count: int) -> list[dict[str, Any]]:
    found = []
    for _ in range(rounds):
        ours, node = await across_ours(count), await across_node(count)
        found.append({"ours": quantiles(ours), "node": quantiles(node), "edits": count})
    return found


async def _measure(options: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {"machine": machine()}
    for part in options.parts:
        if part == "own":
            found[part] = await own(options.seconds)
        elif part == "throughput":
            found[part] = [await throughput(count, options.seconds) for count in (1, 2, 4)]
        else:
            found[part] = await across(options.rounds, options.edits)
        print(json.dumps({part: found[part]}, indent=1), flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    end_in_order()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["own", "throughput", "across"], metavar="PART")
    parser.add_argument("--seconds", type=int, default=10, help="that each part is measured for")
    parser.add_argument("--rounds", type=int, default=3, help="alternations of `across`")
    parser.add_argument("--edits", type=int, default=400, help="edits of each round of `across`")
    parser.add_argument("--json", type=Path, help="write what was measured here")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - {"own", "throughput", "across"}:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    with contextlib.suppress(KeyboardInterrupt):
        found = asyncio.run(_measure(options))
        if options.json:
            options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
