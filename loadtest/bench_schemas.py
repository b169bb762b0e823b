"""What checking a message costs: the compiled loader beside marshmallow's own `load`.

    python -m loadtest.bench_schemas [--rounds 20000]

Prints median and 99th percentile of one call, in microseconds, for the messages that are sent most. The bound for an
`edit` is 15 µs median.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
from marshmallow import ValidationError

from schemas import CLIENT_EVENTS, loader

MESSAGES: dict[str, dict[str, Any]] = {
    "edit": {
        "session_id": "demo", "edit_id": "5f0c7b1e-77aa", "record_id": "ledger:000017", "field_name": "amount",
        "new_value": "10.50", "base_version": 12,
    },
    "edit_batch": {
        "session_id": "demo", "edit_id": "5f0c7b1e-77aa", "edits": [
            {"record_id": f"ledger:{number:06}", "field_name": "notes", "new_value": "seen", "base_version": 0}
            for number in range(10)
        ],
    },
    "lock": {"session_id": "demo", "record_id": "ledger:000017", "ttl": 60},
    "presence": {"session_id": "demo", "status": "active", "focus": {"record_id": "ledger:000017"}},
    "resolve": {"session_id": "demo", "conflict_id": "conflict-43", "strategy": "take_candidate", "edit_id": "5f0c"},
    "comment": {"session_id": "demo", "text": "Is this the March invoice?", "mentions": ["bob"]},
}  # fmt: skip


def measure(call: Callable[[Any], Any], message: Any, rounds: int) -> tuple[float, float]:
    """(median, 99th percentile) of one call in microseconds, every message decoded anew as the wire brings it."""
    raw = orjson.dumps(message)
    times = []
    for _ in range(rounds):
        decoded = orjson.loads(raw)
        started = time.perf_counter_ns()
        with suppress(ValidationError):
            call(decoded)
        times.append(time.perf_counter_ns() - started)
    times.sort()
    return statistics.median(times) / 1000, times[len(times) * 99 // 100] / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20_000)
    rounds = parser.parse_args().rounds
    print(f"{'message':<22}{'compiled µs':>20}{'marshmallow µs':>20}{'times':>8}")
    print(f"{'':<22}{'median':>12}{'p99':>8}{'median':>12}{'p99':>8}")
    rows = list(MESSAGES.items())
    rows.append(("edit, refused", {**MESSAGES["edit"], "base_version": "12"}))
    for name, message in rows:
        schema = CLIENT_EVENTS[name.partition(",")[0]][0]()
        quick = measure(loader(schema), message, rounds)
        plain = measure(schema.load, message, rounds // 10)
        print(
            f"{name:<22}{quick[0]:>12.2f}{quick[1]:>8.2f}{plain[0]:>12.2f}{plain[1]:>8.2f}{plain[0] / quick[0]:>8.1f}"
        )


if __name__ == "__main__":
    main()
