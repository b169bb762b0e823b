"""What one edit costs the core: ``python -m loadtest.bench_core [--iterations N]``.

Prints the median microseconds of every step of the hot path (decide, evolve, seal, envelope, answer) and of one edit
from command to state, over a session as it looks in use: 2,000 records touched, twenty people, some locks held.
Pure CPU on one core: nothing else should be running.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from immutables import Map

from realtime_server.core import commands as c
from realtime_server.core.commits import Commit, Draft, envelope, seal
from realtime_server.core.decide import answer, decide
from realtime_server.core.evolve import evolve
from realtime_server.core.roles import Role
from realtime_server.core.state import RecordState, SessionState

NOW = 1_795_341_600_000
RECORDS = 2_000
PEOPLE = [c.Actor(f"user-{number}", f"User {number}", Role.PREPARER) for number in range(20)]
ADMIN = c.Actor("admin", "Admin", Role.ADMIN)


def _record(number: int) -> RecordState:
    base = {
        "amount": f"{number}.50",
        "currency": "GBP",
        "date": "2026-11-22",
        "description": f"Card payment {number} to a supplier",
        "reference": f"INV-{number}",
        "status": "unmatched",
    }
    return RecordState(f"ledger-{number}", "ledger", f"L{number}", base)


def _after(state: SessionState, command: c.Command, now: int) -> SessionState:
    commit = decide(state, command, now)
    if not isinstance(commit, Commit):
        raise SystemExit(f"the benchmark's own command was not committed: {commit}")
    return evolve(state, commit)


def session() -> SessionState:
    """A session in use: everybody has edited, ten records are locked."""
    records = Map({f"ledger-{number}": _record(number) for number in range(RECORDS)})
    state = SessionState("session-1", records=records)
    create = c.CreateSession(
        actor=ADMIN, command_id="admin/create", session_id="session-1", project_id="demo", name="Close", expires_in=3600
    )
    state = _after(state, create, NOW)
    for number, person in enumerate(PEOPLE):
        state = _after(state, c.Join(actor=person, command_id=f"{person.user_id}/join"), NOW)
        for turn in range(20):
            state = _after(state, edited(state, number * 20 + turn, f"before-{number}-{turn}"), NOW + turn)
    for number in range(10):
        record_id = f"ledger-{RECORDS - 1 - number}"
        lock = c.AcquireLock(actor=PEOPLE[0], command_id=f"lock-{number}", record_id=record_id, duration=10**9)
        state = _after(state, lock, NOW)
    return state


def edited(state: SessionState, number: int, edit_id: str) -> c.Edit:
    person = PEOPLE[number % len(PEOPLE)]
    record_id = f"ledger-{number % (RECORDS - 10)}"
    name, value = (("reference", f"PO-{edit_id}"), ("amount", f"{state.seq}.75"))[number % 2]
    edit = c.FieldEdit(record_id=record_id, field_name=name, new_value=value, base_version=state.seq)
    return c.Edit(actor=person, command_id=f"{person.user_id}/{edit_id}", edit_id=edit_id, edit=edit)


def _median(action: Callable[[], Any], iterations: int) -> float:
    samples = []
    for _ in range(iterations):
        start = time.perf_counter_ns()
        action()
        samples.append(time.perf_counter_ns() - start)
    return statistics.median(samples) / 1000


def measure(iterations: int) -> dict[str, float]:
    """Median microseconds by step."""
    state = session()
    both, deciding, evolving = [], [], []
    for number in range(iterations):
        command = edited(state, number, f"e{number}")
        start = time.perf_counter_ns()
        commit = decide(state, command, NOW + number)
        middle = time.perf_counter_ns()
        assert isinstance(commit, Commit)
        state = evolve(state, commit)
        end = time.perf_counter_ns()
        deciding.append(middle - start)
        evolving.append(end - middle)
        both.append(end - start)
    assert isinstance(commit, Commit)
    draft = Draft(commit.message_type, commit.data)
    place: dict[str, Any] = {
        name: getattr(commit, name)
        for name in ("session_id", "project_id", "seq", "command_id", "user_id", "at", "prev_hash")
    }
    last = commit
    return {
        "decide + evolve": statistics.median(both) / 1000,
        "decide": statistics.median(deciding) / 1000,
        "evolve": statistics.median(evolving) / 1000,
        "seal (inside decide)": _median(lambda: seal(draft, **place), iterations),
        "envelope": _median(lambda: envelope(last), iterations),
        "answer": _median(lambda: answer(last), iterations),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=5_000)
    for step, microseconds in measure(parser.parse_args().iterations).items():
        print(f"{step:24}{microseconds:8.1f} µs")


if __name__ == "__main__":
    main()
