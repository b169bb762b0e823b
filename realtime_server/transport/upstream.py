"""Every private or undocumented part of python-socketio, python-engineio, aiohttp and bidict that we lean on.

All of them are reached through this module alone, and `tests/transport/test_upstream.py` checks each against the
installed versions, so that an upgrade which moves one fails there, by name, and not in a session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import socketio
from aiohttp import web

TESTED_VERSIONS = {"python-socketio": "5.18", "python-engineio": "4.15", "aiohttp": "3.14", "bidict": "0.24"}
"""Series in which the parts below were found as described."""


def detach(request: web.BaseRequest) -> bytes:
    """Take the TCP connection away from aiohttp, which from then on sees it as lost.

    aiohttp frees the request's task, parser and protocol as for any client that went away, and leaves the transport
    open because it no longer knows it. Leans on `RequestHandler.transport`, `.connection_lost` and `._message_tail`.

    Returns:
        Bytes that the client sent after its request and aiohttp had already read.
    """
    handler = request.protocol
    tail = bytes(handler._message_tail)
    handler.transport = None
    handler.connection_lost(None)
    return tail


def peer_is_gone(request: web.BaseRequest) -> bool:
    """True when the client of a request that is still being handled has closed its connection."""
    return request.transport is None


def cut(request: web.BaseRequest) -> None:
    """Drop the TCP connection of a request, unsent answers included."""
    transport = request.transport
    if transport is not None:
        transport.abort()


def members_of(manager: socketio.AsyncManager, namespace: str, room: str | None) -> Mapping[str, str]:
    """The members of a room of this process as {client sid: engine sid}, not copied.

    Leans on `BaseManager.rooms` and on the forward mapping inside `bidict`.
    """
    try:
        members: Mapping[str, str] = manager.rooms[namespace][room]._fwdm
    except KeyError:
        return {}
    return members


def has_pending_connect(manager: socketio.AsyncManager, namespace: str) -> bool:
    """True while some client of the namespace is in its connect handler. Leans on `BaseManager.pending_connect`."""
    return namespace in manager.pending_connect


def is_patched(instance: Any, method: str) -> bool:
    """True when somebody (the Admin UI's `instrument()` does) replaced a method on this one object."""
    return method in instance.__dict__
