"""Histories as a right server would have made them, to try the checker on: a model of it in memory, driven by a list of
choices (hypothesis draws them), with requests whose answers get lost and people who catch up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.checker import _as_told, _timestamp
from tests.faults.history import Answered, CaughtUp, Event, Heard, History, Invoked, Kind, Presence
from tests.faults.records import Records

PEOPLE = ("ann", "ben", "cid")
RECORDS = ("r1", "r2")
FIELDS = ("note", "colour")
ACTIONS = ("edit", "stale", "batch", "lock", "locked_edit", "unlock", "expire", "resolve", "same", "refused", "lost",
           "never", "away", "back")  # fmt: skip


@dataclass(slots=True)
class World:
    """``history`` grows with each step; `finish` adds what is left when all is quiet."""

    history: History = field(default_factory=lambda: History({name: {"note": "as imported"} for name in RECORDS}))
    clock: int = 0
    records: Records = field(init=False)
    leases: dict[str, tuple[str, int]] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    connections: dict[str, int] = field(default_factory=dict)
    away: set[str] = field(default_factory=lambda: set(PEOPLE))
    opened: int = 0
    made: int = 0

    def __post_init__(self) -> None:
        self.records = Records(self.history.base)
        for person in PEOPLE:
            self._connect(person)
            self._commit(person, f"{person}/~join", "session.updated", {"user_id": person})

    # -- parts -------------------------------------------------------------------------------------------------------

    def _now(self) -> int:
        self.clock += 1_000_000
        return self.clock

    def _note(self, event: Event) -> None:
        self.history.events.append(event)

    def _connect(self, person: str) -> None:
        self.away.discard(person)
        self.opened += 1
        self.connections[person] = self.opened
        self._catch_up(person)

    def _catch_up(self, person: str) -> None:
        since = self.heard.get(person, 0)
        commits = [_as_told(commit) for commit in self.history.log[since:]]
        at, seq = self._now(), len(self.history.log)
        self._note(CaughtUp(self._now(), at, person, self.connections[person], since, seq, commits, True))
        self.heard[person] = seq

    def _commit(self, user: str, op: str, kind: str, data: dict[str, Any]) -> int:
        log = self.history.log
        seq = len(log) + 1
        commit = {
            "session_id": "s1",
            "project_id": "p1",
            "seq": seq,
            "command_id": op,
            "user_id": user,
            "at": self.clock // 1_000_000,
            "message_type": kind,
            "data": data,
            "prev_hash": log[-1]["hash"] if log else "0" * 64,
            "hash": hashlib.sha256(f"{op} {seq}".encode()).hexdigest(),
        }
        log.append(commit)
        self.records.apply(commit)
        for person in PEOPLE:
            if person not in self.away:
                self._note(Heard(self._now(), person, self.connections[person], _as_told(commit)))
                self.heard[person] = seq
        return seq

    def _invoke(self, person: str, event: str, **request: Any) -> str:
        self.made += 1
        op = f"{person}/{self.made}"
        self._note(Invoked(self._now(), op, person, event, request))
        return op

    def _answer(self, op: str, kind: Kind = Kind.OK, **answer: Any) -> None:
        self._note(Answered(self._now(), op, kind, answer))

    def _ask_edit(self, person: str, record: str, name: str, base: int, **more: Any) -> str:
        new = {"record_id": record, "field_name": name, "new_value": f"value {self.made}", "base_version": base}
        return self._invoke(person, "edit", **new, **more)

    def _edit_data(self, op: str) -> dict[str, Any]:
        request = next(e.request for e in reversed(self.history.events) if isinstance(e, Invoked) and e.op == op)
        value, _ = self.records.at(request["record_id"], request["field_name"])
        names = ("record_id", "field_name", "new_value", "base_version")
        return {**{name: request[name] for name in names}, "old_value": value, "version": len(self.history.log) + 1}

    def _free(self, person: str, record: str, name: str) -> bool:
        held = record in self.leases and self.leases[record][0] != person
        return not held and (record, name) not in self.records.conflicts

    # -- steps -------------------------------------------------------------------------------------------------------

    def step(self, action: str, person: str, record: str, name: str) -> None:
        if action in ("away", "back"):
            self._come_or_go(action, person)
            return
        if person in self.away:
            return
        getattr(self, f"_{action}")(person, record, name)

    def _come_or_go(self, action: str, person: str) -> None:
        if action == "away":
            self.away.add(person)
        elif person in self.away:
            self._connect(person)

    def _edit(self, person: str, record: str, name: str, **more: Any) -> None:
        if self._free(person, record, name):
            op = self._ask_edit(person, record, name, self.records.at(record, name)[1], **more)
            seq = self._commit(person, op, "edit.applied", self._edit_data(op))
            self._answer(op, status="applied", seq=seq, version=seq)

    def _stale(self, person: str, record: str, name: str) -> None:
        value, version = self.records.at(record, name)
        if not version or not self._free(person, record, name):
            return
        op = self._ask_edit(person, record, name, version - 1)
        request = self._edit_data(op)
        candidate = {"edit_id": op, "user_id": person, "value": request["new_value"], "base_version": version - 1}
        place = {"record_id": record, "field_name": name, "conflict_id": f"c-{op}"}
        current = {"version": version, "value": value, "user_id": None}
        seq = self._commit(person, op, "conflict.detected", {**place, "current": current, "candidates": [candidate]})
        self._answer(op, status="conflict", seq=seq, version=version)

    def _resolve(self, person: str, record: str, name: str) -> None:
        conflict = self.records.conflicts.get((record, name))
        if conflict is None or (record in self.leases and self.leases[record][0] != person):
            return
        op = self._invoke(person, "resolve", conflict_id=conflict)
        value, _ = self.records.at(record, name)
        data = {"record_id": record, "field_name": name, "conflict_id": conflict, "old_value": value}
        seq = self._commit(person, op, "conflict.resolved", {**data, "new_value": f"decided {op}"})
        self._answer(op, seq=seq, version=seq)

    def _batch(self, person: str, record: str, name: str) -> None:
        if not all(self._free(person, record, each) for each in FIELDS):
            return
        edits = [
            {"record_id": record, "field_name": each, "new_value": f"both {self.made}",
             "base_version": self.records.at(record, each)[1]}
            for each in FIELDS
        ]  # fmt: skip
        op = self._invoke(person, "edit_batch", edits=edits)
        data = [{**edit, "old_value": self.records.at(record, edit["field_name"])[0]} for edit in edits]
        seq = self._commit(person, op, "edit.batch_applied", {"edits": data})
        self._answer(op, status="applied", seq=seq)

    def _lock(self, person: str, record: str, name: str) -> None:
        if record not in self.leases:
            op = self._invoke(person, "lock", record_id=record)
            token = len(self.history.log) + 1
            until = _timestamp(self.clock // 1_000_000 + 1_000_000)
            holder = {"user_id": person, "name": person}
            data = {"record_id": record, "holder": holder, "expires_at": until, "token": token}
            self.leases[record] = (person, token)
            self._answer(op, seq=self._commit(person, op, "lock.acquired", data), token=token)

    def _locked_edit(self, person: str, record: str, name: str) -> None:
        if record in self.leases and self.leases[record][0] == person:
            self._edit(person, record, name, lock_token=self.leases[record][1])

    def _unlock(self, person: str, record: str, name: str) -> None:
        if record in self.leases and self.leases[record][0] == person:
            op = self._invoke(person, "unlock", record_id=record)
            _, token = self.leases.pop(record)
            data = {"record_id": record, "token": token, "user_id": person}
            self._answer(op, seq=self._commit(person, op, "lock.released", data), token=token)

    def _expire(self, person: str, record: str, name: str) -> None:
        if record in self.leases:
            holder, token = self.leases.pop(record)
            data = {"record_id": record, "token": token, "user_id": holder}
            self._commit("system", f"system/expire/{token}", "lock.expired", data)

    def _same(self, person: str, record: str, name: str) -> None:
        op = self._ask_edit(person, record, name, self.records.at(record, name)[1])
        self._answer(op, status="unchanged", seq=len(self.history.log), version=0)

    def _refused(self, person: str, record: str, name: str) -> None:
        op = self._ask_edit(person, record, name, len(self.history.log) + 5)
        self._answer(op, Kind.FAIL, code="version_unknown")

    def _lost(self, person: str, record: str, name: str) -> None:
        """Done, and the answer never came."""
        if self._free(person, record, name):
            op = self._ask_edit(person, record, name, self.records.at(record, name)[1])
            self._commit(person, op, "edit.applied", self._edit_data(op))
            self._answer(op, Kind.UNKNOWN)

    def _never(self, person: str, record: str, name: str) -> None:
        """Neither done nor answered."""
        self._answer(self._ask_edit(person, record, name, 0), Kind.UNKNOWN)

    def finish(self) -> History:
        for person in sorted(self.away):
            self._connect(person)
        for person in PEOPLE:
            self._catch_up(person)
        fields = self.records.fields
        copy = {record: dict(items) for record, items in fields.items()}
        self.history.stored = copy
        self.history.views = {person: {record: dict(items) for record, items in copy.items()} for person in PEOPLE}
        everybody = frozenset(PEOPLE)
        self.history.presence = Presence(everybody, dict.fromkeys(PEOPLE, everybody), seconds=2.0, bound=30.0)
        return self.history


Choice = tuple[str, str, str, str]


def made_of(choices: Sequence[Choice]) -> History:
    world = World()
    for choice in choices:
        world.step(*choice)
    return world.finish()
