"""What the clients of servers with another protocol have in common: the same stamps, the same measures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from loadtest.client import Client

#: How an edit's text ends: with the moment when it was due, in µs.
_STAMP: Final = re.compile(rb"\.(\d{9,17})~")
_REMEMBERED: Final = 4_096


class PeerClient(Client):
    """No ``seq``: none of these promises one order of a session's edits."""

    def text(self, turn: int, due: int) -> str:
        """A new value of the length that our own edits have."""
        return f"Paid by the customer in November, second half, invoice {turn} .{due}~"

    def stamps(self, payload: bytes) -> Sequence[int]:
        """Of the edits in a broadcast, read once for all recipients in this process."""
        known: dict[bytes, Sequence[int]] = self.worker.peer_stamps
        found = known.get(payload)
        if found is None:
            if len(known) >= _REMEMBERED:
                known.clear()
            found = known[payload] = [int(digits) for digits in _STAMP.findall(payload)]
        return found

    def told(self, payload: bytes, at: int) -> None:
        """A broadcast came."""
        worker = self.worker
        for stamp in self.stamps(payload):
            worker.deliveries += 1
            if stamp >= worker.measure_from:
                worker.recorder.histograms["delivery"].record(at - stamp)

    def answered(self, due: int, at: int) -> None:
        """An edit was acknowledged."""
        recorder = self.worker.recorder
        recorder.counts["acks"] += 1
        recorder.counts["applied"] += 1
        if due >= self.worker.measure_from:
            recorder.histograms["ack"].record(at - due)

    async def leave(self) -> None:
        self.leaving = True
        if self.transport is not None:
            self.transport.disconnect()

    def entered(self, at: int) -> None:
        """Everything is subscribed to."""
        self.worker.recorder.histograms["join"].record(at - self._due)
        self.joined = True
        self.worker.entered(self)
