"""Bad input: one clear error with a code, whatever it is, and nothing changes."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from typing import Any

import jwt
import orjson
import pytest
from yarl import URL

from realtime_server.core.roles import Role
from tests.rest.conftest import PROJECT, SECRET, Person, Server, token

JSON = {"Content-Type": "application/json"}
EDIT = "records/ledger-000001/edit"
GOOD = {"field_name": "amount", "new_value": "5", "base_version": 0}


def wrong(**members: Any) -> dict[str, Any]:
    return {**GOOD, **members}


MALFORMED = {
    "nothing": b"",
    "half an object": b'{"field_name": ',
    "single quotes": b"{'field_name': 'amount'}",
    "a trailing comma": b'{"field_name": "amount",}',
    "not a number": b'{"field_name": "amount", "new_value": NaN, "base_version": 0}',
    "not UTF-8": b'{"field_name": "\xff"}',
    "half of a surrogate pair": b'{"field_name": "\\ud800", "new_value": 1, "base_version": 0}',
    "a control character": b'{"field_name": "a\x01b"}',
    "two objects": b"{}{}",
    "very deep": b"[" * 100_000,
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_json_is_refused_as_such(server: Server, pat: Person, body: bytes) -> None:
    session = await server.session(pat)
    refused = await pat.ask("POST", f"/sessions/{session}/{EDIT}", data=body, headers=JSON)
    assert (refused.status, refused.code) == (400, "invalid")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert (await pat.get(f"/sessions/{session}")).body["seq"] == 1


async def test_a_query_that_is_too_long_to_read_is_a_problem_like_others(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    refused = await pat.get(f"/sessions/{session}/records?search={'x' * 70_000}")
    assert (refused.status, refused.code) == (400, "invalid")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["X-Request-ID"] == refused.body["request_id"]


FIELDS: dict[str, tuple[Any, set[str]]] = {
    "a list": ([], {"_schema"}),
    "a text": ("x", {"_schema"}),
    "null": (None, {"_schema"}),
    "an empty object": ({}, {"field_name", "new_value"}),
    "an unknown field": (wrong(user_id="ada"), {"user_id"}),
    "a misspelt field": ({**GOOD, "base_versoin": 1}, {"base_versoin"}),
    "a version as text": (wrong(base_version="0"), {"base_version"}),
    "a version as a fraction": (wrong(base_version=0.0), {"base_version"}),
    "a version as a boolean": (wrong(base_version=True), {"base_version"}),
    "a negative version": (wrong(base_version=-1), {"base_version"}),
    "a version beyond what JavaScript counts": (wrong(base_version=2**53), {"base_version"}),
    "a field's name as a number": (wrong(field_name=1), {"field_name"}),
    "an empty name": (wrong(field_name=""), {"field_name"}),
    "a name too long": (wrong(field_name="x" * 65), {"field_name"}),
    "a name with a line break": (wrong(field_name="a\nb"), {"field_name"}),
    "an operator for a name": (wrong(field_name="$set"), {"field_name"}),
    "a path for a name": (wrong(field_name="a.b"), {"field_name"}),
    "a prototype for a name": (wrong(field_name="__proto__"), {"field_name"}),
    "an object for a value": (wrong(new_value={"$gt": ""}), {"new_value"}),
    "an operator deep inside": (wrong(field_name="tags", new_value=["a", {"$where": "1"}]), {"new_value"}),
    "a list in a list": (wrong(field_name="tags", new_value=[["a"]]), {"new_value"}),
    "a value nested deep": (wrong(field_name="free", new_value=[[[[[[1]]]]]]), {"new_value"}),
    "a value with NUL": (wrong(field_name="free", new_value="a\x00b"), {"new_value"}),
    "a huge fraction": (wrong(field_name="free", new_value=1e308), {"new_value"}),
    "a tiny fraction": (wrong(field_name="free", new_value=1e-308), {"new_value"}),
    "an integer beyond what JavaScript counts": (wrong(field_name="free", new_value=2**60), {"new_value"}),
    "money beyond eighteen digits": (wrong(new_value="9" * 19), {"new_value"}),
    "a value too long": (wrong(new_value="x" * 40_000), {"new_value"}),
    "money as a fraction": (wrong(new_value=1.5), {"new_value"}),
    "money with too many decimals": (wrong(new_value="1.234"), {"new_value"}),
    "a read-only field": (wrong(field_name="record_id"), {"field_name"}),
    "an id with a slash": (wrong(edit_id="a/b"), {"edit_id"}),
    "two things wrong": (wrong(base_version="0", field_name=1), {"base_version", "field_name"}),
}


@pytest.mark.parametrize(("body", "names"), FIELDS.values(), ids=FIELDS.keys())
async def test_every_error_names_its_field(server: Server, pat: Person, body: Any, names: set[str]) -> None:
    session = await server.session(pat)
    refused = await pat.ask("POST", f"/sessions/{session}/{EDIT}", data=orjson.dumps(body), headers=JSON)
    assert (refused.status, refused.code) == (422, "invalid")
    assert set(refused.body["details"]["fields"]) == names
    assert (await pat.get(f"/sessions/{session}")).body["seq"] == 1


QUERIES: dict[str, tuple[str, str, set[str]]] = {
    "an unknown parameter": ("records", "colour=red", {"colour"}),
    "a limit of nothing": ("records", "limit=0", {"limit"}),
    "a limit too large": ("records", "limit=1001", {"limit"}),
    "a limit in words": ("records", "limit=ten", {"limit"}),
    "a limit in other digits": ("records", "limit=١٠", {"limit"}),
    "a limit twice": ("records", "limit=1&limit=2", {"limit"}),
    "an unknown status": ("records", "status=lost", {"status"}),
    "a foreign cursor": ("records", "cursor=abc", {"cursor"}),
    "a cursor of another list": ("records", "cursor=WzFd", {"cursor"}),
    "a cursor from the future": ("records", "cursor=Wzk5OSwibGVkZ2VyIl0", {"cursor"}),
    "a cursor with an operator": ("records", "cursor=W3siJGd0IjoiIn0sImEiXQ", {"cursor"}),
    "no instant": ("history", "from=yesterday", {"from"}),
    "an impossible day": ("history", "from=2026-02-30", {"from"}),
    "a negative seq": ("history", "since=-1", {"since"}),
    "an ephemeral type": ("history", "message_type=presence.joined", {"message_type"}),
    "a parameter where none is": ("analytics", "deep=true", {"deep"}),
}


@pytest.mark.parametrize(("path", "query", "names"), QUERIES.values(), ids=QUERIES.keys())
async def test_wrong_query_parameters_are_named(
    server: Server, pat: Person, path: str, query: str, names: set[str]
) -> None:
    session = await server.session(pat)
    refused = await pat.get(f"/sessions/{session}/{path}?{query}")
    assert (refused.status, refused.code) == (422, "invalid")
    assert set(refused.body["details"]["fields"]) == names


@pytest.mark.parametrize("key", ["", " ", "a b", "a/b", "x" * 65, '""', "é", "~x"])
async def test_an_idempotency_key_has_the_form_of_an_id(server: Server, pat: Person, key: str) -> None:
    session = await server.session(pat)
    refused = await pat.ask("POST", f"/sessions/{session}/{EDIT}", GOOD, headers={"Idempotency-Key": key})
    assert (refused.status, refused.code) == (422, "invalid")
    assert set(refused.body["details"]["fields"]) == {"Idempotency-Key"}


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "application/json; charset=latin-1"])
async def test_a_body_of_another_kind_is_refused(server: Server, pat: Person, media_type: str) -> None:
    session = await server.session(pat)
    headers = {"Content-Type": media_type}
    refused = await pat.ask("POST", f"/sessions/{session}/{EDIT}", data=b"{}", headers=headers)
    assert (refused.status, refused.code) == (415, "invalid")


async def test_a_body_too_large_is_refused_before_it_is_read(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    body = io.BytesIO(b'{"text": "' + b"x" * 1_100_000 + b'"}')
    refused = await pat.ask("POST", f"/sessions/{session}/comments", data=body, headers=JSON)
    assert (refused.status, refused.code) == (413, "payload_too_large")


@pytest.mark.parametrize("name", ["nowhere", "a" * 65, "%00", "..%2F..", "%F0%9F%A7%BE", "a%0Ab", "%ED%A0%80", "$gt"])
async def test_ids_that_name_nothing_are_not_found(server: Server, pat: Person, name: str) -> None:
    session = await server.session(pat)
    for path in (f"/sessions/{name}", f"/sessions/{session}/records/{name}", f"/sessions/{name}/records"):
        async with pat.http.get(
            URL(f"{pat.base}{path}", encoded=True), headers={"Authorization": f"Bearer {pat.token}"}
        ) as response:
            assert response.status == 404, path
            assert (await response.json(content_type="application/problem+json"))["code"] == "not_found"


async def test_writes_to_a_session_of_another_project_find_nothing(server: Server, ada: Person) -> None:
    session = await server.session(ada)
    stranger = await server.person("sam", Role.ADMIN, project="other")
    requests: Mapping[str, Any] = {
        EDIT: GOOD,
        "edits": {"edits": [{**GOOD, "record_id": "ledger-000001"}]},
        "records/ledger-000001/lock": {},
        "records/ledger-000001/unlock": {"token": 1},
        "records/ledger-000001/takeover": {"reason": "x"},
        "conflicts/conflict-1/resolve": {"strategy": "keep_current"},
        "comments": {"text": "x"},
        "users/sam/activity": {"activity": "x"},
    }
    for path, body in requests.items():
        refused = await stranger.post(f"/sessions/{session}/{path}", body)
        assert (refused.status, refused.code) == (404, "not_found"), path
        assert refused.body["detail"] == f"there is no session {session}"
    assert (await stranger.ask("DELETE", f"/sessions/{session}")).code == "not_found"
    assert (await ada.get(f"/sessions/{session}")).body["seq"] == 1


def _claims(**members: Any) -> dict[str, Any]:
    # Made when the tests are collected, and still good when the last of them runs.
    return {"sub": "pat", "name": "Pat", "exp": int(time.time()) + 86_400, "projects": {PROJECT: "preparer"}, **members}


TOKENS: dict[str, tuple[str, str]] = {
    "expired": (jwt.encode(_claims(exp=int(time.time()) - 60), SECRET, "HS256"), "token_expired"),
    "of another secret": (jwt.encode(_claims(), b"x" * 48, "HS256"), "unauthenticated"),
    "unsigned": (jwt.encode(_claims(), None, "none"), "unauthenticated"),
    "without an end": (jwt.encode({"sub": "pat"}, SECRET, "HS256"), "unauthenticated"),
    "of the system": (jwt.encode(_claims(sub="system"), SECRET, "HS256"), "unauthenticated"),
    "below the system": (jwt.encode(_claims(sub="system/import"), SECRET, "HS256"), "unauthenticated"),
    "of an unknown role": (jwt.encode(_claims(projects={PROJECT: "king"}), SECRET, "HS256"), "unauthenticated"),
    "cut": (token("pat", Role.PREPARER)[:-2], "unauthenticated"),
    "of many": ("a b", "unauthenticated"),
}


@pytest.mark.parametrize(("text", "code"), TOKENS.values(), ids=TOKENS.keys())
async def test_a_token_that_is_not_good_opens_nothing(server: Server, text: str, code: str) -> None:
    refused = await (await server.bearer(text)).get("/sessions")
    assert (refused.status, refused.code) == (401, code)
    assert "WWW-Authenticate" in refused.headers
