"""A server that is short of time handles what clients send together: nothing is lost, reordered or taken twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from realtime_server.transport import Limits, SocketServer
from realtime_server.transport.pressure import Pressure

from .raw import Closed, Harness, WebSocketClient, connect_client, masked, serving, until


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Harness]:
    async with serving(SocketServer(input_pause=0.02)) as harness:
        harness.eio.start()
        yield harness


@pytest.fixture
def server(served: Harness) -> SocketServer:
    assert isinstance(served.server, SocketServer)
    return served.server


async def client_of(served: Harness) -> WebSocketClient:
    client = await connect_client(served, "websocket")
    assert isinstance(client, WebSocketClient)
    return client


def short_of_time(served: Harness) -> None:
    """As after a look at a loop without rest, and for as long as the next look is away."""
    served.eio.pressure.set(1.0, 10_000)
    assert served.eio.pressure.input


@pytest.fixture
def nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses stay as a test sets them."""
    monkeypatch.setattr(Pressure, "look", lambda pressure, now: None)


async def test_clients_are_handled_together_and_each_in_order(served: Harness, server: SocketServer) -> None:
    turn = 0
    turns: list[int] = []
    seen: list[tuple[str, int]] = []

    def count() -> None:
        nonlocal turn
        turn += 1
        asyncio.get_running_loop().call_soon(count)

    async def note(sid: str, number: int) -> int:
        seen.append((sid, number))
        turns.append(turn)
        return number

    server.on("note", note)
    clients = [await client_of(served) for _ in range(5)]
    count()
    served.eio.pressure.input = 1e9  # nothing is begun before the test says so
    for number in range(4):
        for client in clients:
            await client.send(f'42{number}["note",{number}]')
    await until(lambda: len(served.eio.inbox) == 20)
    served.eio.inbox._begin()
    for client in clients:
        assert [await client.message() for _ in range(4)] == [f"43{number}[{number}]" for number in range(4)]
    for sid in {sid for sid, _ in seen}:
        assert [number for each, number in seen if each == sid] == [0, 1, 2, 3]
    assert len(set(turns)) <= 4, "each client's first in one turn, the others behind it"


@pytest.mark.usefixtures("nobody_looks")
async def test_one_frame_is_not_behind_all_those_of_another_client(served: Harness, server: SocketServer) -> None:
    seen: list[str] = []
    server.on("note", lambda sid, who: seen.append(who))
    loud, quiet = [await client_of(served) for _ in range(2)]
    served.eio.pressure.input = 1e9
    await loud.send(*['42["note","loud"]'] * 60)
    await until(lambda: len(served.eio.inbox) == 60)
    await quiet.send('42["note","quiet"]')
    await until(lambda: len(served.eio.inbox) == 61)
    asyncio.get_running_loop().call_soon(served.eio.inbox._begin)
    await until(lambda: len(seen) == 61)
    assert seen.index("quiet") == 1


@pytest.mark.usefixtures("nobody_looks")
async def test_who_sends_more_than_the_handlers_do_waits_and_everybody_else_does_not(
    served: Harness, server: SocketServer
) -> None:
    seen: list[tuple[str, int]] = []
    go_on = asyncio.Event()

    async def note(sid: str, who: str, number: int) -> None:
        if who == "loud":
            await go_on.wait()
        seen.append((who, number))

    server.on("note", note)
    loud, quiet = [await client_of(served) for _ in range(2)]
    served.eio.pressure.input = 0.001
    await loud.send(*[f'42["note","loud",{number}]' for number in range(500)])
    await until(lambda: len(served.eio.inbox) > 64 and not served.eio.inbox._turns)
    (busy,) = served.eio.inbox._passing
    assert len(busy.lane) < 40, "decoded when their handlers can have them"
    assert busy.link is not None
    assert busy.link.transport is not None
    assert not busy.link.transport.is_reading()
    await quiet.send('42["note","quiet",0]')
    await until(lambda: seen == [("quiet", 0)])
    go_on.set()
    await until(lambda: len(seen) == 501)
    assert seen[1:] == [("loud", number) for number in range(500)]
    assert busy.link.transport.is_reading()
    await loud.send('42["note","loud",500]')
    await until(lambda: seen[-1] == ("loud", 500))


@pytest.mark.usefixtures("nobody_looks")
async def test_a_client_whose_pong_waits_in_the_inbox_stays() -> None:
    server = SocketServer(input_pause=0.02, ping_interval=0.02, ping_timeout=0.1)
    release = asyncio.Event()
    server.on("slow", lambda sid: release.wait())
    server.on("ask", lambda sid: "answer")
    async with serving(server) as served:
        client = await client_of(served)
        served.eio.pressure.input = 0.001
        await client.send(*['42["slow"]'] * 40, '421["ask"]')
        await until(lambda: served.eio.inbox._passing)
        answer = asyncio.create_task(client.message())
        await asyncio.sleep(0.5)
        release.set()
        assert await answer == '431["answer"]'
        assert served.eio.stats.connections_closed == {}


