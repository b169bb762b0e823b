"""What may stand in a field, and in which form.

Values are data: text, integers, fractions, booleans, null, and flat lists of text. An object is never a value, so no
operator of any database can travel in one; names cannot carry a dot, a leading dollar sign or a control character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from realtime_server.core import limits
from realtime_server.core.dates import canonical_date
from realtime_server.core.money import canonical_amount


class FieldType(StrEnum):
    """What a field holds; its merge policy follows from it."""

    MONEY = "money"
    DATE = "date"
    CHOICE = "choice"
    TEXT = "text"
    TAGS = "tags"
    FREE = "free"


class RecordStatus(StrEnum):
    UNMATCHED = "unmatched"
    SUGGESTED = "suggested"
    MATCHED = "matched"
    EXCEPTION = "exception"
    EXCLUDED = "excluded"


_STATUSES: Final = frozenset(status.value for status in RecordStatus)

#: Fields known by name. Any other is FREE: kept as it came, never merged by itself.
FIELD_TYPES: Final[Mapping[str, FieldType]] = {
    **dict.fromkeys(("amount", "fee", "tax", "debit", "credit", "balance"), FieldType.MONEY),
    **dict.fromkeys(("date", "value_date", "due_date", "posting_date"), FieldType.DATE),
    **dict.fromkeys(("status", "currency", "assignee", "category", "account"), FieldType.CHOICE),
    **dict.fromkeys(("description", "notes", "note", "memo", "narrative"), FieldType.TEXT),
    **dict.fromkeys(("tags", "labels"), FieldType.TAGS),
}

MONEY_FIELDS: Final = frozenset(name for name, kind in FIELD_TYPES.items() if kind is FieldType.MONEY)
#: A record's identity; what it is known by outside cannot be edited away.
READ_ONLY_FIELDS: Final = frozenset({"record_id", "source", "external_id"})
#: Without these a record cannot be reconciled, so they cannot be emptied.
REQUIRED_FIELDS: Final = frozenset({"amount", "currency", "date", "status"})

# Names that mean something to JavaScript's objects or to MongoDB's queries.
_FORBIDDEN_NAMES: Final = frozenset({"__proto__", "constructor", "prototype"})
# With the marks that turn the direction of writing (Unicode, UAX #9): they make one name look like another.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


def field_type(name: str) -> FieldType:
    return FIELD_TYPES.get(name, FieldType.FREE)


def check_field_name(name: Any) -> str:
    """The name itself. ValueError with a plain sentence when no field can be called so."""
    if isinstance(name, str) and name in FIELD_TYPES:
        return name
    if not isinstance(name, str) or not name or len(name) > limits.MAX_FIELD_NAME:
        raise ValueError(f"a field's name has 1 to {limits.MAX_FIELD_NAME} characters")
    if "." in name or name.startswith("$"):
        raise ValueError("a field's name has no dot and does not begin with a dollar sign")
    if name in _FORBIDDEN_NAMES or _CONTROL.search(name) or _SURROGATE.search(name) or name != name.strip():
        raise ValueError("a field's name is plain printable text without surrounding spaces")
    return name


def check_plain(value: Any) -> Any:
    """The value, if it is one that any field could hold; integral fractions become integers. ValueError otherwise."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return check_text(value, limits.MAX_TEXT)
    if isinstance(value, int):
        if abs(value) > limits.MAX_INTEGER:
            raise ValueError(f"integers are at most {limits.MAX_INTEGER} in size; send larger numbers as text")
        return value
    if isinstance(value, float):
        return _fraction(value)
    if isinstance(value, list | tuple):
        return _text_list(value)
    raise ValueError("a value is text, a number, true, false, null, or a flat list of texts")


def check_text(value: Any, limit: int) -> str:
    """The text itself. ValueError when it is none, is longer than the limit, or cannot be stored as UTF-8."""
    if not isinstance(value, str):
        raise ValueError("this is a text")
    if len(value) > limit:
        raise ValueError(f"text has at most {limit} characters")
    if "\x00" in value or (not value.isascii() and _SURROGATE.search(value)):
        raise ValueError("text has no NUL and no half of a surrogate pair")
    return value


def _fraction(value: float) -> int | float:
    # Not-a-number fails both comparisons and falls through to the refusal.
    if value == 0 or (abs(value) < limits.MAX_FRACTION and value == int(value)):
        return int(value)
    if limits.MIN_FRACTION <= abs(value) < limits.MAX_FRACTION:
        return value
    raise ValueError("fractions lie between 0.00001 and 1e15 in size; send others as text")


def _text_list(value: Any) -> list[str]:
    if len(value) > limits.MAX_LIST_ITEMS:
        raise ValueError(f"a list has at most {limits.MAX_LIST_ITEMS} items")
    if not all(isinstance(item, str) for item in value):
        raise ValueError("a list holds texts only")
    return [check_text(item, limits.MAX_LIST_ITEM_TEXT) for item in value]


def check_value(name: str, value: Any, currency: str) -> Any:
    """The value in its canonical form for the named field (amounts as "10.50", dates as "2026-11-22").

    ``currency``: the record's, for the number of decimals. ValueError with a plain sentence when it cannot stand there.
    """
    if name in READ_ONLY_FIELDS:
        raise ValueError(f"{name} identifies the record and cannot be edited")
    value = check_plain(value)
    if value is None or value == "":
        if name in REQUIRED_FIELDS:
            raise ValueError(f"{name} cannot be empty")
        return value
    checker = _CHECKERS.get(field_type(name))
    if checker is not None:
        return checker(name, value, currency)
    return value


def _money(name: str, value: Any, currency: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f'{name} is money: send it as a decimal text such as "10.50"')
    return canonical_amount(value, currency)


def _date(name: str, value: Any, _: str) -> str:
    try:
        return canonical_date(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _choice(name: str, value: Any, _: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is a text")
    if name == "currency" and not _CURRENCY.fullmatch(value):
        raise ValueError("currency is three capital letters such as GBP (ISO 4217)")
    if name == "status" and value not in _STATUSES:
        raise ValueError(f"status is one of {', '.join(RecordStatus)}")
    return value


def _prose(name: str, value: Any, _: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is a text")
    return value


def _tags(name: str, value: Any, _: str) -> list[str]:
    if not isinstance(value, list):
        raise ValueError(f"{name} is a list of texts")
    return list(dict.fromkeys(value))


_CHECKERS: Final[Mapping[FieldType, Callable[[str, Any, str], Any]]] = {
    FieldType.MONEY: _money,
    FieldType.DATE: _date,
    FieldType.CHOICE: _choice,
    FieldType.TEXT: _prose,
    FieldType.TAGS: _tags,
}


def same(left: Any, right: Any) -> bool:
    """Whether two values are the same for a person: ``True`` is not 1, and text is compared exactly."""
    return type(left) is type(right) and bool(left == right)


def stored_as(name: str, sent: Any, stored: Any) -> bool:
    """Whether ``stored`` is the canonical form of a value that was sent for the named field.

    Amounts are compared by what they are worth: the record's currency may have changed since.
    """
    try:
        if field_type(name) is FieldType.MONEY and isinstance(stored, str) and isinstance(check_plain(sent), str | int):
            return Decimal(sent) == Decimal(stored)
        return same(check_value(name, sent, ""), stored)
    except (ValueError, InvalidOperation):
        return False
