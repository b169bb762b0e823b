"""A session in memory for the tests: the rules alone, driven as an actor of the engine drives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from immutables import Map

from realtime_server.core import commands as c
from realtime_server.core.commits import Commit
from realtime_server.core.decide import answer, decide
from realtime_server.core.evolve import evolve
from realtime_server.core.outcomes import NoChange
from realtime_server.core.roles import Role
from realtime_server.core.state import FieldState, RecordState, SessionState
from realtime_server.errors import ErrorCode, Rejection

SESSION = "session-1"
PROJECT = "demo"
START = 1_795_341_600_000
LEASE = 60_000

ALICE = c.Actor("alice", "Alice", Role.PREPARER)
BOB = c.Actor("bob", "Bob", Role.PREPARER)
RITA = c.Actor("rita", "Rita", Role.REVIEWER)
OLGA = c.Actor("olga", "Olga", Role.APPROVER)
ADA = c.Actor("ada", "Ada", Role.ADMIN)
AUDREY = c.Actor("audrey", "Audrey", Role.AUDITOR)
PEOPLE = (ALICE, BOB, RITA, OLGA, ADA, AUDREY)
NAMES = {person.name for person in PEOPLE}

BASE: Mapping[str, Any] = {
    "amount": "10.50",
    "fee": "0.25",
    "currency": "GBP",
    "date": "2026-11-22",
    "status": "unmatched",
    "description": "Card payment to the baker",
    "tags": ["new"],
    "reference": "INV-1",
}

Outcome = Commit | NoChange | Rejection


def texts_in(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from texts_in(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from texts_in(value)


def named_in(data: Any) -> set[str]:
    """The people whose names stand somewhere in it, inside sentences too."""
    return {name for text in texts_in(data) for name in NAMES if name in text}


def record(record_id: str, **base: Any) -> RecordState:
    return RecordState(record_id, "ledger", f"external-{record_id}", {**BASE, **base})


def empty(*records: RecordState) -> SessionState:
    """A session before its first commit, with these records loaded."""
    return SessionState(SESSION, records=Map({item.record_id: item for item in records}))


def create(policies: Mapping[str, str] | None = None, expires_in: int = 3600) -> c.CreateSession:
    return c.CreateSession(
        actor=ADA,
        command_id="ada/create",
        session_id=SESSION,
        project_id=PROJECT,
        name="November",
        expires_in=expires_in,
        field_policies=policies or {},
    )


class Log:
    """A session that keeps its log, its clock, and the commands it has seen."""

    def __init__(
        self,
        *records: RecordState,
        policies: Mapping[str, str] | None = None,
        expires_in: int = 3600,
        created: bool = True,
    ) -> None:
        self.first = empty(*(records or (record("r1"), record("r2"), record("r3"))))
        self.state = self.first
        self.commits: list[Commit] = []
        self.now = START
        self._ids = 0
        if created:
            self.send(create(policies, expires_in))

    def send(self, command: c.Command) -> Outcome:
        """Decide; a commit is added to the log."""
        outcome = decide(self.state, command, self.now)
        if isinstance(outcome, Commit):
            # Whatever a test does: what is hashed can never be erased, so no person's name may be in it.
            assert not named_in(outcome.data), outcome
            self.commits.append(outcome)
            self.state = evolve(self.state, outcome)
        return outcome

    def next_id(self) -> str:
        self._ids += 1
        return f"e{self._ids}"

    def ask(self, kind: Any, actor: c.Actor, **members: Any) -> Outcome:
        return self.send(kind(actor=actor, command_id=f"{actor.user_id}/{self.next_id()}", **members))

    def edit(
        self,
        actor: c.Actor,
        record_id: str,
        name: Any,
        value: Any,
        *,
        base: Any = None,
        token: int | None = None,
        edit_id: str | None = None,
        reason: Any = None,
    ) -> Outcome:
        """An edit by somebody who has seen everything, unless ``base`` says otherwise."""
        return self.send(
            self.edit_command(actor, record_id, name, value, base=base, token=token, edit_id=edit_id, reason=reason)
        )

    def edit_command(
        self,
        actor: c.Actor,
        record_id: str,
        name: Any,
        value: Any,
        *,
        base: Any = None,
        token: int | None = None,
        edit_id: str | None = None,
        reason: Any = None,
    ) -> c.Edit:
        edit_id = edit_id or self.next_id()
        edit = self.part(record_id, name, value, base=base, token=token)
        command_id = c.command_id_of(actor.user_id, edit_id)
        return c.Edit(actor=actor, command_id=command_id, edit_id=edit_id, edit=edit, reason=reason)

    def part(self, record_id: str, name: Any, value: Any, *, base: Any = None, token: int | None = None) -> c.FieldEdit:
        version = self.state.seq if base is None else base
        return c.FieldEdit(
            record_id=record_id, field_name=name, new_value=value, base_version=version, lock_token=token
        )

    def batch(self, actor: c.Actor, *parts: c.FieldEdit, reason: str | None = None) -> Outcome:
        edit_id = self.next_id()
        command_id = c.command_id_of(actor.user_id, edit_id)
        return self.send(c.EditBatch(actor=actor, command_id=command_id, edit_id=edit_id, edits=parts, reason=reason))

    def lock(self, actor: c.Actor, record_id: str, duration: int = LEASE) -> Outcome:
        return self.ask(c.AcquireLock, actor, record_id=record_id, duration=duration)

    def resolve(self, actor: c.Actor, conflict_id: str, strategy: str, **members: Any) -> Outcome:
        return self.ask(c.Resolve, actor, conflict_id=conflict_id, strategy=strategy, **members)

    def undo(self, actor: c.Actor, seq: int | None = None) -> Outcome:
        return self.ask(c.Undo, actor, seq=seq)

    def redo(self, actor: c.Actor, seq: int | None = None) -> Outcome:
        return self.ask(c.Redo, actor, seq=seq)

    def field(self, record_id: str, name: str) -> FieldState:
        return self.state.records[record_id].field_state(name)

    def value(self, record_id: str, name: str) -> Any:
        return self.state.records[record_id].value(name)

    def clash(self, name: str = "amount", first: Any = "11.00", second: Any = "12.00") -> str:
        """Alice and Bob set one field of r1 at once; the id of the conflict."""
        seen = self.state.seq
        committed(self.edit(ALICE, "r1", name, first))
        return str(committed(self.edit(BOB, "r1", name, second, base=seen), "conflict.detected").data["conflict_id"])


def committed(outcome: Outcome, message_type: str | None = None) -> Commit:
    """The commit, or a failed test that shows what came in its place."""
    assert isinstance(outcome, Commit), outcome
    assert message_type is None or outcome.message_type == message_type, outcome
    return outcome


def acknowledged(outcome: Outcome) -> Mapping[str, Any]:
    """What the acknowledgement adds to ``ok``."""
    assert not isinstance(outcome, Rejection), outcome
    return answer(outcome) if isinstance(outcome, Commit) else outcome.answer


def refused(outcome: Outcome, code: ErrorCode) -> Rejection:
    assert isinstance(outcome, Rejection), outcome
    assert outcome.code is code, outcome
    return outcome


def unchanged(outcome: Outcome) -> NoChange:
    assert isinstance(outcome, NoChange), outcome
    return outcome
