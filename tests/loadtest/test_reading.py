"""What a generator does for every delivery, compiled and plain: the same behaviour. And the compiled one's sockets."""

from __future__ import annotations

import random
import select
import socket
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest import plain_reading
from loadtest.histogram import BUCKETS, bucket_of

try:
    from loadtest import _reading as compiled
except ImportError:
    compiled = None  # type: ignore[assignment]

NOT_COMPILED = "the compiled part is missing: there was no C compiler, or no header of Python, at the installation"
compiled_here = pytest.mark.skipif(compiled is None, reason=NOT_COMPILED)
IMPLEMENTATIONS = [
    pytest.param(plain_reading, id="plain"),
    pytest.param(compiled, id="compiled", marks=compiled_here),
]


def make_reader(module: ModuleType, readings: Any = None, *, joined: bool = True, attends: bool = False) -> Any:
    """A reader that keeps what it is told; broadcasts are ``b"seq:stamp:cursor:notable"``."""

    class Recorder(module.Reader):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.joined, self.attends = joined, attends
            self.told: list[tuple[Any, ...]] = []
            self.hook: Any = None

        def read(self, payload: bytes, at: int) -> None:
            if self.hook is not None:
                self.hook(payload)
            if payload.count(b":") == 3:
                told = module.Told()
                seq, stamp, cursor, notable = map(int, payload.split(b":"))
                told.seq, told.stamp = seq, stamp
                told.is_cursor, told.is_notable = bool(cursor), bool(notable)
                readings.learn(self, payload, told, at)
            else:
                self.told.append(("read", payload))

        def out_of_step(self, seq: int) -> None:
            self.told.append(("out of step", seq))

        def noticed(self, told: Any, at: int) -> None:
            self.told.append(("noticed", told.seq, told.stamp))

        def control(self, kind: int, payload: bytes) -> None:
            self.told.append(("control", kind, payload))

        def ended(self) -> None:
            self.told.append(("ended",))

    return Recorder()


@pytest.fixture(params=IMPLEMENTATIONS)
def module(request: pytest.FixtureRequest) -> ModuleType:
    found: ModuleType = request.param
    return found


def test_a_broadcast_is_read_by_one_and_counted_for_all(module: ModuleType) -> None:
    readings = module.Readings()
    readers = [make_reader(module, readings) for _ in range(3)]
    for reader in readers:
        readings.take(reader, b"1:1000:0:0", 3_000)
    assert [reader.seq for reader in readers] == [1, 1, 1]
    assert readings.counted() == (3, {bucket_of(2_000): 3}, {})
    assert readings.counted() == (0, {}, {})


def test_what_was_due_before_the_measured_part_is_told_and_not_measured(module: ModuleType) -> None:
    readings = module.Readings()
    readings.measure_from = 1_000
    reader = make_reader(module, readings)
    for payload in (b"1:999:0:0", b"2:1000:1:0", b"3:0:0:0"):
        readings.take(reader, payload, 1_500)
    assert readings.counted() == (3, {}, {bucket_of(500): 1})


def test_many_broadcasts_are_not_kept_for_ever(module: ModuleType) -> None:
    readings = module.Readings()
    reader = make_reader(module, readings)
    seen = []
    reader.hook = seen.append
    payloads = [b"%d:0:0:0" % seq for seq in range(1, 4_098)]
    for payload in payloads:
        readings.take(reader, payload, 1)
    reader.joined = False
    for payload in (payloads[-1], payloads[0]):
        readings.take(reader, payload, 1)
    assert seen == [*payloads, payloads[0]]


def test_what_a_reader_raises_is_raised(module: ModuleType) -> None:
    readings = module.Readings()
    reader = make_reader(module, readings)

    def refuse(payload: bytes) -> None:
        raise LookupError(payload)

    reader.hook = refuse
    with pytest.raises(LookupError):
        readings.take(reader, b"hello", 1)


