"""Dates as the wire has them: `YYYY-MM-DD` of the proleptic Gregorian calendar, years 1900 to 2199."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2199
"""Books are not older; a year outside is a slip of the keyboard (0202, 20222), caught before it spoils a period."""

_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


def calendar_date(year: int, month: int, day: int) -> str:
    """The day as `YYYY-MM-DD`. `ValueError` for a day that does not exist or a year out of range."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"a year is from {FIRST_YEAR} to {LAST_YEAR}")
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        raise ValueError("there is no such day in the calendar") from None


def canonical_date(text: object) -> str:
    """The text itself when it is a day written `YYYY-MM-DD`; `ValueError` with a plain message otherwise."""
    match = _ISO.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a date is written YYYY-MM-DD, such as 2026-11-22")
    return calendar_date(int(match[1]), int(match[2]), int(match[3]))
