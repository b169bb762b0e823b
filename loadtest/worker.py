"""One generating process: ``python -m loadtest.worker``, a spec on its standard input, windows on its standard output.

Standard input, one JSON object a line: the spec, then ``{"start": µs}``, perhaps ``{"rates": {…}}``, then
``{"stop": true}``. Standard output: ``{"ready": …}``, a window a second, and ``{"done": …}``.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import resource
import sys
from collections.abc import Mapping
from typing import Any, Final

import uvloop

from loadtest import sending
from loadtest.client import Client
from loadtest.dialects import client_class
from loadtest.reading import Readings, sockets_class
from loadtest.recorder import Recorder, now
from loadtest.schedule import SHAPES, Arrivals
from loadtest.spec import WorkerSpec
from loadtest.wires import Wires

_TICK: Final = 0.001
_WINDOW: Final = 1.0
#: Seconds without any progress after which what is missing at the end is taken to be lost.
_DRAIN: Final = 15.0
#: Seconds without any progress after which a run in which nothing is missing has come to rest.
_QUIET: Final = 0.5
#: Connections from one local address: a server may bound them (here: 2,000).
_PER_ADDRESS: Final = 1_500


class Worker:
    """Clients of one process, the clock that moves them, and what they counted."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.spec = spec
        self.recorder = Recorder()
        self.readings = Readings()
        sockets = None if sockets_class is None else sockets_class(self.readings)
        self._wires = Wires(self.readings, sockets, insecure=spec.insecure)
        self.ending = False
        self.clients: list[Client] = []
        self.actors: list[Client] = []
        self._random = random.Random(spec.worker)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._arrivals: dict[str, Arrivals] = {}
        self._entered = asyncio.Event()
        self._missing = 0

    # -- what clients call

    def entered(self, client: Client) -> None:
        self._missing -= 1
        if client.slow and client.wire is not None:
            client.wire.pause_reading()
        if self._missing <= 0:
            self._entered.set()

    def left_unexpectedly(self, client: Client) -> None:
        if client in self.actors:
            self.actors.remove(client)

    def resolve(self, client: Client, conflict_id: str, edit_id: str, due: int) -> None:
        sending.resolve(client, conflict_id, edit_id, due)

    # -- entering

    async def connect_all(self) -> None:
        spec = self.spec
        total = len(spec.tokens)
        make = client_class(spec.dialect)
        mine = range(spec.worker, total, spec.of)
        self._missing = len(mine)
        begin = now()
        for number in mine:
            session = number % len(spec.sessions)
            client = make(self, number, spec.sessions[session], number // len(spec.sessions), spec.tokens[number])
            client.slow = number // len(spec.sessions) >= spec.seats * (1 - spec.slow) and client.seat > 0
            self.clients.append(client)
            self._later(self._connect(client, begin + int(number / total * spec.connect_over * 1e6)))
        async with asyncio.timeout(spec.connect_over + 60):
            await self._entered.wait()
        self.actors = [client for client in self.clients if not client.slow and (client.seat > 0 or spec.seats == 1)]

    async def _connect(self, client: Client, due: int, *, again: bool = False) -> None:
        await asyncio.sleep(max(0, due - now()) / 1e6)
        client.due(due, again=again)
        address = f"127.0.0.{1 + client.index // _PER_ADDRESS}" if self.spec.spread_addresses else None
        addresses = self.spec.url.split()
        place = client.index % len(self.spec.sessions) if self.spec.apart else client.seat
        try:
            await self._wires.connect(client, addresses[place % len(addresses)], address)
        except Exception as error:
            self.recorder.faults[f"no connection: {type(error).__name__}: {error}"[:200]] += 1
            self._missing -= 1
            if self._missing <= 0:
                self._entered.set()

    def _later(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- the run

    async def run(self, commands: asyncio.StreamReader) -> None:
        await self.connect_all()
        gc.collect()
        gc.freeze()
        _say({"ready": sum(client.joined for client in self.clients), "window": self._take(0)})
        start = int((await _read(commands))["start"])
        spec = self.spec
        self.readings.measure_from = start + int(spec.warm * 1e6)
        await asyncio.sleep(max(0, start - now()) / 1e6)
        self.set_rates(spec.rates, start)
        ticker = asyncio.create_task(self._tick())
        windows = asyncio.create_task(self._windows(start))
        storms = [asyncio.create_task(self._storm(start + int(at * 1e6))) for at in spec.storms]
        while not (command := await _read(commands)).get("stop"):
            if "rates" in command:
                self.set_rates(command["rates"], now())
            if "measure_from" in command:
                self.readings.measure_from = int(command["measure_from"])
        ticker.cancel()
        await asyncio.gather(*storms)
        await self._drain()
        windows.cancel()
        _say({"done": self._verdict(), "window": self._take(0)})
        self.ending = True
        for client in self.clients:
            await client.leave()

    def set_rates(self, rates: Mapping[str, float], at: int) -> None:
        spec = self.spec
        for number, (action, rate) in enumerate(rates.items()):
            found = self._arrivals.get(action)
            if found is not None:
                found.set_rate(rate / spec.of, at)
            else:
                seed = spec.worker * 100 + number
                self._arrivals[action] = Arrivals(rate / spec.of, at, spec.seconds, SHAPES[spec.shape], seed)

    async def _tick(self) -> None:
        lag = self.recorder.histograms["lag"]
        choose = self._random.choice
        while True:
            at = now()
            for action, arrivals in self._arrivals.items():
                for due in arrivals.due(at):
                    client = choose(self.actors)
                    for _ in range(20):  # one that is just away does nothing; somebody else does it
                        if client.joined:
                            break
                        client = choose(self.actors)
                    client.act(action, due)
                    if due >= self.readings.measure_from:
                        lag.record(now() - due)
            await asyncio.sleep(_TICK)

    async def _storm(self, at: int) -> None:
        """Connections break together, and come back together."""
        await asyncio.sleep(max(0, at - now()) / 1e6)
        gone = self._random.sample(self.actors, int(len(self.actors) * self.spec.dropped))
        for client in gone:
            client.drop()
        self._entered.clear()
        self._missing = len(gone)
        await asyncio.sleep(0.2)
        due = now()
        for client in gone:
            self._later(self._connect(client, due, again=True))
        async with asyncio.timeout(60):
            await self._entered.wait()

    async def _windows(self, start: int) -> None:
        number = 0
        while True:
            number += 1
            await asyncio.sleep(max(0, start + int(number * _WINDOW * 1e6) - now()) / 1e6)
            _say({"window": self._take(number)})

    def _take(self, number: int) -> dict[str, Any]:
        deliveries, delivery, cursor = self.readings.counted()
        self.recorder.counts["deliveries"] += deliveries
        self.recorder.histograms["delivery"].add(delivery.items())
        self.recorder.histograms["cursor"].add(cursor.items())
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "number": number,
            "connections": sum(client.joined for client in self.clients),
            "cpu": used.ru_utime + used.ru_stime,
            **self.recorder.take(),
        }

    # -- the end

    async def _drain(self) -> None:
        """Wait until every answer is there, every member of a session has seen the same, and nothing moves any more."""
        moved, last = -1, now()
        while (quiet := now() - last) < (_QUIET if self._settled() else _DRAIN) * 1e6:
            progress = sum(client.seq - client.waiting for client in self.clients) + self.readings.deliveries
            if progress != moved:
                moved, last = progress, now()
            await asyncio.sleep(0.05)
        if quiet >= _DRAIN * 1e6:
            self.recorder.counts["ended without coming to rest"] += 1

    def _settled(self) -> bool:
        readers = [client for client in self.clients if client.joined and not client.slow]
        if any(client.waiting for client in readers):
            return False
        ends = {(client.session_id, client.seq) for client in readers}
        return len(ends) == len({client.session_id for client in readers})

    def _verdict(self) -> dict[str, Any]:
        """Per session the lowest and highest last ``seq`` of its readers, and the highest acknowledged one."""
        readers = [client for client in self.clients if client.joined and not client.slow]
        lost = sum(client.waiting for client in readers)
        if lost:
            self.recorder.faults["acknowledgement lost"] += lost
        sessions: dict[str, list[int]] = {}
        for client in readers:
            found = sessions.setdefault(client.session_id, [client.seq, client.seq, 0])
            found[0], found[1] = min(found[0], client.seq), max(found[1], client.seq)
            found[2] = max(found[2], client.acknowledged_seq)
        return {"sessions": sessions, "clients": len(readers)}


def _say(message: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def _read(commands: asyncio.StreamReader) -> dict[str, Any]:
    line = await commands.readline()
    command: dict[str, Any] = json.loads(line) if line else {"stop": True}
    return command


async def _main() -> None:
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader(limit=1 << 26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    spec = WorkerSpec(**await _read(commands))
    if spec.cores:
        os.sched_setaffinity(0, spec.cores)
    await Worker(spec).run(commands)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    uvloop.run(_main())
