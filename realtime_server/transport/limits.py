"""Every bound of the transport in one frozen object, and the token bucket that holds the rates.

Whatever a client can make grow has its limit here. Sizes are bytes, times are seconds, rates are per second.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one server. `None` switches a count or rate off; sizes and times cannot be switched off.

    The defaults fit a server whose messages are small (edits of a record): raise them knowingly.
    """

    frame_size: int = 64 * 1024
    """Largest WebSocket frame and largest POST body; announced to clients as `maxPayload`."""
    message_size: int = 1024 * 1024
    """Largest message put together from several frames, and largest sum of one packet's attachments."""
    attachments: int = 10
    """Binary attachments of one packet."""
    nesting: int = 64
    """Depth of arrays and objects in one payload."""
    namespaces: int = 16
    """Namespaces that one connection may join."""
    packets_per_post: int = 256
    """Engine.IO packets in one POST body."""
    pending_output: int = 1024 * 1024
    """Bytes waiting for one client; past it the connection is aborted and counted as a slow consumer."""
    pending_input: int = 256
    """Events of one client waiting for its handlers; past it we stop reading from that client until half are done."""
    event_rate: float | None = 500.0
    """Packets per second from one connection, sustained (heartbeats not counted)."""
    event_burst: int = 1000
    """Packets that one connection may send at once before `event_rate` holds."""
    connections: int | None = 20_000
    """Connections of this process."""
    connections_per_address: int | None = 2_000
    """Open connections of one address. Generous: a whole office may share one."""
    connection_rate: float | None = 200.0
    """New connections per second from one address, sustained."""
    connection_burst: int = 2_000
    """New connections that one address may open at once before `connection_rate` holds."""
    refusal_cost: float = 5.0
    """New connections that one refused CONNECT, or one connection that was ended for bad input, counts as."""
    connect_timeout: float = 10.0
    """Time a client has, after the transport opened, to send its first Socket.IO CONNECT."""
    upgrade_timeout: float = 10.0
    """Time a WebSocket has to finish the probe of an upgrade."""
    head_timeout: float = 15.0
    """Time a request's line and headers have to arrive in full (see `guarded_runner`)."""
    head_line: int = 64 * 1024
    """Bytes of a request's line, and of any one of its headers (see `guarded_runner`)."""
    body_timeout: float = 15.0
    """Time a POST body has to arrive in full."""
    close_timeout: float = 2.0
    """Time a closing connection has to drain and say goodbye before it is aborted."""
    pending_acknowledgements: int = 1000
    """Callbacks that may wait for one client's acknowledgement; the oldest is forgotten past it."""

    def __post_init__(self) -> None:
        for name in ("frame_size", "message_size", "pending_output", "nesting", "namespaces", "packets_per_post"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        for name in ("connect_timeout", "upgrade_timeout", "head_timeout", "body_timeout", "close_timeout"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0 seconds")


class TokenBucket:
    """A rate with a burst, by the classic token bucket; the caller brings the (monotonic) time."""

    __slots__ = ("_burst", "_rate", "_time", "_tokens")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._time = now

    def take(self, now: float) -> bool:
        """Take one token; False when there is none."""
        tokens = self._tokens + (now - self._time) * self._rate
        self._time = now
        if tokens > self._burst:
            tokens = self._burst
        if tokens < 1.0:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1.0
        return True

    def charge(self, tokens: float) -> None:
        """Take so many. It may leave a debt, of one burst at most, that is paid in time."""
        self._tokens = max(self._tokens - tokens, -float(self._burst))

    def is_full(self, now: float) -> bool:
        """True when forgetting this bucket would change nothing."""
        return self._tokens + (now - self._time) * self._rate >= self._burst
