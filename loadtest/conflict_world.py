"""A day's work in a session, simulated: people who find errors of an import, and now and then make their own.

The records and what they ought to say are the generator's (`realtime_server.reconciliation.generator`). Everything that
is decided is decided by the rules of the core; the simulation only plays the people and the clock. One seed gives one
day. Nobody here was observed: every number of a `World` is an assumption, and stands here to be read.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any, Final

from immutables import Map

from realtime_server.core import commands as c
from realtime_server.core.commits import Commit
from realtime_server.core.decide import decide
from realtime_server.core.evidence import agree
from realtime_server.core.evolve import evolve
from realtime_server.core.matching.text import fold
from realtime_server.core.money import format_minor_units, parse_minor_units
from realtime_server.core.reconciling import Match, MatchStatus
from realtime_server.core.roles import Role
from realtime_server.core.state import Conflict, RecordState, SessionState
from realtime_server.core.values import FieldType, field_type
from realtime_server.reconciliation.generated import Group, Row
from realtime_server.reconciliation.generator import generate_groups

START: Final = 1_795_341_600_000
CURRENCY: Final = "EUR"
_FIELDS: Final = ("amount",) * 40 + ("description",) * 25 + ("date",) * 20 + ("reference",) * 15


@dataclass(frozen=True, slots=True)
class World:
    """Assumptions. Shares are probabilities.

    ``wrong_import``    of the fields that people look at, those that were imported wrong
    ``mistake``         an edit is wrong; an administrator makes half as many, and so do people who give a reason
    ``seen_later``      an author notices the own mistake, and corrects it
    ``matched``         records that are in a suggested match with what they truly belong to
    ``wrong_partner``   statement lines that are wrong themselves, or matched with what they do not belong to
    ``looks_on``        somebody who sees an open conflict adds what they think
    ``offline``         edits that are sent minutes later, by people whom the server does not see meanwhile
    ``reviewer_right``  decisions by a reviewer that are right
    """

    name: str
    wrong_import: float = 0.75
    mistake: float = 0.12
    seen_later: float = 0.25
    matched: float = 0.6
    wrong_partner: float = 0.03
    looks_on: float = 0.2
    offline: float = 0.15
    reviewer_right: float = 0.97


WORLDS: Final = (
    World("usual"),
    World("hasty", mistake=0.3, matched=0.4, looks_on=0.1),
    World("careful", mistake=0.04, matched=0.8, wrong_import=0.9),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A conflict just before its decision. ``right``: whether a value is what the field ought to say."""

    state: SessionState
    conflict: Conflict
    right: Callable[[Any], bool]


@dataclass(slots=True)
class Day:
    """What came of it. ``warned``: how often somebody was told; ``heeded``: how often they waited, or left it."""

    cases: list[Case] = field(default_factory=list)
    edits: int = 0
    conflicts: int = 0
    warned: int = 0
    heeded: int = 0


@dataclass(frozen=True, slots=True)
class _Task:
    """Somebody sits down to a field: what they will set, and for how long they type (milliseconds)."""

    number: int
    actor: c.Actor
    record_id: str
    name: str
    value: Any
    typing: int
    offline: bool
    reason: str | None


PREPARERS: Final = tuple(c.Actor(f"p{number}", f"Preparer {number}", Role.PREPARER) for number in range(1, 5))
ADMIN: Final = c.Actor("admin", "Admin", Role.ADMIN)
REVIEWER: Final = c.Actor("reviewer", "Reviewer", Role.REVIEWER)


def right(name: str, truth: Any, value: Any) -> bool:
    """A text is right when it has all words that it ought to have; anything else when it says the same."""
    if field_type(name) is FieldType.TEXT:
        return isinstance(value, str) and set(fold(truth).split()) <= set(fold(value).split())
    return agree(field_type(name), truth, value)


