"""What python-socketio's users rely on goes on working."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter
from typing import Any

import engineio
import pytest
import pytest_asyncio
import socketio
from socketio.async_pubsub_manager import AsyncPubSubManager

from realtime_server.transport import EngineServer, LocalManager, SocketServer

from .raw import TRANSPORTS, AnyClient, Harness, connect_client, open_client, serving, until


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Harness]:
    async with serving(SocketServer(namespaces="*")) as harness:
        yield harness


@pytest.fixture
def server(served: Harness) -> SocketServer:
    assert isinstance(served.server, SocketServer)
    return served.server


async def join(server: SocketServer, harness: Harness, transport: str = "websocket") -> tuple[AnyClient, str]:
    """A client and its sid."""
    client = await connect_client(harness, transport)
    return client, server.manager.rooms["/"][None].inverse[client.sid]


def test_they_are_what_they_replace() -> None:
    server = SocketServer()
    assert isinstance(server, socketio.AsyncServer)
    assert isinstance(server.eio, engineio.AsyncServer)
    assert isinstance(server.manager, socketio.AsyncManager)
    assert server.async_mode == "aiohttp"


def test_nothing_else_of_the_project_is_imported() -> None:
    code = (
        "import sys, realtime_server.transport as t;"
        "print([n for n in sys.modules if n.startswith('realtime_server.') and '.transport' not in n])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert found.strip() == "[]"


@pytest.mark.parametrize("mode", ["asgi", "tornado", "sanic", "nonsense"])
def test_another_framework_is_refused(mode: str) -> None:
    with pytest.raises(ValueError, match="aiohttp"):
        EngineServer(async_mode=mode)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_rooms(served: Harness, server: SocketServer, transport: str) -> None:
    (one, first), (two, second), (three, third) = [await join(server, served, transport) for _ in range(3)]
    await server.enter_room(first, "a")
    await server.enter_room(second, "a")
    await server.enter_room(second, "b")
    assert sorted(server.rooms(second)) == sorted([second, "a", "b"])
    await server.emit("x", 1, room="a")
    await server.emit("x", 2, to="a", skip_sid=first)
    await server.emit("x", 3, room=["a", "b"], skip_sid=[second])
    await server.emit("x", 4, to=third)
    await server.leave_room(second, "a")
    await server.emit("x", 5, room="a")
    await server.close_room("a")
    await server.emit("x", 6, room="a")
    await server.emit("x", 7)
    assert [await one.message() for _ in range(4)] == [f'42["x",{n}]' for n in (1, 3, 5, 7)]
    assert [await two.message() for _ in range(3)] == [f'42["x",{n}]' for n in (1, 2, 7)]
    assert [await three.message() for _ in range(2)] == [f'42["x",{n}]' for n in (4, 7)]


async def test_rooms_and_clients_leave_nothing_behind(served: Harness, server: SocketServer) -> None:
    client, sid = await join(server, served)
    for number in range(10):
        await server.enter_room(sid, f"room {number}")
    await server.emit("question", to=sid, callback=lambda *_: None)
    await client.send("1")
    await client.ended()
    await until(lambda: not server.eio.sockets)
    assert server.manager.rooms == {}
    assert server.manager._rooms_of == {}
    assert server.manager.callbacks == {}
    assert server.manager.pending_disconnect == {}
    assert server.environ == {}
    assert server.eio.addresses.total == 0
    assert len(server.eio.pings) == len(server.eio.pongs) == len(server.eio.connects) == 0


@pytest.mark.parametrize("data", [None, 1, "text", [1, 2], (1, 2), {"a": b"x"}, b"bytes", ()])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_broadcast_sends_what_emit_sends(
    served: Harness, server: SocketServer, transport: str, data: Any
) -> None:
    client, sid = await join(server, served, transport)
    await server.emit("x", data, to=sid)
    assert server.broadcast("x", data, room=sid) == 1
    server.broadcast("end")
    messages = []
    while (message := await client.message()) != '42["end"]':
        messages.append(message)
    assert messages[: len(messages) // 2] == messages[len(messages) // 2 :]
    assert messages


async def test_broadcasts_emits_and_acknowledgements_keep_the_order_of_the_calls(
    served: Harness, server: SocketServer
) -> None:
    async def handler(sid: str) -> str:
        server.broadcast("one")
        await server.emit("two")
        server.broadcast("three", room=sid)
        return "ack"

    server.on("go", handler)
    client, _ = await join(server, served)
    await client.send('421["go"]')
    assert [await client.message() for _ in range(4)] == ['42["one"]', '42["two"]', '42["three"]', '431["ack"]']


async def test_after_much_writing_the_output_of_several_turns_is_gathered_and_leaves_in_order(
    served: Harness, server: SocketServer
) -> None:
    client, _ = await join(server, served)
    (socket,) = server.eio.sockets.values()
    server.eio.flusher.pause_until = perf_counter() + 3_600  # as if it had just written for half an hour
    for word in ("one", "two", "three"):
        server.broadcast(word)
        await asyncio.sleep(0)
    assert len(socket.outbox) == 3
    server.eio.flusher.flush()
    assert [await client.message() for _ in range(3)] == ['42["one"]', '42["two"]', '42["three"]']
    server.broadcast("at once")
    assert await client.message() == '42["at once"]'


async def test_a_server_without_rest_goes_on_gathering_and_writes_when_it_has_one(
    served: Harness, server: SocketServer
) -> None:
    client, _ = await join(server, served)
    (socket,) = server.eio.sockets.values()
    loop, flusher = asyncio.get_running_loop(), server.eio.flusher
    waiting: list[int] = []

    def work(turns: int) -> None:
        """A turn of the event loop that is full, and the next one."""
        until_then = perf_counter() + 0.0002
        while perf_counter() < until_then:
            pass
        if turns:
            loop.call_soon(work, turns - 1)
        else:
            waiting.append(len(socket.outbox))

    flusher.pause_until = perf_counter() + 0.001
    flusher.gather_until = perf_counter() + 2
    server.broadcast("one")
    work(100)
    assert await client.message() == '42["one"]'
    assert waiting == [1]  # it was written after all that work, although its pause was over long before


async def test_a_large_room_follows_who_enters_and_leaves(served: Harness, server: SocketServer) -> None:
    (late, late_sid), (first, first_sid), (second, second_sid), (third, third_sid), *others = [
        await join(server, served) for _ in range(12)
    ]
    for sid in (first_sid, second_sid, third_sid, *(sid for _, sid in others)):
        await server.enter_room(sid, "a")
    assert server.broadcast("x", 1, room="a") == 11
    await server.enter_room(late_sid, "a")
    assert server.broadcast("x", 2, room="a", skip_sid=first_sid) == 11
    await server.leave_room(second_sid, "a")
    assert server.broadcast("x", 3, room="a", skip_sid=second_sid) == 11
    await third.send("41")
    await until(lambda: not server.manager.is_connected(third_sid, "/"))
    assert server.broadcast("x", 4, room="a") == 10
    await server.close_room("a")
    assert server.broadcast("x", 5, room="a") == 0
    assert server.broadcast("end") == 11
    for client, numbers in ((late, (2, 3, 4)), (first, (1, 3, 4)), (second, (1, 2)), (others[0][0], (1, 2, 3, 4))):
        for number in numbers:
            assert await client.message() == f'42["x",{number}]'
        assert await client.message() == '42["end"]'


async def test_data_that_json_cannot_carry_is_sent_to_nobody(served: Harness, server: SocketServer) -> None:
    client, _ = await join(server, served)
    with pytest.raises(TypeError):
        server.broadcast("x", object())
    with pytest.raises(TypeError):
        await server.emit("x", object())
    server.broadcast("after")
    assert await client.message() == '42["after"]'


@pytest.mark.parametrize("room", ["nowhere", [], ["nowhere", "neither"], "unknown-sid"])
async def test_a_broadcast_to_nobody_reaches_nobody(served: Harness, server: SocketServer, room: Any) -> None:
    await join(server, served)
    assert server.broadcast("x", room=room) == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_callbacks_and_call(served: Harness, server: SocketServer, transport: str) -> None:
    client, sid = await join(server, served, transport)
    answers: asyncio.Queue[Any] = asyncio.Queue()

    async def later(*data: Any) -> None:
        answers.put_nowait(("later", *data))

    await server.emit("ask", 1, to=sid, callback=lambda *data: answers.put_nowait(data))
    await server.emit("ask", 2, to=sid, callback=later)
    assert [await client.message(), await client.message()] == ['421["ask",1]', '422["ask",2]']
    await client.send('432["b",1]', "431[]")
    assert [await answers.get(), await answers.get()] == [("later", "b", 1), ()]
    for packet, value in [("43{}[]", None), ('43{}["a"]', "a"), ('43{}["a","b"]', ("a", "b"))]:
        call = asyncio.create_task(server.call("ask", to=sid, timeout=5))
        message = str(await client.message())
        await client.send(packet.format(message[2 : message.index("[")]))
        assert await call == value
    with pytest.raises(socketio.exceptions.TimeoutError):
        await server.call("ask", to=sid, timeout=0.01)


async def test_an_acknowledgement_with_binary_reaches_its_callback(served: Harness, server: SocketServer) -> None:
    client, sid = await join(server, served)
    call = asyncio.create_task(server.call("ask", to=sid, timeout=5))
    await client.message()
    await client.send('461-1[{"_placeholder":true,"num":0}]', b"\x01")
    assert await call == b"\x01"


async def test_user_sessions(served: Harness, server: SocketServer) -> None:
    seen: list[Any] = []

    async def connect(sid: str, environ: Any, auth: Any) -> None:
        async with server.session(sid) as session:
            session["user"] = auth["user"]

    async def disconnect(sid: str, reason: str) -> None:
        seen.append((await server.get_session(sid))["user"])

    async def whoami(sid: str) -> Any:
        return (await server.get_session(sid))["user"]

    server.on("connect", connect)
    server.on("disconnect", disconnect)
    server.on("whoami", whoami)
    client = await connect_client(served, "websocket", auth={"user": "alice"})
    await client.send('421["whoami"]')
    assert await client.message() == '431["alice"]'
    await client.send("1")
    await client.ended()
    await until(lambda: seen)
    assert seen == ["alice"]


class Chat(socketio.AsyncNamespace):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__("/chat")
        self.log: list[Any] = []

    async def on_connect(self, sid: str, environ: Any) -> None:
        self.log.append("connect")

    def on_disconnect(self, sid: str) -> None:
        self.log.append("disconnect")

    async def on_say(self, sid: str, text: str) -> str:
        await self.emit("said", text)
        return "ok"


async def test_class_based_namespaces(served: Harness, server: SocketServer) -> None:
    chat = Chat()
    server.register_namespace(chat)
    client = await connect_client(served, "websocket", "/chat")
    await client.send('42/chat,1["say","hi"]', '42/chat,2["unknown"]', '42/chat,3["say"]')
    assert [await client.message() for _ in range(3)] == ['42/chat,["said","hi"]', '43/chat,1["ok"]', "43/chat,2[]"]
    assert '"code":"internal"' in str(await client.message())
    await client.send("41/chat,")
    await until(lambda: len(chat.log) == 2)
    assert chat.log == ["connect", "disconnect"]


async def test_handlers_for_everything(served: Harness, server: SocketServer) -> None:
    server.on("*", lambda event, sid, *data: ["/", event, *data])
    server.on("known", lambda sid: "known")
    server.on("*", lambda event, namespace, sid, *data: [namespace, event, *data], namespace="*")
    server.on("known", lambda namespace, sid: [namespace, "known"], namespace="*")
    client = await connect_client(served, "websocket")
    await client.send('421["known"]', '422["other",1]', "40/x")
    assert [await client.message(), await client.message()] == ['431["known"]', '432[["/","other",1]]']
    await client.message()
    await client.send('42/x,1["known"]', '42/x,2["other",1]')
    assert [await client.message(), await client.message()] == ['43/x,1[["/x","known"]]', '43/x,2[["/x","other",1]]']


async def test_the_server_disconnects_a_client_from_one_namespace(served: Harness, server: SocketServer) -> None:
    reasons: list[str] = []
    server.on("disconnect", lambda sid, reason: reasons.append(reason), namespace="/x")
    server.on("ask", lambda sid: "answer")
    client = await connect_client(served, "websocket")
    await client.send("40/x")
    await client.message()
    sid = server.manager.rooms["/x"][None].inverse[client.sid]
    await server.disconnect(sid, namespace="/x")
    assert reasons == ["server disconnect"]
    assert await client.message() == "41/x,"
    await client.send('42/x,["on its way"]', '421["ask"]')
    assert await client.message() == '431["answer"]'
    await client.send("40/x")
    assert str(await client.message()).startswith("40/x,")


async def test_a_handler_disconnects_its_own_client(served: Harness, server: SocketServer) -> None:
    reasons: list[str] = []

    async def leave(sid: str) -> str:
        await server.disconnect(sid)
        return "gone"

    server.on("leave", leave)
    server.on("disconnect", lambda sid, reason: reasons.append(reason))
    client = await connect_client(served, "websocket")
    await client.send('421["leave"]')
    assert await client.message() == "41"
    assert reasons == ["server disconnect"]


async def test_background_tasks_sleep_environ_and_transport(served: Harness, server: SocketServer) -> None:
    client, sid = await join(server, served)
    ran = asyncio.Event()

    async def background(word: str) -> None:
        await server.sleep(0)
        assert word == "word"
        ran.set()

    server.start_background_task(background, "word")
    await ran.wait()
    assert server.get_environ(sid)["REQUEST_METHOD"] == "GET"
    assert server.get_environ(sid)["aiohttp.request"].path == "/socket.io/"
    assert server.transport(sid) == "websocket"
    assert client.transport == "websocket"


async def test_msgpack_packets_and_another_json_module() -> None:
    class Shouting:
        @staticmethod
        def dumps(value: Any, **options: Any) -> str:
            return json.dumps(value, **options).upper()

        loads = staticmethod(json.loads)

    server = SocketServer(json=Shouting)
    server.on("ask", lambda sid, data: data)
    async with serving(server) as harness:
        client = await open_client(harness, "websocket")
        await client.send("40")
        assert str(await client.message()).startswith('40{"SID":')
        await client.send('421["ask",{"a":"b"}]')
        assert await client.message() == '431[{"A":"B"}]'
        await client.send("42{")
        await client.ended()


async def test_upstreams_own_client_is_served(served: Harness, server: SocketServer) -> None:
    server.on("ask", lambda sid, data: data)
    for transports in (["websocket"], ["polling"], None):
        client = socketio.AsyncClient(reconnection=False)
        heard: asyncio.Queue[Any] = asyncio.Queue()
        client.on("news", heard.put_nowait)
        await client.connect(served.url, transports=transports)
        assert await client.call("ask", {"a": b"\x01"}) == {"a": b"\x01"}
        server.broadcast("news", "x")
        assert await heard.get() == "x"
        await client.disconnect()
    await until(lambda: not server.eio.sockets)


class Recorded(AsyncPubSubManager):  # type: ignore[misc]
    """A client manager as an application writes one."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[Any] = []

    async def _publish(self, data: Any) -> None:
        self.published.append(data)

    async def _listen(self) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield None


