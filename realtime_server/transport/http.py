"""The HTTP side of Engine.IO: which request is which, the handshake, and the answers with their bodies."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from . import polling, websocket
from .addresses import peer_address
from .answers import error, ok
from .engine_socket import EngineSocket
from .limits import Limits
from .upgrading import Probe

if TYPE_CHECKING:
    from .engine_server import EngineServer

_FORWARDED: Final = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED")


def with_frame_size(limits: Limits, size: int) -> Limits:
    """`limits` with upstream's `max_http_buffer_size` put in."""
    return replace(limits, frame_size=size, message_size=max(size, limits.message_size))


def environ_of(server: EngineServer, request: web.Request) -> dict[str, Any]:
    """The WSGI-like dictionary that connect handlers get, as upstream's, but true about the address.

    Forwarded headers are in it only when the peer is a trusted proxy.
    """
    transport = request.transport
    peer = transport.get_extra_info("peername") if transport is not None else None
    secure = transport is not None and transport.get_extra_info("sslcontext") is not None
    environ: dict[str, Any] = {
        "wsgi.input": request.content,
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.async": True,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "SERVER_SOFTWARE": "aiohttp",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query_string or "",
        "RAW_URI": request.path_qs,
        "SERVER_PROTOCOL": f"HTTP/{request.version[0]}.{request.version[1]}",
        "REMOTE_ADDR": server.client_address(request),
        "REMOTE_PORT": str(peer[1]) if isinstance(peer, tuple) else "0",
        "SERVER_NAME": "aiohttp",
        "SERVER_PORT": "0",
        "aiohttp.request": request,
        "PATH_INFO": request.path,
        "SCRIPT_NAME": "",
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
            value = f"{environ[key]},{value}" if key in environ else value
        environ[key] = value
    if not server.proxies.trusts(peer_address(request)):
        for key in _FORWARDED:
            environ.pop(key, None)
    environ["wsgi.url_scheme"] = environ.get("HTTP_X_FORWARDED_PROTO", "https" if secure else "http")
    return environ


def origin_is_allowed(server: EngineServer, environ: dict[str, Any]) -> bool:
    """True when there is no `Origin`, or `cors_allowed_origins` lets it in (`[]` switches the check off)."""
    origin = environ.get("HTTP_ORIGIN")
    if not origin or server.cors_allowed_origins == []:
        return True
    allowed = server._cors_allowed_origins(environ)
    return allowed is None or origin in allowed


async def handle(server: EngineServer, request: web.Request) -> web.StreamResponse:
    """Serve one request: handshake, poll, post, upgrade, preflight, or the error it earns."""
    environ = environ_of(server, request)
    if not origin_is_allowed(server, environ):
        server.refused("origin", environ["REMOTE_ADDR"])
        return error(4, 403)
    try:
        response = await _route(server, request, environ)
    except ConnectionResetError:
        return websocket.Detached()  # the client has gone: nobody is there to be answered
    if not isinstance(response, websocket.Detached):
        for name, value in server._cors_headers(environ):
            response.headers[name] = value
    return response


async def _route(server: EngineServer, request: web.Request, environ: dict[str, Any]) -> web.StreamResponse:
    if request.method == "OPTIONS":
        return ok()
    query = request.query
    transport = query.get("transport")
    if transport is None or transport not in server.transports:
        return _refuse(server, request, 0)
    if "j" in query:
        return _refuse(server, request, 3)
    sid = query.get("sid")
    if sid is None:
        if request.method != "GET":
            return _refuse(server, request, 2)
        if query.get("EIO") != "4":
            return _refuse(server, request, 5)
        if (transport == "websocket") != websocket.wants_websocket(request):
            return _refuse(server, request, 3)
        return await _open(server, request, environ, transport)
    return await _continue(server, request, sid, transport)


def _refuse(server: EngineServer, request: web.Request, code: int, status: int = 400) -> web.Response:
    server.refused(f"bad_request_{code}", server.client_address(request))
    return error(code, status)


async def _continue(server: EngineServer, request: web.Request, sid: str, transport: str) -> web.StreamResponse:
    socket = server.sockets.get(sid)
    if socket is None or socket.closing:
        farewell = server.endings.take_farewell(sid) if request.method == "GET" and transport == "polling" else None
        if farewell:
            return polling.response(server, request, farewell)
        # A proxy takes a 503 to the next server, which may well know the session.
        return _refuse(server, request, 1, 503 if server.is_stopping else 400)
    if not socket.connected:
        return _refuse(server, request, 3)
    if transport == "websocket":
        return _upgrade(server, request, socket)
    if socket.upgraded:
        return _refuse(server, request, 3)
    if request.method == "GET":
        return await polling.get(server, socket, request)
    if request.method == "POST":
        return await polling.post(server, socket, request)
    return _refuse(server, request, 2)


async def _open(
    server: EngineServer, request: web.Request, environ: dict[str, Any], transport: str
) -> web.StreamResponse:
    address = environ["REMOTE_ADDR"]
    accept = b""
    if transport == "websocket":
        try:
            accept = websocket.accept_key(request)
        except websocket.BadHandshake:
            return _refuse(server, request, 3)
    full = "shutting_down" if server.is_stopping else server.addresses.admit(address, server.loop.time())
    if full is not None:
        server.refused(full, address)
        return error(4, 429 if full == "connection_rate" else 503)
    socket = server.new_socket(address)
    try:
        response = await _handshake(server, request, environ, transport, socket, accept)
    except BaseException:
        server.discard(socket)
        raise
    if not socket.connected:
        server.discard(socket)
    return response


async def _handshake(
    server: EngineServer,
    request: web.Request,
    environ: dict[str, Any],
    transport: str,
    socket: EngineSocket,
    accept: bytes,
) -> web.StreamResponse:
    socket.outbox.append(server.open_packet(socket, transport))
    verdict = await server._trigger_event("connect", socket.sid, environ)
    if verdict is not None and verdict is not True:
        body = orjson.dumps(verdict or "Unauthorized")
        return web.Response(status=401, body=body, content_type="application/json")
    if transport == "websocket":
        link = websocket.WebSocketLink(socket, server.limits)
        try:
            response: web.StreamResponse = websocket.open_link(request, accept, link)
        except ConnectionResetError:
            # Whoever was told of its coming, and may have kept something for it, is told of its going.
            await server._trigger_event("disconnect", socket.sid, server.reason.TRANSPORT_CLOSE)
            raise
        server.opened(socket, transport)
        socket.open_websocket(link)
        return response
    socket.connected = True
    server.opened(socket, transport)
    response = polling.response(server, request, socket.take_parts())
    if server.cookie:
        attributes = server.cookie
        if not isinstance(attributes, dict):
            attributes = {"name": attributes, "path": "/", "SameSite": "Lax"}
        response.headers["Set-Cookie"] = server._generate_sid_cookie(socket.sid, attributes)
    return response


def _upgrade(server: EngineServer, request: web.Request, socket: EngineSocket) -> web.StreamResponse:
    """A WebSocket for a session: a probe, or one too many, which is accepted and closed while the first lives on."""
    if request.method != "GET" or not websocket.wants_websocket(request):
        return _refuse(server, request, 3)
    if not server.allow_upgrades:
        return _refuse(server, request, 3)
    try:
        accept = websocket.accept_key(request)
    except websocket.BadHandshake:
        return _refuse(server, request, 3)
    probe = Probe(socket)
    response = websocket.open_link(request, accept, probe.link)
    if socket.upgraded or socket.probe is not None:
        server.refused("second_websocket", socket.address)
        probe.link.close()
    else:
        socket.probe = probe
        server.probes.set(probe)
    return response
