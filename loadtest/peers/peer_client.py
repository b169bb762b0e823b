"""What the clients of servers with another protocol have in common: the same stamps, the same measures."""

from __future__ import annotations

import re
from typing import Final

from loadtest.client import Client
from loadtest.reading import Told

#: How an edit's text ends: with the moment when it was due, in µs.
_STAMP: Final = re.compile(rb"\.(\d{9,17})~")


class PeerClient(Client):
    """No ``seq``: none of these promises one order of a session's edits."""

    def text(self, turn: int, due: int) -> str:
        """A new value of the length that our own edits have."""
        return f"Paid by the customer in November, second half, invoice {turn} .{due}~"

    def told(self, payload: bytes, at: int) -> None:
        """A broadcast came. One edit's is read once for all recipients in this process."""
        readings, stamps = self.worker.readings, [int(digits) for digits in _STAMP.findall(payload)]
        if len(stamps) == 1:
            told = Told()
            told.stamp = stamps[0]
            readings.learn(self, payload, told, at)
            return
        for stamp in stamps:
            readings.deliveries += 1
            if stamp >= readings.measure_from:
                self.worker.recorder.histograms["delivery"].record(at - stamp)

    def answered(self, due: int, at: int) -> None:
        """An edit was acknowledged."""
        recorder = self.worker.recorder
        recorder.counts["acks"] += 1
        recorder.counts["applied"] += 1
        if due >= self.worker.readings.measure_from:
            recorder.histograms["ack"].record(at - due)

    async def leave(self) -> None:
        self.leaving = True
        self._end()

    def entered(self, at: int) -> None:
        """Everything is subscribed to."""
        self.worker.recorder.histograms["join"].record(at - self._due)
        self.joined = True
        self.worker.entered(self)
