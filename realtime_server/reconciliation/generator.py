"""Ledgers and statements with known truth, from a seed: the same call gives the same rows on every machine.

The stream is made in order of time and holds nothing back, so a million rows take no more memory than a hundred.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from random import Random
from types import MappingProxyType
from typing import Final

from realtime_server.core.money import check_currency
from realtime_server.reconciliation.generated import GeneratedSet, Group, Kind, Row
from realtime_server.reconciliation.generator_kinds import Builder

MAX_SIZE: Final = 1_000_000
DEFAULT_START: Final = date(2026, 10, 1)
PERIOD_DAYS: Final = 30
PRIOR_DAYS: Final = 30
ROWS_PER_PRIOR_ITEM: Final = 50
"""One item carried over from before the period for every so many rows."""

DEFAULT_MIX: Final[Mapping[Kind, int]] = MappingProxyType(
    {
        Kind.ONE_TO_ONE: 22,
        Kind.TRUNCATED: 5,
        Kind.FEE_NETTED: 2,
        Kind.BATCH_DEPOSIT: 2,
        Kind.SPLIT_PAYMENT: 2,
        Kind.VOID_REISSUE: 1,
        Kind.RETURNED_ITEM: 1,
        Kind.DUPLICATED_LINE: 1,
        Kind.UNMATCHED_LEDGER: 2,
        Kind.UNMATCHED_STATEMENT: 2,
    }
)
"""How many groups of each kind in a round of 40, about 90 rows; prior-period items come on top."""


def generate_groups(
    seed: int,
    size: int,
    *,
    start_date: date = DEFAULT_START,
    currency: str = "EUR",
    mix: Mapping[Kind, int] = DEFAULT_MIX,
) -> Iterator[Group]:
    """Groups with exactly `size` rows in all, both sides together, in order of `Group.day`.

    `size` is 1 to 1,000,000; `seed` is 0 or more. The ledger covers a period of 30 days from `start_date`, and 30 days
    before it for the items carried over; the statement runs on for as long as items take to clear. `mix` counts the
    groups of each kind in one round and must not name `PRIOR_PERIOD`. `ValueError` for anything else, at the call.
    """
    if not 1 <= size <= MAX_SIZE:
        raise ValueError(f"size is from 1 to {MAX_SIZE:,} rows")
    if seed < 0:
        raise ValueError("seed is 0 or more")
    round_of_kinds = [kind for kind, count in mix.items() for _ in range(count)]
    if not round_of_kinds or Kind.PRIOR_PERIOD in mix:
        raise ValueError("mix names at least one kind, and not prior_period")
    builder = Builder(Random(seed), check_currency(currency))
    return _stream(builder, size, start_date, round_of_kinds)


def generate(
    seed: int,
    size: int,
    *,
    start_date: date = DEFAULT_START,
    currency: str = "EUR",
    mix: Mapping[Kind, int] = DEFAULT_MIX,
) -> GeneratedSet:
    """The whole set in memory, both sides sorted by date and id. Arguments and errors as in `generate_groups`."""
    groups = tuple(generate_groups(seed, size, start_date=start_date, currency=currency, mix=mix))
    ledger = sorted((row for group in groups for row in group.ledger), key=by_date)
    statement = sorted((row for group in groups for row in group.statement), key=by_date)
    return GeneratedSet(tuple(ledger), tuple(statement), groups)


def by_date(row: Row) -> tuple[date, str]:
    """The order of rows in an export. Ids are scattered, so rows of one group do not stand at the same place."""
    return row.date, row.external_id


def _stream(builder: Builder, size: int, start_date: date, round_of_kinds: list[Kind]) -> Iterator[Group]:
    carried = size // ROWS_PER_PRIOR_ITEM
    for index in range(carried):
        day = start_date - timedelta(days=PRIOR_DAYS - index * PRIOR_DAYS // carried)
        yield builder.prior_period(day, start_date)
    done = carried * 2
    waiting: list[Kind] = []
    while done < size:
        if not waiting:
            waiting = list(round_of_kinds)
            builder.rng.shuffle(waiting)
        day = start_date + timedelta(days=done * PERIOD_DAYS // size)
        for group in _fitting(builder, waiting.pop(), day, size - done):
            done += group.size
            yield group


def _fitting(builder: Builder, kind: Kind, day: date, room: int) -> list[Group]:
    """Groups of this kind, or at the very end of smaller kinds, that have at most `room` rows together."""
    for choice in (kind, Kind.ONE_TO_ONE, Kind.UNMATCHED_LEDGER):
        groups = builder.build(choice, day)
        if sum(group.size for group in groups) <= room:
            return groups
    raise AssertionError("a single row fits wherever a row is wanted")
