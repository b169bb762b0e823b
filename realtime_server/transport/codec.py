"""Packets to frames and back: ours for JSON, or any packet class that python-socketio takes as `serializer=`."""

from __future__ import annotations

from functools import partial
from typing import Any

from socketio.packet import Packet as UpstreamPacket

from . import jsoncodec, packets
from .frames import BINARY, build, message_frames, text_frame
from .limits import Limits
from .packets import Packet, PacketError


class JsonPacket(UpstreamPacket):  # type: ignore[misc]  # socketio has no types
    """Upstream's packet with our JSON; each server has its own, so that no server changes another's."""

    json = jsoncodec


class JsonCodec:
    """The protocol's own encoding, through orjson."""

    is_binary = False

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.decode_event = partial(packets.decode_event, limits.nesting)
        """A plain event the short way; None for anything else. The text begins with the engine's `4`."""

    def decode(self, text: bytes, start: int) -> Packet:
        """Raises `PacketError`."""
        return packets.decode(text, self._limits, start)

    def encode_ack(self, namespace: str, packet_id: int, data: list[Any]) -> bytes:
        """An acknowledgement; raises as `encode` does."""
        text = packets.encode_ack(namespace, packet_id, data)
        return self.encode(packets.ACK, namespace, packet_id, data) if text is None else text_frame(text)

    def encode(self, kind: int, namespace: str, packet_id: int | None, data: Any) -> bytes:
        """One packet as finished frames. Raises `TypeError` for data that JSON cannot carry."""
        text, attachments = packets.encode(kind, namespace, packet_id, data)
        return message_frames(b"4" + text, attachments)


class UpstreamCodec:
    """A packet class of the application (`serializer=`), or upstream's with another `json=`."""

    def __init__(self, limits: Limits, packet_class: Any) -> None:
        self._limits = limits
        self._packet_class = packet_class
        self.is_binary = not packet_class.uses_binary_events
        """True when every packet is one binary message (msgpack)."""

    def decode(self, text: bytes, start: int) -> Packet:
        """Raises `PacketError`."""
        try:
            encoded = text if self.is_binary else text[start:].decode()
            raw = self._packet_class(encoded_packet=encoded)
            packet = Packet(raw.packet_type, raw.namespace or "/", raw.id, raw.data, raw.attachment_count)
            if type(packet.type) is not int or not packets.CONNECT <= packet.type <= packets.BINARY_ACK:
                raise PacketError("malformed_packet")
            if type(packet.namespace) is not str or not (packet.id is None or type(packet.id) is int):
                raise PacketError("malformed_packet")
        except PacketError:
            raise
        except Exception:  # whatever the application's class does with bad input, it is bad input
            raise PacketError("malformed_packet") from None
        packets.check(packet, packet.type >= packets.BINARY_EVENT, packet.data is not None, self._limits)
        return packet

    def decode_event(self, text: bytes) -> None:
        """There is no short way."""

    def encode_ack(self, namespace: str, packet_id: int, data: list[Any]) -> bytes:
        """Raises what `encode` does."""
        return self.encode(packets.ACK, namespace, packet_id, data)

    def encode(self, kind: int, namespace: str, packet_id: int | None, data: Any) -> bytes:
        """One packet as finished frames. Raises whatever the packet class does."""
        encoded = self._packet_class(kind, data=data, namespace=namespace, id=packet_id).encode()
        if isinstance(encoded, bytes):
            return build(BINARY, encoded)
        if isinstance(encoded, str):
            return text_frame(b"4" + encoded.encode())
        text, *attachments = encoded
        return message_frames(b"4" + text.encode(), map(bytes, attachments))


Codec = JsonCodec | UpstreamCodec
