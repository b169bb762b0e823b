"""What a generator does for every delivery: find what it says, hold its `seq` against the last one, count it.

`_reading.c` does the same, compiled; `reading` chooses. ``tests/loadtest/test_reading.py`` holds both to this.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from loadtest.histogram import bucket_of

#: Broadcasts remembered. A session's members get one within moments of each other.
_REMEMBERED: Final = 4_096


class Told:
    """What a broadcast says, so far as every recipient cares.

    ``seq``: of its commit, 0 without one. ``stamp``: when its cause was due, in µs, 0 if unknown. ``is_cursor``: it is
    presence, which the server paces. ``is_notable``: readers that attend are told of it.
    """

    seq = stamp = 0
    is_cursor = is_notable = False


class Reader:
    """One client. ``seq``: of the last commit it has seen. ``attends``: whether it is told of what is notable."""

    seq = 0
    joined = attends = False

    def read(self, payload: bytes, at: int) -> None:
        """A message that is no broadcast known to `Readings`, and the moment it came (µs)."""
        raise NotImplementedError

    def out_of_step(self, seq: int) -> None:
        """A broadcast whose ``seq`` is not the next, or that came before it had joined."""
        raise NotImplementedError

    def noticed(self, told: Told, at: int) -> None:
        """Something notable, for one that attends."""
        raise NotImplementedError


class Readings:
    """What the clients of one process were told. ``measure_from``: what was due before that (µs) is not measured."""

    def __init__(self) -> None:
        self.deliveries = 0
        self.measure_from = 0
        self._known: dict[bytes, Told] = {}
        self._delivery: Counter[int] = Counter()
        self._cursor: Counter[int] = Counter()

    def take(self, reader: Reader, payload: bytes, at: int) -> None:
        """One message: counted if it is a broadcast that was read before, else its reader's to read."""
        told = self._known.get(payload)
        if told is None:
            reader.read(payload, at)
        else:
            self._count(reader, told, at)

    def learn(self, reader: Reader, payload: bytes, told: Told, at: int) -> None:
        """The first delivery of a broadcast was read; the others are only counted."""
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[payload] = told
        self._count(reader, told, at)

    def _count(self, reader: Reader, told: Told, at: int) -> None:
        self.deliveries += 1
        if told.seq:
            if reader.joined and told.seq == reader.seq + 1:
                reader.seq = told.seq
            else:
                reader.out_of_step(told.seq)
        if told.stamp and told.stamp >= self.measure_from:
            (self._cursor if told.is_cursor else self._delivery)[bucket_of(at - told.stamp)] += 1
        if told.is_notable and reader.attends:
            reader.noticed(told, at)

    def counted(self) -> tuple[int, dict[int, int], dict[int, int]]:
        """(deliveries, their latencies, those of cursors) since the last call; latencies by `histogram.bucket_of`."""
        found = self.deliveries, dict(self._delivery), dict(self._cursor)
        self.deliveries = 0
        self._delivery.clear()
        self._cursor.clear()
        return found
