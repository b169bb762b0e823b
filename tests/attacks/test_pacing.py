"""Who brings very much at once, or collects refusals, waits for it; nobody else does."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from realtime_server.collaboration.pacing import PLACES
from tests.attacks.conftest import bearer, bystanders_of
from tests.server.conftest import Server, StartServer, record_edit, token_of


async def test_a_sessions_flood_is_decided_in_order_and_in_parts_and_anothers_edit_comes_in_between(
    server: Server,
) -> None:
    bystanders = await bystanders_of(server)
    mallory = await server.member("mallory")
    engine, most = server.services.engine, 0
    submit = engine.submit
    under_way = 0

    def counted(session_id: str, command: Any) -> asyncio.Future[Any]:
        nonlocal under_way, most
        future = submit(session_id, command)
        if session_id == "s1":
            under_way += 1
            most = max(most, under_way)
            future.add_done_callback(lambda _: done())
        return future

    def done() -> None:
        nonlocal under_way
        under_way -= 1

    engine.submit = counted  # type: ignore[method-assign]  # only looks on
    flood = [asyncio.create_task(mallory.ask("edit", **record_edit(f"e{n}", f"{n}"))) for n in range(4 * PLACES)]
    await bystanders.served()
    acks = await asyncio.gather(*flood)
    assert all(ack["ok"] for ack in acks), acks
    seqs = [ack["seq"] for ack in acks if "seq" in ack]
    assert seqs == sorted(seqs)
    assert most <= PLACES


async def test_the_edits_of_a_batch_count_one_by_one(start_server: StartServer) -> None:
    server = await start_server(COLLABORATION_SESSION_RATE="0.1", COLLABORATION_SESSION_BURST="100")
    await server.create_session()
    mallory = await server.member("mallory")
    edits = [
        {"record_id": "r1", "field_name": f"f{number}", "new_value": "x", "base_version": 0} for number in range(50)
    ]
    assert (await mallory.ask("edit_batch", edit_id="b1", edits=edits))["ok"]
    refusal = (await mallory.ask("edit_batch", edit_id="b2", edits=edits))["error"]
    assert (refusal["code"], refusal["details"]["scope"]) == ("rate_limited", "session")


async def test_somebody_outside_takes_none_of_a_sessions_places(server: Server) -> None:
    bystanders = await bystanders_of(server)
    mallory = await server.client("mallory")
    acks = await asyncio.gather(*(mallory.ask("join", "quiet") for _ in range(30)))
    assert {ack["error"]["code"] for ack in acks} == {"not_found"}
    turns = server.collaboration._turns
    assert not any(key == "quiet" for key in turns._taken)
    await bystanders.served()


async def test_any_refusal_comes_late_to_who_collects_them(server: Server) -> None:
    mallory = await server.member("mallory")
    loop = asyncio.get_running_loop()
    began = loop.time()
    acks = await asyncio.gather(*(mallory.ask("edit", nonsense=n) for n in range(26)))
    assert {ack["error"]["code"] for ack in acks} == {"invalid"}
    # Twenty at once, and a fifth of a second for each of the others: no less.
    assert loop.time() - began > 0.8


async def test_very_many_unknown_fields_are_not_named_one_by_one(server: Server) -> None:
    mallory = await server.member("mallory")
    ack = await mallory.ask("edit", **{f"field-{number}": "x" for number in range(1_000)})
    assert ack["error"]["code"] == "invalid"
    assert len(ack["error"]["details"]["fields"]) == 1


async def _refused(server: Server, http: aiohttp.ClientSession, count: int) -> list[int]:
    url = f"{server.url}/api/collaboration/sessions"

    async def once() -> int:
        async with http.get(url, headers=bearer("nonsense")) as response:
            return response.status

    return list(await asyncio.gather(*(once() for _ in range(count))))


async def test_an_address_gets_only_so_many_refusals_a_second_and_good_requests_do_not_wait(
    start_server: StartServer, http: aiohttp.ClientSession
) -> None:
    server = await start_server(WS_ADDRESS_REFUSALS="10")
    await server.create_session()
    bystanders = await bystanders_of(server)
    loop = asyncio.get_running_loop()
    assert set(await _refused(server, http, 200)) == {401}
    began = loop.time()
    late = asyncio.create_task(_refused(server, http, 30))
    async with http.get(f"{server.url}/api/collaboration/sessions/s1", headers=bearer(token_of("alice"))) as response:
        assert response.status == 200
    await bystanders.served()
    assert not late.done()
    assert set(await late) == {401}
    assert loop.time() - began > 1.0


async def test_bad_tokens_cost_an_address_more_connections_than_good_ones(start_server: StartServer) -> None:
    server = await start_server(WS_ADDRESS_RATE="0.001", WS_ADDRESS_BURST="20")
    answers = [await _bad_connection(server) for _ in range(6)]
    # Each counts as one connection and five more.
    assert answers == ["44"] * 4 + ["429"] * 2


async def _bad_connection(server: Server) -> str:
    """What a connection with a bad token gets: the packet that refuses it, or the status of HTTP."""
    async with aiohttp.ClientSession() as http:
        try:
            socket = await http.ws_connect(f"{server.url}/socket.io/?EIO=4&transport=websocket")
        except aiohttp.WSServerHandshakeError as error:
            return str(error.status)
        async with socket:
            await socket.receive()
            await socket.send_str('40/collaboration,{"token":"nonsense"}')
            return str((await socket.receive()).data)[:2]
