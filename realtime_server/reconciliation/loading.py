"""A session's records, page by page, as they are now: stored ones, and over them what the engine holds newer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from realtime_server.core.money import parse_minor_units
from realtime_server.core.reconciling import Match, MatchStatus, sides_agree
from realtime_server.core.state import NO_CURRENCY, RecordState, SessionState
from realtime_server.ports import RecordStore
from realtime_server.reconciliation.worker import FIELDS, Part, Row

#: Records read at a time: a page is decoded in some 5 ms, which nobody notices.
PAGE = 250

_AS_IT_IS: Mapping[str, Any] = {}


async def current_records(records: RecordStore, state: SessionState) -> AsyncIterator[list[RecordState]]:
    """Pages of all records. What changes while they are read is seen or not; deciding looks again."""
    after: str | None = None
    while page := await records.page(state.session_id, after=after, limit=PAGE):
        after = page[-1].record_id
        yield [_newest(item, state.records.get(item.record_id)) for item in page]


def _newest(stored: RecordState, held: RecordState | None) -> RecordState:
    return held if held is not None and held.seq > stored.seq else stored


def is_open(record: RecordState) -> bool:
    """Whether a run may look at it: neither matched, nor suggested, nor set aside."""
    return record.match is None and record.disposition is None


def part_of(page: Sequence[RecordState]) -> Part:
    """What the worker is told of a page of records."""
    opened = [record for record in page if is_open(record)]
    rejected = {record.record_id: record.rejected for record in opened if record.rejected}
    # A match stands in all of its records: counted once.
    matches = [record.match for record in page if record.match and record.match.records[0] == record.record_id]
    signs = [sides_agree(match) for match in matches]
    return Part(
        [row_of(record) for record in opened],
        rejected,
        (signs.count(1), signs.count(-1)),
        [row_of(record) for record in page if not is_open(record)],
        [(match.ledger[0], match.statement[0]) for match in matches if _is_known_pair(match)],
    )


def _is_known_pair(match: Match) -> bool:
    return match.status is MatchStatus.CONFIRMED and len(match.ledger) == len(match.statement) == 1


def row_of(record: RecordState) -> Row:
    return record.record_id, record.source, {name: record.value(name) for name in FIELDS}


@dataclass(slots=True)
class Totals:
    """What a session's records come to, counted when its log stood at ``seq``. ``unreadable``: without an amount."""

    seq: int
    records: int = 0
    unreadable: int = 0
    sums: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, record: RecordState) -> None:
        self.records += 1
        self.take(record, 1)

    def take(self, record: RecordState, times: int, other: Mapping[str, Any] = _AS_IT_IS) -> None:
        """Add the record's amount (``times`` 1) or take it away (-1), with ``other`` values than it has now."""
        currency = other.get("currency", record.value("currency")) or NO_CURRENCY
        try:
            minor = parse_minor_units(other.get("amount", record.value("amount")) or "", currency)
        except ValueError:
            self.unreadable += times
            return
        place = (record.source, currency)
        self.sums[place] = self.sums.get(place, 0) + times * minor

    def as_tuples(self) -> tuple[tuple[str, str, int], ...]:
        return tuple((source, currency, minor) for (source, currency), minor in sorted(self.sums.items()))


async def count_totals(records: RecordStore, state: SessionState) -> Totals:
    totals = Totals(state.seq)
    async for page in current_records(records, state):
        for record in page:
            totals.add(record)
    return totals
