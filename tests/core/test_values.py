"""Values are data: what a field cannot hold is refused in a sentence, and what it holds has one form."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_server.core import limits
from realtime_server.core.values import (
    FieldType,
    check_field_name,
    check_plain,
    check_text,
    check_value,
    field_type,
    same,
)
from tests.core.strategies import FIELD_NAMES, JSON_VALUES


@pytest.mark.parametrize(
    ("name", "value", "canonical"),
    [
        ("amount", "+7.5", "7.50"),
        ("amount", 7, "7.00"),
        ("amount", 7.0, "7.00"),
        ("fee", "", ""),
        ("fee", None, None),
        ("date", "2026-02-28", "2026-02-28"),
        ("status", "matched", "matched"),
        ("currency", "XBT", "XBT"),
        ("assignee", "alice", "alice"),
        ("notes", "line\nline\ttab", "line\nline\ttab"),
        ("tags", ["a", "b", "a"], ["a", "b"]),
        ("anything", 5.0, 5),
        ("anything", -0.0, 0),
        ("anything", 0.1, 0.1),
        ("anything", 1e14 + 0.5, 1e14 + 0.5),
        ("anything", ("a", "a"), ["a", "a"]),
        ("anything", "🙂" * 4, "🙂" * 4),
        ("anything", limits.MAX_INTEGER, limits.MAX_INTEGER),
        ("anything", "$where: 1", "$where: 1"),
    ],
)
def test_a_value_gets_its_canonical_form(name: str, value: Any, canonical: Any) -> None:
    assert same(check_value(name, value, "GBP"), canonical)
    assert same(check_value(name, canonical, "GBP"), canonical)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("amount", 1.5),
        ("amount", True),
        ("amount", ["1.00"]),
        ("amount", "1e3"),
        ("date", "2026-02-30"),
        ("date", "22/11/2026"),
        ("date", "２０２６-11-22"),
        ("date", "2026-W47-7"),
        ("date", "0026-11-02"),
        ("due_date", "2206-11-02"),
        ("date", 20261122),
        ("status", "done"),
        ("status", True),
        ("currency", "gbp"),
        ("currency", "GB\n"),
        ("category", 5),
        ("notes", 5),
        ("notes", ["a"]),
        ("tags", "a"),
        ("tags", [1]),
        ("tags", [["a"]]),
        ("tags", ["a"] * (limits.MAX_LIST_ITEMS + 1)),
        ("tags", ["a" * (limits.MAX_LIST_ITEM_TEXT + 1)]),
        ("tags", ["\x00"]),
        ("anything", {}),
        ("anything", {"$gt": ""}),
        ("anything", [{"a": 1}]),
        ("anything", "\x00"),
        ("anything", "\ud83d"),
        ("anything", "x" * (limits.MAX_TEXT + 1)),
        ("anything", limits.MAX_INTEGER + 1),
        ("anything", 10**400),
        ("anything", math.nan),
        ("anything", math.inf),
        ("anything", 1e15),
        ("anything", 1e-6),
        ("anything", 5e-324),
        ("anything", b"bytes"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_value_that_cannot_stand_in_the_field_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError):
        check_value(name, value, "GBP")


@pytest.mark.parametrize(
    "name",
    ["", "x" * 65, "a.b", ".", "$set", "__proto__", "constructor", "prototype", "a\x00", "a\nb", "\u2028", " a", "a ",
     "\ud800", 5, None, ["a"], {"a": 1}],
    ids=repr,
)  # fmt: skip
def test_a_field_cannot_be_called_so(name: Any) -> None:
    with pytest.raises(ValueError):
        check_field_name(name)


@pytest.mark.parametrize("name", ["a", "Betrag in €", "a$b", "a-b c", "金額", "x" * 64])
def test_a_field_can_be_called_so(name: str) -> None:
    assert check_field_name(name) == name


@given(value=JSON_VALUES)
def test_a_value_is_refused_or_has_one_plain_form(value: Any) -> None:
    try:
        plain = check_plain(value)
    except ValueError:
        return
    assert same(check_plain(plain), plain)
    assert orjson.loads(orjson.dumps(plain)) == plain


@given(name=FIELD_NAMES, value=JSON_VALUES, currency=st.sampled_from(["GBP", "JPY", "KWD", "gbp", ""]))
def test_no_name_and_no_value_does_more_than_be_refused(name: Any, value: Any, currency: str) -> None:
    try:
        checked = check_value(check_field_name(name), value, currency)
    except ValueError:
        return
    assert same(check_value(name, checked, currency), checked)


@given(value=st.floats(min_value=-limits.MAX_FRACTION, max_value=limits.MAX_FRACTION))
def test_a_fraction_is_written_without_an_exponent_as_every_json_writer_does(value: float) -> None:
    try:
        plain = check_plain(value)
    except ValueError:
        assert value == 0 or abs(value) < limits.MIN_FRACTION or abs(value) == limits.MAX_FRACTION
        return
    written = orjson.dumps(plain).decode()
    assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", written)
    assert json.loads(written) == plain == value


def test_a_text_is_bounded_and_can_be_stored() -> None:
    assert check_text("é" * 5, 5) == "é" * 5
    for text in ("x" * 6, "\x00", "\udfff", 5, None):
        with pytest.raises(ValueError):
            check_text(text, 5)


def test_true_is_not_one_and_one_is_not_a_text() -> None:
    assert same(1, 1)
    assert not same(True, 1)
    assert not same("1", 1)
    assert not same(None, "")
    assert same(["a"], ["a"])


def test_a_field_that_is_not_known_by_name_is_free() -> None:
    assert field_type("amount") is FieldType.MONEY
    assert field_type("anything") is FieldType.FREE
