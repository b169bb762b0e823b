"""The machine that a run is measured on, and what else has it meanwhile."""

from __future__ import annotations

import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any, Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_STEAL: Final = 8  # of the numbers in /proc/stat, proc(5)


def machine() -> dict[str, Any]:
    """Where this was measured."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def stolen() -> float | None:
    """Processor seconds, of all cores together, that a hypervisor gave to others since the machine started.

    None where the system does not say. Time that a neighbour takes from a shared core's speed is not in it.
    """
    try:
        with open("/proc/stat") as file:
            fields = file.readline().split()
        return int(fields[_STEAL]) / _TICKS
    except (OSError, IndexError, ValueError):
        return None


def loop_ms() -> float:
    """Milliseconds that a fixed loop of Python takes now, a million turns: how fast the machine is at this moment.

    The median of five. It grows with whatever slows the processor down, neighbours on the same silicon included.
    """
    took = []
    for _ in range(5):
        began, total = time.perf_counter(), 0
        for number in range(1_000_000):
            total += number * number
        took.append((time.perf_counter() - began) * 1_000)
    return round(statistics.median(took), 1)