class Simulation:
    """One day. ``heed``: the share of warnings after which whoever came second waits for the other, or leaves it."""

    def __init__(self, world: World, seed: int, *, size: int = 2_000, heed: float | None = None) -> None:
        self._world, self._heed = world, heed
        self._rng = Random(f"{world.name}/{seed}")
        # Of its own, so that a day begins with the same plans with warnings and without.
        self._reactions = Random(f"{world.name}/{seed}/reactions")
        self._truth: dict[str, dict[str, Any]] = {}
        #: Which field of a record people come to.
        self._looked_at: dict[str, str] = {}
        self._agenda: list[tuple[int, int, Callable[[int], None]]] = []
        self._at_work: dict[tuple[str, str], list[_Task]] = {}
        self._count = 0
        self._day = Day()
        groups = list(generate_groups(seed, size, currency=CURRENCY))
        self._state = SessionState("simulated", records=Map(dict(self._records(groups))))
        self._send(
            c.CreateSession(
                actor=ADMIN, command_id="admin/create", session_id="simulated", project_id="p", name="", expires_in=0
            ),
            START,
        )
        for person in (*PREPARERS, ADMIN, REVIEWER):
            self._send(c.Join(actor=person, command_id=f"{person.user_id}/join"), START)

    def run(self) -> Day:
        self._plan()
        while self._agenda:
            at, _, happen = heapq.heappop(self._agenda)
            happen(at)
        return self._day

    # -- what is there -------------------------------------------------------------------------------------------------

    def _records(self, groups: list[Group]) -> Iterator[tuple[str, RecordState]]:
        for number, group in enumerate(groups):
            match = self._match(number, group)
            for row in group.ledger:
                yield self._ledger(row, match)
            for row in group.statement:
                record_id = f"statement:{row.external_id}"
                values = row.values()
                if self._rng.random() < self._world.wrong_partner:
                    values["amount"] = self._wrong("amount", values["amount"])
                yield record_id, RecordState(record_id, "statement", row.external_id, values, match=match)

    def _match(self, number: int, group: Group) -> Match | None:
        if not group.is_matched or group.fee or self._rng.random() >= self._world.matched:
            return None
        ledger = tuple(f"ledger:{row.external_id}" for row in group.ledger)
        statement = tuple(f"statement:{row.external_id}" for row in group.statement)
        return Match(f"m{number}@{ledger[0]}", MatchStatus.SUGGESTED, ledger, statement, (), "r", 0.99, (), "system", 0)

    def _ledger(self, row: Row, match: Match | None) -> tuple[str, RecordState]:
        record_id = f"ledger:{row.external_id}"
        truth = self._truth[record_id] = row.values()
        values = dict(truth)
        name = self._rng.choice(_FIELDS)
        if self._rng.random() < self._world.wrong_import and truth[name]:
            values[name] = self._wrong(name, truth[name])
        self._looked_at[record_id] = name
        return record_id, RecordState(record_id, "ledger", row.external_id, values, match=match)

    # -- what people do ------------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Every ledger record is looked at by one to three people, mostly at about the same time."""
        for record_id in sorted(self._truth):
            name = self._looked_at[record_id]
            at = START + self._rng.randrange(8 * 3600 * 1000)
            for person in self._rng.sample((*PREPARERS, ADMIN), self._rng.choice((1, 1, 2, 2, 2, 3))):
                task = self._task(person, record_id, name)
                if task is not None:
                    self._later(at + self._rng.randrange(30_000), lambda now, task=task: self._begin(task, now))

    def _task(self, person: c.Actor, record_id: str, name: str) -> _Task | None:
        """What the person will set; None where they find nothing to change."""
        mistake = self._world.mistake * (0.5 if person.role is Role.ADMIN else 1.0)
        reason = "As the voucher says" if self._rng.random() < 0.2 else None
        wrong = self._rng.random() < mistake * (0.5 if reason else 1.0)
        truth = self._truth[record_id][name]
        value = self._wrong(name, truth) if wrong and truth else self._written(name, truth)
        typing = int(1000 * self._rng.lognormvariate(2.3, 0.6))
        offline = self._rng.random() < self._world.offline
        if right(name, self._state.records[record_id].value(name), value) or not value:
            return None
        self._count += 1
        return _Task(self._count, person, record_id, name, value, typing, offline, reason)

    def _begin(self, task: _Task, now: int) -> None:
        """The person opens the field, and sees what it holds."""
        place = (task.record_id, task.name)
        others = [item for item in self._at_work.get(place, ()) if item.actor != task.actor]
        open_conflict = self._state.records[task.record_id].field_state(task.name).conflict is not None
        if self._heed is not None and not task.offline and (others or open_conflict):
            self._day.warned += 1
            if self._reactions.random() < self._heed:
                self._day.heeded += 1
                if not open_conflict:
                    ends = max(item.typing for item in others)
                    self._later(now + ends + 1_000, lambda then: self._look_again(task, then))
                return
        if not task.offline:  # the server sees nothing of who is away
            self._at_work.setdefault(place, []).append(task)
        base = self._state.records[task.record_id].field_state(task.name).version
        away = self._rng.randrange(60_000, 600_000) if task.offline else 0
        self._later(now + task.typing + away, lambda then: self._edit(task, base, then))

    def _look_again(self, task: _Task, now: int) -> None:
        """After having waited: where the other has set what one wanted, nothing is left to do."""
        if not agree(field_type(task.name), task.value, self._state.records[task.record_id].value(task.name)):
            self._begin(task, now)

    def _edit(self, task: _Task, base: int, now: int) -> None:
        place = (task.record_id, task.name)
        if task in self._at_work.get(place, ()):
            self._at_work[place].remove(task)
        outcome = self._set(task, base, now)
        if outcome is None:
            return
        if outcome.message_type == "conflict.detected":
            self._day.conflicts += 1
            conflict_id = outcome.data["conflict_id"]
            self._later(now + self._rng.randrange(600_000, 3_600_000), lambda then: self._decide(conflict_id, then))
            if self._rng.random() < self._world.looks_on:
                person = self._rng.choice(PREPARERS)
                self._later(now + self._rng.randrange(30_000, 300_000), lambda then: self._look_on(place, person, then))
        wrong = not right(task.name, self._truth[task.record_id][task.name], task.value)
        if wrong and self._rng.random() < self._world.seen_later:
            known = outcome.seq if outcome.message_type == "edit.applied" else base
            again = self._again(task)
            self._later(now + self._rng.randrange(5_000, 60_000), lambda then: self._edit(again, known, then))

    def _again(self, task: _Task) -> _Task:
        self._count += 1
        truth = self._truth[task.record_id][task.name]
        return _Task(self._count, task.actor, task.record_id, task.name, truth, 0, True, None)

    def _look_on(self, place: tuple[str, str], person: c.Actor, now: int) -> None:
        """Somebody sees the conflict, with all that is proposed, and adds what they think where that is another."""
        shown = self._state.records[place[0]].field_state(place[1])
        task = self._task(person, *place)
        if shown.conflict is None or task is None or task.value == shown.value:
            return
        self._set(task, shown.version, now)

    def _decide(self, conflict_id: str, now: int) -> None:
        conflict = self._state.open_conflict(conflict_id)
        if conflict is None:
            return
        truth = self._truth[conflict.record_id][conflict.field_name]

        def is_right(value: Any) -> bool:
            return right(conflict.field_name, truth, value)

        self._day.cases.append(Case(self._state, conflict, is_right))
        resolve = self._resolution(conflict, truth, is_right)
        self._send(resolve, now)

    def _resolution(self, conflict: Conflict, truth: Any, is_right: Callable[[Any], bool]) -> c.Resolve:
        current = self._state.records[conflict.record_id].value(conflict.field_name)
        choices: list[tuple[str, str | None, Any]] = [("keep_current", None, current)]
        choices += [("take_candidate", item.edit_id, item.value) for item in conflict.candidates]
        wanted = self._rng.random() < self._world.reviewer_right
        fitting = [choice for choice in choices if is_right(choice[2]) == wanted]
        strategy, edit_id, value = self._rng.choice(fitting) if fitting else ("custom", None, truth)
        return c.Resolve(
            actor=REVIEWER,
            command_id=f"reviewer/{conflict.conflict_id}",
            conflict_id=conflict.conflict_id,
            strategy=strategy,
            edit_id=edit_id,
            value=value if strategy == "custom" else None,
        )

    # -- how it is written ---------------------------------------------------------------------------------------------

    def _written(self, name: str, truth: str) -> str:
        """The right value as a person writes it: of a text, case and additions are their own."""
        if name != "description":
            return truth
        habit = self._rng.random()
        return truth.upper() if habit < 0.15 else f"{truth}, checked" if habit < 0.3 else truth

    def _wrong(self, name: str, truth: str) -> str:
        if name == "amount":
            return _wrong_amount(self._rng, truth)
        if name == "date":
            return _wrong_date(self._rng, truth)
        if name == "reference":
            return _wrong_digit(self._rng, truth)
        words = truth.split()
        place = self._rng.randrange(len(words))
        words[place] = words[place][:-2] if len(words[place]) > 3 and self._rng.random() < 0.5 else "misc"
        return " ".join(words)

    # -- what the rules make of it -------------------------------------------------------------------------------------

    def _later(self, at: int, happen: Callable[[int], None]) -> None:
        heapq.heappush(self._agenda, (at, len(self._agenda) + self._count * 1_000_000, happen))
        self._count += 1

    def _set(self, task: _Task, base: int, now: int) -> Commit | None:
        self._day.edits += 1
        edit = c.FieldEdit(record_id=task.record_id, field_name=task.name, new_value=task.value, base_version=base)
        command_id = f"{task.actor.user_id}/e{task.number}"
        return self._send(
            c.Edit(actor=task.actor, command_id=command_id, edit_id=f"e{task.number}", edit=edit, reason=task.reason),
            now,
        )

    def _send(self, command: c.Command, now: int) -> Commit | None:
        outcome = decide(self._state, command, now)
        if not isinstance(outcome, Commit):
            return None
        self._state = evolve(self._state, outcome)
        return outcome


