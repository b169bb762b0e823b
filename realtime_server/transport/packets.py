"""Socket.IO v5 packets: strict decoding, and encoding once for all recipients. Pure: no I/O, no clock.

Strict as the reference implementation's parser is: whatever the protocol does not allow raises `PacketError`, and the
connection is closed. Source: https://github.com/socketio/socket.io-protocol (v5), and socket.io-parser 4.2.

Hot path: `decode` and `encode_event` run once per inbound event and per broadcast (see docs/performance.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from . import jsoncodec
from .limits import Limits

CONNECT: Final = 0
DISCONNECT: Final = 1
EVENT: Final = 2
ACK: Final = 3
CONNECT_ERROR: Final = 4
BINARY_EVENT: Final = 5
BINARY_ACK: Final = 6

RESERVED_EVENTS: Final = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
"""Names a client must not send: they belong to the two ends of the connection themselves (socket.io-parser 4.2)."""

_HEAD: Final = re.compile(rb"([0-6])(?:([0-9]{1,9})-)?(?:(/[^,]*)(?:,|\Z))?([0-9]*)")
_MAX_ID_DIGITS: Final = 16  # 2**53, the last integer JavaScript counts exactly, has 16


class PacketError(ValueError):
    """A packet that breaks the protocol or a bound. `reason` is one of a fixed set of words, fit for a metric label."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Packet:
    """One decoded packet; binary types are waiting for `attachments` more messages until `complete`."""

    type: int
    namespace: str
    id: int | None
    data: Any
    attachments: int = 0


_namespaces: dict[bytes, str] = {}
_event_prefixes: dict[bytes, str] = {}
"""What an event begins with, engine's digit included and up to the comma, for each of `_namespaces`."""


def _namespace(raw: bytes) -> str:
    name = _namespaces.get(raw)
    if name is None:
        try:
            name = raw.partition(b"?")[0].decode()
        except UnicodeDecodeError:
            raise PacketError("malformed_packet") from None
        if len(_namespaces) < 256 and len(raw) < 128:  # a cache of the usual few, not of whatever clients send
            _namespaces[raw] = _event_prefixes[b"42" + raw] = name
    return name


def decode(text: bytes, limits: Limits, start: int = 0) -> Packet:
    """The packet in one Engine.IO message, which begins at `start` (past the engine's own `4`).

    Raises:
        PacketError: malformed in any way, a reserved event name, or past a bound of `limits`.
    """
    head = _HEAD.match(text, start)
    if head is None:
        raise PacketError("malformed_packet")
    kind = text[start] - 48
    _, count, namespace, digits = head.groups()
    packet_id = None
    if digits:
        if len(digits) > _MAX_ID_DIGITS:
            raise PacketError("malformed_packet")
        packet_id = int(digits)
    end = head.end()
    data = None
    if end < len(text):
        if text.count(b"[") + text.count(b"{") > limits.nesting:
            _check_text_nesting(text, end, limits.nesting)
        try:
            data = jsoncodec.loads(text[end:])
        except (ValueError, RecursionError):
            raise PacketError("malformed_packet") from None
    packet = Packet(kind, "/" if namespace is None else _namespace(namespace), packet_id, data)
    if count is not None:
        packet.attachments = int(count)
    if kind == EVENT and count is None:
        _check_event(data)
    else:
        check(packet, count is not None, end < len(text), limits)
    return packet


def decode_event(nesting: int, text: bytes) -> tuple[str, int | None, list[Any]] | None:
    """Namespace, id and data of a plain EVENT; None for anything else, and for anything at all unusual.

    The short way for what nearly every packet is; `text` begins with the engine's `4`. Whoever gets None asks `decode`,
    which knows what is wrong, if anything is.
    """
    start = text.find(b"[")
    prefix, comma, digits = text[:start].rpartition(b",")
    if comma:
        namespace = _event_prefixes.get(prefix)
        if namespace is None:
            return None
    elif digits[:2] == b"42":
        namespace, digits = "/", digits[2:]
    else:
        return None
    if digits and not (digits.isdigit() and len(digits) <= _MAX_ID_DIGITS):
        return None
    body = text[start:]
    if len(body) > nesting and body.count(b"[") + body.count(b"{") > nesting:
        return None
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(data) is not list or not data or type(name := data[0]) is not str or name in RESERVED_EVENTS:
        return None
    return namespace, int(digits) if digits else None, data


