"""The documents, and a page that shows them and tries them: our own files, nothing from elsewhere, no token needed."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from functools import cache, partial
from importlib.resources import files
from typing import Final

import orjson
from aiohttp import hdrs, web

from realtime_server.rest.dispatch import etag_matches
from realtime_server.rest.documents.asyncapi import asyncapi
from realtime_server.rest.documents.openapi import openapi
from realtime_server.rest.routes import OPERATIONS

#: The page is ours alone: nothing inline, nothing from other places, and nobody may frame it.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_FILES: Final = {"docs.js": "text/javascript", "docs.css": "text/css", "socket.js": "text/javascript"}


@cache
def _openapi() -> bytes:
    return orjson.dumps(openapi(OPERATIONS))


@cache
def _asyncapi() -> bytes:
    return orjson.dumps(asyncapi())


@cache
def _file(name: str) -> bytes:
    return (files("realtime_server.rest") / "static" / name).read_bytes()


def add_routes(app: web.Application) -> None:
    """``/openapi.json``, ``/asyncapi.json`` and ``/docs``, below the prefix."""
    _add(app, "/openapi.json", "application/json", _openapi)
    _add(app, "/asyncapi.json", "application/json", _asyncapi)
    for path in ("/docs", "/docs/"):
        _add(app, path, "text/html", partial(_file, "docs.html"))
    for name, media_type in _FILES.items():
        _add(app, f"/docs/{name}", media_type, partial(_file, name))


def _add(app: web.Application, path: str, media_type: str, content: Callable[[], bytes]) -> None:
    resource = app.router.add_resource(path)
    for method in ("GET", "HEAD"):
        resource.add_route(method, _handler(media_type, content))
    resource.add_route("OPTIONS", _options)


def _handler(media_type: str, content: Callable[[], bytes]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        body = content()
        etag = hashlib.sha256(body).hexdigest()[:32]
        headers = {hdrs.ETAG: f'"{etag}"', hdrs.CACHE_CONTROL: "no-cache", "Content-Security-Policy": _POLICY}
        if etag_matches(request, etag):
            return web.Response(status=304, headers=headers)
        charset = None if media_type == "application/json" else "utf-8"
        return web.Response(body=body, content_type=media_type, charset=charset, headers=headers)

    return handle


async def _options(request: web.Request) -> web.Response:
    return web.Response(status=204, headers={hdrs.ALLOW: "GET, HEAD, OPTIONS"})
