"""Records as columns: what the arithmetic of matching works on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from realtime_server.core.matching.text import fold, plain_reference, references_in
from realtime_server.core.money import parse_minor_units

Side = Literal["ledger", "statement"]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: References of one record that take part: its own, and the first ones found in its text.
MAX_REFERENCES: Final = 4


@dataclass(frozen=True, slots=True)
class Item:
    """A record as the matcher sees it. ``minor``: minor units; ``day``: proleptic ordinal (`date.toordinal`)."""

    record_id: str
    minor: int
    currency: str
    day: int
    description: str = ""
    reference: str = ""


def item_of(record_id: str, values: Mapping[str, Any]) -> Item | None:
    """A record's fields as an item; None for a record without a readable amount or date: it waits for a person."""
    currency = values.get("currency") or "XXX"
    try:
        minor = parse_minor_units(values.get("amount") or "", currency)
        day = date.fromisoformat(values.get("date") or "").toordinal()
    except (ValueError, TypeError):
        return None
    return Item(record_id, minor, currency, day, _text(values, "description"), _text(values, "reference"))


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Table:
    """One side's items, in a fixed order (day, amount, id), as columns of the same length.

    ``minor``: with the side's sign turned where the other side counts the other way. ``currency``: codes shared by both
    sides. ``folded``: comparable texts without the record's own reference. ``references``: plain forms, own first;
    ``own``: whether the first one stood in the record's reference field.
    """

    items: Sequence[Item]
    minor: Ints
    currency: Ints
    day: Ints
    folded: Sequence[str]
    references: Sequence[tuple[str, ...]]
    own: Bools

    def __len__(self) -> int:
        return len(self.items)

    def only(self, rows: Ints) -> Table:
        """These rows alone, in the same order."""
        chosen = rows.tolist()
        return Table(
            [self.items[row] for row in chosen],
            self.minor[rows],
            self.currency[rows],
            self.day[rows],
            [self.folded[row] for row in chosen],
            [self.references[row] for row in chosen],
            self.own[rows],
        )


def order(item: Item) -> tuple[int, int, str]:
    return item.day, item.minor, item.record_id


def build(items: Iterable[Item], currencies: dict[str, int], sign: int = 1) -> Table:
    """The table of one side. ``currencies`` is shared between the sides and grows; ``sign``: 1, or -1 to turn it."""
    ordered = sorted(items, key=order)
    references: list[tuple[str, ...]] = []
    folded: list[str] = []
    for item in ordered:
        own = plain_reference(item.reference)
        within = references_in(item.description)
        references.append(tuple(dict.fromkeys((*((own,) if own else ()), *within)))[:MAX_REFERENCES])
        folded.append(_without_reference(item, own))
    return Table(
        ordered,
        np.array([sign * item.minor for item in ordered], dtype=np.int64),
        np.array([currencies.setdefault(item.currency, len(currencies)) for item in ordered], dtype=np.int64),
        np.array([item.day for item in ordered], dtype=np.int64),
        folded,
        references,
        np.array([bool(plain_reference(item.reference)) for item in ordered], dtype=np.bool_),
    )


def _without_reference(item: Item, own: str) -> str:
    """The folded text; a reference that stands in it counts as a reference, not a second time as text."""
    text = item.description
    if own and item.reference in text:
        text = text.replace(item.reference, " ")
    return fold(text)
