from __future__ import annotations

import pytest

from loadtest.schedule import SHAPES, Arrivals

SECOND = 1_000_000


def test_what_is_due_does_not_depend_on_when_it_is_asked_for() -> None:
    """A generator that was held up finds everything that became due meanwhile, with its own moment."""
    often, once = (Arrivals(500, 0, 10, SHAPES["steady"], 7) for _ in range(2))
    step_by_step = [due for at in range(0, 10 * SECOND, 1_000) for due in often.due(at)]
    assert step_by_step == list(once.due(10 * SECOND - 1_000))
    assert step_by_step == sorted(step_by_step)


@pytest.mark.parametrize(("shape", "expected"), [("steady", 20_000), ("ramp", 10_000), ("burst", 28_000)])
def test_a_shape_gives_its_number_of_arrivals(shape: str, expected: int) -> None:
    count = len(list(Arrivals(1_000, 0, 20, SHAPES[shape], 1).due(20 * SECOND)))
    assert count == pytest.approx(expected, rel=0.05)


def test_a_new_rate_holds_from_the_moment_it_is_set() -> None:
    arrivals = Arrivals(100, 0, 3_600, SHAPES["steady"], 3)
    list(arrivals.due(SECOND))
    arrivals.set_rate(2_000, SECOND)
    assert len(list(arrivals.due(2 * SECOND))) == pytest.approx(2_000, rel=0.1)


def test_a_rate_of_zero_has_nothing_due() -> None:
    assert list(Arrivals(0, 0, 10, SHAPES["steady"], 1).due(10 * SECOND)) == []
