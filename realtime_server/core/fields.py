"""What may be set on a record, where that depends on the rest of the record: its size, and its currency.

What a value may be by itself is in `values`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime_server.core import limits
from realtime_server.core.money import canonical_amount
from realtime_server.core.state import NO_CURRENCY, RecordState
from realtime_server.core.values import MONEY_FIELDS, check_field_name, check_value


def check_new_value(record: RecordState, name: Any, value: Any, currency: str | None = None) -> Any:
    """The value in its canonical form, if the record's field can be set to it. ValueError with a plain sentence if not.

    ``currency``: the one that the record is getting together with this value, where it gets one; whoever passes it
    checks the amounts of the whole record (`check_amounts`) afterwards.
    """
    name = check_field_name(name)
    if name not in record.fields and name not in record.base and _fields_full(record):
        raise ValueError(f"a record has at most {limits.MAX_FIELDS} fields")
    value = check_value(name, value, currency or record.currency)
    size = value_size(value)
    if size > limits.SMALL_VALUE and record_size(record) + size > limits.MAX_RECORD_SIZE:
        raise ValueError(f"a record holds at most {limits.MAX_RECORD_SIZE} characters, earlier values included")
    if name == "currency" and currency is None:
        check_amounts(record, {name: value})
    return value


def check_amounts(record: RecordState, changes: Mapping[str, Any]) -> None:
    """ValueError when an amount would not be possible in the record's currency once these fields are set.

    An amount keeps its digits when the currency changes, so one with cents has to change together with the currency
    to become yen (in a batch), and a value from before a change of currency may not come back after it.
    """
    if "currency" not in changes and MONEY_FIELDS.isdisjoint(changes):
        return
    values = {**record.values(), **changes}
    currency = values.get("currency") or NO_CURRENCY
    for name in MONEY_FIELDS.intersection(values if "currency" in changes else changes):
        if values[name] in (None, ""):
            continue
        try:
            canonical_amount(values[name], currency)
        except ValueError as error:
            raise ValueError(f"{name} is {values[name]}: {error}") from None


def _fields_full(record: RecordState) -> bool:
    return len(record.base) + sum(name not in record.base for name in record.fields) >= limits.MAX_FIELDS


def value_size(value: Any) -> int:
    """Characters that a value takes in storage, roughly: a number counts as one."""
    if isinstance(value, str):
        return len(value)
    return sum(map(len, value)) if isinstance(value, list) else 1


def record_size(record: RecordState) -> int:
    """Characters of all that is kept with a record: the import, the fields, their earlier values, open candidates."""
    size = sum(map(value_size, record.base.values()))
    for field in record.fields.values():
        size += value_size(field.value) + sum(value_size(value) for _, value in field.history)
        if field.conflict is not None:
            size += value_size(field.conflict.base_value)
            size += sum(candidate_size(item.value, item.reason) for item in field.conflict.candidates)
    return size


def candidate_size(value: Any, reason: str | None) -> int:
    return value_size(value) + len(reason or "") + limits.CANDIDATE_OVERHEAD
