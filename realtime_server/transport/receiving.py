"""From a message to a job: decode it, put binary packets together, check that the client may send it here.

Whatever breaks the protocol ends the connection, as the reference server does it. Everything here runs in the order
of arrival, before any handler; the handlers follow in the same order, in the client's lane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import packets
from .engine_socket import EngineSocket
from .handling import EventHandling
from .membership import Membership
from .packets import Packet, PacketError, fill_placeholders
from .peer import Member, Peer

if TYPE_CHECKING:
    from .socket_server import SocketServer


class Receiver:
    """The inbound half of a `SocketServer`."""

    def __init__(self, server: SocketServer, handling: EventHandling, membership: Membership) -> None:
        self._server = server
        self._codec = server.codec
        self._decode_event = server.codec.decode_event
        self._limits = server.eio.limits
        self._handling = handling
        self._handle = handling.handle
        self._membership = membership

    def text_received(self, socket: EngineSocket, payload: bytes) -> None:
        """One engine message; `payload` begins with the engine's `4`."""
        peer = socket.peer
        if peer is None:
            peer = socket.peer = Peer()
        elif peer.packet is None and (event := self._decode_event(payload)) is not None:
            namespace, packet_id, data = event
            member = peer.members.get(namespace)
            if member is not None:
                self._event(socket, member, packet_id, data)
                return
        if peer.packet is not None or self._codec.is_binary:
            socket.refuse("malformed_packet")  # an attachment was due
            return
        self._decode(socket, peer, payload, 1)

    def binary_received(self, socket: EngineSocket, payload: bytes) -> None:
        """One binary engine message: an attachment, or a whole packet of a binary codec."""
        peer = socket.peer
        if peer is None:
            peer = socket.peer = Peer()
        if self._codec.is_binary:
            self._decode(socket, peer, payload, 0)
            return
        packet = peer.packet
        if packet is None:
            socket.refuse("malformed_packet")
            return
        peer.attachments.append(payload)
        peer.attachments_size += len(payload)
        if peer.attachments_size > self._limits.message_size:
            socket.refuse("message_too_large", 1009)
        elif len(peer.attachments) == packet.attachments:
            attachments, peer.attachments = peer.attachments, []
            peer.packet, peer.attachments_size = None, 0
            self._complete(socket, peer, packet, attachments)

    def _decode(self, socket: EngineSocket, peer: Peer, payload: bytes, start: int) -> None:
        try:
            packet = self._codec.decode(payload, start)
        except PacketError as error:
            socket.refuse(error.reason)
            return
        if packet.type >= packets.BINARY_EVENT:
            # Not one attachment is kept for a client that has no business in the namespace.
            if packet.namespace not in peer.members and packet.namespace not in peer.left:
                socket.refuse("not_connected")
            elif packet.attachments:
                peer.packet = packet
            else:
                self._complete(socket, peer, packet, [])
        else:
            self._dispatch(socket, peer, packet)

    def _complete(self, socket: EngineSocket, peer: Peer, packet: Packet, attachments: list[bytes]) -> None:
        try:
            packet.data = fill_placeholders(packet.data, attachments)
        except (PacketError, RecursionError):
            socket.refuse("malformed_packet")
            return
        packet.type -= 3  # BINARY_EVENT to EVENT, BINARY_ACK to ACK
        self._dispatch(socket, peer, packet)

    def _dispatch(self, socket: EngineSocket, peer: Peer, packet: Packet) -> None:
        member = peer.members.get(packet.namespace)
        kind = packet.type
        if member is None:
            if kind == packets.CONNECT:
                self._connect(socket, peer, packet)
            elif packet.namespace not in peer.left:
                socket.refuse("not_connected")
        elif kind == packets.EVENT:
            self._event(socket, member, packet.id, packet.data)
        elif kind == packets.ACK:
            assert packet.id is not None, "the codec refuses an acknowledgement without an id"
            self._handling.acknowledged(member, packet.id, packet.data)
        elif kind == packets.DISCONNECT:
            self._leave(socket, peer, member)
        else:
            socket.refuse("malformed_packet")  # a second CONNECT

    def _event(self, socket: EngineSocket, member: Member, packet_id: int | None, data: list[Any]) -> None:
        socket.server.pressure.events += 1
        if socket.lane.put(self._handle, socket, member, packet_id, data) > self._limits.pending_input:
            socket.hold_input()

    def _connect(self, socket: EngineSocket, peer: Peer, packet: Packet) -> None:
        server, namespace = self._server, packet.namespace
        if not server.serves(namespace):
            server.send_to(socket, packets.CONNECT_ERROR, namespace, {"message": "Invalid namespace"})
            return
        if len(peer.members) >= self._limits.namespaces:
            socket.refuse("too_many_namespaces", 1008)
            return
        server.eio.connects.cancel(socket)
        member = peer.members[namespace] = Member(namespace)
        socket.put(self._membership.connect, socket, member, packet.data)

    def _leave(self, socket: EngineSocket, peer: Peer, member: Member) -> None:
        peer.members.pop(member.namespace, None)
        if len(peer.left) < self._limits.namespaces:
            peer.left.add(member.namespace)
        peer.leaving.append(member)
        # Counted as events are: nobody comes and goes without end while one of them waits.
        socket.put(self._membership.leave_in_turn, socket, member)
