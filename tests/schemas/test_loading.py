"""The quick loader and marshmallow's own say the same of anything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, fields

from schemas import CLIENT_EVENTS, ConnectAuth, MessageForm, loader
from schemas.loading import _plan
from schemas.requests import Edit

SCHEMAS: list[type[Schema]] = [*(pair[0] for pair in CLIENT_EVENTS.values()), ConnectAuth, MessageForm]

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["\ud800", "\x00", "a\n", "x" * 70]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


def _outcome(load: Any, data: Any) -> tuple[str, Any]:
    try:
        return "loaded", load(data)
    except ValidationError as refusal:
        return "refused", refusal.messages


def _example(field: fields.Field[Any]) -> Any:
    return "a.b.c" if field.metadata.get("example") is None else field.metadata["example"]


@given(st.data())
def test_the_quick_way_and_the_slow_way_agree(data: st.DataObject) -> None:
    """On requests made of good examples, in which some fields are left out, replaced by anything, or made up."""
    schema = data.draw(st.sampled_from(SCHEMAS))()
    good = {name: _example(field) for name, field in schema.load_fields.items() if not isinstance(field, fields.Nested)}
    request = {name: value for name, value in good.items() if data.draw(st.integers(0, 9))}
    wrong = data.draw(st.lists(st.sampled_from([*schema.load_fields, "surprise"]), max_size=2))
    request |= {name: data.draw(_json) for name in wrong}
    assert _outcome(loader(schema), request) == _outcome(schema.load, request)


@given(_json)
def test_anything_that_is_no_request_is_refused_alike(anything: Any) -> None:
    schema = Edit()
    assert _outcome(loader(schema), anything) == _outcome(schema.load, anything)


def test_the_events_that_people_send_all_the_time_are_loaded_the_quick_way() -> None:
    for event in ("edit", "lock", "renew", "unlock", "sync"):
        assert _plan(CLIENT_EVENTS[event][0]()) is not None


@pytest.mark.parametrize(
    "value", [None, True, 0, -1, 1.5, "x", "", [], ["a"], {}, {"a": [1, {"b": None}]}, "x" * 32_000]
)
def test_any_json_within_bounds_can_be_a_new_value(value: Any) -> None:
    request = {
        "session_id": "s", "edit_id": "e", "record_id": "r", "field_name": "f", "new_value": value, "base_version": 0,
    }  # fmt: skip
    assert loader(Edit())(request)["new_value"] == value
