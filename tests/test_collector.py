"""Garbage in cycles is found: when the loop has time, in samples while it has none, and when memory says so."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from realtime_server.collector import Sampling, Schedule, collecting_when_idle


class _Knot:
    def __init__(self) -> None:
        self.own = self


@pytest.mark.parametrize(
    ("busy", "now", "memory", "generation"),
    [
        (0.19, 10.0, 1_000_000, 1),
        (0.20, 10.0, 1_000_000, None),
        (1.00, 10_000.0, 1_999_999, None),
        (0.01, 3_599.0, 1_000_000, 1),
        (0.01, 3_600.0, 1_000_000, 2),
        (1.00, 10.0, 2_000_000, 2),
    ],
)
def test_what_is_looked_through_depends_on_how_busy_it_is_and_on_memory(
    busy: float, now: float, memory: int, generation: int | None
) -> None:
    assert Schedule(0.0, 1_000_000).due(busy, now, memory) == generation


def test_after_looking_through_everything_the_hour_and_the_memory_count_anew() -> None:
    schedule = Schedule(0.0, 1_000_000)
    assert schedule.due(1.0, 5.0, 2_000_000) == 2
    assert schedule.due(1.0, 6.0, 3_999_999) is None
    assert schedule.due(0.0, 3_604.0, 3_999_999) == 1
    assert schedule.due(0.0, 3_605.0, 3_999_999) == 2


def test_a_small_process_may_double_without_a_look() -> None:
    schedule = Schedule(0.0, 100_000)
    assert schedule.due(1.0, 5.0, 600_000) is None
    assert schedule.due(1.0, 6.0, 624_288) == 2


async def test_a_cycle_that_outlived_a_look_is_found_when_the_loop_has_nothing_to_do() -> None:
    with collecting_when_idle():
        knot = _Knot()
        gc.collect(0)  # it lives, and is not among the youngest any more
        found = asyncio.Event()
        weakref.finalize(knot, found.set)
        del knot
        await asyncio.wait_for(found.wait(), 30)


def test_one_interval_in_eight_is_looked_through_and_the_next_one_too_where_garbage_was_found() -> None:
    sampling = Sampling()
    assert [sampling.due() for _ in range(9)] == [False] * 7 + [True, False]
    sampling.found(499)
    assert not sampling.due()
    sampling.found(500)
    assert [sampling.due() for _ in range(2)] == [True, False]


async def test_garbage_of_a_busy_loop_is_found_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = iter([100, 100])
    monkeypatch.setattr("realtime_server.collector._peak_memory", lambda: next(peaks, 2_000_000))
    monkeypatch.setattr("realtime_server.collector._QUIET", -1.0)
    monkeypatch.setattr("realtime_server.collector._INTERVAL", 0.001)
    with collecting_when_idle():
        knot = _Knot()
        gc.freeze()  # as an interval that is passed over
        found = asyncio.Event()
        weakref.finalize(knot, found.set)
        del knot
        await asyncio.wait_for(found.wait(), 30)


async def test_everything_is_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with collecting_when_idle():
        assert gc.get_threshold() != before
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
