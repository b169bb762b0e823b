"""The benchmark of the hot path still measures what it says."""

from __future__ import annotations

from loadtest.bench_core import measure


def test_the_benchmark_measures_every_step() -> None:
    measured = measure(3)
    assert {"decide", "evolve", "envelope"} <= set(measured)
    assert all(microseconds > 0 for microseconds in measured.values())