@compiled_here
@given(took=st.one_of(st.integers(-10, 10_000), st.integers(0, 1 << 40)))
def test_latencies_are_counted_as_the_histogram_does(took: int) -> None:
    assert compiled.BUCKETS == BUCKETS
    readings = compiled.Readings()
    reader = make_reader(compiled, readings)
    readings.take(reader, b"1:1000:0:0", 1_000 + took)
    assert readings.counted() == (1, {bucket_of(took): 1}, {})


_MESSAGES = st.one_of(
    st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 1), st.integers(0, 1)).map(
        lambda parts: b":".join(b"%d" % part for part in parts)
    ),
    st.sampled_from((b"an answer", b"")),
)


@compiled_here
@given(steps=st.lists(st.tuples(st.integers(0, 2), _MESSAGES, st.integers(0, 20))), measured=st.integers(0, 9))
def test_both_do_the_same(steps: list[tuple[int, bytes, int]], measured: int) -> None:
    outcomes = []
    for module in (plain_reading, compiled):
        readings = module.Readings()
        readings.measure_from = measured
        readers = [make_reader(module, readings, joined=n != 1, attends=n == 2) for n in range(3)]
        for number, payload, at in steps:
            readings.take(readers[number], payload, at)
        outcomes.append((readings.counted(), [(reader.seq, reader.told) for reader in readers]))
    assert outcomes[0] == outcomes[1]


# -- sockets


