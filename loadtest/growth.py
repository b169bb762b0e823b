"""How cost grows: ``python -m loadtest.growth [DIMENSION …] [--top N]``.

One number is raised, everything else stays: people in a session, sessions, records of a session, length of its log,
connections. Each point is a fresh server (or, for records and the log, a fresh engine on a fresh database). Results go
to ``docs/growth.json``, plots to ``docs/plots/``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from loadtest import bench_open
from loadtest.controller import Generator, usage
from loadtest.machine import machine
from loadtest.plots import Line, chart
from loadtest.results import Result
from loadtest.spec import WorkerSpec
from loadtest.target import end_in_order, own_server

FOUND: Final = Path("docs/growth.json")
PLOTS: Final = Path("docs/plots")
_SECONDS: Final = 8


@dataclass(frozen=True, slots=True)
class Dimension:
    """``measure`` gives a point's figures; ``plotted`` are those that are shown, ``unit`` theirs."""

    what: str
    points: Sequence[int]
    measure: Callable[[int], Awaitable[Mapping[str, float]]]
    plotted: Sequence[str]
    unit: str


async def _served(
    clients: int,
    sessions: int,
    rate: float,
    *,
    connect_over: float = 5.0,
    seconds: float = _SECONDS,
    warm: float = 3.0,
) -> dict[str, float]:
    """Figures of a real server under edits at a rate."""
    seats = -(-clients // sessions)
    settings = {"COLLABORATION_MAX_USERS": str(max(50, seats)), "WS_MAX_CONNECTIONS": "20000"}
    with own_server([0], settings) as target:
        empty = usage(target.pids)["rss"]
        records = 10 + max(seats, 20)
        ids = [target.create_session(f"growth {number}", records) for number in range(sessions)]
        spec = WorkerSpec(
            url=target.websocket_url, sessions=ids, rates={"edit": rate}, records=records, seats=seats,
            tokens=[target.token(number, number // sessions) for number in range(clients)], seconds=3_600, warm=warm,
            connect_over=connect_over,
        )  # fmt: skip
        result = Result("growth", warm)
        async with Generator(spec, 1, [1], result, target.pids) as generator:
            await generator.connected()
            joined = usage(target.pids)["rss"]
            await generator.start()
            await generator.seconds(warm + seconds)
            await generator.stop()
        if wrong := result.counter("faults") + result.counter("refused"):
            raise SystemExit(f"{clients} clients in {sessions} sessions: {dict(wrong)}")
        counts = result.counter("counts")
        edits = max(1, counts["applied"])
        cpu = result.server.get("cpu_us_per_edit", 0.0)
        return {
            "cpu_us_per_edit": cpu,
            "cpu_us_per_delivery": round(cpu * edits / max(1, counts["deliveries"]), 2),
            "ack_p50_ms": result.histogram("ack").quantile(0.5) or 0.0,
            "delivery_p50_ms": result.histogram("delivery").quantile(0.5) or 0.0,
            "connect_p99_ms": result.histogram("connect").quantile(0.99) or 0.0,
            "kib_per_connection": round((joined - empty) / clients / 1024, 1),
        }


async def _members(count: int) -> Mapping[str, float]:
    return await _served(count, 1, 40)


async def _sessions(count: int) -> Mapping[str, float]:
    # Six edits to each session before it counts: the first ones load its records, once, which says nothing of sessions.
    rate = 200
    return await _served(max(2 * count, 20), count, rate, warm=max(3.0, 6 * count / rate))


async def _connections(count: int) -> Mapping[str, float]:
    return await _served(count, max(1, count // 50), 100, connect_over=max(5.0, count / 150))


async def _records(count: int) -> Mapping[str, float]:
    return await bench_open.figures(count, 2_000)


async def _log(count: int) -> Mapping[str, float]:
    return await bench_open.figures(1_000, count)


DIMENSIONS: Final[Mapping[str, Dimension]] = {
    "members": Dimension(
        "people in one session", (10, 30, 100, 300, 1_000), _members, ("cpu_us_per_edit", "cpu_us_per_delivery"), "µs"
    ),
    "sessions": Dimension(
        "sessions, 200 edits a second in all", (1, 10, 100, 500, 2_000), _sessions, ("cpu_us_per_edit",), "µs"
    ),
    "records": Dimension(
        "records of a session", (1_000, 10_000, 100_000, 1_000_000), _records,
        ("first_join_ms", "edit_ms", "memory_mb"), "ms, MB",
    ),
    "log": Dimension(
        "commits of a session", (1_000, 10_000, 100_000, 1_000_000), _log,
        ("first_join_ms", "edit_ms", "memory_mb"), "ms, MB",
    ),
    "connections": Dimension(
        "connections, in sessions of 50", (1_000, 3_000, 7_000, 15_000), _connections,
        ("cpu_us_per_edit", "kib_per_connection"), "µs, KiB",
    ),
}  # fmt: skip


def _plot(name: str, points: Sequence[Mapping[str, float]]) -> None:
    dimension = DIMENSIONS[name]
    lines = [Line(key, [(point["at"], point[key]) for point in points]) for key in dimension.plotted]
    PLOTS.mkdir(exist_ok=True)
    text = chart(dimension.what, dimension.what, dimension.unit, lines, log_x=True, log_y=True)
    (PLOTS / f"growth-{name}.svg").write_text(text)


def _table(name: str, points: Sequence[Mapping[str, float]]) -> str:
    keys = list(points[0])
    lines = [f"| {' | '.join(keys)} |", "|" + "---|" * len(keys)]
    lines += [f"| {' | '.join(f'{point[key]:,.4g}' for key in keys)} |" for point in points]
    return "\n".join([f"{DIMENSIONS[name].what}:", "", *lines, ""])


def main() -> None:
    end_in_order()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dimensions", nargs="*", default=[], metavar="DIMENSION", help=", ".join(DIMENSIONS))
    parser.add_argument("--top", type=int, default=10**9, help="leave out larger points")
    options = parser.parse_args()
    found: dict[str, Any] = json.loads(FOUND.read_text()) if FOUND.exists() else {}
    for name in options.dimensions or DIMENSIONS:
        points = []
        for at in DIMENSIONS[name].points:
            if at <= options.top:
                points.append({"at": at, **asyncio.run(_once(name, at))})
                print(json.dumps(points[-1]), flush=True)
        found[name] = points
        found["machine"] = machine()
        FOUND.write_text(json.dumps(found, indent=1) + "\n")
        _plot(name, points)
        print(_table(name, points))


async def _once(name: str, at: int) -> Mapping[str, float]:
    return await DIMENSIONS[name].measure(at)


if __name__ == "__main__":
    main()
