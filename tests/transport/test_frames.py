"""WebSocket frames by themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_server.transport import Limits, frames
from realtime_server.transport.frames import FrameParser
from realtime_server.transport.websocket import WebSocketLink

from .raw import masked

SIZES = [0, 1, 5, 125, 126, 127, 1000, 65535]


def parse(
    data: bytes, frame_size: int = 65536, message_size: int = 100_000
) -> tuple[list[tuple[int, bytes]], str | None]:
    messages, error = FrameParser(frame_size, message_size).feed(data)
    return messages, error and error.reason


@pytest.mark.parametrize("size", [*SIZES, 65536])
@pytest.mark.parametrize("opcode", [frames.TEXT, frames.BINARY])
def test_a_frame_of_any_size_is_read(opcode: int, size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    assert parse(masked(opcode, payload[:size])) == ([(opcode, payload[:size])], None)


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_is_built_with_the_shortest_length(size: int) -> None:
    frame = frames.build(frames.TEXT, b"x" * size)
    assert len(frame) - size == (2 if size < 126 else 4)
    assert frames.text_frame(b"x" * size) == frame


def test_a_frame_past_64_kib_is_built_with_eight_bytes_of_length() -> None:
    assert frames.build(frames.BINARY, b"x" * 65536)[:10] == b"\x82\x7f" + (65536).to_bytes(8, "big")


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 50))
def test_frames_are_read_from_pieces_of_any_size(payloads: list[bytes], piece: int) -> None:
    stream = b"".join(masked(frames.BINARY, payload) for payload in payloads)
    parser = FrameParser(65536, 65536)
    read = []
    for start in range(0, len(stream), piece):
        messages, error = parser.feed(stream[start : start + piece])
        assert error is None
        read += messages
    assert read == [(frames.BINARY, payload) for payload in payloads]
    assert parser.is_idle


@given(st.lists(st.binary(max_size=50), min_size=2, max_size=6))
def test_a_fragmented_message_is_put_together_around_control_frames(parts: list[bytes]) -> None:
    stream = masked(frames.TEXT, parts[0], final=False)
    for part in parts[1:-1]:
        stream += masked(frames.CONTINUATION, part, final=False) + masked(frames.PING, b"p")
    stream += masked(frames.CONTINUATION, parts[-1])
    pings = [(frames.PING, b"p")] * (len(parts) - 2)
    assert parse(stream) == ([*pings, (frames.TEXT, b"".join(parts))], None)


BROKEN = {
    "no mask": (b"\x81\x01a", "unmasked_frame"),
    "reserved bit 1": (b"\xc1" + masked(1, b"a")[1:], "malformed_frame"),
    "reserved bit 2": (b"\xa1" + masked(1, b"a")[1:], "malformed_frame"),
    "reserved bit 3": (b"\x91" + masked(1, b"a")[1:], "malformed_frame"),
    **{f"opcode {opcode}": (masked(opcode, b"a"), "malformed_frame") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "fragmented ping": (masked(frames.PING, b"", final=False), "malformed_frame"),
    "fragmented close": (masked(frames.CLOSE, b"", final=False), "malformed_frame"),
    "long ping": (masked(frames.PING, b"x" * 126), "malformed_frame"),
    "continuation of nothing": (masked(frames.CONTINUATION, b"a"), "malformed_frame"),
    "message inside a message": (masked(1, b"a", final=False) + masked(1, b"b"), "malformed_frame"),
    "too large": (masked(1, b"x" * 65537), "frame_too_large"),
    "announced too large": (b"\x81\xff" + (2**63).to_bytes(8, "big"), "frame_too_large"),
    "too large together": (
        masked(1, b"x" * 60000, final=False) + masked(0, b"x" * 60000), "message_too_large"
    ),
    "endless empty fragments": (masked(1, b"", final=False) + masked(0, b"", final=False) * 1100, "message_too_large"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_frame_ends_the_parsing_and_what_came_before_it_is_kept(name: str) -> None:
    data, reason = BROKEN[name]
    assert parse(masked(1, b"before") + data) == ([(1, b"before")], reason)


@given(st.binary())
def test_no_input_whatever_raises(data: bytes) -> None:
    parse(data)


@given(st.binary(min_size=4, max_size=4), st.binary(max_size=200))
def test_unmasking_is_the_mask_byte_by_byte(mask: bytes, payload: bytes) -> None:
    assert frames.unmask(mask, payload) == bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


@given(st.lists(st.sampled_from([0, 1, 125, 126, 127, 65535, 65536]), max_size=4))
def test_finished_frames_are_taken_apart_again(sizes: list[int]) -> None:
    attachments = [bytes([number]) * size for number, size in enumerate(sizes)]
    wire = frames.message_frames(b"4text", attachments)
    assert list(frames.payloads(wire)) == [
        (frames.TEXT, b"4text"),
        *((frames.BINARY, attachment) for attachment in attachments),
    ]


class Heard:
    """What a link delivers to: it writes down the texts."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.failed: list[str] = []

    def receive_text(self, payload: bytes) -> None:
        self.texts.append(payload)

    def link_failed(self, code: int, reason: str) -> None:
        self.failed.append(reason)

    def receive_binary(self, payload: bytes) -> None: ...
    def control_received(self) -> None: ...
    def link_closed(self) -> None: ...
    def writing_paused(self) -> None: ...
    def writing_resumed(self) -> None: ...


@pytest.mark.parametrize("size", [*SIZES, 128, 65536])
@pytest.mark.parametrize("cut", [0, 1, 2, 5, 6, 8, 14, -1])
def test_a_text_comes_through_whole_in_pieces_and_beside_another(size: int, cut: int) -> None:
    heard = Heard()
    link = WebSocketLink(heard, Limits())
    text = bytes(range(256)) * (size // 256 + 1)
    frame = masked(frames.TEXT, text[:size])
    for piece in (frame, frame[:cut], frame[cut:], frame + frame):
        if piece:
            link.data_received(piece)
    assert heard.texts == [text[:size]] * 4
    assert not heard.failed


@pytest.mark.parametrize("size", [1001, 65535])
def test_a_text_past_the_bound_is_not_delivered_the_short_way_either(size: int) -> None:
    heard = Heard()
    WebSocketLink(heard, Limits(frame_size=1000)).data_received(masked(frames.TEXT, b"x" * size))
    assert (heard.texts, heard.failed) == ([], ["frame_too_large"])
