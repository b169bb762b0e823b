"""Messages of any schema: right, nearly right, and nonsense."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from marshmallow import Schema, fields

from realtime_server.rest.documents.examples import example_of
from schemas.strict import Choice, Integer, Listed, Number, Text

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["", "a\nb", "x" * 300, "x\x00", "1", "true", "\u2028", "demo", 2**53, -1, 0.1, 1e300, [], {}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def messages(schema: type[Schema]) -> st.SearchStrategy[Any]:
    """Mostly objects with the schema's own fields, some left out, some of them wrong."""
    known = {name: values(field) for name, field in schema().load_fields.items()}
    optional = {name: strategy | JUNK for name, strategy in known.items()}
    right = st.fixed_dictionaries(
        {name: strategy for name, strategy in known.items() if schema().load_fields[name].required},
        optional={name: strategy for name, strategy in known.items() if not schema().load_fields[name].required},
    )
    strange = st.fixed_dictionaries({}, optional={**optional, "unheard_of": JUNK})
    return st.one_of(right, right, strange, st.just(example_of(schema)), JUNK)


def values(field: fields.Field[Any]) -> st.SearchStrategy[Any]:
    """What the field takes, so far as a strategy can say it."""
    found = _values(field)
    return found | st.none() if field.allow_none else found


def _values(field: fields.Field[Any]) -> st.SearchStrategy[Any]:
    match field:
        case Choice():
            return st.sampled_from(field.choices)
        case Text() if field.pattern is not None:
            return st.from_regex(f"^(?:{field.pattern})$", fullmatch=True, alphabet=st.characters(codec="ascii"))
        case Text():
            return st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=field.minimum, max_size=20)
        case Integer():
            return st.integers(field.minimum, field.maximum)
        case Number():
            return st.floats(field.minimum, field.maximum) | st.integers(1, 1_000)
        case fields.Boolean():
            return st.booleans()
        case Listed():
            return st.lists(values(field.inner), min_size=field.minimum, max_size=min(field.maximum, 4))
        case fields.Nested():
            return messages(type(field.schema))
        case fields.Dict() if field.value_field is not None:
            keys = values(field.key_field) if isinstance(field.key_field, Text) else st.text(max_size=5)
            return st.dictionaries(keys, values(field.value_field), max_size=3)
        case fields.Dict():
            return st.dictionaries(st.text(max_size=5), JUNK, max_size=3)
        case _:
            return JUNK
