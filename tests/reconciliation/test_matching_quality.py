"""The bars of quality, on books with known truth. The figures themselves come from ``loadtest.bench_matching``."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.bench_later_run import KINDS, Score, later, runs
from loadtest.bench_matching import Books, generated, ours, variants
from loadtest.bench_matching import payments as read_payments


@pytest.fixture(scope="module")
def generated_books() -> list[Books]:
    return [generated(seed, size) for seed, size in ((11, 800), (12, 3_000), (13, 8_000))]


def test_of_generated_groups_99_in_100_are_right_and_95_in_100_are_found(generated_books: list[Books]) -> None:
    for books in generated_books:
        figures = ours(books)
        assert figures.precision >= 0.99, (books.name, figures)
        assert figures.recall >= 0.95, (books.name, figures)


def test_of_what_is_confirmed_by_itself_9995_in_10000_are_right(generated_books: list[Books]) -> None:
    for books in generated_books:
        figures = ours(books)
        assert figures.confirmed_right >= 0.9995, (books.name, figures)
        assert figures.confirmed_share >= 0.6, (books.name, figures)


def test_payments_are_matched_at_least_as_well_as_by_the_best_open_model(payments: Path) -> None:
    """splink 4 on this set: precision 0.9989 at recall 0.9896."""
    figures = ours(read_payments(payments))
    assert figures.precision >= 0.9989
    assert figures.recall >= 0.9896
    assert figures.confirmed_right >= 0.9995
    assert figures.confirmed_share >= 0.6


def test_the_same_books_otherwise_are_matched_nearly_as_well(payments: Path) -> None:
    for books in variants(read_payments(payments)):
        figures = ours(books)
        assert figures.precision >= 0.997, (books.name, figures)
        assert figures.recall >= 0.99, (books.name, figures)
        assert figures.confirmed_right >= 0.9995, (books.name, figures)


@pytest.mark.parametrize(("pairs", "records", "times"), [(0, 200, 3), (5, 20, 8), (5, 200, 4), (20, 100, 4)])
def test_late_pairs_are_found_as_well_as_if_they_had_been_there_at_first(pairs: int, records: int, times: int) -> None:
    """Whether they have a reference in common or not; and where there are none, none are found."""
    scores: dict[str, Score] = {}
    for seed in range(times):
        case = later(generated(50 + seed, 2_000), seed, pairs, records)
        for way, proposals in runs(case):
            scores.setdefault(way, Score()).add(case, proposals)
    found, wrong = scores["later"], scores["later"].found - scores["later"].right
    for kind in KINDS:
        assert found.right[kind] >= 0.97 * scores["at once"].right[kind], (kind, found, scores["at once"])
        assert found.confirmed_right[kind] == found.confirmed[kind], (kind, found)
    assert wrong.total() <= 0.02 * pairs * times, found
    assert scores["later"].true.total() == pairs * times
