"""The documents say what the schemas say, and are as new as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from marshmallow import Schema

from realtime_server.documents import DIRECTORY, documents, main, outdated
from realtime_server.errors import ERROR_TABLE
from realtime_server.rest.documents.examples import example_of
from realtime_server.rest.routes import OPERATIONS
from schemas import CLIENT_EVENTS, MESSAGE_TYPES, rest_requests
from schemas.acks import ERROR_CODES
from tests.documents.strategies import messages
from tests.documents.test_loading import REQUESTS

ROOT = Path(__file__).parents[2]
FILES = {name: content for name, content in documents().items() if name.endswith(".json")}
SCHEMA = orjson.loads(FILES["schema.json"])
#: Rules between fields, which JSON Schema does not tell here: the documents' prose does.
WITH_RULES = {"Resolve", "ResolveBody"}


#: ECMA-262's `$` is the end; Python's also lets a line break stand after it.
_PYTHON = orjson.loads(re.sub(r'("pattern":"(?:[^"\\]|\\.)*)\$"', r'\1\\\\Z"', orjson.dumps(SCHEMA).decode()))


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({**_PYTHON, "$ref": f"#/$defs/{name}"})


def parts(document: Any) -> Iterator[dict[str, Any]]:
    if isinstance(document, dict):
        yield document
        for item in document.values():
            yield from parts(item)
    elif isinstance(document, list):
        for item in document:
            yield from parts(item)


def test_the_files_in_the_repository_are_what_the_schemas_give() -> None:
    assert outdated(ROOT / DIRECTORY) == [], "run: python -m realtime_server.documents"


def test_a_file_that_is_out_of_date_is_found(tmp_path: Path) -> None:
    run = CliRunner()
    assert run.invoke(main, ["--directory", str(tmp_path)]).exit_code == 0
    assert run.invoke(main, ["--check", "--directory", str(tmp_path)]).exit_code == 0
    (tmp_path / "types.ts").write_text("export {};\n")
    (tmp_path / "openapi.json").unlink()
    refused = run.invoke(main, ["--check", "--directory", str(tmp_path)])
    assert refused.exit_code == 1
    assert "out of date: openapi.json, types.ts" in refused.output


@pytest.mark.parametrize("name", FILES)
def test_every_reference_leads_somewhere(name: str) -> None:
    document = orjson.loads(FILES[name])
    references = {part["$ref"] for part in parts(document) if "$ref" in part}
    assert references
    for reference in references:
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_schema_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for document in (orjson.loads(FILES["openapi.json"]), orjson.loads(FILES["asyncapi.json"])):
        for schema in document["components"]["schemas"].values():
            Draft202012Validator.check_schema(schema)


def test_every_event_operation_message_and_code_is_documented() -> None:
    asyncapi, openapi = orjson.loads(FILES["asyncapi.json"]), orjson.loads(FILES["openapi.json"])
    names = set(asyncapi["channels"]["collaboration"]["messages"])
    assert names >= {*CLIENT_EVENTS, *MESSAGE_TYPES, "message", "refused"}
    assert {f"receive_{event}" for event in CLIENT_EVENTS} <= set(asyncapi["operations"])
    ids = {item["operationId"] for path in openapi["paths"].values() for item in path.values()}
    assert ids == {operation.name for operation in OPERATIONS}
    assert set(ERROR_CODES) == {code.value for code in ERROR_TABLE}
    assert {error["code"] for error in openapi["x-errors"]} == set(ERROR_CODES)


def test_every_field_has_a_description_and_every_schema_and_operation_too() -> None:
    for name, schema in SCHEMA["$defs"].items():
        assert schema.get("description"), name
        for field, described in schema.get("properties", {}).items():
            told = "description" in described or "const" in described or name.endswith("Envelope")
            assert told, f"{name}.{field}"
    for operation in OPERATIONS:
        assert operation.summary, operation.name


@pytest.mark.parametrize("schema", [*REQUESTS, rest_requests.CreateSession], ids=lambda schema: schema.__name__)
def test_every_example_is_a_good_message(schema: type[Schema]) -> None:
    example = example_of(schema)
    validator(schema.__name__).validate(example)
    assert schema().load(example).items() >= example.items()


@pytest.mark.parametrize("schema", REQUESTS, ids=lambda schema: schema.__name__)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_json_schema_takes_what_the_server_takes(schema: type[Schema], data: st.DataObject) -> None:
    message = data.draw(messages(schema))
    refused = schema().validate(message) if isinstance(message, dict) else {"_schema": ["no object"]}
    fits = validator(schema.__name__).is_valid(message)
    if not refused:
        assert fits
    elif fits and schema.__name__ not in WITH_RULES:
        # Left to the server: bounds of a value as a whole, and 1.0, which JSON Schema calls an integer.
        assert _only_values_or_whole_fractions(refused, message), refused


def _only_values_or_whole_fractions(refused: Any, message: Any) -> bool:
    text = str(refused)
    whole = any(isinstance(item, float) and item.is_integer() for part in parts([message]) for item in part.values())
    return whole or bool(re.search(r"Nested deeper|Longer than 32000|parts\.", text)) or "[1.0" in str(message)


def test_typescript_has_a_type_for_every_schema_event_and_message() -> None:
    types = documents()["types.ts"].decode()
    for name in SCHEMA["$defs"]:
        assert re.search(rf"^export (interface|type) {name}\b", types, re.MULTILINE), name
    for event in CLIENT_EVENTS:
        assert re.search(rf"^  {event}: {{ request: \w+; ack: \w+ }};$", types, re.MULTILINE)
    for message_type in MESSAGE_TYPES:
        assert f'"{message_type}": ' in types
    assert "any;" not in types