@pytest.mark.parametrize("where", ["turns", "passing"])
@pytest.mark.usefixtures("nobody_looks")
async def test_nothing_of_a_client_that_was_cut_is_kept(served: Harness, server: SocketServer, where: str) -> None:
    server.on("note", lambda sid: asyncio.Event().wait())
    client = await client_of(served)
    inbox = served.eio.inbox
    served.eio.pressure.input = 1e9
    await client.send(*['42["note"]'] * 60)
    await until(lambda: len(inbox) == 60)
    (socket,) = inbox._turns
    if where == "passing":
        inbox._begin()
        await until(lambda: socket in inbox._passing)
    await socket.close(abort=True)
    inbox._begin()
    assert (inbox._size, len(inbox), len(inbox._passing), len(inbox._held)) == (0, 0, 0, 0)


async def test_binary_comes_in_its_place(served: Harness, server: SocketServer) -> None:
    seen: list[object] = []
    server.on("file", lambda sid, data: seen.append(data))
    server.on("text", lambda sid, data: seen.append(data))
    client = await client_of(served)
    short_of_time(served)
    await client.send('451-["file",{"_placeholder":true,"num":0}]', b"\x01\x02", '42["text","after"]')
    await until(lambda: len(seen) == 2)
    assert seen == [b"\x01\x02", "after"]


@pytest.mark.parametrize("goodbye", [masked(8, b"\x03\xe8"), masked(1, b"1"), None], ids=["close", "packet", "eof"])
async def test_what_was_sent_before_leaving_is_handled_first(
    served: Harness, server: SocketServer, goodbye: bytes | None
) -> None:
    seen: list[object] = []
    server.on("note", lambda sid, data: seen.append(data))
    server.on("disconnect", lambda sid, reason: seen.append("left"))
    client = await client_of(served)
    short_of_time(served)
    await client.send('42["note",1]', '42["note",2]')
    if goodbye is None:
        await client.aclose()
    else:
        client.socket.write(goodbye)
    await until(lambda: "left" in seen)
    assert seen == [1, 2, "left"]


async def test_nothing_waits_for_a_server_with_too_much_to_keep(served: Harness, server: SocketServer) -> None:
    seen: list[int] = []
    server.on("note", lambda sid, data: seen.append(len(data)))
    clients = [await client_of(served) for _ in range(20)]
    served.eio.pressure.input = 3_600.0
    for client in clients:
        await client.send('42["note","' + "x" * 60_000 + '"]')
    await until(lambda: len(seen) >= 17)
    assert set(seen) == {60_000}


async def test_bad_input_ends_its_own_session_only(served: Harness, server: SocketServer) -> None:
    server.on("note", lambda sid, data: data)
    bad, good = [await client_of(served) for _ in range(2)]
    short_of_time(served)
    await good.send('420["note",0]')
    await bad.send("42{")
    await good.send('421["note",1]')
    assert [await good.message() for _ in range(2)] == ["430[0]", "431[1]"]
    assert await bad.socket.closed() == 1002


async def test_a_rate_is_held_to_as_ever() -> None:
    async with serving(SocketServer(limits=Limits(event_rate=1, event_burst=3), input_pause=0.02)) as served:
        client = await client_of(served)
        short_of_time(served)
        await client.send(*['42["note",1]'] * 10)
        assert await client.socket.closed() == 1008


async def test_a_defect_costs_one_session(
    served: Harness, server: SocketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on("note", lambda sid, data: data)
    doomed, other = [await client_of(served) for _ in range(2)]
    handle = served.eio.text_received

    def broken(socket: object, payload: bytes) -> None:
        if b"doom" in payload:
            raise RuntimeError("a defect")
        handle(socket, payload)  # type: ignore[arg-type]

    monkeypatch.setattr(served.eio, "text_received", broken)
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["message"]))
    short_of_time(served)
    await doomed.send('42["note","doom"]')
    await other.send('427["note",7]')
    assert await other.message() == "437[7]"
    with pytest.raises(Closed):
        await doomed.message()
    assert told == ["a frame could not be handled"]


@pytest.mark.parametrize(
    ("busy", "events", "pause"),
    [
        (0.2, 10_000, 0.0),
        (0.5, 10_000, 0.0),
        (0.65, 10_000, 0.01),
        (0.8, 10_000, 0.02),
        (1.0, 1_000, 0.02),
        (1.0, 999, 0.0),
    ],
)
def test_the_pause_grows_with_how_busy_the_loop_is_and_only_where_many_events_come(
    busy: float, events: float, pause: float
) -> None:
    pressure = Pressure(0.02)
    pressure.set(busy, events)
    assert pressure.busy == busy
    assert pressure.input == pytest.approx(pause)


def test_a_transport_by_itself_gathers_no_input() -> None:
    pressure = Pressure()
    pressure.set(1.0, 100_000)
    assert pressure.input == 0.0


def test_pressure_is_looked_at_now_and_then() -> None:
    pressure = Pressure(0.02)
    pressure.events = 5
    pressure.look(0.0)
    assert pressure.events == 5
    pressure.look(1e12)
    assert pressure.events == 0
