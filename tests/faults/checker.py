"""Judges a history: is what the clients did, heard and were told what the system promises? One pass over each part.

I1  Fencing tokens of a record strictly grow, no commit carries an older token than one before it, and while a lease
    runs nobody but its holder changes the record.
I2  Every acknowledged request is in the log, once, where its acknowledgement says; what was refused is not; what
    nobody was told of is there at most once; and nothing is there that nobody asked for.
I3  ``seq`` has no gap, and each client's stream, live and caught up, has no gap, duplicate, inversion or differing
    payload.
I4  What was acknowledged before something else was sent has the smaller ``seq``; who catches up gets everything that
    was acknowledged before they asked.
I5  Replaying the log gives MongoDB's records and every client's view, and every accepted edit's base was what it said.
I6  Who is shown as present is present, and the other way round, within the promised time.

It shares no code with the server: what commits mean is written down a second time in `records`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.faults.history import Answered, CaughtUp, Heard, History, Invoked, Kind
from tests.faults.records import Records

Json = Mapping[str, Any]

#: Who asks for what nobody asked for: leases that end.
_SYSTEM: Final = "system"
#: Commits that are made of requests which clients record.
_RECORDED: Final = ("edit", "conflict", "lock")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: What an acknowledgement calls it, and what the log does.
_STATUS: Final = {"applied": ("edit.applied", "edit.batch_applied"), "merged": ("edit.merged",),
                  "conflict": ("conflict.detected", "conflict.extended")}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Violation:
    invariant: str
    problem: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.problem}"


def check(history: History) -> list[Violation]:
    """Everything that is wrong with a history; nothing, if all invariants hold."""
    parts = {
        "I1": _tokens(history),
        "I2": _requests(history),
        "I3": _streams(history),
        "I4": _real_time(history),
        "I5": _contents(history),
        "I6": _presence(history),
    }
    return [Violation(name, problem) for name, problems in parts.items() for problem in problems]


def _timestamp(milliseconds: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _as_told(commit: Json) -> Json:
    """A commit as clients have to see it."""
    return {
        "message_type": commit["message_type"],
        "session_id": commit["session_id"],
        "project_id": commit["project_id"],
        "user_id": commit["user_id"],
        "timestamp": _timestamp(commit["at"]),
        "seq": commit["seq"],
        "data": commit["data"],
    }


def _invoked(history: History) -> dict[str, Invoked]:
    return {event.op: event for event in history.events if isinstance(event, Invoked)}


# -- I1 ----------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Lease:
    holder: str
    token: int
    expires_at: str


def _tokens(history: History) -> Iterator[str]:
    invoked = _invoked(history)
    leases: dict[str, _Lease] = {}
    newest: dict[str, int] = {}
    for commit in history.log:
        kind, data, seq = commit["message_type"], commit["data"], commit["seq"]
        if kind in ("lock.acquired", "lock.taken_over"):
            record, token = data["record_id"], data["token"]
            if token <= newest.get(record, 0) or token != seq:
                yield f"commit {seq} grants {record} with token {token} after {newest.get(record, 0)}"
            running = leases.get(record)
            if kind == "lock.acquired" and running is not None and running.expires_at > _timestamp(commit["at"]):
                yield f"commit {seq} grants {record}, which {running.holder} holds until {running.expires_at}"
            leases[record] = _Lease(data["holder"]["user_id"], token, data["expires_at"])
            newest[record] = token
        elif kind.startswith("lock."):
            yield from _check_token(seq, data["record_id"], data["token"], newest, leases)
            if kind == "lock.renewed":
                leases[data["record_id"]].expires_at = data["expires_at"]
            else:
                leases.pop(data["record_id"], None)
        else:
            yield from _changes_under_lease(commit, invoked, newest, leases)


def _check_token(
    seq: int, record: str, token: int, newest: Mapping[str, int], leases: Mapping[str, _Lease]
) -> Iterator[str]:
    if token < newest.get(record, 0):
        yield f"commit {seq} carries token {token} of {record} after token {newest[record]}"
    elif record not in leases or leases[record].token != token:
        yield f"commit {seq} carries token {token} of {record}, which is not held"


def _changes_under_lease(
    commit: Json, invoked: Mapping[str, Invoked], newest: Mapping[str, int], leases: Mapping[str, _Lease]
) -> Iterator[str]:
    request = invoked[commit["command_id"]].request if commit["command_id"] in invoked else {}
    for part in request.get("edits", [request]):
        if part.get("lock_token") is not None:
            yield from _check_token(commit["seq"], part["record_id"], part["lock_token"], newest, leases)
    for record in _records_of(commit):
        lease = leases.get(record)
        if lease is not None and lease.holder != commit["user_id"] and lease.expires_at > _timestamp(commit["at"]):
            yield f"commit {commit['seq']} by {commit['user_id']} changes {record}, which {lease.holder} holds"


def _records_of(commit: Json) -> set[str]:
    if commit["message_type"].partition(".")[0] not in ("edit", "conflict"):
        return set()
    data = commit["data"]
    return {item["record_id"] for item in data.get("edits", [data])}


# -- I2 ----------------------------------------------------------------------------------------------------------------


def _requests(history: History) -> Iterator[str]:
    invoked = _invoked(history)
    logged: dict[str, list[Json]] = {}
    for commit in history.log:
        logged.setdefault(commit["command_id"], []).append(commit)
        family = commit["message_type"].partition(".")[0]
        if family in _RECORDED and commit["command_id"] not in invoked and commit["user_id"] != _SYSTEM:
            yield f"commit {commit['seq']} ({commit['command_id']}) was asked for by nobody"
    for op, commits in logged.items():
        if len(commits) > 1:
            yield f"{op} is in the log {len(commits)} times: {[commit['seq'] for commit in commits]}"
    unanswered = dict.fromkeys(invoked)
    for event in history.events:
        if isinstance(event, Answered):
            unanswered.pop(event.op, None)
            commit = next(iter(logged.get(event.op, ())), None)
            yield from _judge_answer(event, commit)
    for op in unanswered:
        yield f"{op} has no end in the history, not even an unknown one"


def _judge_answer(event: Answered, commit: Json | None) -> Iterator[str]:
    answer = event.answer
    status = answer.get("status")
    if event.kind is Kind.FAIL or (event.kind is Kind.OK and status == "unchanged"):
        if commit is not None:
            yield f"{event.op} was answered {answer}, and is in the log as commit {commit['seq']}"
    elif event.kind is Kind.OK:
        if commit is None:
            yield f"{event.op} was acknowledged as commit {answer.get('seq')}, and is not in the log"
        elif commit["seq"] != answer.get("seq"):
            yield f"{event.op} was acknowledged as commit {answer.get('seq')}, and is commit {commit['seq']}"
        elif status is not None and commit["message_type"] not in _STATUS.get(status, ()):
            yield f"{event.op} was acknowledged as {status}, and is {commit['message_type']}"


# -- I3 ----------------------------------------------------------------------------------------------------------------


def _streams(history: History) -> Iterator[str]:
    for position, commit in enumerate(history.log, 1):
        if commit["seq"] != position:
            yield f"commit {commit['seq']} is at position {position} of the log"
        if position > 1 and commit["prev_hash"] != history.log[position - 2]["hash"]:
            yield f"commit {commit['seq']} does not follow from the one before it"
    told = {commit["seq"]: _as_told(commit) for commit in history.log}
    live: dict[int, int] = {}
    streams: dict[str, _Stream] = {}
    for event in history.events:
        if isinstance(event, Heard):
            seq, before = event.envelope["seq"], live.get(event.connection)
            live[event.connection] = seq
            if before is not None and seq != before + 1:
                yield f"{event.person} (connection {event.connection}) heard {seq} after {before}"
            yield from _same(event.person, event.envelope, told)
            streams.setdefault(event.person, _Stream()).take(seq)
        elif isinstance(event, CaughtUp):
            yield from _caught_up(event, told)
            stream = streams.setdefault(event.person, _Stream())
            for envelope in event.commits:
                stream.take(envelope["seq"])
    for person in history.views:
        stream = streams.get(person, _Stream())
        if stream.complete_to != len(history.log):
            yield f"{person} has everything up to {stream.complete_to} of {len(history.log)} commits, then a gap"


class _Stream:
    """The numbers that a person has, however they came; ``complete_to``: the last one before the first gap."""

    def __init__(self) -> None:
        self.complete_to = 0
        self._ahead: set[int] = set()

    def take(self, seq: int) -> None:
        if seq <= self.complete_to:
            return
        self._ahead.add(seq)
        while self.complete_to + 1 in self._ahead:
            self.complete_to += 1
            self._ahead.remove(self.complete_to)


def _same(person: str, envelope: Json, told: Mapping[int, Json]) -> Iterator[str]:
    expected = told.get(envelope["seq"])
    if expected is None:
        yield f"{person} was told of commit {envelope['seq']}, which is not in the log"
    elif envelope != expected:
        yield f"{person} was told {dict(envelope)}, and the log says {dict(expected)}"


def _caught_up(event: CaughtUp, told: Mapping[int, Json]) -> Iterator[str]:
    seqs = [envelope["seq"] for envelope in event.commits]
    if not event.complete:
        yield f"{event.person} asked for what came after {event.since} and was sent away"
    elif seqs != list(range(event.since + 1, event.seq + 1)):
        yield f"{event.person} asked for {event.since + 1} to {event.seq} and got {seqs}"
    for envelope in event.commits:
        yield from _same(event.person, envelope, told)


# -- I4 ----------------------------------------------------------------------------------------------------------------


def _real_time(history: History) -> Iterator[str]:
    logged = {commit["command_id"]: commit["seq"] for commit in history.log}
    acknowledged = 0
    #: When each new highest number was acknowledged; and for a request, what was the highest when it was sent.
    rising: list[tuple[int, int]] = [(0, 0)]
    before: dict[str, int] = {}
    reads: list[CaughtUp] = []
    for event in history.events:
        if isinstance(event, Invoked):
            before[event.op] = acknowledged
            seq = logged.get(event.op)
            if seq is not None and seq <= acknowledged:
                yield f"{event.op} is commit {seq}, and was sent after {acknowledged} had been acknowledged"
        elif isinstance(event, Answered) and event.kind is Kind.OK:
            seq = event.answer["seq"]
            if seq < before.get(event.op, 0):
                yield f"{event.op} was decided at {seq}, and was sent after {before[event.op]} had been acknowledged"
            if seq > acknowledged:
                acknowledged = seq
                rising.append((event.at, seq))
        elif isinstance(event, CaughtUp):
            reads.append(event)
    yield from _stale_reads(reads, rising)


def _stale_reads(reads: Iterable[CaughtUp], rising: list[tuple[int, int]]) -> Iterator[str]:
    position = 0
    for read in sorted(reads, key=lambda read: read.asked_at):
        while position + 1 < len(rising) and rising[position + 1][0] < read.asked_at:
            position += 1
        if read.seq < rising[position][1]:
            yield f"{read.person} caught up to {read.seq} after {rising[position][1]} had been acknowledged"


# -- I5 ----------------------------------------------------------------------------------------------------------------


def _contents(history: History) -> Iterator[str]:
    invoked = _invoked(history)
    records = Records(history.base)
    for commit in history.log:
        yield from _accepted(commit, records)
        if commit["command_id"] in invoked:
            yield from _as_asked(commit, invoked[commit["command_id"]])
        records.apply(commit)
    for name, fields in (("MongoDB", history.stored), *history.views.items()):
        if fields != records.fields:
            yield f"{name} and the log differ: {_difference(fields, records.fields)}"


def _accepted(commit: Json, records: Records) -> Iterator[str]:
    """Whether what a commit says of the fields before it is so."""
    kind, data, seq = commit["message_type"], commit["data"], commit["seq"]
    if kind.partition(".")[0] not in ("edit", "conflict"):
        return
    for item in data.get("edits", [data]):
        place = (item["record_id"], item["field_name"])
        value, version = records.at(*place)
        if kind.startswith("edit.") or kind == "conflict.resolved":
            if item["old_value"] != value:
                yield f"commit {seq} replaces {item['old_value']!r} in {place}, which holds {value!r}"
        elif (data["current"]["value"], data["current"]["version"]) != (value, version):
            yield f"commit {seq} is about {data['current']} in {place}, which holds {value!r} of {version}"
        if kind.startswith("edit."):
            merged = kind == "edit.merged" or "submitted_value" in item
            if (item["base_version"] < version) is not merged:
                yield f"commit {seq} ({kind}) is based on {item['base_version']} of {place}, which is at {version}"
            if place in records.conflicts:
                yield f"commit {seq} sets {place}, on which there is a conflict"
        if kind == "conflict.detected" and any(each["base_version"] >= version for each in data["candidates"]):
            yield f"commit {seq} makes a conflict of an edit that had seen {place} as it was"
        if kind in ("conflict.extended", "conflict.resolved") and records.conflicts.get(place) != data["conflict_id"]:
            yield f"commit {seq} is about a conflict that is not open: {data['conflict_id']}"


def _as_asked(commit: Json, asked: Invoked) -> Iterator[str]:
    """Whether an edit says what its author said."""
    kind, data = commit["message_type"], commit["data"]
    if asked.event == "edit" and kind.startswith("conflict."):
        items = [data["candidate"]] if kind == "conflict.extended" else data["candidates"]
        said = [(data["record_id"], data["field_name"], items[0]["value"], items[0]["base_version"])]
    elif kind.startswith("edit."):
        said = [
            (it["record_id"], it["field_name"], it.get("submitted_value", it["new_value"]), it["base_version"])
            for it in data.get("edits", [data])
        ]
    else:
        return
    wanted = [
        (item["record_id"], item["field_name"], item["new_value"], item["base_version"])
        for item in asked.request.get("edits", [asked.request])
    ]
    if said != wanted:
        yield f"commit {commit['seq']} says {said}, and {asked.person} said {wanted}"


def _difference(left: Mapping[str, Any], right: Mapping[str, Any]) -> str:
    for record in sorted(left.keys() | right.keys()):
        ours, theirs = left.get(record, {}), right.get(record, {})
        for name in sorted(ours.keys() | theirs.keys()):
            if ours.get(name) != theirs.get(name):
                return f"{record}.{name} is {ours.get(name)} and {theirs.get(name)}"
    return "nothing"


# -- I6 ----------------------------------------------------------------------------------------------------------------


def _presence(history: History) -> Iterator[str]:
    presence = history.presence
    if presence is None:
        return
    if presence.seconds > presence.bound:
        yield f"presence was right after {presence.seconds:.1f} s; {presence.bound:g} s are promised"
    for person in sorted(presence.present):
        seen = presence.seen.get(person, frozenset())
        if missing := presence.present - seen:
            yield f"{person} does not see {sorted(missing)}, who are there"
        if ghosts := seen - presence.present:
            yield f"{person} sees {sorted(ghosts)}, who are not there"


def main(arguments: list[str]) -> int:
    violations = [violation for name in arguments for violation in check(History.load(Path(name)))]
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
