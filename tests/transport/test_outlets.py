"""The two loops that run once per delivery, compiled and plain: the same behaviour, on real sockets."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import struct
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from json import loads
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import uvloop
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st

from realtime_server.transport import Limits, SocketServer, plain_outlets
from realtime_server.transport.engine_socket import EngineSocket
from realtime_server.transport.frames import text_frame
from realtime_server.transport.outbox import BoundedOutbox, ClosedOutbox
from tests.certificates import self_signed

from .raw import Harness, RawWebSocket, connect_packet, masked, serving, until

NOT_COMPILED = "the compiled part is missing: there was no C compiler, or no header of Python, at the installation"

try:
    from realtime_server.transport import _outlets as compiled
except ImportError:
    compiled = None  # type: ignore[assignment]

compiled_here = pytest.mark.skipif(compiled is None, reason=NOT_COMPILED)

IMPLEMENTATIONS = [pytest.param(plain_outlets, id="plain"), pytest.param(compiled, id="compiled", marks=compiled_here)]


def make_outlet(module: ModuleType, fd: int = -1) -> Any:
    """An outlet that keeps what it is asked to do instead of `flush` and `write_rest`."""

    class Recorder(module.Outlet):  # type: ignore[misc,name-defined]
        __slots__ = ("__weakref__", "flushed", "rest")

        def __init__(self, number: int) -> None:
            self.fd = number
            self.flushed = 0
            self.rest = b""

        def flush(self) -> None:
            self.flushed += 1

        def write_rest(self, data: bytes) -> None:
            self.rest += data

    return Recorder(fd)


@pytest.fixture(params=IMPLEMENTATIONS)
def module(request: pytest.FixtureRequest) -> ModuleType:
    found: ModuleType = request.param
    return found


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection, neither of which blocks."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def read_all(end: socket.socket) -> bytes:
    read = b""
    while True:
        try:
            part = end.recv(1 << 20)
        except BlockingIOError:
            return read
        if not part:
            return read
        read += part


# -- one by one


def test_an_outlet_begins_empty_and_with_no_socket(module: ModuleType) -> None:
    outlet = module.Outlet()
    assert outlet.outbox == []
    assert type(outlet.outbox) is list
    assert outlet.fd == -1


def test_a_frame_is_queued_for_all_but_one_and_those_who_had_nothing_are_dirty(module: ModuleType) -> None:
    outlets = [make_outlet(module) for _ in range(4)]
    outlets[2].outbox.append(b"before")
    dirty: list[Any] = []
    assert module.queue(outlets, outlets[1], b"frame", dirty) == 3
    assert [outlet.outbox for outlet in outlets] == [[b"frame"], [], [b"before", b"frame"], [b"frame"]]
    assert dirty == [outlets[0], outlets[3]]
    assert module.queue(outlets, None, b"again", dirty) == 4
    assert dirty == [outlets[0], outlets[3], outlets[1]]
    assert module.queue([], None, b"frame", dirty) == 0


def test_the_same_bytes_are_queued_for_everybody(module: ModuleType) -> None:
    frame = bytes(bytearray(b"a frame of this test"))
    outlets = [make_outlet(module) for _ in range(3)]
    module.queue(outlets, None, frame, [])
    assert all(outlet.outbox[0] is frame for outlet in outlets)


def test_an_outbox_that_counts_or_drops_is_asked_to(module: ModuleType) -> None:
    overflowed: list[str] = []
    bounded, closed = make_outlet(module), make_outlet(module)
    bounded.outbox = BoundedOutbox((), 0, 10, lambda: overflowed.append("now"))
    closed.outbox = ClosedOutbox()
    module.queue([bounded, closed], None, b"12345678", [])
    assert (bounded.outbox, bounded.outbox.size, closed.outbox, overflowed) == ([b"12345678"], 8, [], [])
    module.queue([bounded, closed], None, b"9012", [])
    assert overflowed == ["now"]


def test_an_outbox_may_be_replaced_while_it_is_appended_to(module: ModuleType) -> None:
    """As it is when a client's bound is passed: its session ends there and then."""
    outlet = make_outlet(module)
    bystander = make_outlet(module)

    def ended() -> None:
        outlet.outbox = ClosedOutbox()
        gc.collect()

    outlet.outbox = BoundedOutbox((), 0, 3, ended)
    module.queue([outlet, bystander], None, b"too much", [])
    assert outlet.outbox == []
    assert bystander.outbox == [b"too much"]


