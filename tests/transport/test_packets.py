"""Socket.IO packets by themselves: what the protocol allows is read, everything else is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_server.transport import Limits, packets
from realtime_server.transport.packets import Packet, PacketError

LIMITS = Limits(attachments=3, nesting=5)

GOOD: dict[str, Packet] = {
    "0": Packet(0, "/", None, None),
    '0{"token":"a"}': Packet(0, "/", None, {"token": "a"}),
    "0/admin": Packet(0, "/admin", None, None),
    "0/admin,": Packet(0, "/admin", None, None),
    '0/admin,{"a":1}': Packet(0, "/admin", None, {"a": 1}),
    "0/admin?token=1,": Packet(0, "/admin", None, None),
    "0/ä,": Packet(0, "/ä", None, None),
    "1": Packet(1, "/", None, None),
    "1/admin,": Packet(1, "/admin", None, None),
    '2["a"]': Packet(2, "/", None, ["a"]),
    '2["a",1,null,{"b":[true]}]': Packet(2, "/", None, ["a", 1, None, {"b": [True]}]),
    '212["a"]': Packet(2, "/", 12, ["a"]),
    '20["a"]': Packet(2, "/", 0, ["a"]),
    '2/admin,456["a","[{"]': Packet(2, "/admin", 456, ["a", "[{"]),
    '2 ["a"]': Packet(2, "/", None, ["a"]),
    "2[7]": Packet(2, "/", None, ["7"]),
    "2[1.5]": Packet(2, "/", None, ["1.5"]),
    '2[""]': Packet(2, "/", None, [""]),
    '2["*"]': Packet(2, "/", None, ["*"]),
    '2["ключ"]': Packet(2, "/", None, ["ключ"]),
    '2["\\ud83d"]': Packet(2, "/", None, ["\ud83d"]),
    '2["a",123456789012345678901234567890]': Packet(2, "/", None, ["a", 123456789012345678901234567890.0]),
    '2["a",[[[[]]]]]': Packet(2, "/", None, ["a", [[[[]]]]]),
    '2["a","[[[[[[[[[[[[\\"[["]': Packet(2, "/", None, ["a", '[[[[[[[[[[[["[[']),
    "312[]": Packet(3, "/", 12, []),
    '3/admin,9007199254740991["a"]': Packet(3, "/admin", 9007199254740991, ["a"]),
    '51-["a",{"_placeholder":true,"num":0}]': Packet(5, "/", None, ["a", {"_placeholder": True, "num": 0}], 1),
    '50-["a"]': Packet(5, "/", None, ["a"], 0),
    '52-/admin,7["a"]': Packet(5, "/admin", 7, ["a"], 2),
    '61-/admin,7["a"]': Packet(6, "/admin", 7, ["a"], 1),
}

MALFORMED = [
    "",
    "7",
    "9[]",
    "a",
    " 2",
    "-1",
    '"2"',
    "0[]",
    "0null",
    "01",
    '0"token"',
    "0{",
    "1{}",
    "1[]",
    "1null",
    "11",
    "2",
    "2{}",
    "2[]",
    "2null",
    '2"a"',
    "2[null]",
    "2[true]",
    "2[{}]",
    "2[[]]",
    '2["a"',
    '2["a"]]',
    '2["a"]x',
    '2["a",NaN]',
    '2["a",Infinity]',
    '2["a",-Infinity]',
    "2['a']",
    '2["a",]',
    '2x["a"]',
    '2abc["a"]',
    '2-1["a"]',
    '212345678901234567["a"]',
    '22-["a"]',
    "2/admin",
    '2/admin["a"]',
    "3",
    "3[]",
    "31",
    "31{}",
    '31"a"',
    "31null",
    "4",
    "4{}",
    '4{"message":"x"}',
    "5",
    '5["a"]',
    '5-["a"]',
    '5x-["a"]',
    '51["a"]',
    "51-",
    "51-{}",
    "51-[]",
    "51-[null]",
    '512345678901-["a"]',
    "6",
    '61-["a"]',
    "61-7{}",
    '67["a"]',
]
RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]


@pytest.mark.parametrize("text", GOOD, ids=ascii)
def test_a_packet_that_the_protocol_allows_is_read(text: str) -> None:
    assert packets.decode(text.encode(), LIMITS) == GOOD[text]
    assert packets.decode(b"4" + text.encode(), LIMITS, 1) == GOOD[text]


@pytest.mark.parametrize("text", MALFORMED)
def test_a_packet_that_the_protocol_does_not_allow_is_malformed(text: str) -> None:
    with pytest.raises(PacketError) as refusal:
        packets.decode(text.encode(), LIMITS)
    assert refusal.value.reason == "malformed_packet"


@pytest.mark.parametrize("name", RESERVED)
@pytest.mark.parametrize("head", ["2", "21", "2/admin,", "2/admin,7", "50-", "51-"])
def test_a_reserved_name_is_refused(head: str, name: str) -> None:
    with pytest.raises(PacketError) as refusal:
        packets.decode(f'{head}["{name}"]'.encode(), LIMITS)
    assert refusal.value.reason == "reserved_event"


@pytest.mark.parametrize("text", [b'2["a\xff"]', b"0/\xff,", b'2["\xc3\x28"]', b"\xff", b'2/\xff,["a"]'])
def test_text_that_is_no_utf_8_is_malformed(text: bytes) -> None:
    with pytest.raises(PacketError):
        packets.decode(text, LIMITS)


@pytest.mark.parametrize("text", ['54-["a"]', '64-1["a"]', '5999-["a"]'])
def test_too_many_attachments_are_refused(text: str) -> None:
    with pytest.raises(PacketError) as refusal:
        packets.decode(text.encode(), LIMITS)
    assert refusal.value.reason == "too_many_attachments"


@pytest.mark.parametrize("depth", [5, 100, 100_000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_deep_nesting_is_refused(brackets: str, depth: int) -> None:
    opening = "[" if brackets == "[]" else '{"a":'
    text = f'2["a",{opening * depth}1{brackets[1] * depth}]'
    with pytest.raises(PacketError) as refusal:
        packets.decode(text.encode(), LIMITS)
    assert refusal.value.reason == "nested_too_deeply"


@pytest.mark.parametrize("text", GOOD, ids=ascii)
def test_the_short_way_reads_what_the_long_way_reads(text: str) -> None:
    packet = packets.decode(text.encode(), LIMITS)
    short = packets.decode_event(LIMITS.nesting, b"4" + text.encode())
    assert short is None or short == (packet.namespace, packet.id, packet.data)


@pytest.mark.parametrize("text", [*MALFORMED, *(f'2["{name}"]' for name in RESERVED), f'2["a",{"[" * 9}{"]" * 9}]'])
def test_the_short_way_reads_nothing_that_the_long_way_refuses(text: str) -> None:
    assert packets.decode_event(LIMITS.nesting, b"4" + text.encode()) is None


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    name=st.text().filter(lambda name: name not in RESERVED),
    arguments=st.lists(VALUES, max_size=3),
    packet_id=st.none() | st.integers(0, 2**53),
    namespace=st.sampled_from(["/", "/admin"]),
)
def test_what_is_encoded_is_read_back(name: str, arguments: list[Any], packet_id: int | None, namespace: str) -> None:
    data = [name, *arguments]
    text, attachments = packets.encode(packets.EVENT, namespace, packet_id, data)
    assert attachments == []
    packet = packets.decode(text, Limits(nesting=1000))
    assert (packet.namespace, packet.id, packet.data) == (namespace, packet_id, json.loads(json.dumps(data)))


@given(st.binary() | st.text().map(str.encode))
def test_no_input_whatever_does_anything_but_be_read_or_refused(text: bytes) -> None:
    try:
        packet = packets.decode(text, LIMITS)
    except PacketError:
        assert packets.decode_event(LIMITS.nesting, b"4" + text) is None
    else:
        assert packet.type in range(7)


BINARY: list[tuple[Any, str, list[bytes]]] = [
    (["a", b"1"], '51-["a",{"_placeholder":true,"num":0}]', [b"1"]),
    (["a", bytearray(b"1"), memoryview(b"2")],
     '52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', [b"1", b"2"]),
    (["a", {"b": [b"", {"c": b"x"}]}],
     '52-["a",{"b":[{"_placeholder":true,"num":0},{"c":{"_placeholder":true,"num":1}}]}]', [b"", b"x"]),
    (["a", {1: b"x"}], '51-["a",{"1":{"_placeholder":true,"num":0}}]', [b"x"]),
    (["a", b"x", 2**70], '51-["a",{"_placeholder":true,"num":0},1180591620717411303424]', [b"x"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "text", "attachments"), BINARY)
def test_binary_anywhere_becomes_an_attachment(data: Any, text: str, attachments: list[bytes]) -> None:
    assert packets.encode(packets.EVENT, "/", None, data) == (text.encode(), attachments)


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, lambda: None])
def test_what_json_cannot_carry_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        packets.encode(packets.EVENT, "/", None, ["a", value])


@pytest.mark.parametrize("value", [{"a": "\ud800"}, {1: 2}, 2**80, (1, 2)])
def test_what_only_the_standard_library_encodes_is_encoded(value: Any) -> None:
    text, _ = packets.encode(packets.EVENT, "/", None, ["a", value])
    assert json.loads(text[1:]) == json.loads(json.dumps(["a", value]))


@pytest.mark.parametrize("number", [-1, 2, 1.0, "0", None, True])
def test_a_placeholder_without_its_attachment_is_malformed(number: Any) -> None:
    with pytest.raises(PacketError):
        packets.fill_placeholders(["a", {"_placeholder": True, "num": number}], [b"1", b"2"])
