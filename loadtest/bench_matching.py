"""How good and how quick the matching is: ``python -m loadtest.bench_matching [--payments DIR] [--large]``.

Prints precision, recall, what is confirmed by itself, and seconds of processor time: on the payments set and on
variants of it (rows shuffled, amounts scaled, dates pulled apart, names exchanged), on generated books with known
truth, and with ``--large`` on 45,000 x 45,000 rows. Where splink is installed, its figures stand beside ours on the
same files (``pip install 'realtime-server[bench]'``): Fellegi and Sunter's model on DuckDB, trained without truth, then
greedy one to one.

A proposal counts as right only when it joins exactly the records that truly belong together.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from realtime_server.core.matching.propose import propose
from realtime_server.core.matching.rules import DEFAULT_RULES
from realtime_server.core.matching.table import Item, item_of
from realtime_server.reconciliation.generator import generate

Group = tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True)
class Books:
    name: str
    ledger: list[Item]
    statement: list[Item]
    truth: frozenset[Group]


@dataclass(frozen=True)
class Figures:
    precision: float
    recall: float
    confirmed_right: float
    confirmed_share: float
    seconds: float

    def __str__(self) -> str:
        shown = f"precision {self.precision:.4f}  recall {self.recall:.4f}"
        if self.confirmed_share:
            shown += f"  confirmed {self.confirmed_right:.4f} right, {self.confirmed_share:.4f} of all"
        return f"{shown}  {self.seconds:.2f} s of CPU"


# -- books -------------------------------------------------------------------------------------------------------------


def payments(folder: Path) -> Books:
    """``ledger.csv``, ``statement.csv`` (id, date, amount, currency, description), ``truth.csv`` (ledger_id,
    statement_id)."""
    sides = [_read(folder / f"{name}.csv") for name in ("ledger", "statement")]
    with (folder / "truth.csv").open(newline="") as file:
        truth = {(frozenset([row["ledger_id"]]), frozenset([row["statement_id"]])) for row in csv.DictReader(file)}
    return Books("payments", sides[0], sides[1], frozenset(truth))


def _read(path: Path) -> list[Item]:
    with path.open(newline="") as file:
        found = (item_of(row["id"], row) for row in csv.DictReader(file))
        return [item for item in found if item is not None]


def variants(books: Books) -> Iterator[Books]:
    """The same books otherwise: none of this may matter much."""
    rng = random.Random(1)
    yield books
    yield replace(
        books,
        name="payments, rows shuffled",
        ledger=rng.sample(books.ledger, len(books.ledger)),
        statement=rng.sample(books.statement, len(books.statement)),
    )
    scaled = [replace(item, minor=round(item.minor * 7.3), currency="JPY") for item in books.ledger]
    others = [replace(item, minor=round(item.minor * 7.3), currency="JPY") for item in books.statement]
    yield replace(books, name="payments, other amounts", ledger=scaled, statement=others)
    later = [replace(item, day=item.day + rng.randrange(-2, 9)) for item in books.statement]
    yield replace(books, name="payments, other days", statement=later)
    letters = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "QWERTYUIOPASDFGHJKLZXCVBNM")
    renamed = [
        [replace(item, description=item.description.upper().translate(letters)) for item in side]
        for side in (books.ledger, books.statement)
    ]
    yield replace(books, name="payments, other names", ledger=renamed[0], statement=renamed[1])
    yield replace(books, name="payments, a third of the ledger", ledger=rng.sample(books.ledger, 1_598))


def known(books: Books) -> frozenset[Group]:
    """The truth about the records that are there: a sample lacks partners."""
    there = {item.record_id for item in (*books.ledger, *books.statement)}
    return frozenset(group for group in books.truth if (group[0] | group[1]) <= there)


def generated(seed: int, size: int) -> Books:
    made = generate(seed, size)
    sides = [
        [Item(r.external_id, r.minor, r.currency, r.date.toordinal(), r.description, r.reference) for r in side]
        for side in (made.ledger, made.statement)
    ]
    groups = (group for group in made.groups if group.is_matched)
    truth = (
        (frozenset(r.external_id for r in group.ledger), frozenset(r.external_id for r in group.statement))
        for group in groups
    )
    return Books(f"generated, {size:,} rows, seed {seed}", sides[0], sides[1], frozenset(truth))


def dense(books: Books, copies: int = 10) -> Books:
    """The payments over and over, with amounts and dates of other pairs: ten times as many rows in the same months, and
    every name ten times."""
    rng = random.Random(1)
    by_id = {item.record_id: item for item in (*books.ledger, *books.statement)}
    pairs = sorted((next(iter(a)), next(iter(b))) for a, b in books.truth)
    matched = {record for pair in pairs for record in pair}
    ledger: list[Item] = []
    statement: list[Item] = []
    truth: set[Group] = set()
    for copy in range(copies):
        amounts, days = rng.sample(pairs, len(pairs)), rng.sample(pairs, len(pairs))
        for pair, money, time_ in zip(pairs, amounts, days, strict=True):
            factor = rng.uniform(0.7, 1.4)
            x, y = (by_id[record].minor for record in money)
            minors = round(x * factor), round(x * factor) if x == y else round(y * factor)
            sides = [
                replace(by_id[record], record_id=f"{record}-{copy}", minor=minor, day=by_id[day].day)
                for record, minor, day in zip(pair, minors, time_, strict=True)
            ]
            ledger.append(sides[0])
            statement.append(sides[1])
            truth.add((frozenset([sides[0].record_id]), frozenset([sides[1].record_id])))
        for side, rows in ((ledger, books.ledger), (statement, books.statement)):
            alone = [item for item in rows if item.record_id not in matched]
            side += [
                replace(item, record_id=f"{item.record_id}-{copy}", minor=round(item.minor * rng.uniform(0.7, 1.4)))
                for item in alone
            ]
    return Books(f"payments, {copies} times as dense", ledger, statement, frozenset(truth))


# -- figures -----------------------------------------------------------------------------------------------------------


def ours(books: Books) -> Figures:
    began = time.process_time()
    proposals = propose(books.ledger, books.statement, DEFAULT_RULES)
    seconds = time.process_time() - began
    truth = known(books)
    found = [((frozenset(item.ledger), frozenset(item.statement)), item.confirmed) for item in proposals]
    right = sum(group in truth for group, _ in found)
    confirmed = [group for group, sure in found if sure]
    confirmed_right = sum(group in truth for group in confirmed)
    return Figures(
        right / max(len(found), 1),
        right / max(len(truth), 1),
        confirmed_right / max(len(confirmed), 1),
        confirmed_right / max(len(truth), 1),
        seconds,
    )


def splinks(books: Books) -> Figures | None:
    """The peer: amount by relative difference, days of lag, beginning and Jaro-Winkler of the description; blocked on
    the same amount, or a like beginning within a window of days. None where it is not installed."""
    try:
        import pandas
        from splink import DuckDBAPI, Linker, SettingsCreator, block_on
    except ImportError:
        return None
    frames = [pandas.DataFrame([_row(item) for item in side]) for side in (books.ledger, books.statement)]
    window = "r.day - l.day between 0 and 30"
    rules: list[Any] = [
        block_on("amount"),
        f"l.beginning = r.beginning and {window}",
    ]
    settings = SettingsCreator(
        link_type="link_only",
        unique_id_column_name="id",
        blocking_rules_to_generate_predictions=rules,
        comparisons=[_amounts(), _days(), _texts()],
        probability_two_random_records_match=1 / max(len(books.ledger), 1),
    )
    began = time.process_time()
    linker = Linker(frames, settings, DuckDBAPI(), set_up_basic_logging=False)
    linker.training.estimate_u_using_random_sampling(max_pairs=5e6, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("amount"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("beginning"))
    scores = linker.inference.predict(threshold_match_probability=0.05).as_pandas_dataframe()
    pairs = _greedy(scores.sort_values("match_weight", ascending=False), {item.record_id for item in books.ledger})
    seconds = time.process_time() - began
    truth = known(books)
    right = sum((frozenset([a]), frozenset([b])) in truth for a, b in pairs)
    return Figures(right / max(len(pairs), 1), right / max(len(truth), 1), 0.0, 0.0, seconds)


def _row(item: Item) -> dict[str, Any]:
    text = item.description
    return {"id": item.record_id, "amount": item.minor, "day": item.day, "text": text, "beginning": text[:3]}


def _level(sql: str, label: str) -> dict[str, Any]:
    return {"sql_condition": sql, "label_for_charts": label}


def _comparison(name: str, null: str, levels: Sequence[str]) -> dict[str, Any]:
    first = {"sql_condition": null, "label_for_charts": "null", "is_null_level": True}
    last = _level("ELSE", "else")
    return {"output_column_name": name, "comparison_levels": [first, *(_level(sql, sql) for sql in levels), last]}


def _amounts() -> dict[str, Any]:
    differ = "abs(amount_l - amount_r) / greatest(abs(amount_l), abs(amount_r), 1)"
    levels = ["amount_l = amount_r", *(f"{differ} < {edge}" for edge in (0.01, 0.03, 0.05, 0.1))]
    return _comparison("amount", "amount_l is null or amount_r is null", levels)


def _days() -> dict[str, Any]:
    lag = "day_r - day_l"
    levels = [f"{lag} between {first} and {last}" for first, last in ((0, 1), (2, 2), (3, 6), (7, 21), (-10, -1))]
    return _comparison("day", "day_l is null or day_r is null", levels)


def _texts() -> dict[str, Any]:
    levels = [
        "text_l = text_r",
        "starts_with(text_l, text_r) or starts_with(text_r, text_l)",
        "substr(text_l, 1, 8) = substr(text_r, 1, 8)",
        "jaro_winkler_similarity(text_l, text_r) > 0.9",
        "beginning_l = beginning_r",
    ]
    return _comparison("text", "text_l is null or text_r is null", levels)


def _greedy(scores: Any, ledger: set[str]) -> list[tuple[str, str]]:
    used: set[str] = set()
    pairs: list[tuple[str, str]] = []
    for one, other in zip(scores["id_l"], scores["id_r"], strict=True):
        if one not in used and other not in used:
            used |= {one, other}
            pairs.append((one, other) if one in ledger else (other, one))
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(__file__).parents[1].parent / "shared/data/payments"
    parser.add_argument("--payments", type=Path, default=Path(os.environ.get("PAYMENTS_DIR", beside)))
    parser.add_argument("--alone", action="store_true", help="without splink")
    parser.add_argument("--large", action="store_true", help="45,000 x 45,000 rows too")
    arguments = parser.parse_args()
    if arguments.payments.is_dir():
        real = payments(arguments.payments)
        for books in [*variants(real), *([dense(real)] if arguments.large else [])]:
            _print(books, peer=not arguments.alone)
    else:
        print(f"{arguments.payments} is not there: give the folder with --payments")
    sizes = [(1, 2_000), (2, 5_000), (3, 20_000), *([(4, 90_000)] if arguments.large else [])]
    for seed, size in sizes:
        _print(generated(seed, size), peer=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak memory of this process: {peak} MB, splink's included where it ran")


def _print(books: Books, *, peer: bool) -> None:
    print(f"{books.name}: {len(books.ledger):,} x {len(books.statement):,}")
    print(f"  ours    {ours(books)}")
    if peer:
        print(f"  splink  {splinks(books) or 'not installed'}", flush=True)


if __name__ == "__main__":
    main()
