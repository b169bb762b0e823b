"""Who a connection is from, and how many one address may have.

Forwarded headers are believed only when the peer itself is a trusted proxy; otherwise anybody could name any address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from aiohttp import web

from .limits import Limits, TokenBucket

_SWEEP_ABOVE = 10_000


class TrustedProxies:
    """The networks whose `X-Forwarded-*` headers are believed."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """`networks` in CIDR form (`10.0.0.0/8`), single addresses, or `unix` for peers on a Unix socket.

        Raises:
            ValueError: for anything else.
        """
        names = list(networks)
        self._unix = "unix" in names
        self._networks: list[IPv4Network | IPv6Network] = [
            ip_network(name, strict=False) for name in names if name != "unix"
        ]

    def trusts(self, address: str) -> bool:
        if not address:
            return self._unix
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks if network.version == parsed.version)

    def client(self, peer: str, forwarded: Iterable[str]) -> str:
        """The address nearest to us, going back along all lines of `X-Forwarded-For`, that is not a trusted proxy.

        Some proxies add their hop to the line that they were sent, others a line of their own behind it.
        """
        if not self.trusts(peer):
            return peer
        hops = [hop.strip() for line in forwarded for hop in line.split(",") if hop.strip()]
        for hop in reversed(hops):
            try:
                ip_address(hop)
            except ValueError:
                return peer  # the proxy passed on nonsense: believe none of it
            if not self.trusts(hop):
                return hop
        return hops[0] if hops else peer

    def client_of(self, request: web.BaseRequest) -> str:
        """The address that a request is from."""
        return self.client(peer_address(request), request.headers.getall("X-Forwarded-For", ()))


def peer_address(request: web.BaseRequest) -> str:
    """The other end of the TCP connection; empty on a Unix socket."""
    transport = request.transport
    peer = transport.get_extra_info("peername") if transport is not None else None
    return str(peer[0]) if isinstance(peer, tuple) else ""


class AddressLimiter:
    """Counts open connections and holds the rate of new ones, for all and for each address."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: Counter[str] = Counter()
        self._rates: dict[str, TokenBucket] = {}
        self.total = 0

    def admit(self, address: str, now: float) -> str | None:
        """Count a new connection of `address`; the reason when there is no room for it."""
        limits = self._limits
        if limits.connections is not None and self.total >= limits.connections:
            return "too_many_connections"
        if limits.connections_per_address is not None and self._open[address] >= limits.connections_per_address:
            return "too_many_connections_of_address"
        if limits.connection_rate is not None and not self._bucket(address, now).take(now):
            return "connection_rate"
        self._open[address] += 1
        self.total += 1
        return None

    def charge_refusal(self, address: str, now: float) -> None:
        """A connection of `address` came to nothing: that costs it more than one that is of use."""
        if self._limits.connection_rate is not None:
            self._bucket(address, now).charge(self._limits.refusal_cost)

    def leave(self, address: str) -> None:
        """A connection that was admitted is gone."""
        self.total -= 1
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]

    def _bucket(self, address: str, now: float) -> TokenBucket:
        bucket = self._rates.get(address)
        if bucket is None:
            if len(self._rates) >= _SWEEP_ABOVE:
                self._rates = {key: value for key, value in self._rates.items() if not value.is_full(now)}
            rate = self._limits.connection_rate
            assert rate is not None
            bucket = self._rates[address] = TokenBucket(rate, self._limits.connection_burst, now)
        return bucket
