"""One client's trouble is its own."""

from __future__ import annotations

import asyncio
import socket

from tests.server.clients import PythonClient
from tests.server.conftest import Server, StartServer, record_edit, token_of


async def test_a_client_that_does_not_read_is_dropped_and_holds_up_nobody(start_server: StartServer) -> None:
    server = await start_server(WS_RATE_BURST="100000", COLLABORATION_USER_RATE="0", COLLABORATION_SESSION_RATE="0")
    await server.create_session()
    alice, bob = await server.member("alice"), await server.member("bob")
    deaf = await server.member("rita")
    transport = deaf._socket.eio.ws._response.connection.transport
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    transport.pause_reading()
    await server.create_session("s2", records=0)
    for round_ in range(400):
        if any(item["data"]["user_id"] == "rita" for item in alice.envelopes("presence.left")):
            break
        seq = (await server.services.engine.state("s1")).seq
        edits = [
            {"record_id": "r1", "field_name": f"f{number}", "new_value": f"{round_} " * 700, "base_version": seq}
            for number in range(12)
        ]
        await alice.done("edit_batch", edit_id=f"b{round_}", edits=edits)
    await alice.hears("presence.left", user_id="rita")
    await bob.hears_seq((await server.services.engine.state("s1")).seq)
    transport.abort()


async def test_a_client_that_breaks_the_protocol_is_dropped_and_holds_up_nobody(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    await bob._socket.eio.ws.send_str("4nonsense")
    await bob.until(lambda: bob.ended)
    await alice.hears("presence.left", user_id="bob")
    assert (await alice.done("edit", **record_edit("e1", "rent")))["status"] == "applied"


async def test_a_fault_of_ours_is_answered_as_internal_and_nobody_else_notices(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")

    async def broken(session_id: str, since: int) -> object:
        raise RuntimeError("a secret")

    server.services.engine.replay = broken  # type: ignore[method-assign,assignment]
    error = await alice.refused("sync", since=0)
    assert (error["code"], error["retryable"]) == ("internal", True)
    assert "secret" not in str(error)
    ack = await alice.done("edit", **record_edit("e1", "rent"))
    await bob.hears_seq(ack["seq"])


async def test_a_client_that_goes_away_in_the_middle_of_everything_leaves_nothing_behind(server: Server) -> None:
    alice = await server.member("alice")
    for number in range(5):
        client = PythonClient()
        await client.connect(server.url, {"token": token_of("bob")})
        join = asyncio.create_task(client.ask("join"))
        edits = [asyncio.create_task(client.ask("edit", **record_edit(f"{number}{n}", f"{n}"))) for n in range(5)]
        await asyncio.sleep(0)
        await client.cut()
        for task in (join, *edits):
            task.cancel()
        await asyncio.gather(join, *edits, return_exceptions=True)
        await client.close()
    picture = await alice.done("join")
    if len(picture["members"]) > 1:
        await alice.hears("presence.left", user_id="bob")
        picture = await alice.done("join")
    assert [member["user_id"] for member in picture["members"]] == ["alice"]
