"""A ShareDB client: subscribes to a session's documents, and edits its own with one operation under way at a time."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import orjson

from loadtest.peers.peer_client import PeerClient
from loadtest.wires import Wire

_PER_DOCUMENT: Final = 10


class ShareDBClient(PeerClient):
    """As ShareDB's own client does it: what comes while an operation is under way waits for its acknowledgement."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._source = ""
        self._version = 1
        self._number = 0
        self._under_way: int | None = None
        self._queue: deque[int] = deque()
        self._document = f"d{1 + self.seat}"

    @property
    def waiting(self) -> int:
        return len(self._queue) + (self._under_way is not None)

    def opened(self, wire: Wire) -> None:
        self.wire = wire

    def read(self, payload: bytes, at: int) -> None:
        if b'"op":[' in payload:  # the others get the operation, the submitter its number alone
            self.told(payload, at)
            return
        message = orjson.loads(payload)
        if message.get("error"):
            self.worker.recorder.faults[f"refused: {message['error']}"[:200]] += 1
        action = message["a"]
        if action == "init":
            self._say({"a": "hs", "id": None})
        elif action == "hs":
            self._source = message["id"]
            self.worker.recorder.histograms["connect"].record(at - self._due)
            count = -(-self.worker.spec.records // _PER_DOCUMENT)
            self._say({"a": "bs", "c": self.session_id, "b": [f"d{number}" for number in range(count)]})
        elif action == "op":
            self._acknowledged_operation(message, at)
        elif action == "bs":
            self._version = message["data"][self._document]["v"]
            self.entered(at)

    def _acknowledged_operation(self, message: dict[str, Any], at: int) -> None:
        if self._under_way is None:
            self.worker.recorder.faults["acknowledged twice, or never asked"] += 1
            return
        self.answered(self._under_way, at)
        # The submitter has its own edit with the answer; to be compared with those who are sent it.
        self.worker.readings.deliveries += 1
        self._under_way = None
        self._version = message["v"] + 1
        if self._queue:
            self._submit(self._queue.popleft())

    def act(self, action: str, due: int) -> None:
        self.worker.recorder.counts["sent"] += 1
        if self._under_way is None:
            self._submit(due)
        else:
            self._queue.append(due)

    def _submit(self, due: int) -> None:
        self._under_way = due
        self._number += 1
        row = 10 + self.seat * _PER_DOCUMENT + self._number % _PER_DOCUMENT
        operation = {"p": [f"r{row}", "description"], "oi": self.text(self._number, due)}
        self._say(
            {"a": "op", "c": self.session_id, "d": self._document, "v": self._version, "src": self._source,
             "seq": self._number, "x": {}, "op": [operation]}
        )  # fmt: skip

    def _say(self, message: dict[str, Any]) -> None:
        self._send(orjson.dumps(message))
