"""A Hocuspocus client: writes Yjs updates by hand, one map entry each, and reads stamps out of the others'."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from loadtest.peers.peer_client import PeerClient
from loadtest.wires import Wire

_SYNC, _AUTH, _SYNC_STATUS = 0, 2, 8
#: Of the Yjs update format (v1): an item that holds any value; it has an origin; it has a key.
_CONTENT_ANY, _HAS_ORIGIN, _HAS_KEY = 8, 0x80, 0x20
_OWN_RECORDS: Final = 10


def varuint(number: int) -> bytes:
    """As lib0 writes it: seven bits a byte, the lowest first."""
    parts = bytearray()
    while number > 127:
        parts.append(0x80 | number & 127)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def text(value: str) -> bytes:
    encoded = value.encode()
    return varuint(len(encoded)) + encoded


def read_varuint(payload: bytes, at: int) -> tuple[int, int]:
    """(number, where it ends)."""
    number = shift = 0
    while True:
        byte = payload[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7


def map_update(client: int, clock: int, key: str, value: str, previous: int | None) -> bytes:
    """The Yjs update by which ``client`` sets one key of the map ``records``, after its own entry ``previous``."""
    head = varuint(1) + varuint(1) + varuint(client) + varuint(clock)
    if previous is None:
        item = bytes((_CONTENT_ANY | _HAS_KEY,)) + varuint(1) + text("records") + text(key)
    else:
        item = bytes((_CONTENT_ANY | _HAS_KEY | _HAS_ORIGIN,)) + varuint(client) + varuint(previous)
    return head + item + varuint(1) + bytes((119,)) + text(value) + varuint(0)


class HocuspocusClient(PeerClient):
    """Acknowledged by `SyncStatus`, in the order sent; that says applied in memory, not stored."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._clock = 0
        self._last: dict[str, int] = {}
        self._under_way: deque[int] = deque()
        self._address = text(self.session_id)

    @property
    def waiting(self) -> int:
        return len(self._under_way)

    def opened(self, wire: Wire) -> None:
        self.wire = wire
        self._say(varuint(_AUTH) + varuint(0) + text(self.token))

    def read(self, payload: bytes, at: int) -> None:
        start = len(self._address)
        kind = payload[start]
        if kind == _SYNC:
            if not self.joined and payload[start + 1] == 1:
                self.entered(at)
            else:
                self.told(payload, at)
        elif kind == _SYNC_STATUS:
            if self._under_way:
                self.answered(self._under_way.popleft(), at)
        elif kind == _AUTH:
            self.worker.recorder.histograms["connect"].record(at - self._due)
            self._say(varuint(_SYNC) + varuint(0) + varuint(1) + varuint(0))

    def act(self, action: str, due: int) -> None:
        self.worker.recorder.counts["sent"] += 1
        self.sent += 1
        key = f"r{self.seat * _OWN_RECORDS + self.sent % _OWN_RECORDS}:description"
        update = map_update(self.index + 1, self._clock, key, self.text(self.sent, due), self._last.get(key))
        self._last[key] = self._clock
        self._clock += 1
        self._under_way.append(due)
        self._say(varuint(_SYNC) + varuint(2) + varuint(len(update)) + update)

    def _say(self, message: bytes) -> None:
        self._send(self._address + message, binary=True)
