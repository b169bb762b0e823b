"""Who should not be let in, or not to this: over the socket and over HTTP, while others work."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
import jwt
import pytest

from tests.attacks.conftest import Bystanders, bearer
from tests.server.clients import NotConnected, PythonClient
from tests.server.conftest import SECRET, Server, StartServer, record_edit, token_of

CLAIMS = {"sub": "mallory", "exp": int(time.time()) + 86_400, "projects": {"p1": "admin", "p9": "admin"}}


def _cut(token: str) -> str:
    head, body, _ = token.split(".")
    return f"{head}.{body}."


TOKENS: dict[str, tuple[str, str]] = {
    "forged": (jwt.encode(CLAIMS, "another secret, which is long enough too", "HS256"), "unauthenticated"),
    "expired": (jwt.encode({**CLAIMS, "exp": int(time.time()) - 60}, SECRET, "HS256"), "token_expired"),
    "alg none": (jwt.encode(CLAIMS, None, "none"), "unauthenticated"),
    "without its signature": (_cut(jwt.encode(CLAIMS, SECRET, "HS256")), "unauthenticated"),
    "of another audience": (jwt.encode({**CLAIMS, "iss": "us", "aud": "wiki"}, SECRET, "HS256"), "unauthenticated"),
    "of another issuer": (jwt.encode({**CLAIMS, "iss": "them", "aud": "books"}, SECRET, "HS256"), "unauthenticated"),
    "for nobody in particular": (jwt.encode({**CLAIMS, "iss": "us"}, SECRET, "HS256"), "unauthenticated"),
}


@pytest.mark.parametrize(("token", "code"), TOKENS.values(), ids=TOKENS.keys())
async def test_a_token_that_is_not_ours_opens_no_door(
    start_server: StartServer, http: aiohttp.ClientSession, token: str, code: str
) -> None:
    server = await start_server(AUTH_ISSUER="us", AUTH_AUDIENCE="books")
    await server.create_session()
    good = jwt.encode({**CLAIMS, "sub": "alice", "iss": "us", "aud": "books"}, SECRET, "HS256")
    alice = await server.member(token=good)
    with pytest.raises(NotConnected) as refusal:
        await PythonClient().connect(server.url, {"token": token})
    assert refusal.value.data["data"]["code"] == code
    assert (await alice.refused("authenticate", None, token=token))["code"] == code
    async with http.get(f"{server.url}/api/collaboration/sessions", headers=bearer(token)) as response:
        assert response.status == 401
    assert (await alice.done("edit", **record_edit("e1", "rent")))["status"] == "applied"


async def test_a_session_that_was_guessed_looks_like_one_that_is_not_there(
    server: Server, bystanders: Bystanders, http: aiohttp.ClientSession
) -> None:
    mallory = await server.client("mallory")
    for event, request in (("join", {}), ("sync", {"since": 0}), ("edit", record_edit("e1", "mine")), ("leave", {})):
        errors = [await mallory.refused(event, session_id, **request) for session_id in ("quiet", "nowhere")]
        assert errors[0]["code"] == errors[1]["code"] in ("not_found", "not_joined")
        assert errors[0]["message"].replace("quiet", "nowhere") == errors[1]["message"]
    bodies = []
    for session_id in ("quiet", "nowhere"):
        url = f"{server.url}/api/collaboration/sessions/{session_id}/records"
        async with http.get(url, headers=bearer(token_of("mallory"))) as response:
            body = await response.json(content_type=None)
            bodies.append((response.status, body["code"], body["detail"].replace("quiet", "nowhere")))
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_page_of_another_site_gets_no_connection(
    start_server: StartServer, http: aiohttp.ClientSession, transport: str
) -> None:
    server = await start_server(CORS_ALLOWED_ORIGINS="https://books.example")
    upgrade = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }  # fmt: skip
    statuses = {}
    for origin in ("https://evil.example", "https://books.example.evil.example", "null", "https://books.example"):
        headers = {"Origin": origin, **(upgrade if transport == "websocket" else {})}
        url = f"{server.url}/socket.io/?EIO=4&transport={transport}"
        async with http.get(url, headers=headers) as response:
            statuses[origin] = response.status
            allowed = response.headers.get("Access-Control-Allow-Origin")
            assert allowed in (None, "https://books.example")
    assert statuses.pop("https://books.example") in (101, 200)
    assert set(statuses.values()) <= {400, 403}, statuses


@pytest.mark.parametrize(
    "path",
    ["/../settings.py", "/assets/../../setup.cfg", "/%2e%2e/%2e%2e/etc/passwd", "/assets/%2e%2e%2f%2e%2e%2fsetup.cfg",
     "//etc/passwd", "/assets/..%5c..%5csetup.cfg", "/%00", "/assets/%00.js", "/jwt-secret", "/data/jwt-secret"],
)  # fmt: skip
async def test_no_path_leads_out_of_the_clients_files(server: Server, bystanders: Bystanders, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    assert b"root:" not in answer
    assert b"[metadata]" not in answer
    assert SECRET not in answer
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 40" in head.splitlines()[0] or b"<!doctype html" in body.lower(), answer[:300]


HOSTILE_KEYS: list[dict[str, Any]] = [
    {"$where": "sleep(1000)"}, {"$gt": ""}, {"a.b": 1}, {"__proto__": {"role": "admin"}},
    {"constructor": {"prototype": {"role": "admin"}}}, {"": 1}, {"\x00": 1},
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE_KEYS, ids=lambda item: ascii(next(iter(item))))
async def test_operators_and_prototypes_are_refused_wherever_they_stand(
    server: Server, bystanders: Bystanders, http: aiohttp.ClientSession, hostile: dict[str, Any]
) -> None:
    mallory, bob = await server.member("mallory"), await server.member("bob")
    edit = record_edit("e1", "x")
    key = next(iter(hostile))
    requests: list[tuple[str, dict[str, Any]]] = [
        ("edit", {**edit, "session_id": "s1", **hostile}),
        ("edit", {**edit, "session_id": hostile}),
        ("edit", {**edit, "session_id": "s1", "record_id": hostile}),
        ("edit", {**edit, "session_id": "s1", "field_name": key}),
        ("edit", {**edit, "session_id": "s1", "new_value": hostile}),
        ("presence", {"session_id": "s1", "focus": hostile}),
        ("comment", {"session_id": "s1", "text": "x", "mentions": [hostile]}),
        ("lock", {"session_id": "s1", "record_id": "r1", "ttl": hostile}),
        ("sync", {"session_id": "s1", "since": hostile}),
    ]
    for event, request in requests:
        ack = await mallory.send(event, request)
        assert ack["ok"] is False, (event, request)
        assert ack["error"]["code"] in ("invalid", "not_found"), (event, request, ack)
    sessions = f"{server.url}/api/collaboration/sessions"
    bodies = ({"project_id": hostile}, {"project_id": "p1", **hostile}, {"project_id": "p1", "field_policies": hostile})
    for body in bodies:
        async with http.post(sessions, json=body, headers=bearer(token_of("mallory"))) as response:
            assert response.status == 422, body
    assert {item["message_type"] for item in bob.commits()} <= {"session.updated"}  # people who joined


async def test_an_import_takes_no_operators_prototypes_or_control_characters_for_names(
    server: Server, bystanders: Bystanders, http: aiohttp.ClientSession
) -> None:
    mallory = await server.member("mallory")
    row = {"external_id": "1", "date": "2026-11-22", "amount": "1.00", "currency": "GBP", "description": "x"}
    url = f"{server.url}/api/collaboration/sessions/s1/records?source=statement"
    headers = {**bearer(token_of("mallory")), "Content-Type": "application/x-ndjson"}
    for number, hostile in enumerate([*HOSTILE_KEYS, {"a\x07b": 1}, {"description": {"$gt": ""}}]):
        line = {**row, "external_id": f"row-{number}", **hostile}
        async with http.post(url, data=_json(line), headers=headers) as response:
            body = await response.json(content_type=None)
            taken = body["new"] if response.status < 400 else 0
            assert not taken, (hostile, body)
    names = set()
    for record in await server.services.store.records.page("s1", limit=100):
        names |= set(record.base)
    assert names <= {"amount", "currency", "date", "description", "status"}, names
    assert (await mallory.done("edit", **record_edit("e1", "rent")))["status"] == "applied"


def _json(line: dict[str, Any]) -> bytes:
    return json.dumps(line).encode() + b"\n"


CONTROLS = ["a\x00b", "a\x1b[31mb", "a\nb", "a\u202eb", "a\u2028b", "a\x7fb", "\ud800"]


@pytest.mark.parametrize("text", CONTROLS, ids=ascii)
async def test_no_name_has_control_characters_in_it(
    server: Server, bystanders: Bystanders, http: aiohttp.ClientSession, text: str
) -> None:
    mallory = await server.member("mallory")
    edit = record_edit("e1", "x")
    names = [
        ("join", {"session_id": text}), ("join", {"session_id": "s1", "device_id": text}),
        ("edit", {"session_id": "s1", **edit, "field_name": text}),
        ("edit", {"session_id": "s1", **edit, "record_id": text}),
        ("edit", {"session_id": "s1", **edit, "edit_id": text}),
        ("lock", {"session_id": "s1", "record_id": text}),
    ]  # fmt: skip
    if text != "a\u202eb":  # in a mention it is a name of nobody
        names.append(("comment", {"session_id": "s1", "text": "x", "mentions": [text]}))
    for event, request in names:
        ack = await mallory.send(event, request)
        assert ack["ok"] is False, (event, request, ack)
        assert ack["error"]["code"] in ("invalid", "not_found"), (event, ack)
    if text.isascii():
        claims = {"exp": int(time.time()) + 600, "projects": {"p1": "admin"}}
        for bad in ({"sub": text}, {"sub": "mallory", "name": text}, {"sub": "mallory", "projects": {text: "admin"}}):
            with pytest.raises(NotConnected):
                await PythonClient().connect(server.url, {"token": jwt.encode({**claims, **bad}, SECRET, "HS256")})
