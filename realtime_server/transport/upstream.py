"""Every private or undocumented part of python-socketio, python-engineio, aiohttp and bidict that we lean on.

Attributes of foreign objects are reached through the functions here (and `headguard.py`); methods that we override or
call are listed in `METHODS`. `tests/transport/test_upstream.py` checks all of them against the installed versions, so
that an upgrade which moves one fails there, by name, and not in a session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import socketio
from aiohttp import web
from aiohttp._websocket.helpers import websocket_mask

TESTED_VERSIONS = {"python-socketio": "5.18", "python-engineio": "4.15", "aiohttp": "3.14", "bidict": "0.24"}
"""Series in which the parts below were found as described."""

METHODS: dict[str, tuple[str, ...]] = {
    "socketio.base_manager:BaseManager.basic_enter_room": ("self", "sid", "namespace", "room", "eio_sid"),
    "socketio.base_manager:BaseManager.basic_leave_room": ("self", "sid", "namespace", "room"),
    "socketio.base_manager:BaseManager.basic_disconnect": ("self", "sid", "namespace", "kwargs"),
    "socketio.base_manager:BaseManager.get_rooms": ("self", "sid", "namespace"),
    "socketio.base_manager:BaseManager.pre_connect": ("self", "eio_sid", "namespace"),
    "socketio.base_manager:BaseManager.pre_disconnect": ("self", "sid", "namespace"),
    "socketio.base_manager:BaseManager._generate_ack_id": ("self", "sid", "callback"),
    "socketio.async_manager:AsyncManager.trigger_callback": ("self", "sid", "id", "data"),
    "socketio.base_server:BaseServer._get_event_handler": ("self", "event", "namespace", "args"),
    "socketio.base_server:BaseServer._get_namespace_handler": ("self", "namespace", "args"),
    "socketio.base_server:BaseServer._engineio_server_class": ("self",),
    "socketio.async_server:AsyncServer._handle_eio_connect": ("self", "eio_sid", "environ"),
    "socketio.async_server:AsyncServer._handle_eio_disconnect": ("self", "eio_sid", "reason"),
    "socketio.async_server:AsyncServer._trigger_event": ("self", "event", "namespace", "args"),
    "socketio.async_server:AsyncServer._send_packet": ("self", "eio_sid", "pkt"),
    "engineio.async_server:AsyncServer._trigger_event": ("self", "event", "args", "kwargs"),
    "engineio.base_server:BaseServer._upgrades": ("self", "sid", "transport"),
    "engineio.base_server:BaseServer._get_socket": ("self", "sid"),
    "engineio.base_server:BaseServer._cors_allowed_origins": ("self", "environ"),
    "engineio.base_server:BaseServer._cors_headers": ("self", "environ"),
    "engineio.base_server:BaseServer._generate_sid_cookie": ("self", "sid", "attributes"),
    "aiohttp.web:RequestHandler.connection_lost": ("self", "exc"),
    "aiohttp.web:RequestHandler.data_received": ("self", "data"),
    "aiohttp.web:RequestHandler.force_close": ("self",),
    "aiohttp.web:AppRunner._make_server": ("self",),
    "aiohttp._websocket.helpers:websocket_mask": ("mask", "data"),
}
"""Methods and functions that we override, or call although they are not documented, with the arguments they had."""

HANDLER_ATTRIBUTES = (
    "_message_tail", "_request_count", "_upgraded", "_waiter", "_manager", "transport",
)  # fmt: skip
"""Attributes of aiohttp's `RequestHandler` that are read or set here and in `headguard.py`."""


mask_in_place = websocket_mask
"""`(mask, data)`: takes a frame's four mask bytes off a bytearray, and is C where aiohttp has its extensions."""


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