def _wrong_amount(rng: Random, truth: str) -> str:
    minor = parse_minor_units(truth, CURRENCY)
    digits = list(str(abs(minor)))
    kind = rng.random()
    if kind < 0.4 and len(digits) > 2:
        place = rng.randrange(len(digits) - 1)
        digits[place], digits[place + 1] = digits[place + 1], digits[place]
    elif kind < 0.75:
        digits[rng.randrange(len(digits))] = rng.choice("123456789")
    elif kind < 0.9:
        digits.append("0")
    else:
        digits = list(str(rng.randrange(100, 1_000_000)))
    value = int("".join(digits)) or 1
    wrong = format_minor_units(-value if minor < 0 else value, CURRENCY)
    return wrong if wrong != truth else format_minor_units(minor + (100 if minor > 0 else -100), CURRENCY)


def _wrong_date(rng: Random, truth: str) -> str:
    day = date.fromisoformat(truth)
    if rng.random() < 0.4 and day.day <= 12 and day.day != day.month:
        return day.replace(month=day.day, day=day.month).isoformat()
    return (day + timedelta(days=rng.choice((-30, -7, -1, 1, 1, 2, 7, 30)))).isoformat()


def _wrong_digit(rng: Random, truth: str) -> str:
    places = [index for index, letter in enumerate(truth) if letter.isdigit()]
    if not places:
        return f"{truth}1"
    place = rng.choice(places)
    return truth[:place] + str((int(truth[place]) + rng.randrange(1, 10)) % 10) + truth[place + 1 :]
