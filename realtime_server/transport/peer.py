"""What the Socket.IO server knows of one connection: its namespaces, and a binary packet that is still arriving."""

from __future__ import annotations

import asyncio

from .packets import Packet


class Member:
    """One connection's place in one namespace: a client, in the words of Socket.IO."""

    __slots__ = ("accepted", "gone", "held", "namespace", "sid")

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.sid = ""
        self.accepted = False
        self.held: list[bytes] | None = None
        """What the application sent during the connect handler; it follows the CONNECT packet."""
        self.gone: asyncio.Event | None = None
        """Set when the application's own `disconnect` of this client is through."""


class Peer:
    """One connection."""

    __slots__ = ("attachments", "attachments_size", "leaving", "left", "members", "packet")

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.leaving: list[Member] = []
        """Members whose client said that they leave, until their turn has come: behind what it sent before."""
        self.left: set[str] = set()
        """Namespaces this connection was in: what it sent before it knew of its leaving is ignored, not a fault."""
        self.packet: Packet | None = None
        self.attachments: list[bytes] = []
        self.attachments_size = 0
