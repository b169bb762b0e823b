"""The bars of quality, on books with known truth. The figures themselves come from ``loadtest.bench_matching``."""

from __future__ import annotations

from pathlib import Path

import pytest

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
