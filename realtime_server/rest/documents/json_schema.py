"""Every message and body as one JSON Schema (2020-12), by name under ``$defs``."""

from __future__ import annotations

from typing import Any

from realtime_server.rest.documents.components import CONTRACT_VERSION, REFERENCE, Json


def json_schema(*documents: Json) -> Json:
    """The schemas of OpenAPI and AsyncAPI documents, together."""
    found: dict[str, Json] = {}
    for document in documents:
        for name, schema in document["components"]["schemas"].items():
            if found.setdefault(name, schema) != schema:
                raise ValueError(f"two different schemas are called {name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:realtime-server:contract:{CONTRACT_VERSION}",
        "title": "Everything that travels",
        "$defs": {name: _moved(schema) for name, schema in sorted(found.items())},
    }


def _moved(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {name: _moved(item) for name, item in schema.items()}
    if isinstance(schema, list):
        return [_moved(item) for item in schema]
    return schema.replace(REFERENCE, "#/$defs/") if isinstance(schema, str) else schema
