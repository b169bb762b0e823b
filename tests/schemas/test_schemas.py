"""The schemas say everything that documents made from them need, and agree with the rules' own bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from marshmallow import RAISE, Schema, ValidationError, fields

from realtime_server.collaboration.actions import ACTIONS
from realtime_server.collaboration.commands import COMMANDS
from realtime_server.core import conflicts, limits
from realtime_server.core.merging import Policy
from realtime_server.core.roles import Role
from schemas import CLIENT_EVENTS, MESSAGE_TYPES, ConnectAuth, Envelope, MessageForm, Refused, common
from schemas.strict import MAX_INTEGER, Choice, Integer, Listed, Number, Text

ALL: list[type[Schema]] = [
    *(schema for pair in CLIENT_EVENTS.values() for schema in pair),
    *MESSAGE_TYPES.values(),
    ConnectAuth,
    Envelope,
    MessageForm,
    Refused,
]


def _fields(schema: Schema, seen: set[type[Schema]]) -> Iterator[tuple[str, fields.Field[Any]]]:
    """Every field of a schema and of those nested in it, with its path."""
    if type(schema) in seen:
        return
    seen.add(type(schema))
    for name, field in schema.fields.items():
        yield f"{type(schema).__name__}.{name}", field
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            yield from _fields(inner.schema, seen)


def _everything() -> list[tuple[str, fields.Field[Any]]]:
    seen: set[type[Schema]] = set()
    return [item for schema in ALL for item in _fields(schema(), seen)]


@pytest.mark.parametrize(("path", "field"), _everything(), ids=[path for path, _ in _everything()])
def test_every_field_says_what_it_is_and_has_a_bound(path: str, field: fields.Field[Any]) -> None:
    assert field.metadata["description"]
    if isinstance(field, fields.Nested):
        return
    assert "example" in field.metadata
    example = field.metadata["example"]
    if example is not None and not isinstance(field, fields.Dict | fields.List):
        field.deserialize(example)
    if isinstance(field, Text | Number | Integer | Listed):
        assert field.maximum
    else:
        assert isinstance(field, Choice | fields.Raw | fields.Boolean | fields.Dict)


@pytest.mark.parametrize("schema", ALL, ids=lambda schema: schema.__name__)
def test_every_schema_refuses_unknown_fields_and_describes_itself(schema: type[Schema]) -> None:
    assert schema().unknown == RAISE
    assert schema.__doc__
    with pytest.raises(ValidationError) as refusal:
        schema().load({"surprise": 1})
    assert refusal.value.messages["surprise"] == ["Unknown field."]


def test_handlers_are_declared_with_the_schemas_of_the_registry() -> None:
    declared = {**ACTIONS.handlers, **COMMANDS.handlers}
    assert {event: item.schema for event, item in declared.items()} == {
        event: pair[0] for event, pair in CLIENT_EVENTS.items()
    }


def test_the_message_form_has_every_event_and_no_other() -> None:
    choices = MessageForm().fields["message_type"]
    assert isinstance(choices, Choice)
    assert set(choices.choices) == set(CLIENT_EVENTS)


def test_the_bounds_are_the_rules_own() -> None:
    assert limits.MAX_INTEGER == MAX_INTEGER
    assert limits.MAX_FIELD_NAME == common.MAX_FIELD_NAME
    assert limits.MAX_REASON == common.MAX_REASON
    assert limits.MAX_COMMENT_TEXT == common.MAX_COMMENT_TEXT
    assert limits.MAX_MENTIONS == common.MAX_MENTIONS
    assert limits.MAX_BATCH == common.MAX_BATCH
    assert set(common.ROLES) == set(Role)
    assert set(common.POLICIES) == set(Policy)
    assert set(common.STRATEGIES) == set(conflicts.STRATEGIES)
