"""Types for TypeScript clients, from the JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from realtime_server.rest.documents.components import Json, envelope_name
from schemas import CLIENT_EVENTS, EPHEMERAL, MESSAGE_TYPES

_HEAD: Final = """\
// Generated from the server's schemas by `python -m realtime_server.documents`. Do not edit.

/** Any JSON value. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue };
"""
_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_PLAIN: Final = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def typescript(schema: Json) -> str:
    """The source of one module: an interface for each schema, and maps from events and message types to them."""
    parts = [_HEAD]
    for name, definition in schema["$defs"].items():
        parts.append(_comment(definition.get("description"), "") + _declaration(name, definition))
    parts.append(_maps())
    return "\n".join(parts)


def _declaration(name: str, schema: Json) -> str:
    if schema.get("type") == "object" and schema.get("properties"):
        return f"export interface {name} {_members(schema, '')}\n"
    return f"export type {name} = {_type(schema, '')};\n"


def _members(schema: Json, indent: str) -> str:
    inner = f"{indent}  "
    required = set(schema.get("required", ()))
    lines = []
    for name, item in schema["properties"].items():
        key = name if _IDENTIFIER.fullmatch(name) else json.dumps(name)
        mark = "" if name in required else "?"
        lines.append(f"{_comment(item.get('description'), inner)}{inner}{key}{mark}: {_type(item, inner)};\n")
    return "{\n" + "".join(lines) + indent + "}"


def _type(schema: Json, indent: str) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return _union(json.dumps(value) for value in schema["enum"])
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return _union(_type(item, indent) for item in schema[several])
    kind = schema.get("type")
    if isinstance(kind, list):
        return _union(_type({**schema, "type": item}, indent) for item in kind)
    if kind == "array":
        item = _type(schema.get("items", {}), indent)
        return f"({item})[]" if "|" in item else f"{item}[]"
    if kind == "object":
        return _object(schema, indent)
    return _PLAIN.get(str(kind), "JsonValue")


def _object(schema: Json, indent: str) -> str:
    if schema.get("properties"):
        return _members(schema, indent)
    values = schema.get("additionalProperties")
    if values is False:
        return "Record<string, never>"
    return f"Record<string, {_type(values, indent) if isinstance(values, dict) else 'JsonValue'}>"


def _union(types: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(types))


def _comment(text: Any, indent: str) -> str:
    if not text:
        return ""
    return f"{indent}/** {str(text).replace('*/', '* /')} */\n"


def _maps() -> str:
    events = "".join(
        f"  {event}: {{ request: {request.__name__}; ack: {ack.__name__} }};\n"
        for event, (request, ack) in CLIENT_EVENTS.items()
    )
    data = "".join(f"  {json.dumps(kind)}: {schema.__name__};\n" for kind, schema in MESSAGE_TYPES.items())
    families: dict[str, list[str]] = {}
    for kind in MESSAGE_TYPES:
        families.setdefault(kind.partition(".")[0], []).append(kind)
    server = "".join(
        f"  {family}: {_union(envelope_name(kind) for kind in kinds)};\n" for family, kinds in families.items()
    )
    durable = _union(envelope_name(kind) for kind in MESSAGE_TYPES if kind.partition(".")[0] not in EPHEMERAL)
    return (
        "/** What clients send, and how it is answered when it is fulfilled. */\n"
        f"export interface ClientEvents {{\n{events}}}\n\n"
        "/** Every acknowledgement. */\n"
        'export type Ack<E extends keyof ClientEvents> = ClientEvents[E]["ack"] | Refused;\n\n'
        "/** The `data` of an envelope, by its `message_type`. */\n"
        f"export interface MessageData {{\n{data}}}\n\n"
        "/** What the server sends, by event name. */\n"
        f"export interface ServerEvents {{\n{server}}}\n\n"
        "/** Envelopes of commits: the ones with a `seq`. */\n"
        f"export type CommitEnvelope = {durable};\n"
    )
