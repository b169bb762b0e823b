"""How one file writes its dates and numbers: evidence from the whole file, then one decision, never a guess.

``04/05/2026`` and ``1,234`` each have two readings. A file that shows nowhere which one it means is refused with the
option that settles it, because an amount or a period that is wrong without a word is the worst outcome of an import.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from realtime_server.core.dates import calendar_date
from realtime_server.core.money import canonical_amount, minor_unit_exponent
from realtime_server.reconciliation.csv_columns import shown
from realtime_server.reconciliation.csv_source import refuse_file

_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
         "sep sept september", "oct october", "nov november", "dec december"),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_TIME = r"(?:[T ][0-9:.,Z+ \u202f-]{1,40}(?:[AaPp]\.?[Mm]\.?)?)?"
_YEAR_FIRST = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})" + _TIME)
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})" + _TIME)
_DAY_NAMED_MONTH = re.compile(r"([0-9]{1,2})[- ]([A-Za-z]{3,9})[- ,] ?([0-9]{4})")
_NAMED_MONTH_DAY = re.compile(r"([A-Za-z]{3,9})[- ]([0-9]{1,2}),? ([0-9]{4})")
_SHORT_YEAR = re.compile(r"[0-9]{1,2}([-/.])[0-9]{1,2}\1[0-9]{2}" + _TIME)
_FORMAT_PARTS = {"dd": r"(?P<d>[0-9]{1,2})", "mm": r"(?P<m>[0-9]{1,2})", "mon": r"(?P<mon>[A-Za-z]{3,9})",
                 "yyyy": r"(?P<y>[0-9]{4})", "yy": r"(?P<yy>[0-9]{2})"}  # fmt: skip
_SHORT_FORMATS = (("dd", "mm", "yy"), ("mm", "dd", "yy"), ("yy", "mm", "dd"))
_FORMAT = re.compile(r"(dd|mm|mon|yyyy|yy)([-/. ]?)(dd|mm|mon|yyyy|yy)([-/. ,]?)(dd|mm|mon|yyyy|yy)", re.IGNORECASE)
_CACHE_SIZE = 4_096


class DateOrder(StrEnum):
    """The two readings of ``04/05/2026``."""

    DAY_FIRST = "dd/mm/yyyy"
    MONTH_FIRST = "mm/dd/yyyy"


class DateEvidence:
    """Sees every date of a file, and says which order they are in."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._first_line: dict[str, tuple[int, str]] = {}

    def see(self, line: int, text: str) -> None:
        if text in self._seen:
            return
        if len(self._seen) < _CACHE_SIZE:
            self._seen.add(text)
        match = _YEAR_LAST.fullmatch(text)
        if match is None:
            return
        first, second = int(match[1]), int(match[3])
        if first > 12 and 1 <= second <= 12:
            self._first_line.setdefault(DateOrder.DAY_FIRST, (line, text))
        elif second > 12 and 1 <= first <= 12:
            self._first_line.setdefault(DateOrder.MONTH_FIRST, (line, text))
        elif first != second:
            self._first_line.setdefault("either", (line, text))

    def decide(self) -> DateOrder | None:
        """The order; None where no date depends on it. `CollaborationError` (`invalid`) where it cannot be known."""
        day_first, month_first = (self._first_line.get(order) for order in DateOrder)
        options = " or ".join(f"--date-format {order}" for order in DateOrder)
        if day_first and month_first:
            refuse_file(
                f"dates are written both ways ({shown(day_first[1])} on line {day_first[0]}, "
                f"{shown(month_first[1])} on line {month_first[0]}): say which is meant, {options}",
                option="date_format",
            )
        if day_first or month_first:
            return DateOrder.DAY_FIRST if day_first else DateOrder.MONTH_FIRST
        if "either" in self._first_line:
            line, text = self._first_line["either"]
            refuse_file(
                f"nothing in the file tells whether {shown(text)} (line {line}) begins with the day or the month: "
                f"say {options}",
                option="date_format",
            )
        return None


