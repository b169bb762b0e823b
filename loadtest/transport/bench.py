"""Ours, stock python-socketio and Node's socket.io on the same work, in alternation, on one core each with the load on
the other. Prints each measure's median and spread, and the ratios to Node taken pair by pair.

Usage: python -m loadtest.transport.bench [--rounds 3] [--seconds 4] [--servers ours,stock,node] [--measures ...]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

SERVERS = {
    "ours": [sys.executable, "-m", "loadtest.transport.servers.ours"],
    "ours-emit": [sys.executable, "-m", "loadtest.transport.servers.ours", "emit"],
    "stock": [sys.executable, "-m", "loadtest.transport.servers.stock"],
    "node": ["node", str(HERE / "servers" / "node.cjs")],
}
MEASURES: dict[str, list[str]] = {
    "peak": ["closed", "8"],
    "at 50,000/s": ["open", "50000"],
    "at 200,000/s": ["open", "200000"],
    "ask": ["ask", "1"],
}

SHOWN = ("per_second", "cpu_us_each", "server_cpu", "generator_cpu", "p50_ms", "p99_ms", "connect_p99_ms")
"""`..._cpu` are shares of a core."""


@contextmanager
def running(name: str) -> Iterator[tuple[int, int]]:
    """A server on core 0; its port and process id."""
    process = subprocess.Popen(["taskset", "-c", "0", *SERVERS[name]], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
    finally:
        process.kill()
        process.wait()


def measure(name: str, arguments: list[str], seconds: float) -> dict[str, Any]:
    """One server, one measure, in a fresh process each."""
    with running(name) as (port, pid):
        output = subprocess.run(
            ["taskset", "-c", "1", sys.executable, "-m", "loadtest.transport.generator", str(port), *arguments,
             "--pid", str(pid), "--seconds", str(seconds)],
            check=True, capture_output=True, text=True, timeout=120,
        ).stdout  # fmt: skip
    result: dict[str, Any] = json.loads(output)
    return result


def is_generators_limit(result: dict[str, Any]) -> bool:
    """True when the load ran out of processor time and the server did not: a peak is then the generator's."""
    busy: bool = result["generator_cpu"] > 0.97 and result["server_cpu"] < 0.97
    return busy


def spread(values: list[float]) -> str:
    values = sorted(values)
    return f"{statistics.median(values):,.4g} ({values[0]:,.4g} to {values[-1]:,.4g})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--servers", default="ours,stock,node")
    parser.add_argument("--measures", default=";".join(MEASURES), help="separated by semicolons")
    options = parser.parse_args()
    if not (HERE / "node_modules").is_dir() and "node" in options.servers:
        if shutil.which("npm") is None:
            sys.exit("node and npm are needed for the comparison; or leave it out with --servers ours,stock")
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True, stdout=sys.stderr)
    names = options.servers.split(",")
    for label in options.measures.split(";"):
        rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                if not (name == "stock" and label == "at 200,000/s"):  # far past what it can do
                    rounds[name].append(measure(name, MEASURES[label], options.seconds))
        print(f"\n{label}: {' '.join(MEASURES[label])}, {options.rounds} rounds of {options.seconds:g} s")
        for name, results in rounds.items():
            for key in SHOWN:
                values = [result[key] for result in results if result.get(key) is not None]
                if values:
                    print(f"  {name:10} {key:15} {spread(values)}")
            if any(is_generators_limit(result) for result in results):
                print(f"  {name:10} the generator was at its own limit: the server can do more than this")
            if any(result["lost"] for result in results):
                print(f"  {name:10} lost connections: {[result['lost'] for result in results]}")
        for name, results in rounds.items():
            if name != "node" and results and rounds.get("node"):
                for key in ("per_second", "cpu_us_each"):
                    ratios = [mine[key] / theirs[key] for mine, theirs in zip(results, rounds["node"], strict=True)]
                    print(f"  {name} / node {key:15} {spread(ratios)}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
