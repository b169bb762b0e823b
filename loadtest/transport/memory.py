"""Memory of idle connections: opens them in steps and reads the server's resident size after each.

Usage: python -m loadtest.transport.memory [--servers ours,stock,node] [--connections 8000]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from .bench import running


def resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--servers", default="ours,stock,node")
    parser.add_argument("--connections", type=int, default=8000)
    options = parser.parse_args()
    for name in options.servers.split(","):
        with running(name) as (port, pid):
            # A first hundred pays for what is loaded once; the rest is measured against it.
            for count in (100, options.connections):
                load = subprocess.Popen(
                    [sys.executable, "-m", "loadtest.transport.generator", str(port), "connect",
                     "--clients", str(count), "--seconds", "6", "--burst", "50"],
                    stdout=subprocess.PIPE, text=True,
                )  # fmt: skip
                time.sleep(3 if count == 100 else 5 + count / 1000)
                size = resident(pid)
                connections = count_connections(port)
                if count == 100:
                    base, first = size, connections
                assert load.stdout is not None
                line = load.stdout.read()
                load.wait()
            each = (size - base) / (connections - first)
            print(f"{name:6} {connections} connections: {size / 2**20:.1f} MiB, {each / 1024:.1f} KiB each")
            print(f"       {line}", end="")


def count_connections(port: int) -> int:
    """Established connections to the server's port."""
    wanted = f":{port:04X}"
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file][1:]
    return sum(row[1].endswith(wanted) and row[3] == "01" for row in rows)


if __name__ == "__main__":
    main()
