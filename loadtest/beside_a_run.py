"""What a running match costs those who edit meanwhile: ``python -m loadtest.beside_a_run [--records 40000]``.

Starts a server of its own. Every round has a new session with generated books; two people edit at a steady rate, one in
that session and one in a session where nothing else happens: first while nothing runs, then while the match runs, and
so on in alternation, on the same server. Prints the milliseconds from when an edit was due to its acknowledgement, with
and without a run, and the ratio of the p99s, for all rounds together and for each; the goal is that a run makes it
worse by half at most.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import aiohttp
import socketio

from loadtest.histogram import Histogram
from loadtest.target import Target, end_in_order, own_server
from realtime_server.collaboration import NAMESPACE
from realtime_server.reconciliation.generated_files import write_files
from realtime_server.reconciliation.generator import generate_groups

#: The p99 of edits beside a run, divided by the p99 without one, at most.
GOAL: Final = 1.5
PLACES: Final = ("in another session", "in the same session")
_QUIET_RECORDS: Final = 5_000
_UNMETERED: Final = {"COLLABORATION_USER_RATE": "0", "COLLABORATION_SESSION_RATE": "0"}
_ENDED: Final = frozenset({"reconciliation.completed", "reconciliation.failed"})


@dataclass(frozen=True)
class Plan:
    """``records``: of both sides of a session together. ``rate``: edits a second of each person. ``seconds``: of each
    half of a round; a run that is through earlier ends its half."""

    records: int = 40_000
    rounds: int = 4
    rate: float = 50.0
    seconds: float = 8.0


@dataclass
class Editor:
    """One person's connection to one session."""

    session_id: str
    records: Sequence[str]
    socket: socketio.AsyncClient = field(default_factory=partial(socketio.AsyncClient, reconnection=False))
    run_ended: asyncio.Event = field(default_factory=asyncio.Event)
    refused: Counter[str] = field(default_factory=Counter)
    _versions: dict[str, int] = field(default_factory=dict)
    _edits: int = 0

    async def join(self, url: str, token: str) -> None:
        self.socket.on("reconciliation", self._heard, namespace=NAMESPACE)
        await self.socket.connect(url, auth={"token": token}, namespaces=[NAMESPACE], transports=["websocket"])
        await self.ask("join")

    async def ask(self, event: str, **members: Any) -> Mapping[str, Any]:
        answer = await self.send(event, **members)
        assert answer["ok"], answer
        return answer

    async def send(self, event: str, **members: Any) -> Mapping[str, Any]:
        request = {"session_id": self.session_id, **members}
        answer: Mapping[str, Any] = await self.socket.call(event, request, namespace=NAMESPACE, timeout=60)
        return answer

    async def _heard(self, envelope: Mapping[str, Any]) -> None:
        if envelope["message_type"] in _ENDED:
            self.run_ended.set()

    async def edits(self, rate: float, seconds: float, took: Histogram, stop: asyncio.Event | None = None) -> None:
        """Edits when they are due, whether or not the earlier ones were answered; returns when all were."""
        began = perf_counter()
        async with asyncio.TaskGroup() as waiting:
            for number in range(round(rate * seconds)):
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - perf_counter()))
                if stop is not None and stop.is_set():
                    break
                waiting.create_task(self._edit(due, took))

    async def _edit(self, due: float, took: Histogram) -> None:
        self._edits += 1
        record_id = self.records[self._edits % len(self.records)]
        members = {"edit_id": f"e{self._edits}", "record_id": record_id, "field_name": "note"}
        version = self._versions.get(record_id, 0)
        answer = await self.send("edit", **members, new_value=f"note {self._edits}", base_version=version)
        took.record(round((perf_counter() - due) * 1_000_000))
        if answer["ok"]:
            self._versions[record_id] = answer["version"]
        else:
            self.refused[answer["error"]["code"]] += 1


@dataclass(frozen=True)
class Round:
    """By place: how long edits took without a run and beside one. ``run_seconds``: for which the run went on."""

    alone: Mapping[str, Histogram]
    beside: Mapping[str, Histogram]
    run_seconds: float
    processed: int
    completed: bool
    refused: Mapping[str, int]


def ratio(alone: Histogram, beside: Histogram) -> float:
    """p99 beside a run, divided by p99 without one."""
    return (beside.quantile(0.99) or 0.0) / (alone.quantile(0.99) or float("inf"))


def _p99(histogram: Histogram) -> str:
    return f"{histogram.quantile(0.99) or 0:.1f}"


def together(histograms: Sequence[Histogram]) -> Histogram:
    total = Histogram()
    for one in histograms:
        total.add(one.sparse())
    return total


