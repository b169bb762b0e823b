"""A team at work in one session of a cluster, what is done to it, and what came of it."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import aiohttp

from realtime_server.core.commits import envelope, verify
from realtime_server.core.roles import Role
from realtime_server.errors import CollaborationError
from realtime_server.storage.mongo import MongoStore, open_store
from tests.faults.checker import Violation, check
from tests.faults.cluster import Cluster
from tests.faults.history import Answered, Fields, Heard, History, Kind, Presence
from tests.faults.member import Lost, Member
from tests.server.conftest import token_of
from tests.support import eventually

#: Seconds: within them presence is right whatever happened (a silent drop: 33), and records are stored.
PRESENCE_BOUND: Final = 33.0
_STORED_WITHIN: Final = 20.0
_QUIET_WITHIN: Final = 60.0
_CLOCKS_DIFFER: Final = 2.0
_TOKEN_LIFE: Final = 4 * 3600


@dataclass(slots=True)
class Stage:
    """What a fault works with. ``ended``: when each one was over, in nanoseconds of the monotonic clock.

    ``times``: how often to cause it. ``length``: how long to be patient, as a part of the full campaign's patience.
    ``notes``: what else happened, counted.
    """

    cluster: Cluster
    team: list[Member]
    random: random.Random
    times: int
    length: float
    ended: list[int] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    async def calm(self, seconds: float) -> None:
        """Let people work, ``seconds`` times the length."""
        await asyncio.sleep(seconds * self.length)

    def over(self) -> None:
        self.ended.append(time.monotonic_ns())

    def somebody_at(self, number: int) -> Member:
        """Somebody who is connected to a server."""
        return next(member for member in self.team if member.ready.is_set() and member.at == number)


Cause = Callable[[Stage], Awaitable[None]]


@dataclass(slots=True)
class Outcome:
    """``recovery``: the longest time from a fault's end until everybody had something acknowledged. ``longest``: the
    longest time that anybody went without. ``presence``: until everybody's presence was right at the end. Seconds."""

    name: str
    times: int
    kinds: Counter[str]
    codes: Counter[str]
    notes: Counter[str]
    commits: int
    heard: int
    recovery: float
    longest: float
    presence: float
    violations: list[Violation]
    history: History

    def row(self) -> str:
        kinds = self.kinds
        return (
            f"{self.name:22} x{self.times:<3} ok {kinds['ok']:5} fail {kinds['fail']:4} unknown {kinds['unknown']:3}"
            f"  commits {self.commits:5} heard {self.heard:6}  recovery {self.recovery:5.2f} s"
            f"  longest {self.longest:5.2f} s  presence {self.presence:5.2f} s  violations {len(self.violations)}"
        )


async def perform(
    cluster: Cluster, name: str, causes: list[tuple[Cause, int]], *, seed: int, length: float = 1.0, people: int = 6,
    pace: float = 0.04,
) -> Outcome:  # fmt: skip
    """Let a team work in a new session, cause faults (each so often), wait until all is quiet, and judge."""
    began_at = time.time()
    session_id, base = await _make_session(cluster.servers[-1].url)
    history = History(base)
    team = [
        Member(f"p{n}", _token(n), _rotated(cluster.urls, n), session_id, history, seed, pace)
        for n in range(people)
    ]
    lives = [asyncio.create_task(member.live()) for member in team]
    ended = asyncio.Event()
    try:
        async with asyncio.timeout(_QUIET_WITHIN):
            for member in team:
                await member.ready.wait()
        work = [asyncio.create_task(member.work(ended)) for member in team]
        stage = Stage(cluster, team, random.Random(f"{seed}/{name}"), 1, length)
        began = time.monotonic_ns()
        await stage.calm(1)
        for cause, stage.times in causes:
            await cause(stage)
            await stage.calm(1)
        stopped = time.monotonic_ns()
        ended.set()
        await _in_time(work)
        await _settle(team, history)
    finally:
        for member in team:
            await member.leave()
        await _in_time(lives, 5)
    violations = await _read_all(cluster, session_id, history)
    violations += check(history) + _more_problems(history, team, began_at)
    answers = [event for event in history.events if isinstance(event, Answered)]
    return Outcome(
        name, sum(times for _, times in causes), Counter(event.kind.value for event in answers),
        sum((member.codes for member in team), Counter()), stage.notes, len(history.log),
        sum(isinstance(event, Heard) for event in history.events), _recovery(history, stage.ended, people),
        _longest(history, began, stopped), history.presence.seconds if history.presence else 0.0, violations, history,
    )  # fmt: skip


def _token(number: int) -> str:
    """Every third person may decide conflicts."""
    return token_of(f"p{number}", Role.PREPARER if number % 3 else Role.ADMIN, ttl=_TOKEN_LIFE)


def _rotated(urls: list[str], number: int) -> list[tuple[int, str]]:
    """Half of the team begins at each server."""
    numbered = list(enumerate(urls))
    first = number % len(urls)
    return numbered[first:] + numbered[:first]


