"""Median time to load a valid `edit`: ``python -m tests.schemas.bench_loading``."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

from schemas import loader
from schemas.requests import Edit

EDIT = {
    "session_id": "demo",
    "edit_id": "5f0c7b1e-2f6e-4b43-9a54-0c1f4f6b2d11",
    "record_id": "ledger:A-000017",
    "field_name": "amount",
    "new_value": "10.50",
    "base_version": 41,
    "lock_token": 40,
    "edit_reason": "Confirmed with the bank",
}
ROUNDS = 20_000


def microseconds(load: Callable[[Any], Any]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = perf_counter()
        load(EDIT)
        times.append(perf_counter() - began)
    return median(times) * 1e6


if __name__ == "__main__":
    print(f"loader            {microseconds(loader(Edit())):6.1f} µs")
    print(f"marshmallow alone {microseconds(Edit().load):6.1f} µs")
