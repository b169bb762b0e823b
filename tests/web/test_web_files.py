"""The web client's files as the server sends them."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer

from realtime_server.settings import Settings
from realtime_server.web_files import SIGN_IN, add_web_files, content_security_policy

PAGE = "<!doctype html><title>Reconcile</title>" + " " * 600
Client = TestClient[web.Request, web.Application]
Start = Callable[..., Awaitable[Client]]


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """What a build leaves: a page, a script with its compressed forms, and something that is no file of the client."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    script = b"console.log('reconcile');" * 40
    (tmp_path / "assets" / "index-abc.js").write_bytes(script)
    (tmp_path / "assets" / "index-abc.js.gz").write_bytes(gzip.compress(script))
    (tmp_path / "assets" / "index-abc.js.br").write_bytes(b"as small as can be")
    (tmp_path / "notes.txt").write_text("not to be sent")
    return tmp_path


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    clients: list[Client] = []

    async def started(folder: Path, **environment: str) -> Client:
        app = web.Application()
        add_web_files(app, Settings.from_environment({"WEB_DIR": str(folder), **environment}))
        client = TestClient(TestServer(app), auto_decompress=False)
        clients.append(client)
        await client.start_server()
        return client

    yield started
    for client in clients:
        await client.close()


@pytest.mark.parametrize("path", ["/", "/sessions/demo", "/sessions/demo?panel=history"])
async def test_every_address_of_the_application_is_the_page(start: Start, built: Path, path: str) -> None:
    client = await start(built)
    answer = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert (answer.status, await answer.text()) == (200, PAGE)
    assert answer.headers["Cache-Control"] == "no-cache"


async def test_pages_may_run_our_own_scripts_alone_and_be_framed_by_nobody(start: Start, built: Path) -> None:
    policy = (await (await start(built)).get("/")).headers["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == "'self'"
    assert directives["frame-ancestors"] == directives["base-uri"] == directives["form-action"] == "'none'"


def test_the_identity_provider_is_the_only_other_place_to_connect_to() -> None:
    settings = Settings.from_environment({"WEB_OIDC_CLIENT_ID": "web", "AUTH_ISSUER": "https://id.example:8443/realm"})
    assert "connect-src 'self' https://id.example:8443;" in content_security_policy(settings)


def test_a_provider_that_gives_its_tokens_on_another_host_is_two_places() -> None:
    given = {"AUTH_ISSUER": "https://id.example", "WEB_OIDC_TOKEN_URL": "https://tokens.example/oauth2/token"}
    settings = Settings.from_environment({"WEB_OIDC_CLIENT_ID": "web", **given})
    assert "connect-src 'self' https://id.example https://tokens.example;" in content_security_policy(settings)
    without = Settings.from_environment(given)
    assert "connect-src 'self';" in content_security_policy(without)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("br;q=0.0", None),
        ("identity", None),
        ("", None),
    ],
)
async def test_the_smallest_form_that_the_client_takes_is_sent(
    start: Start, built: Path, accepted: str, coding: str | None
) -> None:
    client = await start(built)
    answer = await client.get("/assets/index-abc.js", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == coding
    suffix = {"br": ".br", "gzip": ".gz", None: ""}[coding]
    assert await answer.read() == (built / "assets" / f"index-abc.js{suffix}").read_bytes()
    assert answer.headers["Vary"] == "Accept-Encoding"


async def test_files_named_by_their_content_are_kept_for_ever(start: Start, built: Path) -> None:
    answer = await (await start(built)).get("/assets/index-abc.js")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.content_type == "text/javascript"


async def test_what_the_browser_has_already_is_not_sent_again(start: Start, built: Path) -> None:
    client = await start(built)
    first = await client.get("/")
    again = await client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")
    other = await client.get("/assets/index-abc.js", headers={"Accept-Encoding": "br", "If-None-Match": '"else"'})
    assert other.status == 200


@pytest.mark.parametrize(
    "path", ["/notes.txt", "/assets/../index.html", "/assets/%2e%2e/%2e%2e/etc/passwd", "/assets/"]
)
async def test_nothing_but_the_clients_files_can_be_had(start: Start, built: Path, path: str) -> None:
    client = await start(built)
    async with ClientSession() as session, session.get(f"{client.make_url('/')}{path.lstrip('/')}") as answer:
        assert "root:" not in await answer.text()
        assert answer.status == 404 or answer.url.path == "/index.html"


async def test_without_a_build_the_page_says_how_to_make_one(start: Start, tmp_path: Path) -> None:
    answer = await (await start(tmp_path / "absent")).get("/")
    assert answer.status == 200
    assert "npm run build" in await answer.text()


async def test_the_page_is_told_how_people_sign_in(start: Start, built: Path) -> None:
    client = await start(built, WEB_OIDC_CLIENT_ID="web", AUTH_ISSUER="https://id.example")
    answer = await client.get("/sign-in.json")
    oidc = {"issuer": "https://id.example", "client_id": "web", "scope": "openid profile"}
    assert await answer.json() == {"demonstration": [], "oidc": oidc}
    assert answer.headers["Cache-Control"] == "no-store"


async def test_tokens_are_given_away_only_by_a_demonstration(start: Start, built: Path) -> None:
    client = await start(built)
    assert (await (await client.get("/sign-in.json")).json())["demonstration"] == []
    assert client.app is not None
    client.app[SIGN_IN].demonstration = lambda: [{"user_id": "alice", "token": "fresh"}]
    people = (await (await client.get("/sign-in.json")).json())["demonstration"]
    assert people == [{"user_id": "alice", "token": "fresh"}]
