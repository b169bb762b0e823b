"""A date is a day of the calendar in one spelling, or it is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_server.core.dates import calendar_date, canonical_date


@given(day=st.dates(min_value=date(1900, 1, 1), max_value=date(2199, 12, 31)))
def test_every_day_of_the_range_is_its_own_canonical_spelling(day: date) -> None:
    assert canonical_date(day.isoformat()) == day.isoformat()
    assert calendar_date(day.year, day.month, day.day) == day.isoformat()


@pytest.mark.parametrize(
    "text",
    ["", "2026-1-5", "2026-02-30", "2026-13-01", "20260105", "2026-01-05T00:00", "0202-01-05", "2200-01-01",
     " 2026-01-05", "2026-01-05\n", "٢٠٢٦-٠١-٠٥", "2026-W01-1", None, 20260105, date(2026, 1, 5)],
    ids=repr,
)  # fmt: skip
def test_anything_else_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match=r"date|day|year"):
        canonical_date(text)
