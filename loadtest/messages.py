"""Broadcasts, read once per process: all members of a session get the very same bytes.

Hot path of the generator: a delivery is a look into a dictionary, a comparison of `seq`, and a count.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

NAMESPACE: Final = "/collaboration"
EVENT: Final = b'42/collaboration,['
ACK: Final = b"43/collaboration,"
CONNECTED: Final = b"40/collaboration,"
REFUSED: Final = b"44/collaboration,"
DISCONNECTED: Final = b"41/collaboration,"

#: Broadcasts remembered. A session's members get one within moments of each other.
_REMEMBERED: Final = 4_096


class Seen:
    """What a broadcast says, so far as a load test cares. ``stamp``: when its cause was due, in µs; 0 if unknown."""

    __slots__ = ("conflict_id", "edit_id", "is_cursor", "kind", "seq", "stamp")

    def __init__(self, payload: bytes) -> None:
        envelope: dict[str, Any] = orjson.loads(payload[len(EVENT) - 1 :])[1]
        data = envelope["data"]
        self.kind: str = envelope["message_type"]
        self.is_cursor = self.kind == "presence.updated"
        self.seq: int = envelope.get("seq", 0)
        self.conflict_id: str | None = data.get("conflict_id")
        self.edit_id, self.stamp = "", 0
        if self.kind.startswith("edit."):
            self.edit_id = data["edit_id"]
        elif self.kind == "conflict.detected":
            self.edit_id = data["candidates"][-1]["edit_id"]
        elif self.kind == "conflict.extended":
            self.edit_id = data["candidate"]["edit_id"]
        if self.is_cursor:
            self.stamp = stamp_in(data.get("activity") or "")
        elif self.kind == "comment.added":
            self.stamp = stamp_in(data["text"])
        elif self.edit_id:
            self.stamp = stamp_in(self.edit_id)


def stamp_in(text: str) -> int:
    """The moment that ``<anything>.<microseconds>`` carries, 0 without one."""
    digits = text.rpartition(".")[2]
    return int(digits) if digits.isdigit() else 0


class Messages:
    """`Seen` by payload."""

    def __init__(self) -> None:
        self._seen: dict[bytes, Seen] = {}

    def read(self, payload: bytes) -> Seen:
        seen = self._seen.get(payload)
        if seen is None:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            seen = self._seen[payload] = Seen(payload)
        return seen


def read_ack(payload: bytes) -> tuple[int, Any]:
    """(id, the one argument) of ``43/collaboration,7[{…}]``."""
    start = payload.index(b"[", len(ACK))
    return int(payload[len(ACK) : start]), orjson.loads(payload[start:])[0]
