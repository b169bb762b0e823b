"""What waits to be written to one client.

Three kinds with one interface, `append(frame)`: a plain list while a WebSocket takes all we write (nothing to count,
and the cheapest thing Python has), a `BoundedOutbox` while frames must wait (a transport that is full, a long-polling
client, an upgrade), and a `ClosedOutbox` after the end. The broadcast loop appends and never asks which it has.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable

from .frames import TEXT, payloads


class BoundedOutbox(list[bytes]):
    """Frames that wait; calls `overflow` once when they, with `base` bytes already in the socket, pass `limit`."""

    __slots__ = ("_limit", "_overflow", "size")

    def __init__(self, frames: Iterable[bytes], base: int, limit: int, overflow: Callable[[], None]) -> None:
        super().__init__(frames)
        self.size = base + sum(map(len, self))
        self._limit = limit
        self._overflow = overflow
        if self.size > limit:
            overflow()

    def append(self, frame: bytes) -> None:
        list.append(self, frame)
        self.size += len(frame)
        if self.size > self._limit:
            self._overflow()

    def clear(self) -> None:
        list.clear(self)
        self.size = 0


class ClosedOutbox(list[bytes]):
    """The end: whatever is appended is dropped."""

    __slots__ = ()

    def append(self, frame: bytes) -> None:
        """Drop it."""


def polling_parts(messages: Iterable[bytes]) -> list[bytes]:
    """What waits as frames, as the packets of a long-polling payload: texts as they are, the others in base64."""
    return [
        payload if opcode == TEXT else b"b" + base64.b64encode(payload)
        for message in messages
        for opcode, payload in payloads(message)
    ]
