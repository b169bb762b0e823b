"""How good a later run is: ``python -m loadtest.bench_later_run [--payments DIR] [--times N] [--learned]``.

Books with known truth are matched, and what is found is accepted. Of what is then still open, the newest records
without a counterpart are left, half of them bereft of theirs, so that they look like any other; the rest is set aside.
To them come pairs that arrived late, and a second run looks at both. Printed for each size of this remainder (true
pairs, open records) and each kind of pair (with a reference in common, without), for so many books of each size:

    alone    the second run, if it knew nothing but what is open
    later    the second run as it is: it knows what is settled
    at once  the same pairs in a single run over everything, had they been there: the yardstick

Recall, precision, and of what was confirmed by itself how much is right. ``--payments``: on that set too. ``--learned``
prints, for the last books of each size, what each run learned: the share of each outcome among true pairs (m), and for
the late pairs how likely theirs are by chance (u), and their odds, in bits.

A proposal counts as right only when it joins exactly the records that truly belong together.
"""

from __future__ import annotations

import argparse
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.bench_matching import Books, Group, generated, payments
from realtime_server.core.matching.proposals import Proposal
from realtime_server.core.matching.propose import propose, reach_of
from realtime_server.core.matching.rules import DEFAULT_RULES
from realtime_server.core.matching.settled import Settled
from realtime_server.core.matching.table import Item
from realtime_server.core.matching.text import plain_reference, references_in
from realtime_server.core.matching.workspace import prepare

#: (true pairs, open records) of a remainder, and how many times as many books of it as ``--times``: small ones say
#: little each.
SIZES = ((0, 200, 2), (5, 20, 4), (5, 200, 2), (20, 100, 2), (100, 500, 1))
#: Rows of the generated books of which the remainder is left.
ROWS = 4_000
KINDS = ("with reference", "without")


@dataclass(frozen=True)
class Later:
    """A second run's books. ``late``: the true pairs of ``ledger`` and ``statement``. ``first``: both sides before
    anything was matched, late records included."""

    ledger: list[Item]
    statement: list[Item]
    late: frozenset[Group]
    settled: Settled
    first: tuple[list[Item], list[Item]]


@dataclass
class Score:
    """Counts by kind of pair."""

    true: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    confirmed: Counter[str] = field(default_factory=Counter)
    confirmed_right: Counter[str] = field(default_factory=Counter)

    def add(self, case: Later, proposals: Sequence[Proposal]) -> None:
        """What concerns the records that the second run looks at."""
        by_id = {item.record_id: item for side in case.first for item in side}
        opened = {item.record_id for item in (*case.ledger, *case.statement)}
        self.true.update(_kind(by_id, [*a, *b]) for a, b in case.late)
        for item in proposals:
            if not opened.isdisjoint(item.records):
                kind = _kind(by_id, item.records)
                right = (frozenset(item.ledger), frozenset(item.statement)) in case.late
                self.found[kind] += 1
                self.right[kind] += right
                self.confirmed[kind] += item.confirmed
                self.confirmed_right[kind] += item.confirmed and right

    def __str__(self) -> str:
        return "   ".join(self._of(kind) for kind in KINDS)

    def _of(self, kind: str) -> str:
        recall, precision = _share(self.right[kind], self.true[kind]), _share(self.right[kind], self.found[kind])
        confirmed = f"{self.confirmed_right[kind]:3} of {self.confirmed[kind]:3} confirmed right"
        return f"{kind}: recall {recall} precision {precision} {confirmed}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f} ({part:3} of {whole:3})" if whole else f"{'-':18}"


# -- books -------------------------------------------------------------------------------------------------------------


