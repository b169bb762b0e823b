"""The HTTP side: which requests are refused and how, origins, forwarded headers, cookies, compression, paths."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from realtime_server.transport import EngineServer, Limits, SocketServer, frames

from .raw import Harness, serving, until

POLLING = "EIO=4&transport=polling"
WEBSOCKET = "EIO=4&transport=websocket"


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Harness]:
    async with serving(SocketServer()) as harness:
        yield harness


def text(code: int) -> dict[str, Any]:
    messages = ["Transport unknown", "Session ID unknown", "Bad handshake method", "Bad request", "Forbidden"]
    return {"code": code, "message": [*messages, "Unsupported protocol version"][code]}


@pytest.mark.parametrize(
    ("method", "query", "code"),
    [
        ("GET", "", 0),
        ("GET", "EIO=4", 0),
        ("GET", "EIO=4&transport=", 0),
        ("GET", "EIO=4&transport=flashsocket", 0),
        ("GET", "EIO=4&transport=%00", 0),
        ("GET", "transport=polling", 5),
        ("GET", "EIO=&transport=polling", 5),
        ("GET", "EIO=3&transport=polling", 5),
        ("GET", "EIO=5&transport=polling", 5),
        ("GET", "EIO=abc&transport=polling", 5),
        ("GET", f"{POLLING}&sid=unknown", 1),
        ("GET", f"{POLLING}&sid=", 1),
        ("POST", f"{POLLING}&sid=unknown", 1),
        ("PUT", f"{POLLING}&sid=unknown", 1),
        ("GET", f"{WEBSOCKET}&sid=unknown", 1),
        ("POST", POLLING, 2),
        ("PUT", POLLING, 2),
        ("DELETE", POLLING, 2),
        ("PATCH", POLLING, 2),
        ("POST", WEBSOCKET, 2),
        ("GET", WEBSOCKET, 3),
        ("GET", f"{POLLING}&j=0", 3),
        ("GET", f"{POLLING}&j=x", 3),
    ],
)
async def test_a_bad_request_gets_its_code_and_text(served: Harness, method: str, query: str, code: int) -> None:
    async with served.http.request(method, f"{served.url}{served.path}?{query}") as response:
        assert response.status == 400
        assert response.content_type == "application/json"
        assert await response.json() == text(code)
    assert served.eio.sockets == {}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_an_unknown_method_on_a_session_is_refused(served: Harness, method: str) -> None:
    session = await served.polling()
    async with served.http.request(method, f"{served.url}{served.path}?{session.query}") as response:
        assert (response.status, await response.json()) == (400, text(2))


@pytest.mark.parametrize(
    "headers",
    [
        {"Upgrade": ""},
        {"Upgrade": "h2c"},
        {"Connection": "keep-alive"},
        {"Sec-WebSocket-Version": "12"},
        {"Sec-WebSocket-Version": ""},
        {"Sec-WebSocket-Key": ""},
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Key": "!!!!!!!!!!!!!!!!!!!!!!=="},
    ],
)
async def test_a_bad_websocket_handshake_is_refused(served: Harness, headers: dict[str, str]) -> None:
    status, _, _ = await served.handshake(WEBSOCKET, headers)
    assert status == 400
    assert served.eio.sockets == {}


async def test_a_polling_handshake_that_asks_for_a_websocket_is_refused(served: Harness) -> None:
    status, _, _ = await served.handshake(POLLING)
    assert status == 400


async def test_the_websocket_key_is_answered_as_the_rfc_has_it(served: Harness) -> None:
    _, head, _ = await served.handshake(WEBSOCKET, {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head  # the example of RFC 6455, section 1.3


async def test_per_message_deflate_is_not_taken_up(served: Harness) -> None:
    _, head, _ = await served.handshake(WEBSOCKET, {"Sec-WebSocket-Extensions": "permessage-deflate"})
    assert b"Extensions" not in head


@pytest.mark.parametrize(("interval", "timeout"), [(25, 20), (0.3, 0.2), (1.5, 0.25), (0.0015, 0.001)])
@pytest.mark.parametrize("grace", [None, 0.5])
async def test_the_handshake_has_milliseconds_for_fractions_of_seconds(
    interval: float, timeout: float, grace: float | None
) -> None:
    engine = EngineServer(ping_interval=interval if grace is None else (interval, grace), ping_timeout=timeout)
    ((_, packet),) = frames.payloads(engine.open_packet(engine_socket(engine), "websocket"))
    handshake = json.loads(packet[1:])
    assert handshake["pingInterval"] == round((interval + (grace or 0)) * 1000)
    assert handshake["pingTimeout"] == round(timeout * 1000)
    assert handshake["maxPayload"] == Limits().frame_size


def engine_socket(engine: EngineServer) -> Any:
    engine.start()
    return engine.new_socket("test")


async def test_a_transport_that_is_switched_off_is_unknown() -> None:
    async with serving(SocketServer(transports=["websocket"])) as harness:
        assert (await harness.get(POLLING))[0] == 400
        _socket, handshake = await harness.opened()
        assert handshake["upgrades"] == []


async def test_upgrades_that_are_switched_off_are_neither_offered_nor_taken() -> None:
    async with serving(SocketServer(allow_upgrades=False)) as harness:
        session = await harness.polling()
        assert session.handshake["upgrades"] == []
        assert (await harness.handshake(f"{WEBSOCKET}&sid={session.sid}"))[0] == 400


ORIGINS: list[tuple[Any, str | None, bool]] = [
    (None, None, True),
    (None, "http://127.0.0.1:{port}", True),
    (None, "http://evil.example", False),
    (None, "null", False),
    ("*", "http://any.example", True),
    (["*"], "http://any.example", True),
    ([], "http://any.example", True),
    ("http://app.example", "http://app.example", True),
    ("http://app.example", "http://app.example.evil", False),
    (["http://a.example", "http://b.example"], "http://b.example", True),
    (["http://a.example", "http://b.example"], "http://c.example", False),
    (lambda origin: origin == "http://a.example", "http://a.example", True),
    (lambda origin: origin == "http://a.example", "http://b.example", False),
]


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize(("allowed", "origin", "accepted"), ORIGINS)
async def test_the_origin_is_checked_on_both_transports(
    transport: str, allowed: Any, origin: str | None, accepted: bool
) -> None:
    async with serving(SocketServer(cors_allowed_origins=allowed)) as harness:
        headers = {"Origin": origin.format(port=harness.port)} if origin else {}
        if transport == "websocket":
            status, _, _ = await harness.handshake(WEBSOCKET, headers)
            assert status == (101 if accepted else 403)
        else:
            status, body = await harness.get(POLLING, headers=headers)
            assert status == (200 if accepted else 403)
            assert accepted or json.loads(body) == text(4)
        assert len(harness.eio.sockets) == accepted
        assert harness.eio.stats.refused["origin"] == (not accepted)


async def test_a_preflight_is_answered_with_what_is_allowed() -> None:
    async with serving(SocketServer(cors_allowed_origins=["http://app.example"])) as harness:
        headers = {"Origin": "http://app.example", "Access-Control-Request-Headers": "authorization"}
        async with harness.http.options(f"{harness.url}{harness.path}?{POLLING}", headers=headers) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == "http://app.example"
            assert response.headers["Access-Control-Allow-Methods"] == "OPTIONS, GET, POST"
            assert response.headers["Access-Control-Allow-Headers"] == "authorization"
            assert response.headers["Access-Control-Allow-Credentials"] == "true"


FORWARDED = {
    "X-Forwarded-For": "203.0.113.9, 198.51.100.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "app.example",
}


@pytest.mark.parametrize(
    ("trusted", "address", "allowed"),
    [
        ([], "127.0.0.1", False),
        (["10.0.0.0/8"], "127.0.0.1", False),
        (["127.0.0.0/8"], "198.51.100.7", True),
        (["127.0.0.1", "198.51.100.0/24"], "203.0.113.9", True),
    ],
)
async def test_forwarded_headers_are_believed_only_from_a_trusted_proxy(
    trusted: list[str], address: str, allowed: bool
) -> None:
    server = SocketServer(trusted_proxies=trusted)
    environs: list[dict[str, Any]] = []
    server.on("connect", lambda sid, environ: environs.append(environ))
    async with serving(server) as harness:
        status, _ = await harness.get(POLLING, headers={**FORWARDED, "Origin": "https://app.example"})
        assert status == (200 if allowed else 403)
        status, body = await harness.get(POLLING, headers=FORWARDED)
        sid = json.loads(body[1:])["sid"]
        await harness.post(f"{POLLING}&sid={sid}", "40")
        assert environs[0]["REMOTE_ADDR"] == address
        assert ("HTTP_X_FORWARDED_PROTO" in environs[0]) == allowed
        assert environs[0]["wsgi.url_scheme"] == ("https" if allowed else "http")
        assert next(iter(harness.eio.sockets.values())).address == address


@pytest.mark.parametrize("lines", [["192.0.2.66", "203.0.113.9"], ["192.0.2.66, 203.0.113.9", "10.0.0.1"]])
async def test_a_proxys_own_forwarded_line_counts_and_not_the_one_before_it(lines: list[str]) -> None:
    async with serving(SocketServer(trusted_proxies=["127.0.0.1", "10.0.0.0/8"])) as harness:
        await harness.get(POLLING, headers=[("X-Forwarded-For", line) for line in lines])
        assert next(iter(harness.eio.sockets.values())).address == "203.0.113.9"


@pytest.mark.parametrize("header", ["nonsense", "203.0.113.9, <script>", "", ",,,"])
async def test_a_forwarded_address_that_is_none_is_not_believed(header: str) -> None:
    async with serving(SocketServer(trusted_proxies=["127.0.0.1"])) as harness:
        await harness.get(POLLING, headers={"X-Forwarded-For": header})
        assert next(iter(harness.eio.sockets.values())).address == "127.0.0.1"


@pytest.mark.parametrize(
    ("cookie", "header"),
    [
        ("io", "io={sid}; path=/; SameSite=Lax"),
        ({"name": "s", "path": "/x", "HttpOnly": True}, "s={sid}; path=/x; HttpOnly"),
    ],
)
async def test_the_session_cookie_is_set_as_configured(cookie: Any, header: str) -> None:
    async with serving(SocketServer(cookie=cookie)) as harness:
        response = await harness.http.get(f"{harness.url}{harness.path}?{POLLING}")
        body = await response.text()
        assert response.headers["Set-Cookie"] == header.format(sid=json.loads(body[1:])["sid"])


async def test_a_long_payload_is_compressed_for_those_who_take_it(served: Harness) -> None:
    assert isinstance(served.server, SocketServer)
    session = await served.polling_connected()
    served.server.broadcast("text", "x" * 5000)
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        url = f"{served.url}{served.path}?{session.query}"
        async with http.get(url, headers={"Accept-Encoding": "gzip"}) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            body = await response.read()
    assert len(body) < 500
    assert gzip.decompress(body) == b'42["text","' + b"x" * 5000 + b'"]'


async def test_one_server_is_served_under_several_paths() -> None:
    server = SocketServer()
    app = web.Application()
    server.attach(app, "socket.io")
    server.attach(app, "/ws/")
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        async with aiohttp.ClientSession() as http:
            for path in ("/socket.io/", "/ws/", "/ws"):
                async with http.get(f"http://127.0.0.1:{port}{path}?{POLLING}") as response:
                    assert response.status == 200
        assert len(server.eio.sockets) == 3
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("verdict", [False, "not you", {"code": "no"}])
@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_an_engine_connect_handler_can_refuse(transport: str, verdict: Any) -> None:
    engine = EngineServer()
    engine.on("connect", lambda sid, environ: verdict)
    async with serving(engine) as harness:
        if transport == "polling":
            status, body = await harness.get(POLLING)
            assert json.loads(body) == (verdict or "Unauthorized")
        else:
            status, _, _ = await harness.handshake(WEBSOCKET)
        assert status == 401
        assert engine.sockets == {}
        assert engine.addresses.total == 0


async def test_nothing_is_kept_of_a_websocket_whose_client_has_gone_before_it_is_opened(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = SocketServer()
    handler = server.eio.handlers["connect"]
    began = asyncio.Event()

    async def connect(sid: str, environ: dict[str, Any]) -> Any:
        began.set()
        await until(lambda: environ["aiohttp.request"].transport is None)
        return await handler(sid, environ)

    server.eio.on("connect", connect)
    async with serving(server) as harness:
        _, writer = await harness.tcp()
        writer.write(
            f"GET {harness.path}?{WEBSOCKET} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await began.wait()
        writer.transport.abort()
        await until(lambda: not harness.eio.sockets)
        assert server.environ == {}
        assert harness.eio.addresses.total == 0
    assert not caplog.records


async def test_the_sessions_end_with_the_application() -> None:
    server = SocketServer()
    reasons: list[str] = []
    server.on("disconnect", lambda sid, reason: reasons.append(reason))
    async with serving(server) as harness:
        socket = await harness.connected()
        session = await harness.polling_connected()
        poll = asyncio.create_task(session.poll())
        await until(lambda: any(s.poll is not None for s in server.eio.sockets.values()))
        await server.shutdown()
        assert await socket.closed() == 1001
        assert (await poll)[1] == "1"
        assert reasons == ["server disconnect", "server disconnect"]
        assert (await harness.get(POLLING))[0] == 503