async def test_a_manager_between_processes_emits_here_the_fast_way() -> None:
    manager = Recorded()
    server = SocketServer(client_manager=manager)
    assert isinstance(manager, LocalManager)
    assert isinstance(manager, Recorded)
    async with serving(server) as harness:
        client = await connect_client(harness, "websocket")
        before = len(asyncio.all_tasks())
        await server.emit("x", {"a": 1})
        assert len(asyncio.all_tasks()) == before
        assert await client.message() == '42["x",{"a":1}]'
        assert [message["method"] for message in manager.published] == ["emit"]
        manager.thread.cancel()


@pytest_asyncio.fixture
async def redis_url() -> AsyncIterator[str]:
    """A real Redis on a Unix socket of its own."""
    program = shutil.which("redis-server") or str(Path(sys.executable).with_name("redis-server"))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "redis.sock")
        arguments = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
        process = await asyncio.create_subprocess_exec(program, *arguments, stdout=asyncio.subprocess.DEVNULL)
        await until(lambda: os.path.exists(path))
        try:
            yield f"unix://{path}"
        finally:
            process.terminate()
            await process.wait()


async def test_a_process_that_only_writes_reaches_our_clients(redis_url: str) -> None:
    manager = socketio.AsyncRedisManager(redis_url)
    server = SocketServer(client_manager=manager)
    async with serving(server) as harness:
        client = await connect_client(harness, "websocket")
        while (await manager.redis.pubsub_numsub("socketio"))[0][1] == 0:  # noqa: ASYNC110 - Redis has no event for it
            await asyncio.sleep(0.01)
        writer = socketio.AsyncRedisManager(redis_url, write_only=True)
        await writer.emit("news", {"a": 1}, namespace="/")
        assert await client.message() == '42["news",{"a":1}]'
        await writer.redis.aclose()
        manager.thread.cancel()
        await asyncio.gather(manager.thread, return_exceptions=True)
        await manager.redis.aclose()


async def test_the_admin_ui_is_told_of_clients_rooms_and_events() -> None:
    server = SocketServer()
    server.on("ask", lambda sid: "answer")
    instrumented = server.instrument(auth=False, server_stats_interval=0.05)
    try:
        async with serving(server) as harness:
            admin = await connect_client(harness, "websocket", "/admin")
            events: set[str] = set()
            client = await connect_client(harness, "websocket")
            await client.send('421["ask"]')
            assert await client.message() == '431["answer"]'
            await server.emit("news")
            await server.enter_room(server.manager.rooms["/"][None].inverse[client.sid], "room")
            wanted = {"config", "socket_connected", "event_received", "event_sent", "room_joined"}
            async with asyncio.timeout(5):
                while not events >= wanted | {"server_stats"}:
                    message = str(await admin.message())
                    events.add(json.loads(message.removeprefix("42/admin,"))[0])
            await instrumented.shutdown()
    finally:
        instrumented.uninstrument()
