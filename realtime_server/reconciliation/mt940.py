"""Reading MT940, SWIFT's customer statement, and what banks make of it: fields of text, cut at line starts.

A file has any number of statements, with or without SWIFT's envelope. Of each, the account (``:25:``), the currency
(``:60F:``), and the entries (``:61:``, each with what is told about it, ``:86:``) are read; other fields are passed
over. (SWIFT Standards MT, category 9, MT940: field 61 is ``6!n[4!n]2a[1!a]15d1!a3!c16x[//16x][34x]``.)
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final, TextIO

from realtime_server.core.dates import calendar_date
from realtime_server.core.limits import MAX_TEXT
from realtime_server.reconciliation.bank_entries import (
    MAX_ENTRIES,
    BankEntry,
    BankFile,
    Entries,
    digest,
    named,
    written,
)
from realtime_server.reconciliation.csv_columns import shown
from realtime_server.reconciliation.csv_rows import RowError
from realtime_server.reconciliation.csv_source import checked_encoding, detect_encoding, refuse_file
from realtime_server.reconciliation.mt940_details import read_details

#: Characters of a line: SWIFT's have 65, some banks put a whole field into one.
MAX_LINE: Final = 10_000
#: Characters of a field: more than any text may have, so that a longer one is refused as such.
_MAX_FIELD: Final = 2 * MAX_TEXT
_TAG: Final = re.compile(r":([0-9]{2}[A-Z]?|NS):")
_ENVELOPE: Final = re.compile(r"\{[1-5S]:|-\}")
_ENTRY: Final = re.compile(
    r"(?P<value_date>[0-9]{6})(?P<entry_date>[0-9]{4}|\s{4})?"
    r"(?P<mark>R?[DC]|E[DC])(?P<funds>[A-Z])?\s?"
    r"(?P<amount>[0-9]{1,15}(?:[.,][0-9]{0,10})?)(?![0-9.,])"  # never the beginning of a longer number
    r"(?P<type>[A-Z][A-Z0-9 ]{3})?"
    r"(?P<reference>(?:(?!//)[^\n]){0,40})(?://(?P<bank>[^\n]{0,40}))?"
    r"(?:\n(?P<more>[\s\S]*))?"
)
#: RC takes back a credit, so money goes out; RD gives back a debit.
_SIGNS: Final = {"C": "", "D": "-", "RC": "-", "RD": ""}
#: In place of a reference: that field 86 has it.
_ELSEWHERE: Final = frozenset({"EREF", "EREF+", "KREF", "KREF+", "MREF", "MREF+", "PREF", "PREF+"})
_BALANCE: Final = re.compile(r"[CD][0-9]{6}([A-Z]{3})")


@dataclass(slots=True)
class _Statement:
    """``line``: of its ``:20:``. ``is_closed``: its closing balance has come."""

    line: int
    account: str = ""
    currency: str = ""
    is_closed: bool = False


@dataclass(slots=True)
class _Pending:
    """An entry whose details may still come."""

    line: int
    text: str
    details: list[str] = field(default_factory=list)


def open_mt940(
    path: Path, *, encoding: str | None = None, default_currency: str | None = None, max_rows: int = MAX_ENTRIES
) -> BankFile:
    """Look through a file: that each of its statements is a whole one, and that it is not too long.

    `CollaborationError` (`invalid`) with a message that says what is wrong, `OSError` where it cannot be opened.
    """
    encoding = checked_encoding(path, encoding) if encoding else detect_encoding(path)
    rows = 0
    with _open(path, encoding) as file:
        for _ in _booked(file):
            rows += 1
            if rows > max_rows:
                refuse_file(f"the file has more than {max_rows:,} entries: divide it")
    return BankFile(path, rows, lambda: _entries(path, encoding), default_currency=default_currency, unique=False)


def _open(path: Path, encoding: str) -> TextIO:
    """With every kind of line end as a line feed."""
    return path.open("r", encoding=encoding)


def _fields(file: TextIO) -> Iterator[tuple[int, str, str]]:
    """Line, tag and text of every field. A line that begins no field goes on with the one before it."""
    number, began, tag = 0, 0, ""
    lines: list[str] = []
    length = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            refuse_file(f"line {number} is longer than {MAX_LINE:,} characters, which no MT940 has", line=number)
        line = line.rstrip("\n").lstrip("\ufeff")
        match = _TAG.match(line)
        ends = line.rstrip() == "-" or _ENVELOPE.match(line) is not None
        if match or ends:
            if tag:
                yield began, tag, "\n".join(lines)
            tag, began = (match[1], number) if match else ("", 0)
            lines = [line[match.end() :]] if match else []
            length = len(line)
        elif tag and length <= _MAX_FIELD:
            lines.append(line)
            length += len(line)
    if tag:
        yield began, tag, "\n".join(lines)


def _booked(file: TextIO) -> Iterator[tuple[_Statement, _Pending]]:
    """Every entry with its statement. `CollaborationError` (`invalid`) for a statement without beginning or end."""
    statement = _Statement(0, is_closed=True)
    pending: _Pending | None = None
    for line, tag, text in _fields(file):
        if tag in ("86", "NS") and pending is not None:
            if tag == "86":
                pending.details.append(text)
            continue
        if pending is not None:
            yield statement, pending
            pending = None
        if tag == "20":
            _check_closed(statement)
            statement = _Statement(line)
        elif tag in ("25", "25P"):
            statement.account = _account(text)
        elif tag in ("60F", "60M"):
            match = _BALANCE.match(text)
            if match is None:
                refuse_file(f"the opening balance on line {line} cannot be read: {shown(text)}", line=line)
            statement.currency = match[1]
        elif tag in ("62F", "62M"):
            statement.is_closed = True
        elif tag == "61":
            if statement.line == 0 or statement.is_closed:
                refuse_file(f"the entry on line {line} is outside of a statement (:20: to :62F:)", line=line)
            pending = _Pending(line, text)
        elif tag in ("34F", "13D"):  # MT942 has these in place of the opening balance
            refuse_file(
                "the file is a report within the day (MT942), whose entries may not be booked: import the MT940"
            )
    if pending is not None:
        yield statement, pending
    _check_closed(statement)
    if statement.line == 0:
        refuse_file("the file has no statement (:20:): it is not MT940")


def _check_closed(statement: _Statement) -> None:
    if not statement.is_closed:
        refuse_file(
            f"the statement that begins on line {statement.line} has no closing balance (:62F:): perhaps the file was "
            "cut off",
            line=statement.line,
        )


def _account(text: str) -> str:
    """Without its spaces, and without the slash before it or the currency behind it that some banks write."""
    account = "".join(text.partition("\n")[0].split()).removeprefix("/")
    if not _IBAN_AND_CURRENCY.fullmatch(account):
        return account.removesuffix(account[-3:]) if _NUMBER_AND_CURRENCY.fullmatch(account) else account
    # Some countries' own accounts end in the letters of a currency: the check digits tell.
    return account if _is_iban(account) or not _is_iban(account[:-3]) else account[:-3]


_IBAN_AND_CURRENCY: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}[A-Z]{3}")
_NUMBER_AND_CURRENCY: Final = re.compile(r".*[0-9][A-Z]{3}")


def _is_iban(text: str) -> bool:
    """By its check digits: ISO 7064, MOD 97-10."""
    return int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97 == 1


def _entries(path: Path, encoding: str) -> Entries:
    with _open(path, encoding) as file:
        for statement, pending in _booked(file):
            yield _entry(statement, pending)


def _entry(statement: _Statement, pending: _Pending) -> BankEntry | RowError:
    match = _ENTRY.fullmatch(pending.text.rstrip())
    if match is None:
        return RowError(pending.line, None, f"the entry cannot be read: {shown(pending.text, 80)}")
    sign = _SIGNS.get(match["mark"])
    if sign is None:
        return RowError(pending.line, "status", "the entry is expected (EC, ED), not booked: import it when it is")
    try:
        valued, booked = _days(match["value_date"], match["entry_date"] or "")
    except ValueError as error:
        return RowError(pending.line, "date", str(error))
    text = "\n".join(pending.details)
    details = read_details(text)
    bank = named((match["bank"] or "").strip())
    reference = match["reference"].strip()
    more = " ".join((match["more"] or "").split())
    is_reversal = match["mark"].startswith("R")
    content = (" ".join(pending.text.split()), " ".join(text.split()))
    # SWIFT does not say that the bank's reference is the entry's own, and many banks give one to a whole day: so it is
    # never an id by itself.
    identity = f"{bank}-{digest([statement.account, *content], 4)}" if bank else ""
    return BankEntry(
        line=pending.line,
        account=statement.account,
        amount=f"{sign}{match['amount'].replace(',', '.')}",
        currency=statement.currency,
        date=booked,
        description=details.purpose or more or details.booking_text or details.counterparty,
        reference=named(
            details.end_to_end_id, details.customer_reference, "" if reference in _ELSEWHERE else reference
        ),
        identity=identity,
        former_identities=(f"{statement.account}:{identity}",) if identity else (),
        content=content,
        details=written(
            value_date=valued,
            counterparty=details.counterparty,
            counterparty_account=details.counterparty_account,
            bank_reference=bank,
            end_to_end_id=named(details.end_to_end_id),
            mandate_id=named(details.mandate_id),
            creditor_id=details.creditor_id,
            transaction_code="/".join(code for code in ((match["type"] or "").strip(), details.code) if code),
            booking_text=details.booking_text,
            supplementary=more,
            reversal="yes" if is_reversal else "",
        ),
    )


@lru_cache(maxsize=4_096)
def _days(value_date: str, entry_date: str) -> tuple[str, str]:
    """The value date, and the day of booking: the one with its month and day that is nearest to it."""
    short = int(value_date[:2])
    year = short + (2000 if short < 80 else 1900)
    valued = _day(year, value_date[2:])
    if not entry_date.strip():
        return valued, valued
    days = []
    for near in (year, year - 1, year + 1):
        try:
            days.append(_day(near, entry_date))
        except ValueError:
            continue
    if not days:
        raise ValueError("there is no such day in the calendar")
    middle = date.fromisoformat(valued)
    return valued, min(days, key=lambda day: abs(date.fromisoformat(day) - middle))


def _day(year: int, month_and_day: str) -> str:
    """Where interest is reckoned in months of 30 days, each February has a 29th and a 30th: its last day is meant."""
    month, day = int(month_and_day[:2]), int(month_and_day[2:])
    if month == 2 and day in (29, 30):
        day = calendar.monthrange(year, month)[1]
    return calendar_date(year, month, day)
