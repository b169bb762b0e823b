"""The same work on three servers: join a room, forward an edit to the room's other members, answer a question."""

from __future__ import annotations

import gc

from aiohttp import web


def announce(site: web.TCPSite) -> None:
    """Tell the driver the port."""
    assert site._server is not None
    print(site._server.sockets[0].getsockname()[1], flush=True)  # type: ignore[attr-defined]


def tune() -> None:
    """What the product's own server does at its start: what lives for ever is not looked at by every collection."""
    gc.collect()
    gc.freeze()