class DateReader:
    """Reads dates to ``YYYY-MM-DD``: year first (ISO and compact), named months, then by the file's format.

    The two formats of `DateOrder` accept any of the separators ``/ - .``; another format is taken to the letter.
    """

    def __init__(self, date_format: str | None) -> None:
        is_order = date_format is None or date_format in tuple(DateOrder)
        self._day_first = date_format != DateOrder.MONTH_FIRST
        self._format = None if is_order else compile_date_format(date_format or "")
        self._known: dict[str, str] = {}

    def read(self, text: str) -> str:
        """`ValueError` with a plain message for what is no date."""
        known = self._known.get(text)
        if known is None:
            known = self._parse(text)
            if len(self._known) < _CACHE_SIZE:
                self._known[text] = known
        return known

    def _parse(self, text: str) -> str:
        if self._format and (match := self._format.fullmatch(text)):
            return _by_format(match)
        if match := _YEAR_FIRST.fullmatch(text):
            return calendar_date(int(match[1]), int(match[3]), int(match[4]))
        if match := _COMPACT.fullmatch(text):
            return calendar_date(int(match[1]), int(match[2]), int(match[3]))
        if (match := _YEAR_LAST.fullmatch(text)) and not self._format:
            first, second = int(match[1]), int(match[3])
            day, month = (first, second) if self._day_first else (second, first)
            return calendar_date(int(match[4]), month, day)
        if (match := _DAY_NAMED_MONTH.fullmatch(text)) and match[2].lower() in _MONTHS:
            return calendar_date(int(match[3]), _MONTHS[match[2].lower()], int(match[1]))
        if (match := _NAMED_MONTH_DAY.fullmatch(text)) and match[1].lower() in _MONTHS:
            return calendar_date(int(match[3]), _MONTHS[match[1].lower()], int(match[2]))
        if not self._format and (match := _SHORT_YEAR.fullmatch(text)):
            mark = match[1]
            formats = " or ".join(f"--date-format {mark.join(parts)}" for parts in _SHORT_FORMATS)
            raise ValueError(f"{shown(text)} has a year of two digits: say how it is written, {formats}")
        raise ValueError(f"{shown(text)} is not a date")


def compile_date_format(date_format: str) -> re.Pattern[str]:
    """``dd/mm/yyyy``, ``mm-dd-yy``, ``dd mon yyyy`` and the like. `CollaborationError` (`invalid`) for another text.

    Where nothing divides two numbers, only the first may lack its zero, as a spreadsheet leaves it out: in ``1112026``
    the rest is eleven and the year.
    """
    match = _FORMAT.fullmatch(date_format.strip())
    if match:
        first, gap, second, other_gap, third = match.groups()
        parts = [first.lower(), second.lower(), third.lower()]
        if sorted(part[0] for part in parts) == ["d", "m", "y"]:
            pattern = [_FORMAT_PARTS[part] for part in parts]
            for place, before in ((1, gap), (2, other_gap)):
                if not before and parts[place - 1] != "mon":
                    pattern[place] = pattern[place].replace("{1,2}", "{2}")
            return re.compile(re.escape(gap).join(pattern[:2]) + re.escape(other_gap) + pattern[2] + _TIME)
    return refuse_file(
        "a date format is written like dd/mm/yyyy, mm/dd/yyyy, dd.mm.yy or dd mon yyyy", option="date_format"
    )


def _by_format(match: re.Match[str]) -> str:
    parts = match.groupdict()
    short = parts.get("yy")
    # The pivot of POSIX strptime: 69 to 99 are of the twentieth century.
    year = int(parts["y"]) if short is None else int(short) + (1900 if int(short) >= 69 else 2000)
    month = _MONTHS.get(parts["mon"].lower(), 0) if "mon" in parts else int(parts["m"])
    return calendar_date(year, month, int(parts["d"]))


_SPACES: Final = " '’\u00a0\u202f"  # Swiss apostrophes and the thin spaces of French and SI typography
_PLAIN = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?")
_SIGNED = re.compile(r"(?P<bracket>\()?(?P<sign>[+−-])?\s?(?P<body>[0-9.,' ’\u00a0\u202f]{1,60}?)(?P<after>[−-])?\)?")
_INDIAN = r"[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}"  # lakh and crore


def _number_pattern(decimal: str, separators: str, more: str = "") -> re.Pattern[str]:
    grouped = rf"[0-9]{{1,3}}(?P<sep>[{separators}])[0-9]{{3}}(?:(?P=sep)[0-9]{{3}})*{more}"
    return re.compile(rf"(?P<whole>{grouped}|[0-9]*)(?:{re.escape(decimal)}(?P<decimals>[0-9]+))?")