def frame(payload: bytes, kind: int = 1) -> bytes:
    """As a server sends it: without a mask."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | kind, size)) + payload
    if size < 1 << 16:
        return bytes((0x80 | kind, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | kind, 127)) + size.to_bytes(8, "big") + payload


class Watched:
    """One connection that `Sockets` reads, and its other end."""

    def __init__(self, sockets: Any, readings: Any, rest: bytes = b"") -> None:
        self.sockets = sockets
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.reader = make_reader(compiled, readings)
        sockets.watch(self.ours.fileno(), self.reader, rest)

    def send(self, data: bytes) -> None:
        """Send all of it, read meanwhile."""
        view = memoryview(data)
        self.theirs.setblocking(False)
        while view:
            try:
                view = view[self.theirs.send(view) :]
            except BlockingIOError:
                self.read()
        self.read()

    def read(self) -> None:
        while self.sockets.ready():
            pass

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()

    @property
    def messages(self) -> list[bytes]:
        return [told[1] for told in self.reader.told if told[0] == "read"]


@pytest.fixture
def readings() -> Any:
    return compiled.Readings()


@pytest.fixture
def sockets(readings: Any) -> Any:
    return compiled.Sockets(readings)


@pytest.fixture
def watch(sockets: Any, readings: Any) -> Iterator[Callable[..., Watched]]:
    """Make connections that end with the test."""
    made: list[Watched] = []

    def make(rest: bytes = b"") -> Watched:
        made.append(Watched(sockets, readings, rest))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def watched(watch: Callable[[], Watched]) -> Watched:
    return watch()


@compiled_here
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 400_000])
def test_a_message_of_any_length_is_read_whole(watched: Watched, size: int) -> None:
    payload = random.Random(size).randbytes(size)
    watched.send(frame(payload) + frame(b"next"))
    assert watched.messages == [payload, b"next"]


@compiled_here
@given(sizes=st.lists(st.integers(0, 300), max_size=12), cuts=st.lists(st.integers(0, 3_000), max_size=12))
def test_where_what_comes_is_cut_makes_no_difference(sizes: list[int], cuts: list[int]) -> None:
    readings = compiled.Readings()
    watched = Watched(compiled.Sockets(readings), readings)
    payloads = [bytes((65 + number,)) * size for number, size in enumerate(sizes)]
    data = b"".join(frame(payload) for payload in payloads)
    begin = 0
    for cut in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
        if cut > begin:
            watched.send(data[begin:cut])
            begin = cut
    assert watched.messages == payloads
    watched.close()


@compiled_here
def test_what_came_with_the_upgrade_is_read_first(watch: Callable[[bytes], Watched]) -> None:
    data = frame(b"first") + frame(b"second")
    watched = watch(data[:9])
    watched.send(data[9:])
    assert watched.messages == [b"first", b"second"]


@compiled_here
def test_control_frames_are_the_readers(watched: Watched) -> None:
    watched.send(frame(b"are you there", 9) + frame(b"binary", 2) + frame(b"\x03\xe8", 8))
    assert watched.reader.told == [("control", 9, b"are you there"), ("read", b"binary"), ("control", 8, b"\x03\xe8")]


@compiled_here
def test_the_end_is_told_once_after_what_came_before(watched: Watched) -> None:
    watched.theirs.sendall(frame(b"goodbye") + b"\x81\x05cut")
    watched.theirs.close()
    watched.read()
    assert watched.reader.told == [("read", b"goodbye"), ("ended",)]


@compiled_here
def test_one_that_is_forgotten_while_it_reads_reads_no_further(watched: Watched) -> None:
    watched.reader.hook = lambda payload: watched.sockets.forget(watched.ours.fileno())
    watched.send(frame(b"first") + frame(b"second"))
    assert watched.messages == [b"first"]
    assert not select.select([watched.sockets.fileno()], [], [], 0)[0]


@compiled_here
def test_one_of_many_that_ends_another_s_connection_while_both_have_something(watch: Callable[[], Watched]) -> None:
    one, other = watch(), watch()
    for watched, victim in ((one, other), (other, one)):
        watched.reader.hook = lambda payload, victim=victim: victim.sockets.forget(victim.ours.fileno())
        watched.theirs.sendall(frame(b"hello"))
    one.read()
    assert sorted((one.messages, other.messages)) == [[], [b"hello"]]


@compiled_here
def test_all_of_many_are_read_some_in_each_turn(sockets: Any, watch: Callable[[], Watched]) -> None:
    many = [watch() for _ in range(150)]
    for watched in many:
        watched.theirs.sendall(frame(b"hello"))
    turns = []
    while found := sockets.ready():
        turns.append(found)
    assert turns == [64, 64, 22]
    assert all(watched.messages == [b"hello"] for watched in many)


@compiled_here
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x01\x03abc", id="the first of several frames"),
        pytest.param(b"\x80\x03abc", id="the last of several"),
        pytest.param(b"\xc1\x03abc", id="compressed"),
        pytest.param(b"\x81\x83\0\0\0\0abc", id="masked"),
        pytest.param(b"\x81\xff" + b"\xff" * 8, id="of no length"),
        pytest.param(b"\x81\x7f" + b"\x7f" * 8, id="longer than can be"),
    ],
)
def test_a_frame_that_cannot_be_ends_the_reading(watched: Watched, data: bytes) -> None:
    watched.theirs.sendall(frame(b"good") + data)
    with pytest.raises(ValueError, match="cannot be"):
        watched.read()
    watched.send(frame(b"after"))
    assert watched.messages == [b"good"]


@compiled_here
def test_a_reader_that_raises_ends_its_own_reading(watch: Callable[[], Watched]) -> None:
    one, other = watch(), watch()

    def refuse(payload: bytes) -> None:
        raise LookupError(payload)

    one.reader.hook = refuse
    one.theirs.sendall(frame(b"hello"))
    with pytest.raises(LookupError):
        one.read()
    other.send(frame(b"hello"))
    assert other.messages == [b"hello"]


@compiled_here
def test_what_is_no_socket_or_no_reader_is_refused(watched: Watched, sockets: Any, readings: Any) -> None:
    fd = watched.ours.fileno()
    for arguments in ((fd, watched.reader, b""), (-1, watched.reader, b"")):
        with pytest.raises(ValueError, match="watched already"):
            sockets.watch(*arguments)
    with pytest.raises(TypeError):
        sockets.watch(fd, object(), b"")
    with pytest.raises(OSError, match="Bad file descriptor"):
        sockets.watch(9_999, watched.reader, b"")
    with pytest.raises(TypeError):
        readings.take(object(), b"", 0)
    sockets.forget(9_999)
    sockets.forget(-1)
