"""What HTTP itself asks for: methods, headers, encodings, limits."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from realtime_server.app import SERVICES
from realtime_server.core.roles import Role
from realtime_server.rest.routes import OPERATIONS
from realtime_server.serving import running
from realtime_server.settings import Settings
from tests.rest.conftest import Person, Server, environment, record


def _paths() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for operation in OPERATIONS:
        filled = operation.path.removeprefix("/collaboration")
        for name in operation.parameters:
            filled = filled.replace(f"{{{name}}}", "x")
        found.setdefault(filled, set()).add(operation.method)
    return found


@pytest.mark.parametrize(("path", "methods"), _paths().items())
async def test_methods_that_are_not_there_are_refused_with_those_that_are(
    server: Server, ada: Person, path: str, methods: set[str]
) -> None:
    allowed = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    options = await ada.ask("OPTIONS", path)
    assert options.status == 204
    assert set(options.headers["Allow"].split(", ")) == allowed
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - allowed:
        refused = await ada.ask(method, path)
        assert refused.status == 405, method
        assert set(refused.headers["Allow"].split(", ")) == allowed
        if method != "HEAD":
            assert refused.headers["Content-Type"] == "application/problem+json"
            assert refused.code == "invalid"


async def test_head_answers_as_get_without_a_body(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    path = f"/sessions/{session}/records/ledger-000001"
    get, head = await pat.get(path), await pat.ask("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag"):
        assert head.headers[name] == get.headers[name]
    assert (await pat.ask("HEAD", "/sessions/nowhere")).status == 404


async def test_a_request_keeps_its_id_or_gets_one(server: Server, pat: Person) -> None:
    kept = await pat.ask("GET", "/sessions/nowhere", headers={"X-Request-ID": "abc-123"})
    assert kept.headers["X-Request-ID"] == kept.body["request_id"] == "abc-123"
    for given in ("a b", "x" * 65, "é"):
        other = await pat.ask("GET", "/sessions/nowhere", headers={"X-Request-ID": given})
        assert other.headers["X-Request-ID"] == other.body["request_id"] != given


async def test_answers_are_compressed_for_whoever_takes_it(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=100)
    url = f"{pat.base}/sessions/{session}/records"
    async with aiohttp.ClientSession(auto_decompress=False) as http:

        async def fetch(accept: str) -> tuple[str | None, bytes]:
            headers = {"Authorization": f"Bearer {pat.token}", "Accept-Encoding": accept}
            async with http.get(url, headers=headers) as response:
                assert "Accept-Encoding" in response.headers["Vary"]
                return response.headers.get("Content-Encoding"), await response.read()

        _, plain = await fetch("identity")
        for accept in ("gzip", "deflate, gzip;q=0.5", "*", "br;q=1, gzip"):
            encoding, packed = await fetch(accept)
            assert encoding == "gzip"
            assert len(packed) < len(plain) / 4
            assert orjson.loads(gzip.decompress(packed)) == orjson.loads(plain)
        for accept in ("gzip;q=0", "br", "*;q=0", ""):
            assert (await fetch(accept))[0] is None


async def test_without_a_token_the_challenge_names_the_scheme(server: Server) -> None:
    nobody = await server.bearer(None)
    refused = await nobody.get("/sessions")
    assert (refused.status, refused.code) == (401, "unauthenticated")
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="realtime-server"'
    wrong = await (await server.bearer("x.y.z")).get("/sessions")
    assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]


async def test_a_page_without_the_right_to_is_refused_by_its_browser(server: Server, pat: Person) -> None:
    answer = await pat.ask("GET", "/sessions", headers={"Origin": "https://elsewhere.example"})
    assert not any(name.startswith("Access-Control") for name in answer.headers)


@pytest.fixture
async def configured(
    request: pytest.FixtureRequest, mongodb_url: str, database_name: str, tmp_path: Path
) -> AsyncIterator[Server]:
    settings = Settings.from_environment({**environment(mongodb_url, database_name, tmp_path), **request.param})
    async with AsyncExitStack() as stack, running(settings) as (app, port):
        yield Server(app[SERVICES], port, stack)
        await stack.aclose()


@pytest.mark.parametrize("configured", [{"CORS_ALLOWED_ORIGINS": "https://books.example"}], indirect=True)
async def test_pages_of_allowed_sites_may_call(configured: Server) -> None:
    pat = await configured.person("pat", Role.PREPARER)
    preflight = {
        "Origin": "https://books.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,idempotency-key",
    }
    nobody = await configured.bearer(None)
    asked = await nobody.ask("OPTIONS", "/sessions", headers=preflight)
    assert asked.status == 204
    assert asked.headers["Access-Control-Allow-Origin"] == "https://books.example"
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert "Idempotency-Key" in asked.headers["Access-Control-Allow-Headers"]
    called = await pat.ask("GET", "/sessions", headers={"Origin": "https://books.example"})
    assert called.headers["Access-Control-Allow-Origin"] == "https://books.example"
    assert "ETag" in called.headers["Access-Control-Expose-Headers"]
    assert "Origin" in called.headers.getall("Vary")  # type: ignore[attr-defined]
    refused = await pat.ask("GET", "/sessions/nowhere", headers={"Origin": "https://books.example"})
    assert refused.headers["Access-Control-Allow-Origin"] == "https://books.example"
    other = await pat.ask("GET", "/sessions", headers={"Origin": "https://elsewhere.example"})
    assert "Access-Control-Allow-Origin" not in other.headers


@pytest.mark.parametrize(
    "configured", [{"COLLABORATION_USER_RATE": "0.5", "COLLABORATION_USER_BURST": "3"}], indirect=True
)
async def test_whoever_asks_too_often_is_told_when_to_come_back(configured: Server) -> None:
    pat = await configured.person("pat", Role.PREPARER)
    replies = [await pat.get("/sessions") for _ in range(5)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]
    assert replies[-1].code == "rate_limited"
    assert int(replies[-1].headers["Retry-After"]) in (1, 2)
    assert (await (await configured.person("ada", Role.ADMIN)).get("/sessions")).status == 200


async def test_logs_are_read_by_a_bounded_number_of_requests_at_a_time(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=500)
    replies = await asyncio.gather(*(pat.get(f"/sessions/{session}/state", limit=500) for _ in range(20)))
    refused = [reply for reply in replies if reply.status != 200]
    assert {(reply.status, reply.code, reply.headers["Retry-After"]) for reply in refused} == {(503, "overloaded", "1")}
    assert (await pat.get(f"/sessions/{session}/state")).status == 200


async def test_a_body_that_never_ends_is_cut_off(server: Server, pat: Person) -> None:
    session = await server.session(pat)

    async def endless() -> AsyncIterator[bytes]:
        yield b'{"text": "'
        while True:
            yield b"x" * 65_536

    url = f"{pat.base}/sessions/{session}/comments"
    headers = {"Authorization": f"Bearer {pat.token}", "Content-Type": "application/json"}
    refused: Any = None
    try:
        async with pat.http.post(url, data=endless(), headers=headers) as response:
            refused = response.status
    except aiohttp.ClientError:
        # The server closed the connection while more was being written; the refusal may be lost with it.
        refused = 413
    assert refused == 413
    assert (await pat.get(f"/sessions/{session}")).body["seq"] == 1


async def test_a_failure_inside_leaves_only_as_internal(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    broken = record(1, amount={"not": "a value"}, status=["?"])
    await server.services.store.records.insert(session, [broken])
    await server.services.store.database["commits"].update_one({"seq": 1}, {"$unset": {"data": ""}})
    refused = await pat.get(f"/sessions/{session}/history")
    assert (refused.status, refused.code) == (500, "internal")
    assert "KeyError" not in str(refused.body)
    assert refused.headers["Retry-After"] == "1"


async def test_the_documents_and_pages_are_served_without_a_token(server: Server) -> None:
    async with aiohttp.ClientSession(server.url) as http:
        for path, media_type in (
            ("/api/openapi.json", "application/json"),
            ("/api/asyncapi.json", "application/json"),
            ("/api/docs", "text/html"),
            ("/api/docs/docs.js", "text/javascript"),
            ("/api/docs/docs.css", "text/css"),
            ("/api/docs/socket.js", "text/javascript"),
        ):
            async with http.get(path) as response:
                assert (response.status, response.content_type) == (200, media_type)
                policy, etag = response.headers["Content-Security-Policy"], response.headers["ETag"]
                assert "'unsafe" not in policy
                assert "default-src 'none'" in policy
                text = await response.text()
                assert "http://" not in text.replace("http://json-schema.org", "") or path.endswith(".json")
            async with http.get(path, headers={"If-None-Match": etag}) as response:
                assert response.status == 304
