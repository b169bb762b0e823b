"""The fixed answers of Engine.IO over HTTP."""

from __future__ import annotations

from typing import Final

import orjson
from aiohttp import web

ERRORS: Final = {
    0: "Transport unknown",
    1: "Session ID unknown",
    2: "Bad handshake method",
    3: "Bad request",
    4: "Forbidden",
    5: "Unsupported protocol version",
}
"""Codes and texts of the reference server (engine.io 6, `Server.errors`), which clients and proxies know."""


def ok() -> web.Response:
    """The answer to a POST that was taken."""
    return web.Response(body=b"ok", content_type="text/plain")


def error(code: int, status: int = 400) -> web.Response:
    """One of `ERRORS`, as `{"code", "message"}`."""
    body = orjson.dumps({"code": code, "message": ERRORS[code]})
    return web.Response(status=status, body=body, content_type="application/json")
