"""WebSocket frames (RFC 6455) as data: building what the server sends, parsing what clients send. Pure: no I/O.

Hot path: a message is built once per broadcast and the same bytes go to every member (see docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from . import upstream

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

_TEXT_HEADS: Final = tuple(bytes((0x80 | TEXT, length)) for length in range(126))


class FrameError(Exception):
    """Input that breaks RFC 6455 or a bound; `code` is the close code it earns, `reason` a fixed word for metrics."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def build(opcode: int, payload: bytes) -> bytes:
    """One final, unmasked frame."""
    length = len(payload)
    if length < 126:
        return bytes((0x80 | opcode, length)) + payload
    if length < 65536:
        return bytes((0x80 | opcode, 126)) + length.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + length.to_bytes(8, "big") + payload


def text_frame(payload: bytes) -> bytes:
    """A final text frame; what nearly every outbound frame is."""
    length = len(payload)
    return _TEXT_HEADS[length] + payload if length < 126 else build(TEXT, payload)


def message_frames(text: bytes, attachments: Iterable[bytes] = ()) -> bytes:
    """One Engine.IO message: its text packet (type digit included) and each attachment, as finished frames."""
    wire = text_frame(text)
    for attachment in attachments:
        wire += build(BINARY, attachment)
    return wire


def payloads(wire: bytes) -> Iterator[tuple[int, bytes]]:
    """Opcode and payload of each of our own finished frames: what a long-polling client is to get another way."""
    position = 0
    while position < len(wire):
        opcode, length = wire[position] & 0x0F, wire[position + 1]
        position += 2
        if length >= 126:
            width = 2 if length == 126 else 8
            length = int.from_bytes(wire[position : position + width], "big")
            position += width
        yield opcode, wire[position : position + length]
        position += length


def unmask(mask: bytes, payload: bytes) -> bytes:
    """`payload` with the four mask bytes taken off."""
    unmasked = bytearray(payload)
    upstream.mask_in_place(mask, unmasked)
    return bytes(unmasked)


class FrameParser:
    """Client frames from a stream of bytes, in pieces of any size.

    Holds at most one frame of `frame_size` and one fragmented message of `message_size` bytes.
    """

    __slots__ = ("_buffer", "_fragments", "_fragments_size", "_frame_size", "_message_size", "_opcode")

    def __init__(self, frame_size: int, message_size: int) -> None:
        self._frame_size = frame_size
        self._message_size = message_size
        self._buffer = b""
        self._opcode = CONTINUATION
        self._fragments: list[bytes] | None = None
        self._fragments_size = 0

    @property
    def is_idle(self) -> bool:
        """True between messages: nothing is held."""
        return not self._buffer and self._fragments is None

    def feed(self, data: bytes) -> tuple[list[tuple[int, bytes]], FrameError | None]:
        """The whole messages (opcode, payload) that `data` completes, and the error that ended parsing, if any.

        After an error the connection is over: the messages before it are still good, nothing after it is.
        """
        messages: list[tuple[int, bytes]] = []
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        position = 0
        size = len(data)
        try:
            while size - position >= 2:
                frame_end, header_end = self._measure(data, position, size)
                if frame_end < 0 or frame_end > size:
                    break
                first = data[position]
                payload = unmask(data[header_end - 4 : header_end], data[header_end:frame_end])
                position = frame_end
                self._accept(first, payload, messages)
        except FrameError as error:
            return messages, error
        if position < size:
            self._buffer = data[position:] if position else data
        return messages, None

    def _measure(self, data: bytes, position: int, size: int) -> tuple[int, int]:
        """Where the frame at `position` and its header end; -1 while the header is incomplete."""
        first, second = data[position], data[position + 1]
        opcode = first & 0x0F
        if first & 0x70:
            raise FrameError(1002, "malformed_frame")  # no extension was negotiated, so no reserved bit has a meaning
        if not second & 0x80:
            raise FrameError(1002, "unmasked_frame")
        length = second & 0x7F
        header_end = position + 6
        if opcode >= CLOSE:
            if opcode > PONG or not first & 0x80 or length > 125:
                raise FrameError(1002, "malformed_frame")
        elif opcode > BINARY:
            raise FrameError(1002, "malformed_frame")
        if length == 126:
            if size - position < 4:
                return -1, -1
            length = int.from_bytes(data[position + 2 : position + 4], "big")
            header_end = position + 8
        elif length == 127:
            if size - position < 10:
                return -1, -1
            length = int.from_bytes(data[position + 2 : position + 10], "big")
            header_end = position + 14
        if length > self._frame_size:
            raise FrameError(1009, "frame_too_large")
        return header_end + length, header_end

    def _accept(self, first: int, payload: bytes, messages: list[tuple[int, bytes]]) -> None:
        opcode = first & 0x0F
        if opcode >= CLOSE:
            messages.append((opcode, payload))
            return
        final = first & 0x80
        if opcode == CONTINUATION:
            if self._fragments is None:
                raise FrameError(1002, "malformed_frame")
        elif self._fragments is not None:
            raise FrameError(1002, "malformed_frame")
        elif final:
            messages.append((opcode, payload))
            return
        else:
            self._opcode, self._fragments, self._fragments_size = opcode, [], 0
        self._fragments_size += len(payload)
        # Empty fragments would grow the list without growing the message.
        if self._fragments_size > self._message_size or len(self._fragments) >= 1024:
            raise FrameError(1009, "message_too_large")
        self._fragments.append(payload)
        if final:
            messages.append((self._opcode, b"".join(self._fragments)))
            self._fragments = None
