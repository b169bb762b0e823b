"""What clients could send, for the properties."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from realtime_server.core.values import FIELD_TYPES, READ_ONLY_FIELDS

# Texts with all that JSON can carry: halves of surrogate pairs and NUL too.
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=20)
HOSTILE_TEXT = st.sampled_from(
    [
        "",
        " ",
        "\x00",
        "\ud800",
        "$gt",
        "$where",
        "a.b",
        "__proto__",
        "NaN",
        "1e999",
        "\u202e",
        "x" * 5_000,
        "٣",
        "0" * 60,
    ]
)
LEAF: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**64), max_value=2**64),
    st.just(10**400),
    st.floats(),
    ANY_TEXT,
    HOSTILE_TEXT,
)
#: Whatever a JSON parser can hand over, and NaN, which some do.
JSON_VALUES = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT | HOSTILE_TEXT, inner, max_size=4),
    max_leaves=8,
) | st.just(json.loads("[" * 300 + "]" * 300))

KNOWN_NAMES = sorted({*FIELD_TYPES, *READ_ONLY_FIELDS})
FIELD_NAMES: st.SearchStrategy[Any] = st.one_of(st.sampled_from(KNOWN_NAMES), ANY_TEXT, HOSTILE_TEXT, JSON_VALUES)
VERSIONS: st.SearchStrategy[Any] = st.one_of(st.integers(-2, 6), JSON_VALUES)

#: Values that fit the fields of the tests' records, and some that do not.
FITTING: dict[str, st.SearchStrategy[Any]] = {
    "amount": st.sampled_from(["1.00", "2.50", "3", "-4.00", "0.125", 7]),
    "currency": st.sampled_from(["GBP", "KWD", "EUR", "JPY"]),
    "category": st.sampled_from(["rent", "travel", "food"]),
    "description": st.lists(st.sampled_from(["pay", "the", "old", "bill", "12.50"]), min_size=1, max_size=5).map(
        " ".join
    ),
    "tags": st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=4),
    "notes": st.none() | st.sampled_from(["x", "y", "x y", "y x"]),
    "free": st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.just(1.5), st.sampled_from(["p", "q"])),
}
