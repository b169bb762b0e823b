"""Runs the generating processes, collects their windows, and holds the end against the server's own log."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from loadtest.machine import stolen
from loadtest.recorder import now
from loadtest.results import Result, Window
from loadtest.spec import WorkerSpec

#: Windows are complete when every process has reported; this is the longest line one may write, in bytes.
_LINE: Final = 1 << 26
_TICKS: Final = os.sysconf("SC_CLK_TCK")
#: Share of a core beyond which a generating process is taken to be what limits a run, and lateness (ms) likewise.
BUSY: Final = 0.9
LATE_MS: Final = 10.0

Progress = Callable[[Result], None]


def usage(pids: Sequence[int]) -> dict[str, float]:
    """Processor seconds and resident bytes of a server's processes together, nothing where there is none of ours."""
    if not pids:
        return {}
    cpu = rss = 0.0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            return {}
        cpu += (int(fields[11]) + int(fields[12])) / _TICKS
        rss += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return {"cpu": cpu, "rss": rss, "at": now() / 1e6}


class Generator:
    """The generating processes of one run."""

    def __init__(
        self,
        spec: WorkerSpec,
        processes: int,
        cores: Sequence[int],
        result: Result,
        pids: Sequence[int],
        progress: Progress = lambda result: None,
    ) -> None:
        self._spec, self._count, self._cores = spec, processes, cores
        self.result, self._pids, self._progress = result, pids, progress
        self._processes: list[asyncio.subprocess.Process] = []
        self._readers: list[asyncio.Task[dict[str, Any]]] = []
        self._windows: dict[int, Window] = {}
        self._ready = asyncio.Semaphore(0)
        self.complete = asyncio.Event()

    async def __aenter__(self) -> Generator:
        for number in range(self._count):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "loadtest.worker",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LINE,
            )  # fmt: skip
            self._processes.append(process)
            cores = [self._cores[number % len(self._cores)]] if self._cores else []
            spec = replace(self._spec, worker=number, of=self._count, cores=cores)
            await self._tell(process, spec.to_json())
            self._readers.append(asyncio.create_task(self._read(number, process)))
        return self

    async def __aexit__(self, *exception: object) -> None:
        for process in self._processes:
            if process.returncode is None:
                process.terminate()
            await process.wait()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    async def _tell(self, process: asyncio.subprocess.Process, message: Mapping[str, Any]) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(message).encode() + b"\n")
        await process.stdin.drain()

    async def tell_all(self, message: Mapping[str, Any]) -> None:
        for process in self._processes:
            await self._tell(process, message)

    async def _read(self, number: int, process: asyncio.subprocess.Process) -> dict[str, Any]:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            message: dict[str, Any] = json.loads(line)
            if "ready" in message:
                self.result.before.add(number, message["window"])
                self._ready.release()
            elif "done" in message:
                self.result.after.add(number, message["window"])
                done: dict[str, Any] = message["done"]
                return done
            else:
                self._take(number, message["window"])
        self._ready.release()
        raise RuntimeError("a generating process ended early; its error stands above")

    def _take(self, number: int, taken: Mapping[str, Any]) -> None:
        window = self._windows.setdefault(taken["number"], Window(taken["number"]))
        window.add(number, taken)
        if window.reported == self._count:
            window.server, window.stolen = usage(self._pids), stolen()
            del self._windows[window.number]
            self.result.windows.append(window)
            self._progress(self.result)
            self.complete.set()

    async def connected(self) -> None:
        """Returns when all clients of all processes are in, or cannot be."""
        for _ in self._processes:
            await self._ready.acquire()
        for reader in self._readers:
            if reader.done():
                reader.result()

    async def start(self) -> None:
        await self.tell_all({"start": now() + 100_000})

    async def seconds(self, count: float) -> None:
        """Returns when so many more windows are there."""
        wanted = len(self.result.windows) + count
        while len(self.result.windows) < wanted:
            self.complete.clear()
            waiting = asyncio.create_task(self.complete.wait())
            await asyncio.wait([waiting, *self._readers], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            for reader in self._readers:
                if reader.done():
                    reader.result()

    async def stop(self) -> dict[str, list[int]]:
        """Ends the run; per session the lowest and highest last ``seq`` that a member saw, and the highest answered."""
        await self.tell_all({"stop": True})
        sessions: dict[str, list[int]] = {}
        for reader in self._readers:
            done = await reader
            for session_id, (low, high, answered) in done["sessions"].items():
                found = sessions.setdefault(session_id, [low, high, answered])
                found[:] = [min(found[0], low), max(found[1], high), max(found[2], answered)]
        self._account()
        return sessions

    def _account(self) -> None:
        """What server and generator used per second of the measured part."""
        measured = self.result.measured
        if len(measured) < 2:
            return
        first, last = measured[0], measured[-1]
        seconds = last.number - first.number
        busy = [(last.cpu[worker] - first.cpu[worker]) / seconds for worker in last.cpu]
        self.result.generator_busy = max(busy)
        if first.stolen is not None and last.stolen is not None:
            self.result.stolen_share = (last.stolen - first.stolen) / (seconds * (os.cpu_count() or 1))
        if first.server and last.server:
            elapsed = last.server["at"] - first.server["at"]
            cpu = last.server["cpu"] - first.server["cpu"]
            edits = sum(w.counts["applied"] + w.counts["conflict"] for w in measured[1:])
            self.result.server = {
                "cpu_share": round(cpu / elapsed, 3),
                "cpu_us_per_edit": round(cpu / edits * 1e6, 1) if edits else 0.0,
                "rss": last.server["rss"],
            }


def verify(result: Result, sessions: Mapping[str, Sequence[int]], stored: Mapping[str, int]) -> None:
    """Adds faults where members, answers and the log do not end at the same commit."""
    for session_id, (low, high, answered) in sessions.items():
        if low != high:
            result.after.faults["members end at different commits"] += 1
        if answered > low:
            result.after.faults["an acknowledged commit was not broadcast to all"] += 1
        if session_id in stored and stored[session_id] != high:
            result.after.faults["the log ends at another commit than its members saw"] += 1
