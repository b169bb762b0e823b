"""Limits that operators set: whoever passes one is told so and when to come back, and it is their own trouble."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.attacks.conftest import bearer, bystanders_of
from tests.server.clients import NotConnected, PythonClient, check_ack
from tests.server.conftest import Server, StartServer, record_edit, token_of
from tests.support import eventually


async def _codes(client: PythonClient, count: int, session_id: str = "s1") -> list[dict[str, Any]]:
    """The refusals among so many presence messages."""
    acks = await asyncio.gather(*(client.ask("presence", session_id, activity=f"{n}") for n in range(count)))
    return [ack["error"] for ack in acks if not ack["ok"]]


LIMITS = {
    "connection": {"WS_RATE_LIMIT": "5", "WS_RATE_BURST": "40"},
    "user": {"COLLABORATION_USER_RATE": "5", "COLLABORATION_USER_BURST": "40"},
    "session": {"COLLABORATION_SESSION_RATE": "5", "COLLABORATION_SESSION_BURST": "20"},
    "project": {"COLLABORATION_PROJECT_RATE": "5", "COLLABORATION_PROJECT_BURST": "20"},
}


@pytest.mark.parametrize("scope", LIMITS)
async def test_whoever_passes_a_limit_is_told_whose_it_is_and_when_to_come_back(
    start_server: StartServer, scope: str
) -> None:
    server = await start_server(**LIMITS[scope])
    await server.create_session()
    bystanders = await bystanders_of(server)
    mallory = await server.member("mallory")
    refusals = await _codes(mallory, 60)
    assert refusals
    for error in refusals:
        assert (error["code"], error["retryable"], error["details"]["scope"]) == ("rate_limited", True, scope)
        assert 0 < error["details"]["retry_after"] <= 60
    assert mallory.ended is None
    await bystanders.served()


async def test_after_the_time_that_was_told_the_same_request_succeeds(start_server: StartServer) -> None:
    server = await start_server(**LIMITS["user"])
    await server.create_session()
    mallory = await server.member("mallory")
    # What waits before it is read first: the last answer is of now.
    error = (await _codes(mallory, 45))[-1]
    await asyncio.sleep(error["details"]["retry_after"])
    await mallory.done("presence", activity="patient")


async def test_a_persons_limit_is_one_over_all_their_tabs_and_over_http(
    start_server: StartServer, http: aiohttp.ClientSession
) -> None:
    server = await start_server(COLLABORATION_USER_RATE="0.1", COLLABORATION_USER_BURST="40")
    await server.create_session()
    tabs = [await server.member("mallory") for _ in range(2)]
    alice = await server.member("alice")
    await asyncio.gather(*(_codes(tab, 30) for tab in tabs))
    url = f"{server.url}/api/collaboration/sessions/s1"
    async with http.get(url, headers=bearer(token_of("mallory"))) as response:
        assert response.status == 429
        assert int(response.headers["Retry-After"]) >= 1
        assert (await response.json(content_type=None))["details"]["scope"] == "user"
    async with http.get(url, headers=bearer(token_of("alice"))) as response:
        assert response.status == 200
    await alice.done("presence", activity="at work")


async def test_a_sessions_limit_counts_what_comes_over_http_as_well(
    start_server: StartServer, http: aiohttp.ClientSession
) -> None:
    server = await start_server(**LIMITS["session"])
    await server.create_session()
    await server.create_session("s2")
    mallory = await server.member("mallory")
    await _codes(mallory, 30)
    for session_id, expected in (("s1", 429), ("s2", 200)):
        url = f"{server.url}/api/collaboration/sessions/{session_id}"
        async with http.get(url, headers=bearer(token_of("alice"))) as response:
            assert response.status == expected, await response.text()


async def test_what_is_costly_counts_for_more(start_server: StartServer) -> None:
    server = await start_server(WS_RATE_LIMIT="1", WS_RATE_BURST="40")
    await server.create_session()
    mallory = await server.client("mallory")
    joined = 0
    while (ack := await mallory.ask("join"))["ok"]:
        joined += 1
    assert (joined, ack["error"]["code"]) == (4, "rate_limited")


async def test_a_large_answer_over_http_counts_for_more(
    start_server: StartServer, http: aiohttp.ClientSession
) -> None:
    server = await start_server(COLLABORATION_USER_RATE="0.1", COLLABORATION_USER_BURST="20")
    await server.create_session(records=500)
    url, headers = f"{server.url}/api/collaboration/sessions/s1/records?limit=500", bearer(token_of("mallory"))
    statuses = []
    for _ in range(2):
        async with http.get(url, headers=headers) as response:
            statuses.append(response.status)
    assert statuses == [200, 429]


async def test_events_that_nobody_declared_and_broken_messages_count_too(start_server: StartServer) -> None:
    server = await start_server(WS_RATE_LIMIT="1", WS_RATE_BURST="10")
    mallory = await server.client("mallory")
    for event, argument in (("nonsense", {}), ("message", 5)):
        acks = await asyncio.gather(*(mallory.send(event, argument) for _ in range(12)))
        assert acks[-1]["error"]["code"] == "rate_limited"


async def test_who_does_not_heed_a_refusal_is_answered_later_and_in_order(start_server: StartServer) -> None:
    server = await start_server(COLLABORATION_SESSION_RATE="0.01", COLLABORATION_SESSION_BURST="5")
    await server.create_session()
    mallory = await server.member("mallory")
    answered: list[int] = []

    async def send(number: int) -> None:
        ack = await mallory.send("presence", {"session_id": "s1", "activity": "x"})
        check_ack("presence", ack)
        answered.append(number)

    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(send(number) for number in range(30)))
    # Five are done, twenty refused at once, and each of the others takes a fifth of a second: no less.
    assert loop.time() - began > 0.5
    assert answered == sorted(answered)
    assert mallory.ended is None


async def test_one_person_has_so_many_connections_and_a_closed_one_makes_room(start_server: StartServer) -> None:
    server = await start_server(COLLABORATION_USER_CONNECTIONS="2")
    await server.create_session()
    first, _ = await server.member("mallory"), await server.member("mallory")
    with pytest.raises(NotConnected) as refusal:
        await PythonClient().connect(server.url, {"token": token_of("mallory")})
    assert refusal.value.data["data"]["code"] == "rate_limited"
    assert refusal.value.data["data"]["details"] == {"scope": "user", "connections": 2}
    alice = await server.member("alice")
    await first.close()
    await eventually(lambda: server.collaboration.connections == 2)
    await server.member("mallory")
    await alice.done("edit", **record_edit("e1", "rent"))


async def _statuses(server: Server, http: aiohttp.ClientSession, count: int) -> list[int]:
    found = []
    for _ in range(count):
        async with http.get(f"{server.url}/socket.io/?EIO=4&transport=polling") as response:
            found.append(response.status)
    return found


async def test_an_address_has_so_many_connections(start_server: StartServer, http: aiohttp.ClientSession) -> None:
    server = await start_server(WS_ADDRESS_CONNECTIONS="3")
    assert await _statuses(server, http, 5) == [200, 200, 200, 503, 503]


async def test_an_address_opens_connections_only_so_fast(
    start_server: StartServer, http: aiohttp.ClientSession
) -> None:
    server = await start_server(WS_ADDRESS_RATE="0.001", WS_ADDRESS_BURST="3")
    assert await _statuses(server, http, 5) == [200, 200, 200, 429, 429]
