"""One simulated person: a raw Socket.IO client, which checks everything it is told.

What is told to many is read once, by one of them (`read`); for the others `Readings` counts it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from loadtest import messages as m
from loadtest import sending
from loadtest.reading import Reader, Told
from loadtest.wires import SocketWire, Wire

if TYPE_CHECKING:
    from loadtest.worker import Worker

_PING: Final = b"2"

#: Called with the answer and the moment it came.
Answered = Callable[[dict[str, Any], int], None]


class Client(Reader):
    """``seat``: its number in its session; seat 0 is a reviewer, who resolves conflicts."""

    def __init__(self, worker: Worker, index: int, session_id: str, seat: int, token: str) -> None:
        self.worker, self.index, self.session_id, self.seat, self.token = worker, index, session_id, seat, token
        self.wire: Wire | None = None
        self.attends = seat == 0
        self.sent = 0
        self.base = 0
        self.slow = False
        self.leaving = False
        self.acknowledged_seq = 0
        self._due = 0
        self._reconnecting = False
        self._early: list[int] = []
        self._waiting: dict[int, tuple[int, Answered | None]] = {}
        self._conflicts: dict[str, int] = {}
        self.unanswered: Counter[str] = Counter()

    # -- entering

    def due(self, at: int, *, again: bool) -> None:
        """When it was to begin to connect."""
        self._due, self._reconnecting = at, again

    def opened(self, wire: Wire) -> None:
        """The WebSocket is there."""
        self.wire = wire
        wire.send(m.CONNECTED + orjson.dumps({"token": self.token}))

    def closed(self, wire: Wire) -> None:
        """It is not any more."""
        if wire is not self.wire:  # one that was dropped; its successor may be in use already
            return
        was_in, self.joined, self.wire = self.joined, False, None
        if self.leaving or self.worker.ending:
            return
        if self.slow:
            self.worker.recorder.counts["slow clients closed"] += 1
            return
        self.worker.recorder.faults["connection lost" if was_in else "not let in"] += 1
        self.worker.left_unexpectedly(self)

    def _connected(self, at: int) -> None:
        measure = "reconnect" if self._reconnecting else "connect"
        self.worker.recorder.histograms[measure].record(at - self._due)
        request: dict[str, Any] = {"session_id": self.session_id}
        if self._reconnecting:
            request["since"] = self.seq
        self._early = []
        self.emit("join", orjson.dumps(request), at, self._entered)

    def _entered(self, answer: dict[str, Any], at: int) -> None:
        recorder = self.worker.recorder
        if answer.get("recovered"):
            for envelope in answer["commits"]:
                self._follows(envelope["seq"])
            if self.seq != answer["seq"]:
                recorder.faults["replay incomplete"] += 1
        elif self._reconnecting:
            recorder.counts["reloaded"] += 1
        self.seq = answer["seq"]
        for seq in self._early:
            if seq > self.seq:
                self._follows(seq)
        self.joined = True
        self.worker.entered(self)

    # -- sending

    def emit(self, event: str, body: bytes, due: int, answered: Answered | None = None) -> None:
        """Send an event that was due at ``due``; its acknowledgement is measured from then."""
        wire = self.wire
        if wire is None:
            self.worker.recorder.counts["skipped"] += 1
            return
        self.sent = number = self.sent + 1
        self._waiting[number] = (due, answered)
        wire.send(b'42/collaboration,%d["%s",%s]' % (number, event.encode(), body))
        self.worker.recorder.counts["sent"] += 1

    def act(self, action: str, due: int) -> None:
        """Do something that was due at ``due`` (`sending.ACTIONS`)."""
        sending.ACTIONS[action](self, due)

    @property
    def waiting(self) -> int:
        """Acknowledgements that have not come."""
        return len(self._waiting)

    def drop(self) -> None:
        """Go away without a word, as a lost network does. What was not answered may or may not have been done."""
        self._waiting.clear()
        wire, self.wire, self.joined = self.wire, None, False
        if wire is not None:
            wire.close()

    # -- receiving

    def read(self, payload: bytes, at: int) -> None:
        """A message that no other client has read: a broadcast's first delivery, or one for this client alone."""
        if payload[1:2] == b"2":
            self.worker.readings.learn(self, payload, m.Seen(payload), at)
        elif payload[1:2] == b"3":
            self._acknowledged(payload, at)
        elif payload == _PING:
            self._send(b"3")
        elif payload.startswith(m.CONNECTED):
            self._connected(at)
        elif payload.startswith((m.REFUSED, m.DISCONNECTED)):
            self.worker.recorder.faults[f"connection refused: {payload[:200].decode(errors='replace')}"] += 1
            self._end()

    def control(self, kind: int, payload: bytes) -> None:
        """A control frame came (picows keeps those to itself)."""
        if isinstance(self.wire, SocketWire):
            self.wire.control(kind, payload)

    def ended(self) -> None:
        """The server has closed the connection."""
        self._end()

    def _end(self) -> None:
        if self.wire is not None:
            self.wire.close()

    def _send(self, payload: bytes, *, binary: bool = False) -> None:
        if self.wire is not None:
            self.wire.send(payload, binary=binary)

    def out_of_step(self, seq: int) -> None:
        """A broadcast that is not the next one, or came before the answer to the join."""
        if self.joined:
            self._follows(seq)
        else:
            self._early.append(seq)

    def _follows(self, seq: int) -> None:
        """Gapless, nothing twice, in order."""
        if seq != self.seq + 1:
            self.worker.recorder.faults["gap in seq" if seq > self.seq else "seq seen twice"] += 1
        self.seq = max(self.seq, seq)

    def noticed(self, told: Told, at: int) -> None:
        """A conflict, for a reviewer."""
        seen = cast(m.Seen, told)
        conflict_id = seen.conflict_id or ""
        if seen.kind == "conflict.detected" and self.joined:
            self._conflicts[conflict_id] = at
            self.worker.resolve(self, conflict_id, seen.edit_id, at)
        elif seen.kind == "conflict.resolved":
            began = self._conflicts.pop(conflict_id, None)
            if began is not None:
                self.worker.recorder.histograms["resolution"].record(at - began)

    def _acknowledged(self, payload: bytes, at: int) -> None:
        number, answer = m.read_ack(payload)
        waited = self._waiting.pop(number, None)
        recorder = self.worker.recorder
        if waited is None:
            recorder.faults["acknowledged twice, or never asked"] += 1
            return
        due, answered = waited
        joining = not self.joined
        if due >= self.worker.readings.measure_from or joining:
            recorder.histograms["join" if joining else "ack"].record(at - due)
        recorder.counts["acks"] += 1
        if answer["ok"]:
            if "status" in answer:
                recorder.counts[answer["status"]] += 1
            self.acknowledged_seq = max(self.acknowledged_seq, answer.get("seq", 0))
        else:
            recorder.refused[answer["error"]["code"]] += 1
            if joining:
                recorder.faults[f"join refused: {answer['error']['code']}"] += 1
        if answered is not None and (answer["ok"] or not joining):
            answered(answer, at)

    async def leave(self) -> None:
        """Say goodbye."""
        self.leaving = True
        self._send(m.DISCONNECTED)
        self._end()
        await asyncio.sleep(0)
