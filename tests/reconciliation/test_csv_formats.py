"""Dates and amounts are read one way only: the way the file shows, or the way the user says."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_server.core.money import format_minor_units
from realtime_server.errors import CollaborationError
from realtime_server.reconciliation.csv_formats import AmountReader, DateEvidence, DateReader, NumberEvidence
from realtime_server.reconciliation.csv_rows import RowError
from tests.reconciliation.files import Opener, errors_of, rows_of


def file_of_dates(*dates: str) -> str:
    return "id;date;amount;currency\n" + "".join(f"A{n};{text};5;EUR\n" for n, text in enumerate(dates))


def file_of_amounts(*amounts: str) -> str:
    return "id;date;amount;currency\n" + "".join(f"A{n};2026-10-01;{text};EUR\n" for n, text in enumerate(amounts))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-10-05", "2026-10-05"),
        ("2026/10/05", "2026-10-05"),
        ("2026.10.5", "2026-10-05"),
        ("20261005", "2026-10-05"),
        ("2026-10-05T23:59:59Z", "2026-10-05"),
        ("2026-10-05 00:00:00.000", "2026-10-05"),
        ("2026-10-05 3:45 PM", "2026-10-05"),
        ("05/05/2026 3:45 PM", "2026-05-05"),
        ("05/05/2026 03:45:00 a.m.", "2026-05-05"),
        ("05/05/2026 3:45\u202fpm", "2026-05-05"),
        ("5 Oct 2026", "2026-10-05"),
        ("05-OCT-2026", "2026-10-05"),
        ("October 5, 2026", "2026-10-05"),
        ("05/05/2026", "2026-05-05"),
    ],
)
def test_a_date_with_one_reading_needs_no_help(opened: Opener, written: str, read: str) -> None:
    file = opened(file_of_dates(written))
    assert file.format.date_format is None
    assert rows_of(file)[0].values["date"] == read


@pytest.mark.parametrize(
    ("dates", "found", "read"),
    [
        (["04/05/2026", "31/05/2026"], "dd/mm/yyyy", "2026-05-04"),
        (["04/05/2026", "05/31/2026"], "mm/dd/yyyy", "2026-04-05"),
        (["4.5.2026", "31.5.2026"], "dd/mm/yyyy", "2026-05-04"),
        (["04-05-2026 10:15", "05-31-2026 10:15"], "mm/dd/yyyy", "2026-04-05"),
        (["4/5/2026 11:59 PM", "5/31/2026 12:00 AM"], "mm/dd/yyyy", "2026-04-05"),
        (["04/05/2026", "31/05/2026", "99/99/2026", "2026-01-02"], "dd/mm/yyyy", "2026-05-04"),
    ],
)
def test_one_clear_date_anywhere_decides_for_the_whole_file(
    opened: Opener, dates: list[str], found: str, read: str
) -> None:
    file = opened(file_of_dates(*dates))
    assert file.format.date_format == found
    assert next(iter(file)).values["date"] == read  # type: ignore[union-attr]  # the first row is a good one


@pytest.mark.parametrize(
    ("dates", "lines"),
    [(["05/05/2026", "04/05/2026"], ["line 3"]), (["31/05/2026", "05/31/2026"], ["line 2", "line 3"])],
)
def test_a_file_whose_dates_read_both_ways_is_refused_until_the_format_is_said(
    opened: Opener, dates: list[str], lines: list[str]
) -> None:
    content = file_of_dates(*dates)
    with pytest.raises(CollaborationError, match="--date-format dd/mm/yyyy or --date-format mm/dd/yyyy") as refused:
        opened(content)
    assert refused.value.details == {"option": "date_format"}
    assert all(line in refused.value.message for line in lines)
    file = opened(content, date_format="dd/mm/yyyy")
    assert len(list(file)) == 2


def test_a_date_that_does_not_fit_the_format_said_is_a_row_error(opened: Opener) -> None:
    assert errors_of(opened(file_of_dates("31/05/2026", "05/31/2026"), date_format="dd/mm/yyyy")) == [(3, "date")]


@pytest.mark.parametrize(
    ("date_format", "written", "read"),
    [
        ("dd/mm/yyyy", "4.5.2026", "2026-05-04"),
        ("MM/DD/YYYY", "04/05/2026", "2026-04-05"),
        ("dd.mm.yy", "04.05.26", "2026-05-04"),
        ("mm/dd/yy", "04/05/69", "1969-04-05"),
        ("yy-mm-dd", "26-05-04", "2026-05-04"),
        ("dd mon yy", "04 May 26", "2026-05-04"),
        ("dd.mm.yy", "22.11.26 10:00", "2026-11-22"),
        ("mm/dd/yy", "11/22/26 3:45 PM", "2026-11-22"),
        ("ddmmyyyy", "04052026", "2026-05-04"),
        ("ddmmyyyy", "1112026", "2026-11-01"),
        ("mmddyyyy", "1112026", "2026-01-11"),
        ("ddmmyy", "11126", "2026-11-01"),
        ("ddmonyy", "1nov26", "2026-11-01"),
        ("dd.mm.yy", "2026-05-04", "2026-05-04"),
    ],
)
def test_a_format_that_is_said_is_used(opened: Opener, date_format: str, written: str, read: str) -> None:
    assert rows_of(opened(file_of_dates(written), date_format=date_format))[0].values["date"] == read


@pytest.mark.parametrize(
    ("date_format", "written"), [("ddmmyyyy", "112026"), ("ddmmyy", "1126"), ("yymmdd", "26112")]
)
def test_digits_that_nothing_divides_are_not_guessed_at(opened: Opener, date_format: str, written: str) -> None:
    assert errors_of(opened(file_of_dates(written), date_format=date_format)) == [(2, "date")]


@pytest.mark.parametrize("written", ["22.11.26", "22.11.26 10:00"])
def test_a_year_of_two_digits_is_refused_with_the_option_that_settles_it(opened: Opener, written: str) -> None:
    (refused,) = opened(file_of_dates(written))
    assert isinstance(refused, RowError)
    assert "--date-format dd.mm.yy or --date-format mm.dd.yy" in refused.message


@pytest.mark.parametrize("date_format", ["dd/mm", "dd/dd/yyyy", "%d/%m/%Y", "dd/mm/yyyy hh:mm", "", "(d)/mm/yyyy"])
def test_a_format_that_is_none_is_refused(opened: Opener, date_format: str) -> None:
    with pytest.raises(CollaborationError, match="a date format is written like"):
        opened(file_of_dates("2026-10-01"), date_format=date_format)


@given(
    days=st.lists(st.dates(date(1900, 1, 1), date(2199, 12, 31)), min_size=1),
    pattern=st.sampled_from(["%d/%m", "%m/%d"]),
)
def test_a_file_of_dates_is_read_back_as_written_or_refused_as_ambiguous(days: list[date], pattern: str) -> None:
    written = [f"{day.strftime(pattern)}/{day.year:04d}" for day in days]
    evidence = DateEvidence()
    for line, text in enumerate(written, start=2):
        evidence.see(line, text)
    try:
        reader = DateReader(evidence.decide())
    except CollaborationError:
        assert all(day.day <= 12 for day in days)
        return
    assert [reader.read(text) for text in written] == [day.isoformat() for day in days]


@pytest.mark.parametrize(
    ("amounts", "decimal", "read"),
    [
        (["1234.5"], ".", "1234.50"),
        (["1,234.50"], ".", "1234.50"),
        (["1,234,567"], ".", "1234567.00"),
        (["1,234", "0.50"], ".", "1234.00"),
        (["12,34,567.00"], ".", "1234567.00"),
        (["1'234.50"], ".", "1234.50"),
        (["1 234.50"], ".", "1234.50"),
        (["1.234,50"], ",", "1234.50"),
        (["1.234", "0,50"], ",", "1234.00"),
        (["1.234.567"], ",", "1234567.00"),
        (["1\u202f234,50"], ",", "1234.50"),
        (["1\u00a0234,5"], ",", "1234.50"),
        ([",5"], ",", "0.50"),
        (["(1,234.50)"], ".", "-1234.50"),
        (["(5)"], ".", "-5.00"),
        (["100.00-"], ".", "-100.00"),
        (["−7.5"], ".", "-7.50"),
        (["- 7.5"], ".", "-7.50"),
        (["+7.5"], ".", "7.50"),
        (["10.5000"], ".", "10.50"),
        (["007"], ".", "7.00"),
    ],
)
def test_the_ways_of_writing_an_amount_are_read_exactly(
    opened: Opener, amounts: list[str], decimal: str, read: str
) -> None:
    file = opened(file_of_amounts(*amounts))
    assert file.format.decimal == decimal
    assert rows_of(file)[0].values["amount"] == read


@pytest.mark.parametrize("amounts", [["1,234"], ["1.234", "500"], ["1.50", "1,50"], ["1,234.50", "1.234,50"]])
def test_a_file_whose_amounts_read_both_ways_is_refused_until_the_mark_is_said(
    opened: Opener, amounts: list[str]
) -> None:
    with pytest.raises(CollaborationError, match="--decimal") as refused:
        opened(file_of_amounts(*amounts))
    assert refused.value.details == {"option": "decimal"}
    assert len(list(opened(file_of_amounts(*amounts), decimal="."))) == len(amounts)


def test_three_decimals_are_never_taken_for_thousands_where_the_file_shows_its_mark(opened: Opener) -> None:
    assert errors_of(opened(file_of_amounts("10.50", "10.505"))) == [(3, "amount")]


def test_rubbish_in_one_row_does_not_decide_how_the_others_are_read(opened: Opener) -> None:
    assert errors_of(opened(file_of_amounts("1,50", "1,2,3.4.5", "n/a.", "1.2,3.4"))) == [
        (3, "amount"), (4, "amount"), (5, "amount"),
    ]  # fmt: skip


def _grouped(plain: str, separator: str, decimal: str) -> str:
    whole, _, decimals = plain.lstrip("-").partition(".")
    groups = f"{int(whole):,}".replace(",", separator)
    text = f"{groups}{decimal}{decimals}" if decimals else groups
    return f"({text})" if plain.startswith("-") else text


@given(
    values=st.lists(st.integers(-(10**14), 10**14), min_size=1, max_size=20),
    style=st.sampled_from([(",", "."), (".", ","), ("'", "."), ("\u00a0", ","), ("", "."), ("", ",")]),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_a_file_of_amounts_is_read_back_as_written_or_refused_as_ambiguous(
    values: list[int], style: tuple[str, str], currency: str
) -> None:
    canonical = [format_minor_units(value, currency) for value in values]
    written = [_grouped(text, *style) for text in canonical]
    evidence = NumberEvidence()
    for line, text in enumerate(written, start=2):
        evidence.see(line, text)
    try:
        decimal = evidence.decide()
    except CollaborationError:
        assert currency != "EUR"
        decimal = style[1]
    reader = AmountReader(decimal)
    assert [reader.read(text, currency) for text in written] == canonical
