"""Memory of idle connections: opens them in steps and reads the server's resident size after each.

Usage: python -m loadtest.transport.memory [--servers ours,stock,node] [--connections 8000]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

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
            # The first hundred pays for what is loaded once; the others are measured against it.
            with connected(port, 100):
                base = resident(pid)
                with connected(port, options.connections - 100) as connect_times:
                    size = resident(pid)
            each = (size - base) / (options.connections - 100)
            print(f"{name:6} {options.connections} connections: {size / 2**20:.1f} MiB, {each / 1024:.1f} KiB each")
            print(f"       connecting: {connect_times}", flush=True)


@contextmanager
def connected(port: int, count: int) -> Iterator[str]:
    """That many more idle clients on the server; what the generator says of their connecting."""
    generator = [sys.executable, "-m", "loadtest.transport.generator", str(port), "connect", "--clients", str(count)]
    before = count_connections(port)
    process = subprocess.Popen(
        [*generator, "--seconds", "600", "--burst", "50"], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    try:
        while count_connections(port) < before + count:
            time.sleep(0.2)
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        time.sleep(2)  # for what the handshakes left behind to be freed
        yield line
    finally:
        process.kill()
        process.wait()


def count_connections(port: int) -> int:
    """Established connections to the server's port."""
    wanted = f":{port:04X}"
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file][1:]
    return sum(row[1].endswith(wanted) and row[3] == "01" for row in rows)


if __name__ == "__main__":
    main()
