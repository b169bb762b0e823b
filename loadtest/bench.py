"""Ours and its peers on the same work, in alternation: ``python -m loadtest.bench`` (``make bench``).

Each contender gets a fresh start, its server pinned to one core and the generator to the other, mongod wherever it
likes; 1,000 connections in 20 sessions of 50. Prints medians with their spread and the ratios, pair by pair. What the
machine was worth meanwhile stands beside each: a fixed loop of Python (`machine.loop_ms`, timed before it), and the
share of processor time that a hypervisor gave to others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from loadtest.capacity import Search, by_second, described, measured
from loadtest.controller import Generator, verify
from loadtest.machine import loop_ms, machine
from loadtest.peers import CONTENDERS, Contender, Running
from loadtest.results import Result
from loadtest.spec import WorkerSpec
from loadtest.target import end_in_order

CLIENTS: Final = 1_000
SESSIONS: Final = 20
RECORDS: Final = 510


@dataclass(frozen=True, slots=True)
class Plan:
    """``measures``: of "peak", "cost" and "fixed". ``hold``: seconds for which a peak must be sustained."""

    measures: Sequence[str]
    hold: int
    server_core: int
    generator_core: int
    clients: int = CLIENTS


def _spec(running: Running, clients: int, rate: float, seconds: float) -> WorkerSpec:
    return WorkerSpec(
        url=running.url,
        sessions=running.sessions,
        tokens=running.tokens(clients),
        rates={"edit": rate},
        records=RECORDS,
        seats=max(1, clients // len(running.sessions)),
        seconds=seconds,
        warm=0.0,
        dialect=running.dialect,
    )


async def measure(contender: Contender, plan: Plan) -> dict[str, Any]:
    """One contender, once: a fresh server, a fresh database, a fresh generator."""
    found: dict[str, Any] = {"contender": contender.name, "loop_ms": loop_ms()}  # timed while nothing else is started
    started: AbstractContextManager[Running] = contender.start([plan.server_core], SESSIONS, RECORDS)
    with started as running:
        result = Result(contender.name, 0.0)
        spec = _spec(running, plan.clients, 100, 3_600)
        async with Generator(spec, 1, [plan.generator_core], result, running.pids) as generator:
            await generator.connected()
            found["connect_p99_ms"] = result.before.histograms["connect"].quantile(0.99)
            found["rss_per_connection"] = running.grown(plan.clients)
            await generator.start()
            await generator.seconds(3)
            if "fixed" in plan.measures:
                found["fixed"] = await _fixed(generator, plan.clients)
            if "cost" in plan.measures:
                found["cost"] = await _cost(generator, 2 * contender.begin)
            if "peak" in plan.measures:
                search = Search(generator)
                found["peak"] = described(await search.peak(contender.begin, seconds=plan.hold))
                found["steps"] = [
                    {**described(step), "delivery_p99_ms_by_second": by_second(step)} for step in search.steps
                ]
            seen = await generator.stop()
        if contender.ordered:
            verify(result, seen, running.stored())
        found["faults"] = dict(result.counter("faults"))
        found["refused"] = dict(result.counter("refused"))
        found["generator_busy"] = round(result.generator_busy, 3)
        found["stolen_share"] = round(result.stolen_share, 3)
    return found


async def _cost(generator: Generator, rate: float) -> dict[str, Any]:
    """Processor time of an edit with its fan-out when more is asked than can be done, over 8 seconds.

    Holds on a machine that is shared, where a peak does not: what the server was not given is not counted.
    """
    await generator.tell_all({"rates": {"edit": rate}})
    await generator.seconds(11)
    windows = generator.result.windows[-9:]
    await generator.tell_all({"rates": {"edit": 0}})
    edits = sum(window.counts["acks"] for window in windows[1:])
    cpu = windows[-1].server["cpu"] - windows[0].server["cpu"]
    elapsed = windows[-1].server["at"] - windows[0].server["at"]
    return {
        "edits": round(edits / elapsed, 1),
        "cpu_share": round(cpu / elapsed, 3),
        "cpu_us_per_edit": round(cpu / edits * 1e6, 1) if edits else None,
    }


async def _fixed(generator: Generator, clients: int) -> dict[str, Any]:
    """10,000 deliveries a second, for 10 seconds after 4 of warming up."""
    rate = 10_000 * SESSIONS / clients
    await generator.tell_all({"rates": {"edit": rate}})
    await generator.seconds(14)
    windows = generator.result.windows[-10:]
    found = described(measured(windows, rate))
    if windows[0].server and windows[-1].server:
        cpu = windows[-1].server["cpu"] - windows[0].server["cpu"]
        edits = sum(window.counts["acks"] for window in windows[1:])
        found["cpu_us_per_edit"] = round(cpu / edits * 1e6, 1) if edits else None
    return found


def spread(values: Sequence[float]) -> str:
    """Median (lowest to highest)."""
    ordered = sorted(values)
    return f"{statistics.median(ordered):,.4g} ({ordered[0]:,.4g} to {ordered[-1]:,.4g})"


def table(rounds: Sequence[Sequence[dict[str, Any]]]) -> list[str]:
    """Lines of text: medians with spread per contender, then ratios of ours to each, by round."""
    lines = []
    by_name: dict[str, list[dict[str, Any]]] = {}
    for found in rounds:
        for item in found:
            by_name.setdefault(item["contender"], []).append(item)
    keys = (
        ("peak", "edits"), ("peak", "delivery_p99_ms"), ("fixed", "delivery_p99_ms"), ("fixed", "ack_p99_ms"),
        ("fixed", "cpu_us_per_edit"), ("cost", "edits"), ("cost", "cpu_us_per_edit"), ("", "connect_p99_ms"),
        ("", "rss_per_connection"), ("", "loop_ms"), ("", "stolen_share"),
    )  # fmt: skip
    for name, items in by_name.items():
        for part, key in keys:
            values = [(item.get(part, {}) if part else item).get(key) for item in items]
            known = [value for value in values if value is not None]
            if known:
                lines.append(f"{name:14} {f'{part} {key}'.strip():24} {spread(known)}")
        faults = {fault: count for item in items for fault, count in item["faults"].items()}
        if faults:
            lines.append(f"{name:14} faults {faults}")
    for name, items in by_name.items():
        for part, key in (("peak", "edits"), ("cost", "cpu_us_per_edit")):
            pairs = [
                mine[part][key] / theirs[part][key]
                for mine, theirs in zip(by_name.get("ours", []), items, strict=False)
                if name != "ours" and theirs.get(part, {}).get(key) and mine.get(part, {}).get(key)
            ]
            if pairs:
                lines.append(f"ours / {name:12} {part} {key} {spread(pairs)}")
    return lines


def main() -> None:
    end_in_order()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help="separated by commas")
    parser.add_argument("--measures", default="fixed,peak")
    parser.add_argument("--hold", type=int, default=30, help="seconds for which a peak must be sustained")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--generator-core", type=int, default=1)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--json", type=Path, help="write everything that was measured here")
    options = parser.parse_args()
    plan = Plan(
        options.measures.split(","), options.hold, options.server_core, options.generator_core, options.clients
    )  # fmt: skip
    rounds: list[list[dict[str, Any]]] = []
    for _ in range(options.rounds):
        found = []
        for name in options.contenders.split(","):
            item = asyncio.run(measure(CONTENDERS[name], plan))
            shown = {key: value for key, value in item.items() if key != "steps"}
            print(json.dumps(shown), file=sys.stderr, flush=True)
            found.append(item)
        rounds.append(found)
        if options.json:  # after each round: a later one may be broken off
            options.json.write_text(json.dumps({"machine": machine(), "rounds": rounds}, indent=1))
    print("\n".join(table(rounds)))


if __name__ == "__main__":
    main()