async def _books(target: Target, plan: Plan, folder: Path, number: int) -> tuple[str, list[str]]:
    """A session with books to match; its id, and the ids of its ledger records."""
    session_id = await asyncio.to_thread(target.create_session, f"Books {number}", 0)
    written = await asyncio.to_thread(write_files, folder, generate_groups(number + 1, plan.records))
    headers = {"Authorization": f"Bearer {target.token(1, 1)}", "Content-Type": "text/csv"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for source, path, money_in in (("ledger", written.ledger, "debit"), ("statement", written.statement, "credit")):
            url = f"{target.url}/api/collaboration/sessions/{session_id}/records"
            content = await asyncio.to_thread(path.read_bytes)
            async with http.post(url, params={"source": source, "money_in": money_in}, data=content) as answer:
                assert answer.status < 300, await answer.text()
    with written.ledger.open(encoding="utf-8", newline="") as file:
        return session_id, [f"ledger:{row['external_id']}" for row in csv.DictReader(file)]


async def _half(editors: Mapping[str, Editor], plan: Plan, stop: asyncio.Event | None = None) -> dict[str, Histogram]:
    took = {place: Histogram() for place in editors}
    await asyncio.gather(
        *(editor.edits(plan.rate, plan.seconds, took[place], stop) for place, editor in editors.items())
    )
    return took


async def _round(editors: Mapping[str, Editor], plan: Plan) -> Round:
    worker = editors[PLACES[1]]
    alone = await _half(editors, plan)
    began = perf_counter()
    await worker.ask("reconciliation_start")
    beside = await _half(editors, plan, worker.run_ended)
    run_seconds = perf_counter() - began
    run = (await worker.ask("reconciliation_status"))["run"]
    if not worker.run_ended.is_set():
        await worker.ask("reconciliation_cancel")
    refused = sum((editor.refused for editor in editors.values()), Counter[str]())
    return Round(alone, beside, run_seconds, run["processed"], run["status"] == "completed", refused)


async def measure(plan: Plan) -> list[Round]:
    """On a server of its own, one round after the other."""
    rounds = []
    with own_server((), _UNMETERED) as target, tempfile.TemporaryDirectory() as folder:
        quiet_id = await asyncio.to_thread(target.create_session, "Quiet", _QUIET_RECORDS)
        quiet = Editor(quiet_id, [f"ledger:{number:06d}" for number in range(_QUIET_RECORDS)])
        await quiet.join(target.url, target.token(2, 1))
        # Code that never ran and connections that were never used are no part of the question.
        await quiet.edits(plan.rate, min(1.0, plan.seconds), Histogram())
        for number in range(plan.rounds):
            books = Editor(*await _books(target, plan, Path(folder), number))
            await books.join(target.url, target.token(1, 1))
            rounds.append(await _round(dict(zip(PLACES, (quiet, books), strict=True)), plan))
            await books.socket.disconnect()
        await quiet.socket.disconnect()
    return rounds


def report(plan: Plan, rounds: Sequence[Round]) -> bool:
    """Print all of it; whether the goal is met in both places."""
    print(f"{plan.records:,} records a session, {plan.rounds} rounds, {plan.rate:g} edits/s in each of two sessions")
    for number, item in enumerate(rounds, 1):
        state = "went through" if item.completed else "was cancelled"
        print(f"round {number}: the run worked on {item.processed:,} records in {item.run_seconds:.1f} s and {state}; "
              f"edits refused: {dict(item.refused) or 'none'}; p99 without and beside it: "
              + ", ".join(f"{_p99(item.alone[place])} and {_p99(item.beside[place])} ms {place}" for place in PLACES))  # fmt: skip
    met = True
    for place in PLACES:
        alone = together([item.alone[place] for item in rounds])
        beside = together([item.beside[place] for item in rounds])
        ratios = sorted(ratio(item.alone[place], item.beside[place]) for item in rounds)
        print(f"{place}:")
        for name, one in (("no run", alone), ("beside a run", beside)):
            print(f"  {name:<13} {one.total:>6} edits  p50 {one.quantile(0.5) or 0:6.1f} ms  "
                  f"p99 {one.quantile(0.99) or 0:6.1f} ms  longest {one.quantile(1.0) or 0:6.1f} ms")  # fmt: skip
        share = ratio(alone, beside)
        spread = f"by round: median {statistics.median(ratios):.2f}, {ratios[0]:.2f} to {ratios[-1]:.2f}"
        verdict = "met" if share <= GOAL else "missed"
        print(f"  p99 ratio {share:.2f} ({spread}); goal {GOAL}: {verdict}")
        met = met and share <= GOAL
    return met


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=Plan.records, help="records of a session's two sides together")
    parser.add_argument("--rounds", type=int, default=Plan.rounds)
    parser.add_argument("--rate", type=float, default=Plan.rate, help="edits a second in each of the two sessions")
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="of each half of a round")
    parser.add_argument("--check", action="store_true", help="end with 1 when the goal is missed")
    options = parser.parse_args(arguments)
    plan = Plan(options.records, options.rounds, options.rate, options.seconds)
    end_in_order()
    met = report(plan, asyncio.run(measure(plan)))
    return 0 if met or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
