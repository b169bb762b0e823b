"""One Engine.IO session: its transport (or two, during an upgrade), its outbox, its heartbeat and its end.

States: open (`connected`), perhaps `upgrading` and then `upgraded`, `closing` once the end has begun (nothing is
received or sent, disconnect handlers run), `closed` when it is over.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engineio import packet as engine_packet

from .frames import BINARY, build, text_frame
from .lane import Function, Lane
from .limits import TokenBucket
from .outbox import BoundedOutbox, ClosedOutbox, polling_parts
from .outlets import Outlet
from .websocket import WebSocketLink

if TYPE_CHECKING:
    from .engine_server import EngineServer
    from .upgrading import Probe

NOOP = b"6"
CLOSE = b"1"
_PING = text_frame(b"2")
_CLOSE = text_frame(CLOSE)
#: Bytes queued for one flush, or poll, behind which no volatile event is queued: they would fill the connection's
#: buffer.
_VOLATILE_AFTER = 64 * 1024
#: Ping timeouts for which a pong is waited for at most, where it may be in what we do not read. With an application's
#: 8 s it is two minutes: long for handlers that are behind, and an end for those that hang.
_LONGEST_WAIT = 15


class EngineSocket(Outlet):
    """A session, with the attributes that users of engineio's own socket know: `sid`, `session`, `upgraded`, ..."""

    __slots__ = (
        "__weakref__",
        "_bucket",
        "_disconnecting",
        "_pong_until",
        "address",
        "closed",
        "closing",
        "connected",
        "held_post",
        "lane",
        "link",
        "peer",
        "poll",
        "posting",
        "probe",
        "reason",
        "server",
        "session",
        "sid",
        "upgraded",
        "upgrading",
        "waiting",
    )

    def __init__(self, server: EngineServer, sid: str, address: str) -> None:
        self.server = server
        self.sid = sid
        self.address = address
        self.session: dict[str, Any] = {}
        self.connected = self.upgrading = self.upgraded = self.closing = self.closed = False
        self.link: WebSocketLink | None = None
        self.probe: Probe | None = None
        self.poll: asyncio.Future[list[bytes]] | None = None
        self.posting = False
        self.held_post: asyncio.Future[None] | None = None
        """While a POST waits for the handlers to catch up."""
        self.peer: Any = None
        self.reason = ""
        self.lane = Lane(server.workers)
        self.waiting: deque[tuple[bytes, Callable[[bytes], None]]] | None = None
        """Frames that the inbox has, and what handles each; None when it has none."""
        self.outbox = self._bounded(())
        limits = server.limits
        self._bucket = (
            None if limits.event_rate is None
            else TokenBucket(limits.event_rate, limits.event_burst, server.loop.time())
        )  # fmt: skip
        self._disconnecting = False
        self._pong_until = 0.0

    # -- sending

    def send_frame(self, frame: bytes) -> None:
        """Queue a frame; it is written at the end of this turn of the event loop."""
        outbox = self.outbox
        if not outbox:
            self.server.flusher.mark(self)
        outbox.append(frame)

    async def send(self, pkt: engine_packet.Packet) -> None:
        """Queue one of engineio's packets (upstream's method)."""
        encoded = pkt.encode()
        self.send_frame(build(BINARY, bytes(encoded)) if pkt.binary else text_frame(encoded.encode()))

    @property
    def is_writable(self) -> bool:
        """True when something sent now leaves with the next flush, or poll, little as that is yet; volatile events
        need it."""
        if self.link is not None:
            return not (self.link.paused or self.closing) and sum(map(len, self.outbox)) < _VOLATILE_AFTER
        return isinstance(self.outbox, BoundedOutbox) and self.outbox.size < _VOLATILE_AFTER

    def flush(self) -> None:
        """Write what is queued, if the transport can take it."""
        link, outbox = self.link, self.outbox
        if not outbox:
            return
        if link is not None:
            if not link.paused and link.transport is not None:
                stats = self.server.stats
                data = outbox[0] if len(outbox) == 1 else b"".join(outbox)
                stats.frames_sent += len(outbox)
                stats.bytes_sent += len(data)
                outbox.clear()
                link.transport.write(data)
        elif self.poll is not None and not self.upgrading:
            self.release_poll(self.take_parts())

    def write_rest(self, data: bytes) -> None:
        """Write what the socket did not take: the transport waits until it does."""
        if self.link is not None:
            self.link.write(data)

    def take_parts(self) -> list[bytes]:
        """Everything queued, as the packets of a long-polling payload."""
        parts = polling_parts(self.outbox)
        self.server.stats.frames_sent += len(parts)
        self.server.stats.bytes_sent += sum(map(len, parts))
        self.outbox.clear()
        return parts

    def release_poll(self, parts: list[bytes]) -> bool:
        """Answer the poll that is waiting; False when none is."""
        poll, self.poll = self.poll, None
        if poll is None or poll.done():
            return False
        poll.set_result(parts)
        return True

    def writing_paused(self) -> None:
        """The client reads slower than we write: from here on everything counts against its bound."""
        link = self.link
        if link is not None and link.transport is not None and not self.closing:
            waiting = self.outbox
            self.outbox = []
            self.outbox = self._bounded(waiting, link.transport.get_write_buffer_size())

    def writing_resumed(self) -> None:
        if not self.closing:
            self.outbox = list(self.outbox)
            self.flush()

    def writing_ended(self) -> None:
        """The connection is lost, and the number of its socket is about to be another's."""
        self.fd = -1

    def _bounded(self, frames: Any, base: int = 0) -> BoundedOutbox | ClosedOutbox:
        bounded = BoundedOutbox(frames, base, self.server.limits.pending_output, self._overflowed)
        return ClosedOutbox() if self.closing else bounded  # it may have been too much already

    def _overflowed(self) -> None:
        if not self.closing:
            self.server.slow_consumer(self)
            self.shut(self.server.reason.TRANSPORT_ERROR, abort=True)

    # -- receiving

    def receive_text(self, payload: bytes) -> None:
        """One text message of the WebSocket."""
        if self.waiting or self.server.pressure.input:
            self.server.inbox.put(self, payload, self.handle_text)
        else:
            self.handle_text(payload)

    def receive_binary(self, payload: bytes) -> None:
        """One binary message of the WebSocket."""
        if self.waiting or self.server.pressure.input:
            self.server.inbox.put(self, payload, self.handle_binary)
        else:
            self.handle_binary(payload)

    def handle_text(self, payload: bytes) -> None:
        """One text packet from either transport."""
        if self.closing:
            return
        server = self.server
        stats = server.stats
        stats.frames_received += 1
        stats.bytes_received += len(payload)
        kind = payload[:1]
        if kind == b"3":
            self._pong()
        elif self._bucket is not None and not self._bucket.take(server.loop.time()):
            self.refuse("event_rate", 1008)
        elif kind == b"4":
            server.text_received(self, payload)
        else:
            self._receive_other(kind, payload)

    def _receive_other(self, kind: bytes, payload: bytes) -> None:
        if kind == b"1":
            self.release_poll([NOOP])
            self.shut(self.server.reason.CLIENT_DISCONNECT)
        elif kind == b"b":
            try:
                attachment = base64.b64decode(payload[1:], validate=True)
            except binascii.Error:
                self.refuse("malformed_packet", 1002)
            else:
                self.server.binary_received(self, attachment)
        elif payload not in (NOOP, b"5"):  # a late noop or upgrade is harmless; open, ping and all others are not
            self.refuse("malformed_packet", 1002)

    def handle_binary(self, payload: bytes) -> None:
        """One binary packet of the WebSocket."""
        if self.closing:
            return
        server = self.server
        server.stats.frames_received += 1
        server.stats.bytes_received += len(payload)
        if self._bucket is not None and not self._bucket.take(server.loop.time()):
            self.refuse("event_rate", 1008)
        else:
            server.binary_received(self, payload)

    def control_received(self) -> None:
        """A WebSocket ping or pong: allowed, at the rate of events."""
        if self._bucket is not None and not self._bucket.take(self.server.loop.time()):
            self.refuse("event_rate", 1008)

    def link_failed(self, code: int, reason: str) -> None:
        self.server.inbox.drain(self)
        self.refuse(reason, code)

    def link_closed(self) -> None:
        self.server.inbox.drain(self)  # what the client sent before it went
        self.shut(self.server.reason.TRANSPORT_CLOSE, abort=True, keep_jobs=True)

    def refuse(self, reason: str, code: int = 1002) -> None:
        """Bad input: count it, say so once, and end the session."""
        if not self.closing:
            self.server.refused(reason, self.address)
            self.server.addresses.charge_refusal(self.address, self.server.loop.time())
            self.shut(self.server.reason.TRANSPORT_ERROR, code=code)

    def put(self, job: Function, *arguments: Any) -> None:
        """Behind what the client sent before; nothing more is read while too much of that waits."""
        if self.lane.put(job, *arguments) > self.server.limits.pending_input:
            self.hold_input()

    def hold_input(self) -> None:
        """Stop reading, or taking POSTs, until the handlers have caught up."""
        self.pause_input()
        self.lane.when_drained(self.server.limits.pending_input // 2, self.resume_input)

    def pause_input(self) -> None:
        """Stop reading; what was read is handled all the same."""
        link = self.link
        if link is not None and link.transport is not None and not link.closing:
            link.transport.pause_reading()

    async def input_wanted(self) -> None:
        """Wait, with a POST, until the handlers have caught up, or the session ends."""
        while self.lane.holds and not self.closing:
            self.held_post = self.server.loop.create_future()
            await self.held_post

    def release_post(self) -> None:
        """Go on with the POST that waits, if one does."""
        post, self.held_post = self.held_post, None
        if post is not None and not post.done():
            post.set_result(None)

    def resume_input(self) -> None:
        """Go on with what was read; and read again, unless there is too much of it still."""
        self.server.inbox.take_up(self)
        self.release_post()
        if self in self.server.pongs:
            self._wait_on()
        link = self.link
        if link is None or link.transport is None or self.lane.holds or self.server.inbox.holds(self):
            return
        link.transport.resume_reading()

    # -- heartbeat

    def ping(self) -> None:
        """The ping interval has passed."""
        self.send_frame(_PING)
        self.server.pongs.set(self, self.server.pings.lateness)
        self._pong_until = self.server.loop.time() + _LONGEST_WAIT * self.server.ping_timeout

    def ping_timed_out(self) -> None:
        """No pong was handled in time."""
        holds_input = self.lane.holds or bool(self.waiting)
        if not (holds_input and self._wait_on()):
            self.shut(self.server.reason.PING_TIMEOUT)

    def _wait_on(self) -> bool:
        """Begin the time for the pong anew: it may be in what we did not read. False when that was long enough."""
        server = self.server
        if server.loop.time() >= self._pong_until:
            return False
        server.pongs.set(self)
        return True

    def _pong(self) -> None:
        if self.server.pongs.cancel(self):
            self.server.pings.set(self)
        else:
            self.control_received()

    @property
    def was_cut(self) -> bool:
        """True when the session ended, and not because its client said so."""
        return self.closing and self.reason != self.server.reason.CLIENT_DISCONNECT

    # -- upgrade

    def open_websocket(self, link: WebSocketLink) -> None:
        """This session began on a WebSocket."""
        self.link = link
        self.connected = self.upgraded = True
        number = link.descriptor()
        self.fd = -1 if self.closing else number  # what waits may have been too much already
        if link.paused:
            self.writing_paused()
        else:
            self.outbox = list(self.outbox)
            self.flush()

    def upgrade_probed(self) -> None:
        """The probe arrived: end the poll that is waiting, and hold what is sent until the upgrade is done."""
        self.upgrading = True
        self.release_poll([NOOP])

    def upgrade_failed(self) -> None:
        """The second transport went away or misbehaved; the session goes on with the first."""
        self.probe = None
        if self.upgrading:
            self.upgrading = False
            self.flush()

    def upgrade_completed(self, link: WebSocketLink) -> None:
        self.probe = None
        self.upgrading = False
        link.sink = self
        self.server.polls.end(self)
        self.release_poll([NOOP])
        self.open_websocket(link)
        self.server.upgraded(self)

    # -- the end

    def shut(self, reason: str, *, code: int = 1000, abort: bool = False, keep_jobs: bool = False) -> bool:
        """Begin the end: say goodbye on the transport (or `abort` it) and run the disconnect handlers in order.

        What the client sent before and is still waiting for its handlers is handled first, unless the session is cut
        (`abort` without `keep_jobs`). False when the end had begun already.
        """
        if not self._begin_end(reason, code, abort):
            return False
        if abort and not keep_jobs:
            self.lane.clear()
        self.server.endings.end_in_order(self)
        return True

    async def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:
        """End the session and wait for its disconnect handlers (upstream's method)."""
        if self._begin_end(reason or self.server.reason.SERVER_DISCONNECT, 1000, abort):
            await self.server.endings.end(self)

    def begin_disconnect(self) -> bool:
        """True for the one caller that shall run the disconnect handlers."""
        if self._disconnecting:
            return False
        self._disconnecting = True
        return True

    def _begin_end(self, reason: str, code: int, abort: bool) -> bool:
        if self.closing:
            return False
        self.closing = True
        self.fd = -1
        self.reason = reason
        self.server.forget_deadlines(self)
        self.server.inbox.forget(self)
        self.release_post()
        outbox, self.outbox = self.outbox, ClosedOutbox()
        link, probe = self.link, self.probe
        if link is not None:
            if abort:
                link.abort()
            elif not link.closing:
                link.write(b"".join([*outbox, _CLOSE]))
                link.close(code)
        else:
            parts = [] if abort else [*polling_parts(outbox), CLOSE]
            waiting = self.release_poll(parts or [NOOP])
            if not waiting and reason == self.server.reason.SERVER_DISCONNECT:
                self.server.endings.keep_farewell(self, parts)
        if probe is not None:
            self.probe = None
            probe.link.close()
        return True
