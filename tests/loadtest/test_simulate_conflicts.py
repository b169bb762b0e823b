"""The simulation is the same every time, plays by the rules, and shows suggestions that mean what they say."""

from __future__ import annotations

import pytest

from loadtest.conflict_world import WORLDS, Day, Simulation
from loadtest.simulate_conflicts import BANDS, fit, judge


@pytest.fixture(scope="module")
def day() -> Day:
    return Simulation(WORLDS[1], 1_000, size=1_000).run()


def test_one_seed_gives_one_day(day: Day) -> None:
    again = Simulation(WORLDS[1], 1_000, size=1_000).run()
    assert [case.conflict for case in again.cases] == [case.conflict for case in day.cases]
    assert (again.edits, again.conflicts) == (day.edits, day.conflicts)


def test_every_suggestion_is_in_one_band_and_sure_ones_are_mostly_right(day: Day) -> None:
    figures = judge("hasty", day.cases, 95)
    assert figures.conflicts == len(day.cases) >= 30
    assert sum(band.count for band in figures.bands) == figures.suggested
    assert (figures.bands[0].low, figures.bands[-1].high) == (BANDS[0], BANDS[-1])
    assert figures.taken >= 10
    assert figures.taken_right / figures.taken > figures.suggested_right / figures.suggested > 0.6


def test_heeded_warnings_leave_fewer_conflicts(day: Day) -> None:
    warned = Simulation(WORLDS[1], 1_000, size=1_000, heed=1.0).run()
    assert warned.heeded == warned.warned > 0
    assert warned.conflicts < day.conflicts


def test_fitting_finds_that_the_other_side_says_most(day: Day) -> None:
    weights = fit(day.cases, rounds=300)
    assert weights["counterpart"] > weights["role"]
    assert weights["unproposed"] < 0
