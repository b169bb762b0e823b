"""What our own server sends, read. All members of a session get a broadcast as the very same bytes (`Readings`)."""

from __future__ import annotations

from typing import Any, Final

import orjson

from loadtest.reading import Told

NAMESPACE: Final = "/collaboration"
EVENT: Final = b'42/collaboration,['
ACK: Final = b"43/collaboration,"
CONNECTED: Final = b"40/collaboration,"
REFUSED: Final = b"44/collaboration,"
DISCONNECTED: Final = b"41/collaboration,"


class Seen(Told):
    """What a broadcast says, so far as a load test cares."""

    __slots__ = ("conflict_id", "edit_id", "kind")

    def __init__(self, payload: bytes) -> None:
        envelope: dict[str, Any] = orjson.loads(payload[len(EVENT) - 1 :])[1]
        data = envelope["data"]
        self.kind: str = envelope["message_type"]
        self.is_cursor = self.kind == "presence.updated"
        self.seq = envelope.get("seq", 0)
        self.conflict_id: str | None = data.get("conflict_id")
        self.is_notable = self.conflict_id is not None
        self.edit_id = ""
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


def read_ack(payload: bytes) -> tuple[int, Any]:
    """(id, the one argument) of ``43/collaboration,7[{…}]``."""
    start = payload.index(b"[", len(ACK))
    return int(payload[len(ACK) : start]), orjson.loads(payload[start:])[0]
