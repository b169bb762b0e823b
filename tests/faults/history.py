"""What a team of clients did and saw, written down while it happens, to be judged afterwards (`checker`).

All clients of a history live in one process, so one monotonic clock orders everything: `at` is nanoseconds of it. A
history can be kept as JSON lines and judged again: ``python -m tests.faults.checker FILE``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

Json = Mapping[str, Any]
#: record -> field -> (value, version).
Fields = dict[str, dict[str, tuple[Any, int]]]


class Kind(StrEnum):
    """How a request ended: done; refused for good; or nobody told, so it may have been done or not."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Invoked:
    """A request is sent for the first time. ``op``: its command id, under which it may be sent again."""

    at: int
    op: str
    person: str
    event: str
    request: Json


@dataclass(frozen=True, slots=True)
class Answered:
    """The end of a request: the acknowledgement, or for `Kind.UNKNOWN` nothing."""

    at: int
    op: str
    kind: Kind
    answer: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heard:
    """An envelope with a ``seq``, as it came by itself over a connection."""

    at: int
    person: str
    connection: int
    envelope: Json


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The answer to a `join` or a `sync`: everything after ``since`` up to ``seq``."""

    at: int
    asked_at: int
    person: str
    connection: int
    since: int
    seq: int
    commits: Sequence[Json]
    complete: bool


Event = Invoked | Answered | Heard | CaughtUp
_EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in (Invoked, Answered, Heard, CaughtUp)}


@dataclass(frozen=True, slots=True)
class Presence:
    """Who was there when the dust had settled, and whom each of them saw, so many seconds later.

    ``bound``: the seconds within which the system promises that what they see is so.
    """

    present: frozenset[str]
    seen: Mapping[str, frozenset[str]]
    seconds: float
    bound: float


@dataclass(slots=True)
class History:
    """``events`` in the order in which they happened; the rest is how everything was when all was quiet again.

    ``base``: the records as imported. ``log``: the session's commits with all their members, read from the database.
    ``stored``: the records in the database. ``views``: each person's records, made of the envelopes they had.
    """

    base: dict[str, dict[str, Any]]
    events: list[Event] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    stored: Fields = field(default_factory=dict)
    views: dict[str, Fields] = field(default_factory=dict)
    presence: Presence | None = None

    # -- recording ---------------------------------------------------------------------------------------------------

    def invoke(self, person: str, own_id: str, event: str, request: Json) -> str:
        op = f"{person}/{own_id}"
        self.events.append(Invoked(time.monotonic_ns(), op, person, event, request))
        return op

    def answer(self, op: str, kind: Kind, answer: Json | None = None) -> None:
        self.events.append(Answered(time.monotonic_ns(), op, kind, answer or {}))

    def hear(self, person: str, connection: int, envelope: Json) -> None:
        self.events.append(Heard(time.monotonic_ns(), person, connection, envelope))

    def catch_up(self, person: str, connection: int, asked_at: int, since: int, ack: Json) -> None:
        complete = ack.get("recovered", not ack.get("reset", False))
        commits = ack["commits"]
        event = CaughtUp(time.monotonic_ns(), asked_at, person, connection, since, ack["seq"], commits, complete)
        self.events.append(event)

    # -- keeping -----------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        presence = None
        if self.presence is not None:
            seen = {name: sorted(members) for name, members in self.presence.seen.items()}
            presence = {**asdict(self.presence), "present": sorted(self.presence.present), "seen": seen}
        final = {"base": self.base, "log": self.log, "stored": self.stored, "views": self.views, "presence": presence}
        with path.open("w") as file:
            for event in self.events:
                file.write(json.dumps([type(event).__name__, asdict(event)]) + "\n")
            file.write(json.dumps(["Final", final]) + "\n")

    @classmethod
    def load(cls, path: Path) -> History:
        history = cls({})
        for line in path.read_text().splitlines():
            name, members = json.loads(line)
            if name != "Final":
                history.events.append(_EVENTS[name](**members))
                continue
            presence = members["presence"]
            if presence is not None:
                seen = {person: frozenset(names) for person, names in presence["seen"].items()}
                presence = Presence(**{**presence, "present": frozenset(presence["present"]), "seen": seen})
            views = {person: _fields(view) for person, view in members["views"].items()}
            history.base, history.log, history.presence = members["base"], members["log"], presence
            history.stored, history.views = _fields(members["stored"]), views
        return history


def _fields(raw: Mapping[str, Mapping[str, Sequence[Any]]]) -> Fields:
    """JSON has no tuples."""
    return {
        record: {name: (item[0], item[1]) for name, item in fields.items()} for record, fields in raw.items()
    }
