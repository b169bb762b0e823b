"""Instants as integers, milliseconds since 1970 in UTC; as ISO 8601 text on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=1024)
def to_iso(milliseconds: int) -> str:
    """``1795341600123`` → ``"2026-11-22T10:00:00.123Z"``."""
    seconds, fraction = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:03d}Z"


def from_iso(text: str) -> int:
    """The inverse of `to_iso`. ValueError for anything that is not an instant with a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone")
    return round(moment.timestamp() * 1000)