def later(books: Books, seed: int, pairs: int, records: int) -> Later:
    """A second run's books with so many true pairs, and so many records in all."""
    rng = random.Random(seed)
    by_id = {item.record_id: item for item in (*books.ledger, *books.statement)}
    newest = sorted(_singles(books), key=lambda pair: (by_id[pair[0]].day, pair))[-2 * (pairs + records) :]
    chosen = rng.sample(newest, pairs + records)
    late, bereft = chosen[:pairs], chosen[pairs:]
    coming = {record for pair in late for record in pair}
    gone = {pair[number % 2] for number, pair in enumerate(bereft)}
    first = [[item for item in side if item.record_id not in gone | coming] for side in (books.ledger, books.statement)]
    proposals = propose(first[0], first[1], DEFAULT_RULES)
    there = {item.record_id for side in first for item in side}
    matched = {record for item in proposals for record in item.records}
    whole = {record for a, b in books.truth if a | b <= there for record in a | b}
    alone = sorted(there - matched - whole, key=lambda record: (by_id[record].day, record))[-2 * records :]
    left = coming.union(rng.sample(alone, min(records - 2 * pairs, len(alone))))
    before = [[item for item in side if item.record_id not in left] for side in first]
    known = [
        (item.ledger[0], item.statement[0])
        for item in proposals
        if len(item.ledger) == len(item.statement) == 1 and left.isdisjoint(item.records)
    ]
    return Later(
        [item for item in books.ledger if item.record_id in left],
        [item for item in books.statement if item.record_id in left],
        frozenset((frozenset([a]), frozenset([b])) for a, b in late),
        Settled(before[0], before[1], known),
        ([*first[0], *(by_id[a] for a, _ in late)], [*first[1], *(by_id[b] for _, b in late)]),
    )


def _singles(books: Books) -> Iterator[tuple[str, str]]:
    for ledger, statement in books.truth:
        if len(ledger) == len(statement) == 1:
            yield next(iter(ledger)), next(iter(statement))


def _kind(by_id: dict[str, Item], records: Sequence[str]) -> str:
    mine, theirs = (_references(by_id[record]) for record in (records[0], records[-1]))
    return KINDS[0] if mine & theirs else KINDS[1]


def _references(item: Item) -> set[str]:
    return {plain_reference(item.reference), *references_in(item.description)} - {""}


# -- runs --------------------------------------------------------------------------------------------------------------


def runs(case: Later) -> Iterator[tuple[str, list[Proposal]]]:
    yield "alone", propose(case.ledger, case.statement, DEFAULT_RULES)
    yield "later", propose(case.ledger, case.statement, DEFAULT_RULES, settled=case.settled)
    yield "at once", propose(*case.first, DEFAULT_RULES)


def _learned(case: Later) -> Iterator[str]:
    reach, true = reach_of(DEFAULT_RULES), {(next(iter(a)), next(iter(b))) for a, b in case.late}
    for name, work in (
        ("alone", prepare(case.ledger, case.statement, reach)),
        ("later", prepare(case.ledger, case.statement, reach, settled=case.settled)),
        ("at once", prepare(*case.first, reach)),
    ):
        yield f"    {name}: {float(work.scored.sure.sum()):.1f} pairs expected among the open"
        for comparison, shares in work.scored.learned.items():
            yield f"      {comparison:12} {' '.join(f'{share:.3f}' for share in shares)}"
        rows = zip(work.pairs.left.tolist(), work.pairs.right.tolist(), strict=True)
        ids = ((work.ledger.items[a].record_id, work.statement.items[b].record_id) for a, b in rows)
        here = [place for place, pair in enumerate(ids) if pair in true]
        if here:
            chance = (f"{item.name} {item.chance[here].mean():.1f}" for item in work.compared)
            yield f"      the late pairs' outcomes by chance, in bits, on average: {', '.join(chance)}"
            yield f"      their odds, in bits: {' '.join(f'{bits:.1f}' for bits in sorted(work.scored.bits[here]))}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(__file__).parents[1].parent / "shared/data/payments"
    parser.add_argument("--payments", type=Path, default=Path(os.environ.get("PAYMENTS_DIR", beside)))
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--learned", action="store_true")
    arguments = parser.parse_args()
    real = payments(arguments.payments) if arguments.payments.is_dir() else None
    if real is None:
        print(f"{arguments.payments} is not there: give the folder with --payments")
    for given in (None, *([real] if real else [])):
        for pairs, records, times in SIZES:
            scores: dict[str, Score] = {}
            for seed in range(times * arguments.times):
                case = later(given or generated(1_000 + seed, ROWS), seed, pairs, records)
                for way, proposals in runs(case):
                    scores.setdefault(way, Score()).add(case, proposals)
            name = given.name if given else "generated"
            print(f"{name}: {pairs} pairs among {records} open records, {times * arguments.times} books")
            for way, score in scores.items():
                print(f"  {way:8} {score}", flush=True)
            if arguments.learned:
                print("\n".join(_learned(case)), flush=True)


if __name__ == "__main__":
    main()