def encode_ack(namespace: str, packet_id: int, data: list[Any]) -> bytes | None:
    """The text of a plain ACK, with the engine's `4`; None when it needs `encode`: binary, or what orjson cannot."""
    try:
        body = orjson.dumps(data)
    except TypeError:
        return None
    if namespace == "/":
        return b"43%d%b" % (packet_id, body)
    return b"43%b,%d%b" % (namespace.encode(), packet_id, body)


def check(packet: Packet, counted: bool, has_payload: bool, limits: Limits) -> None:
    """Hold a packet against the protocol; `counted` says that it announced attachments.

    Raises:
        PacketError: it breaks a rule or a bound.
    """
    if counted != (packet.type >= BINARY_EVENT):
        raise PacketError("malformed_packet")
    if packet.attachments > limits.attachments:
        raise PacketError("too_many_attachments")
    if packet.type in (EVENT, BINARY_EVENT):
        _check_event(packet.data)
    elif packet.type in (ACK, BINARY_ACK):
        if type(packet.data) is not list or packet.id is None:
            raise PacketError("malformed_packet")
    else:
        _check_control(packet, has_payload)


def _check_event(data: Any) -> None:
    if type(data) is not list or not data:
        raise PacketError("malformed_packet")
    name = data[0]
    if type(name) is str:
        if name in RESERVED_EVENTS:
            raise PacketError("reserved_event")
    elif type(name) is int or type(name) is float:
        data[0] = str(name)  # an event name is a property name to JavaScript, where numbers are their text
    else:
        raise PacketError("malformed_packet")


def _check_control(packet: Packet, has_payload: bool) -> None:
    """CONNECT carries an object or nothing, DISCONNECT nothing; CONNECT_ERROR is the server's to send."""
    if packet.id is not None or packet.type == CONNECT_ERROR:
        raise PacketError("malformed_packet")
    if has_payload and (packet.type == DISCONNECT or type(packet.data) is not dict):
        raise PacketError("malformed_packet")


def _check_text_nesting(text: bytes, start: int, limit: int) -> None:
    """Measure the depth before decoding; only texts with more brackets than `limit` come here."""
    depth = 0
    in_string = escaped = False
    for byte in text[start:]:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in (0x5B, 0x7B):
            depth += 1
            if depth > limit:
                raise PacketError("nested_too_deeply")
        elif byte in (0x5D, 0x7D):
            depth -= 1


def fill_placeholders(value: Any, attachments: list[bytes]) -> Any:
    """`value` with every placeholder replaced by its attachment.

    Raises:
        PacketError: a placeholder that names no attachment.
    """
    if type(value) is list:
        return [fill_placeholders(item, attachments) for item in value]
    if type(value) is dict:
        if value.get("_placeholder") is True:
            number = value.get("num")
            if type(number) is not int or not 0 <= number < len(attachments):
                raise PacketError("malformed_packet")
            return attachments[number]
        return {key: fill_placeholders(item, attachments) for key, item in value.items()}
    return value


def encode(kind: int, namespace: str, packet_id: int | None, data: Any) -> tuple[bytes, list[bytes]]:
    """One packet as its text (without the engine's `4`) and its attachments, in the order the protocol sends them.

    `bytes`, `bytearray` and `memoryview` anywhere in the data of an event or acknowledgement become attachments.

    Raises:
        TypeError: data that JSON cannot carry.
    """
    attachments: list[bytes] = []

    def placeholder(value: Any) -> Any:
        if isinstance(value, bytes | bytearray | memoryview):
            attachments.append(bytes(value))
            return {"_placeholder": True, "num": len(attachments) - 1}
        raise TypeError(f"{type(value).__name__} is not JSON serializable")

    try:
        body = b"" if data is None else orjson.dumps(data, placeholder)
    except TypeError:
        attachments.clear()
        body = jsoncodec.dump_slowly(data, placeholder)
    head = str(kind)
    if attachments:
        if kind not in (EVENT, ACK):
            raise TypeError("only events and acknowledgements carry binary")
        head = f"{kind + 3}{len(attachments)}-"
    if namespace != "/":
        head += namespace + ","
    if packet_id is not None:
        head += str(packet_id)
    return head.encode() + body, attachments
