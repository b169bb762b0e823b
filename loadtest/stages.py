"""What each stage of the hot path costs: ``python -m loadtest.stages [--store]``.

An edit's way through one process, without sockets and without a database: frame, request, command, decision, state,
document, broadcast, answer. Each stage is timed many times in short turns, in alternation with a fixed piece of Python,
and the fastest turn counts: what a shared machine adds, it adds to others. The figure to compare between commits and
machines is the ratio to that piece ("units"). With ``--store`` one line of JSON is added to ``docs/stages.jsonl``, and
stages that take a quarter more units than in the line before are named; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import bson

from loadtest.bench_core import NOW, PEOPLE, session
from loadtest.machine import machine
from realtime_server.collaboration.commands import COMMANDS
from realtime_server.collaboration.config import CollaborationConfig
from realtime_server.collaboration.declarations import Call
from realtime_server.core.commits import Commit, Draft, envelope, seal
from realtime_server.core.decide import answer, decide
from realtime_server.core.evolve import evolve
from realtime_server.core.snapshot import record_document, state_document
from realtime_server.engine.batch import Waiting, decide_batch
from realtime_server.quotas import Bucket, Quotas
from realtime_server.storage.documents import commit_document, commit_from_document
from realtime_server.transport import packets
from realtime_server.transport.codec import JsonCodec
from realtime_server.transport.frames import FrameParser
from realtime_server.transport.limits import Limits

STORED: Final = Path("docs/stages.jsonl")
#: A stage that takes so many times its last stored units has become slower.
SLOWER: Final = 1.25
_TURN: Final = 0.004
_TURNS: Final = 60
_BATCH: Final = 50


def _reference() -> None:
    """The piece of Python that a unit is: what interpreters do all day, of no version's special merit."""
    found: dict[str, Any] = {}
    for number in range(50):
        found[f"name-{number}"] = (number, [number, str(number)])
    json.dumps(found, sort_keys=True)


def _stages() -> dict[str, Callable[[], object]]:
    """Stage -> one edit's worth of it (the batch: fifty edits' worth)."""
    state = session()
    body = {
        "session_id": "session-1", "edit_id": "a-1.123456", "record_id": "ledger-7", "field_name": "reference",
        "new_value": "Paid by the customer in November, second half", "base_version": state.seq,
    }  # fmt: skip
    text = b'42/collaboration,7["edit",' + json.dumps(body).encode() + b"]"
    frame = bytes((0x81, 0xFE)) + len(text).to_bytes(2, "big") + b"\1\2\3\4"
    frame += bytes(byte ^ (1, 2, 3, 4)[place % 4] for place, byte in enumerate(text))
    codec = JsonCodec(Limits())
    declared = COMMANDS.handlers["edit"]
    request = declared.load(body)
    call = Call(PEOPLE[0], CollaborationConfig())
    command = declared.handle(call, request)
    commit = decide(state, command, NOW)
    assert isinstance(commit, Commit), "the benchmark's own edit is applied"
    after = evolve(state, commit)
    document = commit_document(commit)
    stored = bson.encode(document)
    place: dict[str, Any] = {
        name: getattr(commit, name)
        for name in ("session_id", "project_id", "seq", "command_id", "user_id", "at", "prev_hash")
    }
    told = envelope(commit)
    ack = [{"ok": True, **answer(commit)}]
    bodies = [{**body, "edit_id": f"b-{number}", "record_id": f"ledger-{number}"} for number in range(_BATCH)]
    waiting = [Waiting(declared.handle(call, declared.load(each)), None) for each in bodies]
    quotas, allowance = Quotas((1e9, 1e9), (1e9, 1e9), (1e9, 1e9)), Bucket(1e9, 1e9, 0.0)

    def admitted() -> None:
        now = time.perf_counter()
        allowance.take(now)
        quotas.of_user("person-1", now)
        quotas.of_session("session-1", "demo", now)

    return {
        "frame": lambda: FrameParser(65_536, 1_048_576).feed(frame),
        "packet": lambda: codec.decode_event(text),
        "request": lambda: declared.load(body),
        "quotas": admitted,
        "command": lambda: declared.handle(call, request),
        "decide": lambda: decide(state, command, NOW),
        "seal": lambda: seal(Draft(commit.message_type, commit.data), **place),
        "evolve": lambda: evolve(state, commit),
        "batch of 50": lambda: decide_batch(state, waiting, lambda command_id: None, (), NOW),
        "document": lambda: bson.encode(commit_document(commit)),
        "commit read": lambda: commit_from_document(bson.decode(stored)),
        "broadcast": lambda: codec.encode(packets.EVENT, "/collaboration", None, ["edit", envelope(commit)]),
        "broadcast frame": lambda: codec.encode(packets.EVENT, "/collaboration", None, ["edit", told]),
        "answer": lambda: codec.encode_ack("/collaboration", 7, ack),
        "record stored": lambda: record_document(after.records["ledger-7"]),
        "checkpoint": lambda: state_document(state),
    }


def _turn(action: Callable[[], object]) -> float:
    """Seconds of one call, of as many as fit in a turn."""
    count, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < _TURN:
        action()
        count += 1
    return took / count


def measure() -> dict[str, dict[str, float]]:
    """Stage -> ``us`` (microseconds) and ``units``.

    Every stage has a turn in each round, and the reference after it: a disturbance of some seconds then costs rounds,
    of which there are enough, and not the whole measurement of one stage or of its unit.
    """
    actions = _stages()
    best, unit = dict.fromkeys(actions, float("inf")), float("inf")
    for _ in range(_TURNS):
        for name, action in actions.items():
            best[name], unit = min(best[name], _turn(action)), min(unit, _turn(_reference))
    return {name: {"us": round(took * 1e6, 2), "units": round(took / unit, 4)} for name, took in best.items()}


def slower(before: Mapping[str, Mapping[str, float]], now: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Lines that name the stages that have become slower."""
    return [
        f"{name}: {before[name]['units']:.3f} units before, {found['units']:.3f} now"
        for name, found in now.items()
        if name in before and found["units"] > SLOWER * before[name]["units"]
    ]


def _commit() -> str:
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help=f"add the figures to {STORED}")
    store = parser.parse_args().store
    lines = [json.loads(line) for line in STORED.read_text().splitlines()] if STORED.exists() else []
    found = measure()
    for name, figures in found.items():
        print(f"{name:18}{figures['us']:10.2f} µs{figures['units']:10.4f} units")
    worse = slower(lines[-1]["stages"], found) if lines else []
    for line in worse:
        print(f"slower than at {lines[-1]['commit']}: {line}", file=sys.stderr)
    if store:
        with STORED.open("a") as file:
            file.write(json.dumps({"commit": _commit(), "machine": machine(), "stages": found}) + "\n")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
