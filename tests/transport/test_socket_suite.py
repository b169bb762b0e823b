"""Every case of the official Socket.IO v5 test suite (github.com/socketio/socket.io-protocol), on every transport.

The suite's Engine.IO part is in `test_engine_suite.py`; its Socket.IO part runs here over WebSocket, long-polling and
an upgraded session. With the suite's own settings: pings every 300 ms, 200 ms to answer.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from realtime_server.transport import Limits, SocketServer

from .raw import TRANSPORTS, AnyClient, Harness, connect_client, open_client, serving

pytestmark = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest_asyncio.fixture
async def chat() -> AsyncIterator[Harness]:
    """The server that the suite's readme asks for."""
    server = SocketServer(
        ping_interval=0.3, ping_timeout=0.2, max_http_buffer_size=1_000_000, limits=Limits(connect_timeout=0.4)
    )

    for namespace in ("/", "/custom"):

        def wire(namespace: str = namespace) -> None:
            async def connect(sid: str, environ: Any, auth: Any) -> None:
                await server.emit("auth", auth or {}, to=sid, namespace=namespace)

            async def message(sid: str, *data: Any) -> None:
                await server.emit("message-back", data, to=sid, namespace=namespace)

            async def message_with_ack(sid: str, *data: Any) -> Any:
                return data

            server.on("connect", connect, namespace=namespace)
            server.on("message", message, namespace=namespace)
            server.on("message-with-ack", message_with_ack, namespace=namespace)

        wire()
    async with serving(server) as harness:
        yield harness


async def joined(chat: Harness, transport: str) -> AnyClient:
    client = await connect_client(chat, transport)
    assert await client.message() == '42["auth",{}]'
    return client


@pytest.mark.parametrize("namespace", ["/", "/custom"])
@pytest.mark.parametrize("auth", [None, {"token": "123"}])
async def test_connects_to_a_namespace(chat: Harness, transport: str, namespace: str, auth: Any) -> None:
    where = "" if namespace == "/" else namespace + ","
    client = await open_client(chat, transport)
    await client.send(f"40{where}{json.dumps(auth) if auth else ''}")
    answer = await client.message()
    assert isinstance(answer, str)
    assert answer.startswith(f"40{where}")
    handshake = json.loads(answer[2 + len(where) :])
    assert set(handshake) == {"sid"}
    assert isinstance(handshake["sid"], str)
    assert await client.message() == f'42{where}["auth",{json.dumps(auth or {}, separators=(",", ":"))}]'


async def test_refuses_an_unknown_namespace(chat: Harness, transport: str) -> None:
    client = await open_client(chat, transport)
    await client.send("40/random")
    assert await client.message() == '44/random,{"message":"Invalid namespace"}'


async def test_closes_upon_an_invalid_handshake(chat: Harness, transport: str) -> None:
    client = await open_client(chat, transport)
    await client.send("4abc")
    await client.ended()


async def test_closes_when_no_handshake_is_received(chat: Harness, transport: str) -> None:
    client = await open_client(chat, transport)
    await client.ended()
    assert chat.eio.stats.refused["connect_timeout"] == 1


async def test_stays_open_after_a_disconnect_from_the_main_namespace(chat: Harness, transport: str) -> None:
    client = await joined(chat, transport)
    await client.send("41", "40")
    answer = await client.message()
    assert isinstance(answer, str)
    assert answer.startswith("40{")


async def test_disconnects_from_a_custom_namespace_only(chat: Harness, transport: str) -> None:
    client = await joined(chat, transport)
    await client.send("40/custom")
    assert str(await client.message()).startswith("40/custom,")
    assert await client.message() == '42/custom,["auth",{}]'
    await client.send("41/custom", '42["message","message to main namespace"]')
    assert await client.message() == '42["message-back","message to main namespace"]'


async def test_sends_a_plain_text_packet(chat: Harness, transport: str) -> None:
    client = await joined(chat, transport)
    await client.send('42["message",1,"2",{"3":[true]}]')
    assert await client.message() == '42["message-back",1,"2",{"3":[true]}]'


PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


async def test_sends_a_packet_with_binary_attachments(chat: Harness, transport: str) -> None:
    client = await joined(chat, transport)
    await client.send(f'452-["message",{PLACEHOLDERS}]', b"\x01\x02\x03", b"\x04\x05\x06")
    assert await client.message() == f'452-["message-back",{PLACEHOLDERS}]'
    assert await client.message() == b"\x01\x02\x03"
    assert await client.message() == b"\x04\x05\x06"


async def test_sends_a_plain_text_packet_with_an_ack(chat: Harness, transport: str) -> None:
    client = await joined(chat, transport)
    await client.send('42456["message-with-ack",1,"2",{"3":[false]}]')
    assert await client.message() == '43456[1,"2",{"3":[false]}]'


async def test_sends_a_packet_with_binary_attachments_and_an_ack(chat: Harness, transport: str) -> None:
    client = await joined(chat, transport)
    await client.send(f'452-789["message-with-ack",{PLACEHOLDERS}]', b"\x01\x02\x03", b"\x04\x05\x06")
    assert await client.message() == f"462-789[{PLACEHOLDERS}]"
    assert await client.message() == b"\x01\x02\x03"
    assert await client.message() == b"\x04\x05\x06"


@pytest.mark.parametrize(
    "packet",
    ["4abc", "42{}", '42abc["message-with-ack",1,"2",{"3":[false]}]'],
    ids=["unknown packet type", "invalid payload format", "invalid ack id"],
)
async def test_closes_upon_an_invalid_format(chat: Harness, transport: str, packet: str) -> None:
    client = await joined(chat, transport)
    await client.send(packet)
    await client.ended()
