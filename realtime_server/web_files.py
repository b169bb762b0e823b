"""The web client's built files at ``/``: read once, sent as they were compressed, under a strict policy.

`make run` and the image build them (``web/``). Without them the server does all it does, and ``/`` says how to build
them.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from realtime_server.settings import Settings

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.Response]]

#: Where a checkout has them after ``npm run build``.
_BUILT: Final = Path(__file__).resolve().parent.parent / "web" / "dist"
_MEDIA: Final[Mapping[str, str]] = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
#: As `precompress.mjs` makes them, the smaller first.
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
#: Their names carry a hash of their content, so they never change (RFC 8246).
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_SESSION_PATH: Final = "/sessions/{session_id}"
_NOT_BUILT: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>realtime-server</title>
<h1>realtime-server</h1><p>The server runs; its web client has not been built. With Node 20 or newer:</p>
<pre>cd web &amp;&amp; npm ci &amp;&amp; npm run build</pre><p>and start the server again.
<a href="/api/docs">The interfaces</a> are there all the same.</p></html>"""


@dataclass(frozen=True, slots=True)
class _File:
    media_type: str
    etag: str
    cache_control: str
    #: By content coding; ``""`` is the file as it is.
    contents: Mapping[str, bytes]


@dataclass(slots=True)
class SignIn:
    """How people may sign in. ``demonstration`` gives a person of the demonstration with a fresh token, for each."""

    demonstration: Callable[[], Sequence[Mapping[str, str]]] = field(default=tuple)


SIGN_IN: Final = web.AppKey("sign_in", SignIn)


def add_web_files(app: web.Application, settings: Settings) -> None:
    """The client's pages, its files, and ``/sign-in.json``."""
    app[SIGN_IN] = SignIn()
    policy = content_security_policy(settings)
    files = _read(settings.web_dir or _BUILT)
    page = files.get("index.html") or _file(_NOT_BUILT.encode(), ".html", "no-cache")
    for path in ("/", _SESSION_PATH):
        app.router.add_get(path, _sender(page, policy))
    for name, content in files.items():
        if name != "index.html":
            app.router.add_get(f"/{name}", _sender(content, policy))
    app.router.add_get("/sign-in.json", _sign_in(settings))


def content_security_policy(settings: Settings) -> str:
    """Scripts and styles of our own files alone, connections to this server (and the identity provider) alone."""
    connect = ["'self'"]
    if settings.web_oidc_client_id and settings.auth_issuer:
        connect += [_origin(url) for url in (settings.auth_issuer, settings.web_oidc_token_url) if url]
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; worker-src 'self'; "
        f"connect-src {' '.join(connect)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _read(folder: Path) -> dict[str, _File]:
    found: dict[str, _File] = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.suffix not in _MEDIA or not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        compressed = {
            coding: packed.read_bytes()
            for coding, suffix in _ENCODINGS
            if (packed := path.with_name(path.name + suffix)).is_file()
        }
        caching = _FOR_EVER if name.startswith("assets/") else "no-cache"
        found[name] = _file(path.read_bytes(), path.suffix, caching, compressed)
    return found


def _file(content: bytes, suffix: str, caching: str, compressed: Mapping[str, bytes] | None = None) -> _File:
    etag = hashlib.sha256(content).hexdigest()[:32]
    return _File(_MEDIA[suffix], etag, caching, {"": content, **(compressed or {})})


def _sender(file: _File, policy: str) -> Handler:
    async def send(request: web.Request) -> web.Response:
        coding = _best_coding(request.headers.get(hdrs.ACCEPT_ENCODING, ""), file.contents)
        headers = {
            # One tag per coding: they are different bytes (RFC 9110, 8.8.3.3).
            hdrs.ETAG: f'"{file.etag}{coding and "-"}{coding}"',
            hdrs.CACHE_CONTROL: file.cache_control,
            hdrs.VARY: hdrs.ACCEPT_ENCODING,
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
        if headers[hdrs.ETAG] in [tag.strip() for tag in request.headers.get(hdrs.IF_NONE_MATCH, "").split(",")]:
            return web.Response(status=304, headers=headers)
        if coding:
            headers[hdrs.CONTENT_ENCODING] = coding
        charset = None if file.media_type == "image/svg+xml" else "utf-8"
        return web.Response(body=file.contents[coding], content_type=file.media_type, charset=charset, headers=headers)

    return send


def _best_coding(accepted: str, contents: Mapping[str, bytes]) -> str:
    """The smallest form that the client takes (RFC 9110, 12.5.3); a coding with weight zero is not taken."""
    refused = re.compile(r";\s*q=0(\.0*)?\s*$")
    taken = {part.split(";")[0].strip() for part in accepted.lower().split(",") if not refused.search(part)}
    return next((coding for coding, _ in _ENCODINGS if coding in taken and coding in contents), "")


def _sign_in(settings: Settings) -> Handler:
    oidc = None
    if settings.web_oidc_client_id and settings.auth_issuer:
        oidc = {
            "issuer": settings.auth_issuer,
            "client_id": settings.web_oidc_client_id,
            "scope": settings.web_oidc_scope,
        }

    async def send(request: web.Request) -> web.Response:
        people = [dict(person) for person in request.app[SIGN_IN].demonstration()]
        # Tokens are nobody's to keep.
        headers = {hdrs.CACHE_CONTROL: "no-store", "X-Content-Type-Options": "nosniff"}
        return web.json_response({"demonstration": people, "oidc": oidc}, headers=headers)

    return send