_NUMBERS: Final = {
    ".": _number_pattern(".", "," + _SPACES, "|" + _INDIAN),
    ",": _number_pattern(",", "." + _SPACES),
}


class NumberEvidence:
    """Sees every amount of a file, and says whether its decimals follow a point or a comma."""

    def __init__(self) -> None:
        self._first_line: dict[str, tuple[int, str]] = {}

    def see(self, line: int, text: str) -> None:
        points, commas = text.count("."), text.count(",")
        if not points and not commas:
            return
        if ("." in self._first_line and not commas) or ("," in self._first_line and not points):
            return  # agrees with what is known, or has two readings of which one agrees
        split = _split_sign(text)
        if split is None:
            return
        body = split[1]
        if points and commas:
            mark = body[max(body.rfind("."), body.rfind(","))]
        elif points + commas > 1:
            mark = "," if points else "."  # a mark that repeats groups thousands, so the other one is the decimal
        else:
            mark = "." if points else ","
            before, _, after = body.partition(mark)
            if len(after) == 3 and 1 <= len(before) <= 3 and not before.startswith("0"):
                mark = "either"
        if mark == "either" or _NUMBERS[mark].fullmatch(body):
            self._first_line.setdefault(mark, (line, text))

    def decide(self) -> str:
        """``.`` or ``,``; a point where no amount depends on it. `CollaborationError` (`invalid`) where unknown."""
        point, comma = self._first_line.get("."), self._first_line.get(",")
        options = "--decimal . or --decimal ,"
        if point and comma:
            refuse_file(
                f"amounts are written both ways ({shown(point[1])} on line {point[0]}, {shown(comma[1])} on line "
                f"{comma[0]}): say which mark is the decimal one, {options}",
                option="decimal",
            )
        if "either" in self._first_line and not point and not comma:
            line, text = self._first_line["either"]
            refuse_file(
                f"nothing in the file tells whether {shown(text)} (line {line}) has thousands or decimals: "
                f"say {options}",
                option="decimal",
            )
        return "," if comma else "."


class AmountReader:
    """Reads amounts to their canonical text, given the file's decimal mark."""

    def __init__(self, decimal: str) -> None:
        self._decimal = decimal
        self._number = _NUMBERS[decimal]

    def read(self, text: str, currency: str) -> str:
        """`ValueError` with a plain message for what is no exact amount of this currency."""
        if self._decimal == "." and _PLAIN.fullmatch(text):
            return canonical_amount(_without_idle_zeros(text, currency), currency)
        split = _split_sign(text)
        match = self._number.fullmatch(split[1]) if split else None
        if split is None or match is None or not (match["whole"] or match["decimals"]):
            raise ValueError(f"{shown(text)} is not an amount (the decimal mark is {self._decimal!r})")
        whole = "".join(character for character in match["whole"] if character.isdigit())
        plain = f"{split[0]}{whole or '0'}" + (f".{match['decimals']}" if match["decimals"] else "")
        return canonical_amount(_without_idle_zeros(plain, currency), currency)


def _without_idle_zeros(text: str, currency: str) -> str:
    """``1050.00`` JPY and ``10.5000`` EUR: zeros beyond the currency's decimals carry nothing, and exports pad."""
    whole, _, decimals = text.partition(".")
    exponent = minor_unit_exponent(currency)
    if len(decimals) > exponent and not decimals[exponent:].strip("0"):
        decimals = decimals[:exponent]
        return f"{whole}.{decimals}" if decimals else whole
    return text


def _split_sign(text: str) -> tuple[str, str] | None:
    """(``"-"`` or ``""``, the digits and marks): a minus before or after, or brackets as bookkeepers write them."""
    match = _SIGNED.fullmatch(text)
    if match is None:
        return None
    bracketed = match["bracket"] is not None
    if bracketed != text.endswith(")") or sum((bracketed, match["sign"] is not None, match["after"] is not None)) > 1:
        return None
    negative = bracketed or match["after"] is not None or match["sign"] in ("-", "−")
    return ("-" if negative else "", match["body"].strip())
