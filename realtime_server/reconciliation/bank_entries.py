"""What every bank's format comes to: one booked entry, made one row with exact values and an id that stays the same.

The formats have readers of their own (`camt`, `mt940`, `ofx`), which hand out entries as the file has them, in text.
Here the rules for values are applied, the same as for an edit, and entries get their ids.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from realtime_server.core.dates import canonical_date
from realtime_server.core.limits import MAX_TEXT
from realtime_server.core.money import canonical_amount, check_currency, minor_unit_exponent
from realtime_server.core.values import FIELD_TYPES, FieldType, check_value
from realtime_server.reconciliation.csv_columns import shown
from realtime_server.reconciliation.csv_rows import MAX_EXTERNAL_ID, ImportRow, RowError
from realtime_server.reconciliation.csv_source import refuse_file

#: Entries of one file: as many as a CSV has rows.
MAX_ENTRIES: Final = 1_000_000

_AMOUNT: Final = re.compile(r"([+-]?)([0-9]{0,40})(?:\.([0-9]{0,40}))?")
#: What a record under a former id has to have in common with an entry, by whether such ids were unique in an account.
_TELLING: Final = {True: ("account",), False: ("account", "date", "amount", "currency")}
#: What banks write where they have no reference (ISO 20022 usage; SWIFT MT940 field 61, subfield 7).
_NO_REFERENCE: Final = frozenset({"NOTPROVIDED", "NONREF", "NOREF"})


@dataclass(slots=True)
class BankEntry:
    """A booked entry as its file has it, all in text.

    ``amount``: a decimal number with a point, money in positive. ``identity``: what the bank calls the entry, if it
    does, and what keeps it apart from other accounts' entries. ``former_identities``: the same as earlier versions had
    it. ``is_correction``: it replaces the entry of its identity. ``content``: the rest of what tells it from others;
    nothing in these depends on the file or on the place in it, so that the entry is the same in two statements that
    overlap. ``details``: free fields; empty ones are left out.
    """

    line: int
    account: str
    amount: str
    currency: str
    date: str
    description: str = ""
    reference: str = ""
    identity: str = ""
    former_identities: tuple[str, ...] = ()
    is_correction: bool = False
    content: tuple[str, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)


Entries = Iterator[BankEntry | RowError]


class BankFile:
    """A file that was looked through and can be read. Every iteration reads it anew, from its first entry.

    ``rows``: its entries, each part of a batch counted by itself. ``unique``: whether the format says that no two
    entries have the same identity. Where it does not, the second one is told apart by counting.
    """

    def __init__(
        self,
        path: Path,
        rows: int,
        entries: Callable[[], Entries],
        *,
        default_currency: str | None,
        unique: bool,
    ) -> None:
        self._path, self._rows, self._entries = path, rows, entries
        self._default_currency, self._unique = default_currency, unique
        self._version = _version(path)

    @property
    def rows(self) -> int:
        """About as many as the iteration gives: a batch whose parts do not add up to it comes as one."""
        return self._rows

    def __iter__(self) -> Iterator[ImportRow | RowError]:
        """`CollaborationError` (`invalid`) where the file changed meanwhile."""
        reader = _EntryReader(self._default_currency, self._unique)
        if _version(self._path) == self._version:
            for item in self._entries():
                yield item if isinstance(item, RowError) else reader.read(item)
        if _version(self._path) != self._version:
            refuse_file("the file changed while it was read")


def _version(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def named(*references: str | None) -> str:
    """The first reference that is one: banks fill the field where they have none."""
    for reference in references:
        if reference and reference.upper() not in _NO_REFERENCE:
            return reference
    return ""


def written(**details: str | None) -> dict[str, str]:
    """The details that the file has."""
    return {name: text for name, text in details.items() if text}


def plain_amount(text: str, currency: str) -> str:
    """The canonical spelling of ``10``, ``10.``, ``.5``, ``10.50000``: zeros beyond the currency's decimals are
    dropped, other digits are not. `ValueError` for what is no such number or does not fit."""
    match = _AMOUNT.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise ValueError(f"{shown(text)} is not an amount")
    decimals = match[3] or ""
    exponent = minor_unit_exponent(currency)
    kept = decimals[:exponent] + decimals[exponent:].rstrip("0")
    return canonical_amount(f"{match[1]}{match[2] or '0'}" + (f".{kept}" if kept else ""), currency)


class _Wrong(Exception):
    """The entry is refused: the field, and why."""

    def __init__(self, field_name: str | None, message: str) -> None:
        super().__init__(message)
        self.field = field_name
        self.message = message


class _EntryReader:
    """Turns entries into rows; remembers the ids it has handed out."""

    def __init__(self, default_currency: str | None, unique: bool) -> None:
        self._default_currency = default_currency
        self._unique = unique
        self._currency: str | None = None  # the last one that was checked
        #: Of each id: the line, and a hash of what the entry says; None for a correction.
        self._given: dict[str, tuple[int, int | None]] = {}
        self._copies: dict[str | tuple[str, ...], int] = {}

    def read(self, entry: BankEntry) -> ImportRow | RowError:
        try:
            values = self._values(entry)
            external_id, former_ids = self._external_id(entry, values), self._former_ids(entry)
            return ImportRow(entry.line, external_id, values, former_ids, _TELLING[self._unique])
        except _Wrong as wrong:
            return RowError(entry.line, wrong.field, wrong.message)

    def _values(self, entry: BankEntry) -> dict[str, Any]:
        currency = entry.currency or self._default_currency or ""
        if currency != self._currency:
            try:
                self._currency = check_currency(currency)
            except ValueError as error:
                raise _Wrong("currency", str(error) if currency else "the currency is missing") from None
        values: dict[str, Any] = {
            "date": _checked("date", entry.date, currency),
            "amount": _checked("amount", entry.amount, currency),
            "currency": currency,
            "description": entry.description,
            "reference": entry.reference,
            **entry.details,
        }
        if entry.account:
            values["account"] = entry.account
        for name, text in values.items():
            # Most of them are what `check_value` would leave as it is.
            if name in _KINDS or not (text.isascii() and text.isprintable() and len(text) <= MAX_TEXT):
                values[name] = text if name in _DONE else _checked(name, text, currency)
        return values

    def _external_id(self, entry: BankEntry, values: Mapping[str, Any]) -> str:
        content = [entry.account, values["date"], values["amount"], values["currency"], *entry.content]
        if not entry.identity:
            row = f"row-{digest(content)}"
            return f"{row}-{self._count(row)}"
        external_id = _fitting(entry.identity)
        if not external_id.isprintable():
            raise _Wrong("external_id", "the bank's id for the entry has control characters")
        if not self._unique:
            return _numbered(external_id, self._count(external_id))
        said = None if entry.is_correction else hash(tuple(content))
        return self._unrepeated(external_id, content, (entry.line, said))

    def _unrepeated(self, external_id: str, content: list[str], given: tuple[int, int | None]) -> str:
        """Some banks give one id to a payment and its fee: the second is told apart by its content. A correction and
        what it corrects are one record, of which a file can say one thing only."""
        first = self._given.setdefault(external_id, given)
        if first is given:
            return external_id
        if first[1] == given[1] or None in (first[1], given[1]):
            raise _Wrong("external_id", f"the id {shown(external_id)} was already on line {first[0]}")
        return self._unrepeated(f"{external_id}-{digest(content, 4)}", content, given)

    def _former_ids(self, entry: BankEntry) -> tuple[str, ...]:
        if not entry.former_identities:
            return ()
        names = tuple(map(_fitting, entry.former_identities))
        number = self._count((entry.account, *names))
        if self._unique and number > 1:  # it was refused
            return ()
        return tuple(_numbered(name, number) for name in names)

    def _count(self, name: str | tuple[str, ...]) -> int:
        number = self._copies[name] = self._copies.get(name, 0) + 1
        return number


def _fitting(identity: str) -> str:
    """With room for a count, or for what tells two apart; an id in OFX has up to 255 characters."""
    external_id = " ".join(identity.split())
    return external_id if len(external_id) <= MAX_EXTERNAL_ID - 10 else f"id-{digest([external_id])}"


def _numbered(name: str, number: int) -> str:
    return f"{name}-{number}" if number > 1 else name


def digest(content: list[str], size: int = 12) -> str:
    """``2 * size`` hexadecimal digits that follow from the texts."""
    return blake2b(json.dumps(content, separators=(",", ":")).encode(), digest_size=size).hexdigest()


_DONE: Final = frozenset({"date", "amount"})
_day: Final = lru_cache(maxsize=4_096)(canonical_date)
_KINDS: Final = {name: kind for name, kind in FIELD_TYPES.items() if kind in (FieldType.MONEY, FieldType.DATE)}


def _checked(name: str, text: str, currency: str) -> Any:
    kind = _KINDS.get(name)
    if name in ("date", "amount") and not text:
        raise _Wrong(name, f"the {name} is missing")
    try:
        if kind is FieldType.DATE:
            return _day(text)
        if kind is FieldType.MONEY:
            return plain_amount(text, currency)
        return check_value(name, text, currency)
    except ValueError as error:
        raise _Wrong(name, str(error)) from None
