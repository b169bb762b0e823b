"""The compiled loader and marshmallow's own `load` are one definition."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from schemas import CLIENT_EVENTS, MessageForm, loader, rest_requests
from schemas.loading import compiled
from tests.documents.strategies import messages

BODIES = [schema for name, schema in vars(rest_requests).items() if name.endswith("Body") and isinstance(schema, type)]
REQUESTS: list[type[Schema]] = [
    *(request for request, _ in CLIENT_EVENTS.values()),
    MessageForm,
    rest_requests.Activity,
    *BODIES,
]


def outcome(load: Any, message: Any) -> tuple[bool, Any]:
    try:
        return True, load(message)
    except ValidationError as error:
        return False, error.messages


@pytest.mark.parametrize("schema", REQUESTS, ids=lambda schema: schema.__name__)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_compiled_loader_says_what_marshmallow_says(schema: type[Schema], data: st.DataObject) -> None:
    message = data.draw(messages(schema))
    taken, result = outcome(schema().load, message)
    assert outcome(loader(schema()), message) == (taken, result)
    quick = compiled(schema())
    assert quick is not None
    try:
        loaded: Any = quick(message)
    except (ValueError, ValidationError):
        assert not taken, "marshmallow takes it, so the quick way must"
    else:
        assert taken
        # Equal is not enough: True is 1 for Python.
        assert orjson.dumps(loaded, option=orjson.OPT_SORT_KEYS) == orjson.dumps(result, option=orjson.OPT_SORT_KEYS)


def test_a_schema_that_cannot_be_compiled_is_loaded_by_marshmallow() -> None:
    schema = rest_requests.CreateSession()
    assert compiled(schema) is None
    assert loader(schema)({"project_id": "demo"}) == schema.load({"project_id": "demo"})
    with pytest.raises(ValidationError) as refused:
        loader(schema)({"project_id": 1})
    assert set(refused.value.messages) == {"project_id"}
