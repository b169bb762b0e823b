"""Handlers: one client's in order, nobody waiting for another, every event answered whatever the handler does."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import socketio

from realtime_server.transport import DEFAULT_ERROR_ACK, Limits, SocketServer

from .raw import TRANSPORTS, Harness, connect_client, open_client, serving, until

on_every_transport = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Harness]:
    async with serving(SocketServer()) as harness:
        yield harness


@pytest.fixture
def server(served: Harness) -> SocketServer:
    assert isinstance(served.server, SocketServer)
    return served.server


@on_every_transport
async def test_one_clients_events_are_handled_one_after_another(
    served: Harness, server: SocketServer, transport: str
) -> None:
    running = 0
    order: list[int] = []

    async def work(sid: str, number: int) -> int:
        nonlocal running
        running += 1
        assert running == 1
        for _ in range(number % 4):
            await asyncio.sleep(0)
        order.append(number)
        running -= 1
        return number

    server.on("work", work)
    client = await connect_client(served, transport)
    await client.send(*(f'42{number}["work",{number}]' for number in range(60)))
    assert [await client.message() for _ in range(60)] == [f"43{number}[{number}]" for number in range(60)]
    assert order == list(range(60))


@on_every_transport
async def test_a_slow_handler_of_one_client_holds_up_no_other(
    served: Harness, server: SocketServer, transport: str
) -> None:
    release = asyncio.Event()

    async def slow(sid: str) -> str:
        await release.wait()
        return "done"

    server.on("slow", slow)
    server.on("quick", lambda sid: "quick")
    client = await connect_client(served, transport)
    await client.send('421["slow"]', '422["quick"]')
    bystander = await connect_client(served, transport)
    for number in range(5):
        await bystander.send(f'42{number}["quick"]')
        assert await bystander.message() == f'43{number}["quick"]'
    release.set()
    assert [await client.message(), await client.message()] == ['431["done"]', '432["quick"]']


@on_every_transport
async def test_events_sent_right_behind_connect_are_handled_after_it(
    served: Harness, server: SocketServer, transport: str
) -> None:
    seen: list[Any] = []

    async def connect(sid: str, environ: Any, auth: Any) -> None:
        await asyncio.sleep(0.01)
        seen.append("connect")

    server.on("connect", connect)
    server.on("*", lambda event, sid, *data: seen.append(event))
    client = await open_client(served, transport)
    await client.send("40", '42["one"]', '42["two"]', '421["three"]')
    assert str(await client.message()).startswith("40{")
    assert await client.message() == "431[]"
    assert seen == ["connect", "one", "two", "three"]


@on_every_transport
async def test_what_is_sent_in_the_connect_handler_follows_the_connect_packet_in_order(
    served: Harness, server: SocketServer, transport: str
) -> None:
    async def connect(sid: str, environ: Any, auth: Any) -> None:
        await server.enter_room(sid, "room")
        await server.emit("one", to=sid)
        server.broadcast("two", room="room")
        await asyncio.sleep(0)
        await server.emit("three", room=["room", "elsewhere"])
        await server.emit("four")
        server.broadcast("not for you", skip_sid=[sid])

    server.on("connect", connect)
    client = await open_client(served, transport)
    await client.send("40")
    assert str(await client.message()).startswith("40{")
    assert [await client.message() for _ in range(4)] == ['42["one"]', '42["two"]', '42["three"]', '42["four"]']


@on_every_transport
async def test_a_client_that_is_refused_has_been_sent_nothing_and_its_events_are_dropped(
    served: Harness, server: SocketServer, transport: str
) -> None:
    seen: list[str] = []

    async def connect(sid: str, environ: Any, auth: Any) -> None:
        await server.emit("secret", to=sid)
        await asyncio.sleep(0)
        raise socketio.exceptions.ConnectionRefusedError("go away", {"code": "forbidden"})

    server.on("connect", connect)
    server.on("*", lambda event, sid, *data: seen.append(event))
    client = await open_client(served, transport)
    await client.send("40", '421["early"]')
    assert await client.message() == '44{"message":"go away","data":{"code":"forbidden"}}'
    await client.send('42["late"]', "40")
    assert await client.message() == '44{"message":"go away","data":{"code":"forbidden"}}'
    assert seen == []
    assert server.manager.rooms == {}


@pytest.mark.parametrize(
    ("verdict", "packet"),
    [
        (False, '44{"message":"Connection rejected by server"}'),
        (socketio.exceptions.ConnectionRefusedError(), '44{"message":"Connection rejected by server"}'),
        (socketio.exceptions.ConnectionRefusedError("a", "b"), '44{"message":"a","data":"b"}'),
        (socketio.exceptions.ConnectionRefusedError("a", "b", 1), '44{"message":"a","data":["b",1]}'),
        (ConnectionRefusedError(), '44{"message":"Connection refused by server"}'),
        (ValueError("internal detail"), '44{"message":"Internal error"}'),
    ],
)
async def test_a_connect_handler_refuses(served: Harness, server: SocketServer, verdict: Any, packet: str) -> None:
    def connect(sid: str, environ: Any) -> Any:
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    server.on("connect", connect)
    client = await open_client(served, "websocket")
    await client.send("40")
    assert await client.message() == packet


async def test_always_connect_accepts_first_and_disconnects_after() -> None:
    server = SocketServer(always_connect=True)
    server.on("connect", lambda sid, environ: False)
    async with serving(server) as harness:
        client = await open_client(harness, "websocket")
        await client.send("40")
        assert str(await client.message()).startswith("40{")
        assert await client.message() == "41"


class Failure(Exception):
    pass


@on_every_transport
@pytest.mark.parametrize("fails", ["at once", "later", "in its answer", "cancelled"])
async def test_a_handler_that_fails_is_answered_by_the_hook(transport: str, fails: str) -> None:
    told: list[Any] = []

    def hook(event: str, sid: str, namespace: str, error: BaseException) -> Any:
        told.append((event, namespace, type(error)))
        return {"code": "internal"}

    async def handler(sid: str) -> Any:
        if fails == "later":
            await asyncio.sleep(0)
        if fails == "in its answer":
            return object()
        if fails == "cancelled":
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future
        raise Failure

    server = SocketServer(on_handler_error=hook)
    server.on("fail", handler, namespace="/app")
    server.on("fine", lambda sid: "fine", namespace="/app")
    async with serving(server) as harness:
        client = await connect_client(harness, transport, "/app")
        await client.send('42/app,1["fail"]', '42/app,["fail"]', '42/app,2["fine"]')
        assert await client.message() == '43/app,1[{"code":"internal"}]'
        assert await client.message() == '43/app,2["fine"]'
    kind = {"in its answer": TypeError, "cancelled": asyncio.CancelledError}.get(fails, Failure)
    assert told == [("fail", "/app", kind)] * (1 if fails == "in its answer" else 2)


async def test_the_hook_may_be_a_coroutine_and_its_own_failure_is_answered_too() -> None:
    async def hook(event: str, *_: Any) -> Any:
        await asyncio.sleep(0)
        if event == "worse":
            raise Failure
        return "sorry"

    def handler(event: str, sid: str) -> None:
        raise Failure

    server = SocketServer(on_handler_error=hook)
    server.on("*", handler)
    async with serving(server) as harness:
        client = await connect_client(harness, "websocket")
        await client.send('421["bad"]', '422["worse"]')
        assert await client.message() == '431["sorry"]'
        assert '"code":"internal"' in str(await client.message())


async def test_without_a_hook_a_failure_is_answered_with_the_default(served: Harness, server: SocketServer) -> None:
    def handler(sid: str) -> None:
        raise Failure

    server.on("fail", handler)
    client = await connect_client(served, "websocket")
    await client.send('421["fail"]')
    assert DEFAULT_ERROR_ACK["error"]
    assert '"code":"internal"' in str(await client.message())


@pytest.mark.parametrize(
    ("value", "ack"),
    [
        (None, "[]"),
        (0, "[0]"),
        ("a", '["a"]'),
        ((), "[]"),
        ((1, 2), "[1,2]"),
        ([1, 2], "[[1,2]]"),
        ({"a": None}, '[{"a":null}]'),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_the_return_value_is_the_acknowledgement(
    served: Harness, server: SocketServer, value: Any, ack: str, asynchronous: bool
) -> None:
    async def later(sid: str) -> Any:
        return value

    server.on("ask", later if asynchronous else lambda sid: value)
    client = await connect_client(served, "websocket")
    await client.send('427["ask"]')
    assert await client.message() == "437" + ack


@on_every_transport
async def test_what_a_client_sent_before_it_left_is_handled_before_its_disconnect(
    served: Harness, server: SocketServer, transport: str
) -> None:
    seen: list[Any] = []
    done = asyncio.Event()

    async def work(sid: str, number: int) -> None:
        await asyncio.sleep(0.001)
        seen.append(number)

    def disconnect(sid: str, reason: str) -> None:
        seen.append(reason)
        done.set()

    server.on("work", work)
    server.on("disconnect", disconnect)
    client = await connect_client(served, transport)
    await client.send('42["work",1]', '42["work",2]', '42["work",3]', "1")
    await done.wait()
    assert seen == [1, 2, 3, "client disconnect"]


async def test_a_handler_that_hangs_delays_the_disconnect_no_longer_than_close_timeout() -> None:
    server = SocketServer(limits=Limits(close_timeout=0.05))
    left = asyncio.Event()
    release = asyncio.Event()
    server.on("hang", lambda sid: release.wait())
    server.on("disconnect", lambda sid, reason: left.set())
    async with serving(server) as harness:
        socket = await harness.connected()
        await socket.send('42["hang"]')
        await socket.aclose()
        await left.wait()
        assert not release.is_set()
        release.set()


@pytest.mark.parametrize("end", ["the client closes", "the server closes", "it is cut"])
async def test_who_said_goodbye_behind_a_handler_that_hangs_leaves_with_their_connection(end: str) -> None:
    server = SocketServer(limits=Limits(close_timeout=0.05))
    release = asyncio.Event()
    reasons: list[str] = []
    server.on("hang", lambda sid: release.wait())
    server.on("disconnect", lambda sid, reason: reasons.append(reason))
    async with serving(server) as harness:
        client = await connect_client(harness, "websocket")
        (socket,) = harness.eio.sockets.values()
        await client.send('42["hang"]', "41")
        await until(lambda: len(socket.lane) == 1)
        if end == "the client closes":
            await client.aclose()
        elif end == "the server closes":
            await harness.eio.disconnect(client.sid)
        else:
            socket.shut(server.reason.TRANSPORT_ERROR, abort=True)
        await until(lambda: not harness.eio.sockets)
        assert server.manager.rooms == {}
        release.set()
    assert reasons == ["client disconnect"]


async def test_a_client_that_goes_away_in_its_connect_handler_is_told_of_to_the_application() -> None:
    server = SocketServer(limits=Limits(close_timeout=0.05))
    began, release, left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def connect(sid: str, environ: Any) -> None:
        began.set()
        await release.wait()

    server.on("connect", connect)
    server.on("disconnect", lambda sid, reason: left.set())
    async with serving(server) as harness:
        client = await open_client(harness, "websocket")
        await client.send("40")
        await began.wait()
        await client.aclose()
        await until(lambda: not harness.eio.sockets)
        release.set()
        await left.wait()
        assert server.manager.rooms == {}
        assert server.environ == {}


async def test_a_handler_may_call_its_own_client(served: Harness, server: SocketServer) -> None:
    async def ask(sid: str) -> Any:
        return await server.call("question", {"n": 1}, to=sid, timeout=5)

    server.on("ask", ask)
    client = await connect_client(served, "websocket")
    await client.send('427["ask"]')
    assert await client.message() == '421["question",{"n":1}]'
    await client.send('431["answer",2]')
    assert await client.message() == '437["answer",2]'


async def test_a_handler_has_a_task_timeouts_and_a_context_of_its_own(served: Harness, server: SocketServer) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    values: list[str] = []

    async def handler(sid: str, value: str) -> str:
        task = asyncio.current_task()
        assert task is not None
        values.append(variable.get())
        variable.set(value)
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            pass
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
        assert asyncio.current_task() is task
        return variable.get()

    server.on("work", handler)
    client = await connect_client(served, "websocket")
    await client.send('421["work","a"]', '422["work","b"]')
    assert [await client.message(), await client.message()] == ['431["a"]', '432["b"]']
    assert values == ["unset", "unset"]


@pytest.mark.parametrize("waits", [False, True])
async def test_a_handler_that_cancels_itself_harms_no_other(served: Harness, server: SocketServer, waits: bool) -> None:
    async def suicidal(sid: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        if waits:
            await asyncio.sleep(0)

    async def waiting(sid: str) -> str:
        await asyncio.sleep(0.01)
        return "fine"

    server.on("suicidal", suicidal)
    server.on("waiting", waiting)
    clients = [await connect_client(served, "websocket") for _ in range(3)]
    for client in clients:
        await client.send('42["suicidal"]', '422["waiting"]')
    for client in clients:
        assert await client.message() == '432["fine"]'


async def test_an_idle_client_costs_no_task(served: Harness, server: SocketServer) -> None:
    server.on("ask", lambda sid: "answer")
    first = await connect_client(served, "websocket")
    before = len(asyncio.all_tasks())
    clients = [await connect_client(served, "websocket") for _ in range(20)]
    for client in [first, *clients]:
        await client.send('421["ask"]')
        await client.message()
    assert len(asyncio.all_tasks()) <= before + 1


@pytest.mark.parametrize("fails", [False, True])
async def test_a_handler_that_returns_a_future_is_answered_with_it_and_holds_up_nothing(
    served: Harness, server: SocketServer, fails: bool
) -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server.on("later", lambda sid: answer)
    server.on("now", lambda sid: "now")
    client = await connect_client(served, "websocket")
    await client.send('421["later"]', '422["now"]')
    assert await client.message() == '432["now"]'
    if fails:
        answer.set_exception(Failure())
        assert '431[{"ok":false' in str(await client.message())
    else:
        answer.set_result("done")
        assert await client.message() == '431["done"]'
