"""Scenarios as code: how many people, in how many sessions, doing what how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Scenario:
    """``rates``: actions a second, of everybody together (`sending.ACTIONS`). ``expected``: refusals that are part of
    it; any other code is a failure of the run. ``storms``: shares of the run at which connections break together.
    """

    name: str
    summary: str
    rates: Mapping[str, float]
    clients: int = 1_000
    sessions: int = 20
    records: int = 510
    shape: str = "steady"
    connect_over: float = 5.0
    slow: float = 0.0
    storms: tuple[float, ...] = ()
    expected: frozenset[str] = frozenset()
    measures: tuple[str, ...] = field(default=("connect", "join", "ack", "delivery"))


_CLASHES: Final = frozenset({"locked", "already_resolved", "overloaded", "lock_lost", "lock_not_held", "not_found"})

SCENARIOS: Final[Mapping[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "mixed",
            "a month-end: 1,000 people in 20 sessions edit, move about, comment, clash, lock, catch up",
            {"edit": 200, "presence": 100, "comment": 5, "contend": 5, "lock": 5, "sync": 5},
            expected=_CLASHES,
            measures=("connect", "join", "ack", "delivery", "cursor", "resolution"),
        ),
        Scenario("steady", "edits at a constant rate", {"edit": 250}),
        Scenario("burst", "edits, five times as many for one second in ten", {"edit": 200}, shape="burst"),
        Scenario("ramp", "edits, from none to the rate", {"edit": 1_000}, shape="ramp"),
        Scenario(
            "conflict-storm",
            "everybody sets the same few fields from versions they saw a while ago; reviewers resolve",
            {"contend": 300},
            expected=_CLASHES,
            measures=("connect", "join", "ack", "delivery", "resolution"),
        ),
        Scenario(
            "lock-contention",
            "everybody wants the same few records: lock, edit, unlock",
            {"lock": 200, "edit": 50},
            expected=_CLASHES,
        ),
        Scenario(
            "presence",
            "200 people in 20 sessions, each moving a cursor ten times a second",
            {"presence": 2_000, "edit": 20},
            clients=200,
            measures=("connect", "join", "ack", "delivery", "cursor"),
        ),
        Scenario(
            "reconnect-storm",
            "edits, while twice half of the connections break and come back at once",
            {"edit": 200},
            storms=(0.35, 0.7),
            measures=("connect", "join", "ack", "delivery", "reconnect"),
        ),
        Scenario("slow-consumers", "edits, while a tenth of the connections never reads", {"edit": 250}, slow=0.1),
        Scenario("large-session", "one session of 1,000 people", {"edit": 20}, sessions=1, records=2_010),
    )
}
