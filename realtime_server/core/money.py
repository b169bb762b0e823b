"""Money, exactly: decimal text on the wire, an integer of minor units inside, never a float.

The number of decimals comes from the currency (ISO 4217, table A.1, "minor unit"): two unless it is listed below.
An amount has at most 18 digits of minor units, so that it fits a signed 64-bit integer with room to add a few up.
Only the canonical spelling of a number is read here: ASCII digits, an optional sign, a decimal point. Thousands
separators, decimal commas and brackets are spellings of files and are undone where files are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MAX_DIGITS: Final = 18
DEFAULT_EXPONENT: Final = 2

_ZERO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS = "CLF UYW"

EXPONENTS: Final[Mapping[str, int]] = MappingProxyType(
    {
        **dict.fromkeys(_ZERO_DECIMALS.split(), 0),
        **dict.fromkeys(_THREE_DECIMALS.split(), 3),
        **dict.fromkeys(_FOUR_DECIMALS.split(), 4),
    }
)
"""Currency code to number of decimals, where that is not two."""

_CURRENCY = re.compile(r"[A-Z]{3}")
# The bounds keep a hostile text from costing more than a glance; the value's own bound is checked afterwards.
_AMOUNT = re.compile(r"([+-]?)([0-9]{0,40})(?:\.([0-9]{1,40}))?")


def check_currency(code: object) -> str:
    """The code itself when it is three upper-case ASCII letters; `ValueError` otherwise.

    Not a list of known codes: books also hold withdrawn and private ones (`XBT`), which get two decimals.
    """
    if not isinstance(code, str) or _CURRENCY.fullmatch(code) is None:
        raise ValueError("a currency is three upper-case letters, such as EUR")
    return code


def minor_unit_exponent(currency: str) -> int:
    """How many decimals the currency has: 2 for EUR, 0 for JPY, 3 for KWD. `ValueError` for a malformed code."""
    return EXPONENTS.get(check_currency(currency), DEFAULT_EXPONENT)


def parse_minor_units(text: str | int, currency: str) -> int:
    """`"10.50"` EUR is 1050, `"1050"` JPY is 1050; an `int` is a whole number of major units.

    `ValueError`, with a message fit for a person, for anything else: a float, an exponent, spaces, other digits than
    0 to 9, more decimals than the currency has, more than 18 digits.
    """
    exponent = minor_unit_exponent(currency)
    if isinstance(text, int) and not isinstance(text, bool):
        # Compared before it is printed: turning a huge integer into text is itself expensive.
        return _bounded(text * 10**exponent) if abs(text) < 10**MAX_DIGITS else _bounded(10**MAX_DIGITS)
    if not isinstance(text, str):
        raise ValueError("an amount is a decimal number written as text, such as 10.50")
    match = _AMOUNT.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise ValueError("an amount is written with digits, an optional sign and a decimal point, such as -10.50")
    sign, whole, decimals = match[1], match[2], match[3] or ""
    if len(decimals) > exponent:
        allowed = "no decimals" if exponent == 0 else f"at most {exponent} decimals"
        raise ValueError(f"an amount in {currency} has {allowed}")
    minor = _bounded(int(whole + decimals.ljust(exponent, "0")))
    return -minor if sign == "-" else minor


def format_minor_units(minor: int, currency: str) -> str:
    """The one canonical spelling: 1050 is `"10.50"` in EUR, `"1050"` in JPY; -5 is `"-0.05"` in EUR.

    `ValueError` for more than 18 digits, so that whatever is written can be read again.
    """
    exponent = minor_unit_exponent(currency)
    digits = str(abs(_bounded(minor))).rjust(exponent + 1, "0")
    sign = "-" if minor < 0 else ""
    return f"{sign}{digits}" if exponent == 0 else f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"


def canonical_amount(value: str | int, currency: str) -> str:
    """The canonical spelling of an amount: `"+7.5"` and `"007.50"` are `"7.50"` in EUR, `"-0"` is `"0.00"`.

    `ValueError` as in `parse_minor_units`.
    """
    return format_minor_units(parse_minor_units(value, currency), currency)


def _bounded(minor: int) -> int:
    if abs(minor) >= 10**MAX_DIGITS:
        raise ValueError(f"an amount has at most {MAX_DIGITS} digits")
    return minor
