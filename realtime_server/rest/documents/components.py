"""marshmallow schemas as JSON Schema (2020-12), each under its name once."""

from __future__ import annotations

import re
from typing import Any, Final

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from schemas.broadcasts import EPHEMERAL, MESSAGE_TYPES
from schemas.envelopes import Envelope
from schemas.strict import Text

Json = dict[str, Any]

OPENAPI_VERSION: Final = "3.1.0"
#: The version of the contract: its second number grows with additions, its first when something breaks.
CONTRACT_VERSION: Final = "1.0.0"
#: Where components stand in OpenAPI and AsyncAPI documents.
REFERENCE: Final = "#/components/schemas/"

#: What a text must not hold (`schemas.strict`), as ECMA-262 writes it.
_LINE: Final = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
_NO_NUL: Final = r"^[^\u0000]*$"


class Components:
    """Schemas by name; each one that is asked for brings along the ones in it."""

    def __init__(self) -> None:
        plugin = MarshmallowPlugin(schema_name_resolver=_name)
        self._spec = APISpec("", "", OPENAPI_VERSION, plugins=[plugin])
        converter = plugin.converter
        if converter is None:
            raise TypeError("the plugin has no converter")
        self._converter = converter
        self._by_name: dict[str, type[Schema]] = {}
        for extend in (_text_pattern, _property_names):
            converter.add_attribute_function(extend)  # type: ignore[no-untyped-call]  # apispec has no types there

    def ref(self, schema: type[Schema]) -> Json:
        """``{"$ref": …}`` to the schema, which is among the components from now on."""
        known = self._by_name.setdefault(schema.__name__, schema)
        if known is not schema:
            raise ValueError(f"two schemas are called {schema.__name__}: {known.__module__} and {schema.__module__}")
        reference: Json = self._converter.resolve_nested_schema(schema())  # type: ignore[no-untyped-call]  # as above
        return reference

    def parameters(self, schema: type[Schema]) -> list[Json]:
        """The fields of a schema as query parameters."""
        found = self._converter.schema2parameters(schema(), location="query")
        return [tidy(parameter) for parameter in found]

    def schemas(self) -> dict[str, Json]:
        """All that was asked for, by name."""
        if Envelope.__name__ in self._spec.components.schemas:
            for data in MESSAGE_TYPES.values():
                self.ref(data)
        raw = self._spec.to_dict()["components"]["schemas"]
        found = {name: tidy(schema) for name, schema in raw.items()}
        for name, schema in found.items():
            text = _description(name, self._by_name)
            if text:
                schema["description"] = text
        if "Envelope" in found:
            found.update(_envelopes(found["Envelope"]))
        return dict(sorted(found.items()))


def _name(schema: type[Schema] | Schema) -> str:
    return schema.__name__ if isinstance(schema, type) else type(schema).__name__


def _description(name: str, known: dict[str, type[Schema]]) -> str:
    schema = known.get(name) or _anywhere(Schema, name)
    text = "" if schema is None else schema.__doc__ or ""
    return " ".join(text.replace("``", "`").split())


def _anywhere(root: type[Schema], name: str) -> type[Schema] | None:
    """A schema of ours by name: nested ones are registered by the converter, not here."""
    for child in root.__subclasses__():
        if child.__name__ == name and child.__module__.startswith("schemas."):
            return child
        found = _anywhere(child, name)
        if found is not None:
            return found
    return None


def _text_pattern(self: Any, field: fields.Field[Any], **_: Any) -> Json:
    """The pattern in ECMA-262, and what the field refuses beside it."""
    if not isinstance(field, Text):
        return {}
    if field.pattern is not None:
        return {"pattern": f"^(?:{field.pattern})$"}
    return {"pattern": _LINE if field.forbidden.search("\n") else _NO_NUL}


def _property_names(self: Any, field: fields.Field[Any], **_: Any) -> Json:
    if not isinstance(field, fields.Dict) or not isinstance(field.key_field, Text):
        return {}
    return {"propertyNames": tidy(self.field2property(field.key_field))}


def tidy(schema: Any) -> Any:
    """As JSON Schema 2020-12 has it: ``examples``, and siblings beside a reference."""
    if isinstance(schema, list):
        return [tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: tidy(item) for name, item in schema.items()}
    if "example" in found and ("type" in found or "$ref" in found or "allOf" in found or "description" in found):
        example = found.pop("example")
        if example is not None:
            found["examples"] = [example]
    if isinstance(found.get("allOf"), list) and len(found["allOf"]) == 1:
        found.update(found.pop("allOf")[0])
    return found


def _envelopes(generic: Json) -> dict[str, Json]:
    """One envelope for each message type, and `Envelope` as any of them."""
    found: dict[str, Json] = {}
    for message_type, data in MESSAGE_TYPES.items():
        ephemeral = message_type.partition(".")[0] in EPHEMERAL
        properties = {name: dict(item) for name, item in generic["properties"].items()}
        properties["message_type"] = {"const": message_type}
        properties["data"] = {"$ref": f"{REFERENCE}{data.__name__}"}
        required = set(generic["required"])
        if ephemeral:
            del properties["seq"]
        else:
            required.add("seq")
            for name in ("session_id", "project_id"):
                properties[name] = _never_null(properties[name])
        name = envelope_name(message_type)
        found[name] = {
            "type": "object",
            "description": f"`{message_type}`: {_first_sentence(data)}",
            "properties": properties,
            "required": sorted(required),
            "additionalProperties": False,
        }
    found["Envelope"] = {
        "description": generic.get("description", ""),
        "oneOf": [{"$ref": f"{REFERENCE}{name}"} for name in found],
    }
    return found


def _never_null(schema: Json) -> Json:
    kind = schema.get("type")
    return {**schema, "type": next(item for item in kind if item != "null")} if isinstance(kind, list) else schema


def envelope_name(message_type: str) -> str:
    """``edit.batch_applied`` → ``EditBatchAppliedEnvelope``."""
    return "".join(part.capitalize() for part in re.split("[._]", message_type)) + "Envelope"


def _first_sentence(schema: type[Schema]) -> str:
    return (schema.__doc__ or "").strip().partition("\n")[0]
