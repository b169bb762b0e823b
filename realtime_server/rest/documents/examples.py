"""Example objects, put together from the examples of the fields."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import Schema, fields, missing

#: Optional fields that belong into an example all the same, because people ask for them first.
_SHOWN: Final = frozenset({"edit_id", "base_version", "reason", "session_name", "ttl", "status", "edit_reason"})


def example_of(schema: type[Schema]) -> dict[str, Any]:
    """What must be there, and a little of what may; a body that a reader can send as it is."""
    found: dict[str, Any] = {}
    for name, field in schema().load_fields.items():
        if field.required or name in _SHOWN:
            key, value = field.data_key or name, _example(field)
            if value is not missing:
                found[key] = value
            elif field.required:
                # A token, say, of which no example would be good for anything.
                found[key] = f"<{key}>"
    return found


def _example(field: fields.Field[Any]) -> Any:
    if isinstance(field, fields.Nested):
        return example_of(type(field.schema))
    value = field.metadata.get("example", missing)
    return missing if value is None else value