def test_what_waits_leaves_in_one_write_in_its_order(
    module: ModuleType, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    outlet = make_outlet(module, ours.fileno())
    for frames in ([b"one"], [b"one,", b"two,", b"", b"three"], [b"x"] * 100, [b""]):
        outlet.outbox.extend(frames)
        assert module.flush([outlet]) == (len(frames), sum(map(len, frames)))
        assert outlet.outbox == []
        assert read_all(theirs) == b"".join(frames)
    assert (outlet.flushed, outlet.rest) == (0, b"")


def test_nothing_is_written_where_nothing_waits(module: ModuleType, pair: tuple[socket.socket, socket.socket]) -> None:
    outlet = make_outlet(module, pair[0].fileno())
    assert module.flush([outlet]) == (0, 0)
    assert module.flush([]) == (0, 0)
    assert read_all(pair[1]) == b""


def test_what_the_socket_does_not_take_is_handed_on_exactly(
    module: ModuleType, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    outlet = make_outlet(module, ours.fileno())
    data = os.urandom(1 << 20)
    outlet.outbox.append(data)
    assert module.flush([outlet]) == (1, len(data))
    taken = len(data) - len(outlet.rest)
    assert 0 < taken < len(data)
    outlet.outbox.append(b"the next frame")  # nothing is taken now
    module.flush([outlet])
    assert outlet.rest == data[taken:] + b"the next frame"
    assert read_all(theirs) == data[:taken]


@pytest.mark.parametrize("gone", ["peer", "descriptor"])
def test_a_broken_socket_hands_on_everything_and_others_are_written(
    module: ModuleType, pair: tuple[socket.socket, socket.socket], gone: str
) -> None:
    broken, peer = socket.socketpair()
    number = broken.fileno()
    if gone == "descriptor":
        broken.close()
    peer.close()
    outlet, bystander = make_outlet(module, number), make_outlet(module, pair[0].fileno())
    for each in (outlet, bystander):
        each.outbox.append(b"frame")
    module.flush([outlet, bystander])
    assert outlet.rest == b"frame"
    assert read_all(pair[1]) == b"frame"
    broken.close()


def test_what_may_not_be_written_beside_the_transport_is_asked_to_flush(
    module: ModuleType, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    without, paused, ended = make_outlet(module), make_outlet(module, ours.fileno()), make_outlet(module, ours.fileno())
    without.outbox.append(b"frame")
    paused.outbox = BoundedOutbox([b"frame"], 0, 100, lambda: None)
    ended.outbox = ClosedOutbox()
    assert module.flush([without, paused, ended]) == (0, 0)
    assert [each.flushed for each in (without, paused, ended)] == [1, 1, 1]
    assert paused.outbox == [b"frame"]
    assert read_all(theirs) == b""


def test_what_a_flush_raises_is_seen(module: ModuleType) -> None:
    class Failing(module.Outlet):  # type: ignore[misc,name-defined]
        def flush(self) -> None:
            raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        module.flush([Failing()])


@compiled_here
@pytest.mark.parametrize(
    "call",
    [
        lambda: compiled.queue([object()], None, b"frame", []),
        lambda: compiled.queue((), None, b"frame", []),  # type: ignore[arg-type]
        lambda: compiled.queue([], None, "frame", []),  # type: ignore[arg-type]
        lambda: compiled.queue([], None, type("Loud", (bytes,), {})(), []),
        lambda: compiled.queue([], None, b"frame", None),  # type: ignore[arg-type]
        lambda: compiled.queue([]),  # type: ignore[call-arg]
        lambda: compiled.flush([None]),  # type: ignore[list-item]
        lambda: compiled.flush(()),
    ],
)  # fmt: skip
def test_the_compiled_part_refuses_what_it_does_not_know(call: Callable[[], object]) -> None:
    """Python would find out by itself; C has to look."""
    with pytest.raises(TypeError):
        call()


@compiled_here
def test_the_compiled_part_writes_no_frame_that_is_not_bytes(pair: tuple[socket.socket, socket.socket]) -> None:
    class Loud(bytes):
        """Could run code when it goes, in the middle of a list that is being emptied."""

    for frames in (["text"], [b"bytes", "text"], [Loud(b"frame")], None):
        outlet = make_outlet(compiled, pair[0].fileno())
        if frames is None:
            del outlet.outbox
        else:
            outlet.outbox.extend(frames)
        with pytest.raises(TypeError):
            compiled.flush([outlet])
    assert read_all(pair[1]) == b""


# -- together


@compiled_here
@given(
    st.lists(
        st.tuples(st.lists(st.binary(max_size=300), max_size=12), st.sampled_from(["open", "paused", "tls"])),
        max_size=6,
    ),
    st.booleans(),
)
def test_both_do_the_same(work: list[tuple[list[bytes], str]], small: bool) -> None:
    outcomes = []
    for module in (plain_outlets, compiled):
        ours, theirs = socket.socketpair()
        other, far = socket.socketpair()
        with ours, theirs, other, far:
            for end in (ours, theirs, other, far):
                end.setblocking(False)
            if small:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            first, second = make_outlet(module, ours.fileno()), make_outlet(module, other.fileno())
            outcome: list[Any] = []
            for frames, state in work:
                first.fd = -1 if state == "tls" else ours.fileno()
                first.outbox = BoundedOutbox((), 0, 200, lambda: None) if state == "paused" else []
                dirty: list[Any] = []
                for number, frame in enumerate(frames):
                    outcome.append(module.queue([first, second], second if number % 3 else None, frame, dirty))
                outcome.append([outlet is first for outlet in dirty])
                outcome.append(module.flush(dirty))
                outcome.append((list(first.outbox), first.flushed, len(first.rest), list(second.outbox)))
            outcomes.append((outcome, read_all(theirs) + first.rest, read_all(far)))
    assert outcomes[0] == outcomes[1]


def test_nothing_is_kept_alive(module: ModuleType, pair: tuple[socket.socket, socket.socket]) -> None:
    frame = bytes(bytearray(b"a frame that nobody else holds"))
    held = sys.getrefcount(frame)
    outlets = [make_outlet(module, pair[0].fileno()) for _ in range(3)]
    for frames in (1, 2, 7, 20):
        for _ in range(frames):
            module.queue(outlets, None, frame, [])
        module.flush(outlets)
        read_all(pair[1])
    assert sys.getrefcount(frame) == held
    for each in outlets:  # a cycle, as a session with its bounded outbox is one
        each.outbox = BoundedOutbox([frame], 0, 100, each.flush)
    seen = [weakref.ref(each) for each in outlets]
    del outlets, each
    gc.collect()
    assert [reference() for reference in seen] == [None, None, None]
    assert sys.getrefcount(frame) == held


# -- in the server


async def number_of(harness: Harness) -> EngineSocket:
    """The session of the one client, which is written to beside its transport."""
    (found,) = harness.eio.sockets.values()
    assert found.fd >= 0
    assert os.fstat(found.fd)
    return found


@pytest.mark.parametrize("end", ["client closes", "client vanishes", "server", "refused", "aborted", "no pong"])
async def test_a_number_is_forgotten_before_it_can_be_anothers(end: str) -> None:
    """The next connection is given the number of a socket that was closed."""
    options = {"ping_interval": 0.05, "ping_timeout": 0.05} if end == "no pong" else {}
    server = SocketServer(**options)
    async with serving(server) as harness:
        client = await harness.connected()
        session = await number_of(harness)
        if end == "client closes":
            client.write(b"\x88\x80\0\0\0\0")
        elif end == "client vanishes":
            raw = client.writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.writer.transport.abort()
        elif end == "server":
            await server.disconnect(next(iter(server.manager.rooms["/"][None])))
            await harness.eio.disconnect(session.sid)
        elif end == "refused":
            await client.send("nonsense")
        elif end == "aborted":
            assert session.link is not None
            session.link.abort()
        assert session.link is not None
        link = session.link
        await until(lambda: link.transport is None)
        assert session.fd == -1
        assert link.descriptor() == -1


async def test_while_clients_come_and_go_nobody_reads_what_is_anothers() -> None:
    """Rooms are broadcast to at each turn of the loop while their members vanish and others get their numbers."""
    server = SocketServer()
    wrong: list[bytes] = []
    heard = 0

    async def join(sid: str, room: str) -> None:
        await server.enter_room(sid, room)

    server.on("join", join)
    async with serving(server) as harness:
        going = True

        async def broadcast() -> None:
            while going:
                for room in "abcd":
                    server.broadcast("said", room * 200, room=room)
                await asyncio.sleep(0)

        async def visit(room: str, number: int) -> None:
            nonlocal heard
            client = await harness.connected()
            await client.send(f'42["join","{room}"]')
            for _ in range(number % 4 + 1):
                message = await client.message()
                assert isinstance(message, str)
                if message != f'42["said","{room * 200}"]':
                    wrong.append(message.encode())
                heard += 1
            raw = client.writer.get_extra_info("socket")
            if number % 2:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.writer.transport.abort()

        noise = asyncio.create_task(broadcast())
        try:
            for turn in range(15):
                await asyncio.gather(*(visit("abcd"[number % 4], number + turn) for number in range(20)))
        finally:
            going = False
            await noise
        assert wrong == []
        assert heard > 300
        await until(lambda: not harness.eio.sockets)


async def test_who_reads_late_reads_everything_in_order() -> None:
    """The socket takes a part of a write, the transport the rest, and then the socket all again."""
    server = SocketServer(limits=Limits(pending_output=1 << 30))  # a busy machine gathers more than a client may have

    async with serving(server) as harness:
        client = await harness.connected()
        session = await number_of(harness)
        sizes = [1, 70, 9_000, 60_000]
        seen = sent = 0

        def say(text: str) -> None:
            nonlocal sent
            server.broadcast("number", [sent, text])
            sent += 1

        for _ in range(3):
            link = session.link
            assert link is not None
            while not link.paused:
                say("x" * sizes[sent % 4])
                await asyncio.sleep(0)
            for _ in range(5):  # these wait behind what the transport has
                say("y")
            assert len(session.outbox) >= 5  # before the next turn, in which the socket may take them
            while seen < sent:
                assert str(await client.message()).startswith(f'42["number",[{seen},"')
                seen += 1
            await until(lambda: type(session.outbox) is list)
            assert session.fd >= 0


async def test_nothing_overtakes_what_the_transport_has() -> None:
    """The client makes room before the transport has heard of it, and the next frame finds the socket empty."""
    server = SocketServer()
    async with serving(server) as harness:
        client = await harness.connected()
        session = await number_of(harness)
        assert session.link is not None
        transport = session.link.transport
        assert transport is not None
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        with socket.socket(fileno=os.dup(client.writer.get_extra_info("socket").fileno())) as theirs:
            theirs.setblocking(False)
            sent = b""
            while not transport.get_write_buffer_size():
                server.broadcast("said", "x" * 60_000)
                sent += text_frame(b'42["said","%s"]' % (b"x" * 60_000))
                harness.eio.flusher.flush()
            read = read_all(theirs)
            server.broadcast("said", "y")
            sent += text_frame(b'42["said","y"]')
            harness.eio.flusher.flush()
            async with asyncio.timeout(10):
                while len(read) < len(sent):
                    await asyncio.sleep(0)
                    read += read_all(theirs)
        assert read == sent


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
@pytest.mark.parametrize("answers", [1, 4])
@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_nothing_overtakes_what_the_connection_had_to_write_before(
    loop: Callable[[], asyncio.AbstractEventLoop], answers: int, transport: str
) -> None:
    """Answers of earlier requests wait in the transport: few of them, or so many that aiohttp was told to pause."""

    async def streamed(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 60_000
        await response.prepare(request)
        await response.write(b"B" * 60_000)
        return response

    async def take_over() -> None:
        server = SocketServer()
        app = web.Application()
        server.attach(app, "socket.io")
        app.router.add_get("/streamed", streamed)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            listening = socket.socket()  # the runner closes it
            with socket.socket() as client:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
                listening.bind(("127.0.0.1", 0))
                await web.SockSite(runner, listening).start()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.setblocking(False)
                turns = asyncio.get_running_loop()
                await turns.sock_connect(client, listening.getsockname())
                query = "EIO=4&transport=websocket"
                if transport == "polling":
                    async with ClientSession() as http:
                        host, port = listening.getsockname()
                        async with http.get(f"http://{host}:{port}/socket.io/?EIO=4&transport=polling") as answer:
                            query += "&sid=" + loads((await answer.text())[1:])["sid"]
                upgrade = (
                    f"GET /socket.io/?{query} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    "Sec-WebSocket-Version: 13\r\n\r\n"
                ).encode()
                probe = masked(1, b"2probe") + masked(1, b"5") if transport == "polling" else b""
                requests = b"GET /streamed HTTP/1.1\r\nHost: localhost\r\n\r\n" * answers
                await turns.sock_sendall(client, requests + upgrade + probe)
                await until(lambda: any(session.link is not None for session in server.eio.sockets.values()))
                (session,) = server.eio.sockets.values()
                held = session.link.transport.get_write_buffer_size()  # type: ignore[union-attr]
                assert (held > 0, type(session.outbox)) == (True, BoundedOutbox)
                await turns.sock_recv(client, 20_000)  # makes room that the transport has not heard of
                frames = [text_frame(b"frame %d" % number) for number in range(3)]
                for frame in frames:
                    session.send_frame(frame)
                server.eio.flusher.flush()
                read = b""
                async with asyncio.timeout(10):
                    while not all(frame in read for frame in frames):
                        read += await turns.sock_recv(client, 65536)
                assert read.endswith(b"".join(frames))
                await until(lambda: type(session.outbox) is list)
        finally:
            await runner.cleanup()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(take_over())


async def test_over_tls_the_transport_writes(tmp_path: Path) -> None:
    """What was written beside it would not be encrypted."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    server = SocketServer()
    app = web.Application()
    server.attach(app, "socket.io")
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self_signed(tmp_path))
    await site.start()
    try:
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        writer.write(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        client = RawWebSocket(reader, writer)
        assert str(await client.receive()).startswith("0{")
        await client.send(connect_packet())
        assert str(await client.message()).startswith("40{")
        (session,) = server.eio.sockets.values()
        assert session.fd == -1
        for number in range(300):
            server.broadcast("number", [number, "x" * 5_000])
        for number in range(300):
            assert str(await client.message()).startswith(f'42["number",[{number},"')
        await client.aclose()
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("wanted", [pytest.param(True, marks=compiled_here), False])
def test_plain_python_can_be_chosen(wanted: bool) -> None:
    environment = {**os.environ, "TRANSPORT_NO_EXTENSIONS": "" if wanted else "1"}
    script = "from realtime_server.transport import outlets as o; print(o.IS_COMPILED, o.Outlet.__module__)"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    module = "realtime_server.transport." + ("_outlets" if wanted else "plain_outlets")
    assert done.stdout.split() == [str(wanted), module]


def test_the_transport_works_in_plain_python_too() -> None:
    """The suites of the protocol, what is bounded, and the tests above, by a process without the compiled part."""
    suites = ["test_socket_suite.py", "test_engine_suite.py", "test_bounds.py", "test_outlets.py"]
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not plain_python",
         *(str(here / suite) for suite in suites)],
        env={**os.environ, "TRANSPORT_NO_EXTENSIONS": "1"}, cwd=here.parents[1],
        capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
