"""The measurement itself: it edits in both sessions, with a run and without, and divides the right figures."""

from __future__ import annotations

import pytest

from loadtest.beside_a_run import PLACES, Plan, Round, measure, ratio, report
from loadtest.histogram import Histogram


def of(*milliseconds: int) -> Histogram:
    histogram = Histogram()
    for one in milliseconds:
        histogram.record(one * 1000)
    return histogram


async def test_edits_are_timed_in_both_sessions_with_and_without_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    plan = Plan(records=600, rounds=2, rate=40.0, seconds=0.5)
    rounds = await measure(plan)
    assert len(rounds) == 2
    for item in rounds:
        assert {place: item.alone[place].total for place in PLACES} == dict.fromkeys(PLACES, 20)
        assert all(item.beside[place].total >= 1 for place in PLACES)
        assert item.refused == {}
    report(plan, rounds)
    printed = capsys.readouterr().out
    assert all(f"{place}:" in printed for place in PLACES)
    assert printed.count("p99 ratio") == 2


def test_the_ratio_is_that_of_the_slowest_hundredth() -> None:
    assert ratio(of(*[1] * 99, 100), of(*[50] * 98, 2, 2)) == pytest.approx(50, rel=0.02)
    assert ratio(of(10), of(15)) == pytest.approx(1.5, rel=0.02)


@pytest.mark.parametrize(("slowed", "met"), [(PLACES[0], False), (PLACES[1], False), (None, True)])
def test_the_goal_is_met_only_where_it_is_met_in_both_sessions(
    slowed: str | None, met: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = {place: of(10, 10) for place in PLACES}
    beside = {place: of(20 if place == slowed else 12) for place in PLACES}
    item = Round(alone, beside, run_seconds=1.0, processed=600, completed=True, refused={})
    assert report(Plan(rounds=1), [item]) is met
    assert ("missed" in capsys.readouterr().out) is not met
