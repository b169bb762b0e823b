"""What looking for garbage in cycles costs: ``python -m loadtest.bench_collector``.

Decides and applies edits in twenty sessions of 2,000 records in use, once with Python's own thresholds and once as the
server does while it is busy (`realtime_server.collector`), and prints how long the collector held everything up: in
all, and at worst. Times are the process's own.
"""

from __future__ import annotations

import asyncio
import gc
import time

from loadtest.bench_core import NOW, edited, session
from realtime_server.collector import collecting_when_idle
from realtime_server.core.commits import Commit
from realtime_server.core.decide import decide
from realtime_server.core.evolve import evolve

_SESSIONS, _EDITS = 20, 60_000
#: Edits between two turns of the event loop, in which the server looks at what there is to do.
_TURN = 100


async def _run(what: str) -> None:
    states = [session() for _ in range(_SESSIONS)]
    pauses: list[float] = []
    began = 0.0

    def watch(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.process_time()
        else:
            pauses.append(time.process_time() - began)

    gc.callbacks.append(watch)
    start = time.process_time()
    for number in range(_EDITS):
        state = states[number % _SESSIONS]
        commit = decide(state, edited(state, number, f"e{number}"), NOW + number)
        assert isinstance(commit, Commit), "the benchmark's own edit is applied"
        states[number % _SESSIONS] = evolve(state, commit)
        if number % _TURN == 0:
            await asyncio.sleep(0)
    took = time.process_time() - start
    gc.callbacks.remove(watch)
    print(
        f"{what:10} {took / _EDITS * 1e6:6.1f} µs an edit; collector {sum(pauses) / took:6.1%} of it,"
        f" {len(pauses)} times, at worst {max(pauses, default=0.0) * 1e3:.1f} ms"
    )


async def main() -> None:
    await _run("Python's")
    with collecting_when_idle():  # the loop has no rest meanwhile
        await _run("the server's")


if __name__ == "__main__":
    asyncio.run(main())
