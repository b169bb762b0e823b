"""Which rates a search for the peak holds."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.capacity import Holds, Search, Step, by_second, measured
from loadtest.results import Result, Window


def searched(limit: float, begin: float, floor: float) -> tuple[float | None, list[float]]:
    """What a server that holds just ``limit`` is found to hold, and the rates it was asked for."""
    holds, asked = Holds(begin, floor), []
    while (rate := holds.rate) is not None:
        asked.append(rate)
        holds.tell(rate <= limit, min(rate, limit * 1.3))
    return holds.best, asked


@pytest.mark.parametrize("limit", [450.0, 641.0, 900.0, 1_500.0, 1_999.0, 2_600.0, 3_100.0])
def test_the_peak_is_found_to_a_tenth_however_far_below_the_climb_it_is(limit: float) -> None:
    best, asked = searched(limit, 3_125.0, 320.0)
    assert best is not None
    assert best <= limit < best * 1.101
    assert len(asked) <= 24


def test_what_is_above_the_best_is_tried_four_times() -> None:
    best, asked = searched(2_550.0, 3_125.0, 320.0)
    assert best == pytest.approx(2_500.0)
    assert asked == pytest.approx([3_125.0, 2_500.0, 3_125.0, 2_750.0, 2_750.0, 2_750.0])


def test_a_server_that_does_better_than_the_climb_is_followed_upwards() -> None:
    best, asked = searched(1_500.0, 1_000.0, 100.0)
    assert best == pytest.approx(1_375.0)
    assert asked[:4] == pytest.approx([1_000.0, 1_250.0, 1_562.5, 1_375.0])


def test_bad_minutes_do_not_decide_what_is_found() -> None:
    """A server that holds 3,000, but no more than 1,000 while its machine is busy: six rates long."""
    holds, asked = Holds(3_125.0, 320.0), 0
    while (rate := holds.rate) is not None:
        asked += 1
        holds.tell(rate <= (1_100.0 if asked <= 6 else 3_000.0), rate)
    assert holds.best == pytest.approx(3_000.0, rel=0.1)


def test_a_server_that_holds_nothing_is_not_tried_for_ever() -> None:
    holds, asked = Holds(3_125.0, 320.0), 0
    while holds.rate is not None:
        asked += 1
        holds.tell(False, holds.rate)
    assert holds.best is None
    assert asked <= 24


@pytest.mark.parametrize(
    ("p99", "done", "holds"),
    [(99.0, 970.0, True), (101.0, 1_000.0, False), (50.0, 950.0, False), (float("inf"), 0.0, False)],
)
def test_a_rate_is_held_when_what_was_asked_was_done_and_told_in_time(p99: float, done: float, holds: bool) -> None:
    assert Step(1_000.0, done, p99, p99, 30, 50 * done).holds(100.0) is holds


def test_a_step_says_which_of_its_seconds_was_slow() -> None:
    windows = [Window(number) for number in (1, 2, 3)]
    for window, milliseconds in ((windows[0], 20), (windows[1], 150)):
        window.counts.update(acks=10, deliveries=500)
        for _ in range(500):
            window.histograms["delivery"].record(milliseconds * 1_000)
    step = measured(windows, 10.0)
    assert step.delivery_p99 == pytest.approx(150, rel=0.01)
    assert by_second(step) == [pytest.approx(20, rel=0.01), pytest.approx(150, rel=0.01), None]
    assert "delivery" not in windows[2].histograms


class _Queueing:
    """Stands for a generator and a server that does 1,000 edits/s, and 400 while it has a queue."""

    def __init__(self) -> None:
        self.result = Result("queueing", 0.0)
        self._rate = self._queue = 0.0

    async def tell_all(self, message: dict[str, Any]) -> None:
        self._rate = message["rates"]["edit"]

    async def seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            window = Window(len(self.result.windows) + 1)
            capacity = 400.0 if self._queue else 1_000.0
            done = min(self._queue + self._rate, capacity)
            self._queue += self._rate - done
            window.counts["acks"] = round(done)
            window.histograms["delivery"].record(round(1e6 * self._queue / capacity) + 5_000)
            self.result.windows.append(window)


async def test_what_a_climb_beyond_the_end_left_in_a_queue_is_waited_for() -> None:
    search = Search(_Queueing())  # type: ignore[arg-type]
    best = await search.peak(200.0)
    assert best is not None
    assert 900.0 < best.asked <= 1_000.0


async def test_a_rate_that_can_no_longer_be_held_is_not_asked_for_any_longer() -> None:
    generator = _Queueing()
    search = Search(generator)  # type: ignore[arg-type]
    await search.peak(200.0)
    held = [step.seconds for step in search.steps if step.holds(100.0) and step.asked > 900.0 and step.seconds > 3]
    failed = [step.seconds for step in search.steps if step.asked > 1_000.0 and not step.holds(100.0)]
    assert set(held) == {30}
    assert failed
    assert max(failed) < 15