async def _in_time(tasks: list[asyncio.Task[None]], seconds: float = _QUIET_WITHIN) -> None:
    done, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for task in done:
        task.result()


async def _make_session(url: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """A session of twelve records; its id, and the records as imported."""
    api = f"{url}/api/collaboration/sessions"
    lines = [
        {"source": "ledger", "external_id": str(n), "amount": "1.00", "currency": "EUR", "date": "2026-11-01"}
        for n in range(1, 13)
    ]
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token_of('adam')}"}) as http:
        created = await http.post(api, json={"project_id": "p1", "session_name": "October"})
        session_id: str = (await created.json())["session_id"]
        imported = await http.post(
            f"{api}/{session_id}/records?source=ledger",
            data="\n".join(json.dumps(line) for line in lines),
            headers={"Content-Type": "application/x-ndjson"},
        )
        assert imported.status == 200, await imported.text()
    return session_id, {f"ledger:{n}": dict(line) for n, line in enumerate(lines, 1)}


async def _settle(team: list[Member], history: History) -> None:
    """Two go, one of them without a word. Then wait until everybody has everything, and sees who is there."""
    async with asyncio.timeout(_QUIET_WITHIN):
        for member in team:
            await member.ready.wait()
    await team[-1].leave()
    await team[-2].leave(quietly=True)
    there = team[:-2]
    present = frozenset(member.name for member in there)
    began = time.monotonic()
    with suppress(TimeoutError):
        await eventually(lambda: all(member.members == present for member in there), within=PRESENCE_BOUND)
    seen = {member.name: frozenset(member.members) for member in there}
    history.presence = Presence(present, seen, time.monotonic() - began, PRESENCE_BOUND)
    with suppress(TimeoutError):
        async with asyncio.timeout(_QUIET_WITHIN):
            newest = 0
            # Leases that have still to end are commits to come.
            while newest == 0 or any(member.seq != newest or member.records.held for member in there):
                for member in there:
                    with suppress(Lost):
                        await member.ready.wait()
                        await member.sync()
                await asyncio.sleep(0.02)
                newest = max(member.seq for member in there)
    history.views = {member.name: member.records.fields for member in there}


async def _read_all(cluster: Cluster, session_id: str, history: History) -> list[Violation]:
    """The log, and the records when the servers have folded it into them; whether its chain of hashes holds."""
    async with open_store(cluster.mongodb_url, "faults", create_indexes=False, timeout=20) as store:
        views = list(history.views.values())
        deadline = time.monotonic() + _STORED_WITHIN
        while time.monotonic() < deadline:
            with suppress(CollaborationError):
                history.stored = await _stored(store, session_id, list(history.base))
                if history.stored == views[0]:
                    break
            await asyncio.sleep(0.05)
        # As clients are told it, with people's names; and as it is stored, with the names by reference.
        while page := await store.log.read(session_id, len(history.log), 1_000):
            history.log += [{**vars(commit), "data": envelope(commit)["data"]} for commit in page]
        stored = [commit async for commit in store.log.scan(session_id)]
    broken = verify(session_id, stored)
    return [] if broken is None else [Violation("I3", f"commit {broken.seq}: {broken.problem}")]


async def _stored(store: MongoStore, session_id: str, records: list[str]) -> Fields:
    found = await store.records.load(session_id, records)
    fields = {
        name: {key: (item.value, item.version) for key, item in record.fields.items() if item.version}
        for name, record in found.items()
    }
    return {name: items for name, items in fields.items() if items}


def _more_problems(history: History, team: list[Member], began_at: float) -> list[Violation]:
    """What no server should ever answer, and dates that cannot be."""
    found: list[Violation] = []
    for commit in history.log:
        if not began_at - _CLOCKS_DIFFER < commit["at"] / 1000 < time.time() + _CLOCKS_DIFFER:
            found.append(Violation("clock", f"commit {commit['seq']} is dated {commit['at'] / 1000 - began_at:+.0f} s"))
            break
    return found + [Violation("internal", problem) for member in team for problem in member.problems]


def _acknowledged_at(history: History) -> dict[str, list[int]]:
    """When each person had something acknowledged."""
    times: dict[str, list[int]] = {}
    for event in history.events:
        if isinstance(event, Answered) and event.kind is Kind.OK:
            times.setdefault(event.op.partition("/")[0], []).append(event.at)
    return times


def _recovery(history: History, ended: list[int], people: int) -> float:
    times = _acknowledged_at(history)
    longest = 0
    for end in ended:
        firsts = [next((at for at in person if at >= end), None) for person in times.values()]
        longest = max([longest, *(first - end for first in firsts if first is not None)])
    return longest / 1e9


def _longest(history: History, began: int, stopped: int) -> float:
    gaps = [0]
    for person in _acknowledged_at(history).values():
        marks = [began, *(at for at in person if began < at)]
        gaps += [later - earlier for earlier, later in pairwise(marks) if earlier < stopped]
    return max(gaps) / 1e9
