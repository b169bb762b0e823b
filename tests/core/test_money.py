"""Money keeps its value: what is written can be read, and what cannot be exact is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_server.core.money import (
    EXPONENTS,
    MAX_DIGITS,
    canonical_amount,
    check_currency,
    format_minor_units,
    minor_unit_exponent,
    parse_minor_units,
)

MINOR = st.integers(min_value=-(10**MAX_DIGITS) + 1, max_value=10**MAX_DIGITS - 1)
CURRENCY = st.sampled_from(["EUR", "USD", "GBP", "JPY", "KRW", "KWD", "TND", "CLF", "XBT"])


@given(minor=MINOR, currency=CURRENCY)
def test_what_is_formatted_parses_back_to_the_same_minor_units(minor: int, currency: str) -> None:
    assert parse_minor_units(format_minor_units(minor, currency), currency) == minor


@given(minor=MINOR, currency=CURRENCY)
def test_the_text_is_worth_the_minor_units_as_a_decimal(minor: int, currency: str) -> None:
    assert Decimal(format_minor_units(minor, currency)) == Decimal(minor).scaleb(-minor_unit_exponent(currency))


@given(minor=MINOR, currency=CURRENCY, zeros=st.integers(0, 5), plus=st.booleans())
def test_every_spelling_of_a_value_has_one_canonical_form(minor: int, currency: str, zeros: int, plus: bool) -> None:
    canonical = format_minor_units(minor, currency)
    sign = "-" if minor < 0 else "+" * plus
    spelling = sign + "0" * zeros + canonical.lstrip("-")
    assert canonical_amount(spelling, currency) == canonical
    assert canonical_amount(canonical, currency) == canonical


@given(text=st.text(alphabet="0123456789.+-,eE_ ٣", max_size=12) | st.text(max_size=30), currency=CURRENCY)
def test_any_text_is_either_refused_or_read_exactly(text: str, currency: str) -> None:
    try:
        minor = parse_minor_units(text, currency)
    except ValueError:
        return
    assert text.isascii()
    assert Decimal(text) == Decimal(format_minor_units(minor, currency))


@given(value=st.integers(min_value=-(10**14), max_value=10**14))
def test_an_integer_is_a_whole_number_of_major_units(value: int) -> None:
    assert parse_minor_units(value, "EUR") == value * 100
    assert parse_minor_units(value, "JPY") == value


@pytest.mark.parametrize(
    ("text", "currency", "canonical"),
    [
        ("10.5", "EUR", "10.50"),
        (".5", "EUR", "0.50"),
        ("-0", "EUR", "0.00"),
        ("-0.00", "USD", "0.00"),
        ("+7", "USD", "7.00"),
        ("1050", "JPY", "1050"),
        ("-1.234", "KWD", "-1.234"),
        ("1.2345", "CLF", "1.2345"),
        ("9999999999999999.99", "EUR", "9999999999999999.99"),
        ("0" * 30 + "1", "EUR", "1.00"),
        (-3, "GBP", "-3.00"),
    ],
)
def test_a_number_gets_its_canonical_spelling(text: str | int, currency: str, canonical: str) -> None:
    assert canonical_amount(text, currency) == canonical


@pytest.mark.parametrize(
    "text",
    ["", "-", ".", "1.", "+-1", "1e3", "1,000.00", "1 000", " 1", "1\n", "NaN", "Infinity", "0x10", "1_000", "(5)",
     "١٢", "１２", "−5", "10.505", "10000000000000000.00", "9" * 19, "9" * 100_000, 10**16, 10**100_000, -(10**16)],
    ids=lambda value: repr(value)[:20] if isinstance(value, str) else "large",
)  # fmt: skip
def test_a_text_that_is_no_exact_amount_is_refused(text: str | int) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_minor_units(text, "EUR")


@pytest.mark.parametrize("value", [1.5, True, None, b"1", Decimal("1"), ["1"]], ids=repr)
def test_only_text_and_integers_are_amounts(value: Any) -> None:
    with pytest.raises(ValueError, match="written as text"):
        parse_minor_units(value, "EUR")


@pytest.mark.parametrize(
    ("text", "currency", "says"),
    [("10.505", "EUR", "at most 2"), ("10.0", "JPY", "no decimals"), ("1.2345", "KWD", "at most 3")],
)
def test_more_decimals_than_the_currency_has_are_refused(text: str, currency: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_minor_units(text, currency)


@pytest.mark.parametrize("minor", [10**18, -(10**18), 10**30])
def test_more_than_eighteen_digits_are_not_written_either(minor: int) -> None:
    with pytest.raises(ValueError, match="at most 18 digits"):
        format_minor_units(minor, "EUR")


@pytest.mark.parametrize("code", ["", "eur", "EU", "EURO", "EÜR", "EUR\n", "ＥＵＲ", "E R", None, 978], ids=repr)
def test_a_currency_is_three_upper_case_ascii_letters(code: Any) -> None:
    with pytest.raises(ValueError, match="three upper-case letters"):
        check_currency(code)
    with pytest.raises(ValueError, match="three upper-case letters"):
        parse_minor_units("1", code)


def test_the_table_names_only_currencies_that_differ_from_two_decimals() -> None:
    assert set(EXPONENTS.values()) == {0, 3, 4}
    assert all(check_currency(code) == code for code in EXPONENTS)
    assert minor_unit_exponent("EUR") == 2
