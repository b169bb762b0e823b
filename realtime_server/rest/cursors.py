"""Where a page ended, as text that clients hand back unread. It carries a place, never a permission."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson

from realtime_server.errors import CollaborationError, ErrorCode


def encode(*place: str | int) -> str:
    return urlsafe_b64encode(orjson.dumps(place)).rstrip(b"=").decode()


def decode(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The place; None without a cursor. `invalid` for anything that `encode` did not make of values of these kinds."""
    if cursor is None:
        return None
    try:
        place = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        raise refused() from None
    if not isinstance(place, list) or [type(part) for part in place] != list(kinds):
        raise refused()
    if any(isinstance(part, int) and not 0 <= part < 2**53 for part in place):
        raise refused()
    return tuple(place)


def refused() -> CollaborationError:
    message = "this cursor is not from here"
    return CollaborationError(ErrorCode.INVALID, message, {"fields": {"cursor": [message]}})
