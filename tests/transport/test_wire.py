"""Malformed input on every transport: the session ends, the reason is counted, and nobody else notices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from realtime_server.transport import SocketServer

from .raw import TRANSPORTS, Harness, connect_client, open_client, serving
from .test_packets import MALFORMED, RESERVED

pytestmark = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest_asyncio.fixture
async def served() -> AsyncIterator[tuple[Harness, list[Any]]]:
    """A server that writes down every event its handlers get, and answers them."""
    server = SocketServer(namespaces=["/", "/admin"])
    seen: list[Any] = []

    async def anything(event: str, sid: str, *data: Any) -> str:
        seen.append((event, *data))
        return "heard"

    async def connection(sid: str, *rest: Any) -> None:
        seen.append("connect")

    async def disconnection(sid: str, reason: str) -> None:
        seen.append("disconnect")

    for namespace in ("/", "/admin"):
        server.on("*", anything, namespace=namespace)
        server.on("connect", connection, namespace=namespace)
        server.on("disconnect", disconnection, namespace=namespace)
    async with serving(server) as harness:
        yield harness, seen


ENGINE_MALFORMED = ["", "0", '0{"sid":"x"}', "2", "2probe", "7", "9", "a", "abc", "{}", "b!", "b====", "bAQ=", "-", "é"]


@pytest.mark.parametrize("packet", ENGINE_MALFORMED, ids=ascii)
async def test_a_malformed_engine_packet_ends_the_session(
    served: tuple[Harness, list[Any]], transport: str, packet: str
) -> None:
    harness, _ = served
    client = await connect_client(harness, transport)
    await client.send(packet)
    await client.ended()
    assert harness.eio.stats.refused["malformed_packet"] == 1


@pytest.mark.parametrize("packet", MALFORMED, ids=ascii)
async def test_a_malformed_packet_ends_the_session_and_a_bystander_is_served(
    served: tuple[Harness, list[Any]], transport: str, packet: str
) -> None:
    harness, seen = served
    bystander = await harness.connected()
    client = await connect_client(harness, transport)
    seen.clear()
    await client.send("4" + packet)
    await client.ended()
    assert harness.eio.stats.refused["malformed_packet"] + harness.eio.stats.refused["not_connected"] == 1
    await bystander.send('421["still"]')
    assert await bystander.message() == '431["heard"]'
    assert seen == ["disconnect", ("still",)]


@pytest.mark.parametrize("name", RESERVED)
@pytest.mark.parametrize("head", ["2", "27", "50-"])
async def test_a_reserved_name_never_reaches_a_handler(
    served: tuple[Harness, list[Any]], transport: str, head: str, name: str
) -> None:
    harness, seen = served
    client = await connect_client(harness, transport)
    await client.send(f'4{head}["{name}","x"]')
    await client.ended()
    assert harness.eio.stats.refused["reserved_event"] == 1
    assert seen == ["connect", "disconnect"]


@pytest.mark.parametrize(
    "packet", ['2["a"]', '21["a"]', "31[]", "1", '50-["a"]', '51-["a"]', '2/admin,["a"]', "1/admin,"]
)
async def test_a_packet_before_connect_ends_the_session(
    served: tuple[Harness, list[Any]], transport: str, packet: str
) -> None:
    harness, seen = served
    client = await open_client(harness, transport)
    await client.send("4" + packet)
    await client.ended()
    assert harness.eio.stats.refused["not_connected"] == 1
    assert seen == []


@pytest.mark.parametrize("packet", ['2/admin,["a"]', "3/admin,1[]", "1/admin,", '50-/admin,["a"]'])
async def test_a_packet_for_a_namespace_that_was_not_joined_ends_the_session(
    served: tuple[Harness, list[Any]], transport: str, packet: str
) -> None:
    harness, _ = served
    client = await connect_client(harness, transport)
    await client.send("4" + packet)
    await client.ended()
    assert harness.eio.stats.refused["not_connected"] == 1


async def test_a_second_connect_ends_the_session(served: tuple[Harness, list[Any]], transport: str) -> None:
    harness, seen = served
    client = await connect_client(harness, transport)
    await client.send("40")
    await client.ended()
    assert seen == ["connect", "disconnect"]


async def test_binary_without_its_packet_ends_the_session(served: tuple[Harness, list[Any]], transport: str) -> None:
    harness, _ = served
    client = await connect_client(harness, transport)
    await client.send(b"\x01")
    await client.ended()


async def test_text_in_place_of_an_attachment_ends_the_session(
    served: tuple[Harness, list[Any]], transport: str
) -> None:
    harness, seen = served
    client = await connect_client(harness, transport)
    await client.send('451-["a",{"_placeholder":true,"num":0}]', '42["b"]')
    await client.ended()
    assert seen == ["connect", "disconnect"]


async def test_a_placeholder_for_no_attachment_ends_the_session(
    served: tuple[Harness, list[Any]], transport: str
) -> None:
    harness, _ = served
    client = await connect_client(harness, transport)
    await client.send('451-["a",{"_placeholder":true,"num":1}]', b"\x01")
    await client.ended()


async def test_what_a_client_sent_to_a_namespace_it_left_is_ignored(
    served: tuple[Harness, list[Any]], transport: str
) -> None:
    harness, seen = served
    client = await connect_client(harness, transport)
    await client.send("40/admin")
    await client.message()
    await client.send("41/admin", '42/admin,["late"]', '421["after"]')
    assert await client.message() == '431["heard"]'
    assert ("late",) not in seen


async def test_an_event_named_star_is_for_the_catch_all_by_its_name(
    served: tuple[Harness, list[Any]], transport: str
) -> None:
    harness, seen = served
    client = await connect_client(harness, transport)
    await client.send('421["*","x"]')
    assert await client.message() == '431["heard"]'
    assert ("*", "x") in seen


@pytest.mark.parametrize("packet", ["430[]", '431["made up"]', "4399999[]"])
async def test_an_acknowledgement_nobody_waits_for_is_ignored(
    served: tuple[Harness, list[Any]], transport: str, packet: str
) -> None:
    harness, _ = served
    client = await connect_client(harness, transport)
    await client.send(packet, '421["after"]')
    assert await client.message() == '431["heard"]'


@pytest.mark.parametrize("packet", ["6", "5"])
async def test_a_late_noop_or_upgrade_is_ignored(
    served: tuple[Harness, list[Any]], transport: str, packet: str
) -> None:
    harness, _ = served
    client = await connect_client(harness, transport)
    await client.send(packet, '421["after"]')
    assert await client.message() == '431["heard"]'
