"""Presence as the others see it: who comes, who goes, who does what."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from realtime_server.core.roles import Role
from realtime_server.presence.members import Seat
from tests.server.clients import NAMESPACE, Client
from tests.server.conftest import JsConnect, Server, StartServer, record_edit, token_of


def _presence(client: Client, user: str) -> list[str]:
    return [item["message_type"] for item in client.envelopes("presence") if item["data"]["user_id"] == user]


async def _members(client: Client) -> dict[str, Any]:
    return {member["user_id"]: member for member in (await client.done("join"))["members"]}


async def test_coming_and_going_is_told(server: Server) -> None:
    alice = await server.member("alice")
    bob = await server.member("bob")
    joined = await alice.hears("presence.joined", user_id="bob")
    assert joined["data"]["status"] == "active"
    assert joined["data"]["role"] == "preparer"
    assert joined["session_id"] == "s1"
    assert "seq" not in joined
    await bob.close()
    left = await alice.hears("presence.left", user_id="bob")
    assert left["data"] == {"user_id": "bob", "name": "Bob"}


async def test_two_tabs_are_one_entry(server: Server) -> None:
    rita = await server.member("rita")
    first, second = await server.member("alice"), await server.member("alice")
    await rita.hears("presence.updated", user_id="alice", connections=2)
    assert (await _members(rita))["alice"]["connections"] == 2
    await first.close()
    await rita.hears("presence.updated", user_id="alice", connections=1)
    assert "presence.left" not in _presence(rita, "alice")
    await second.close()
    await rita.hears("presence.left", user_id="alice")


async def test_what_a_person_does_is_told_and_kept(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    await bob.done("presence", activity="reviewing", focus={"record_id": "r1", "field_name": "amount"})
    told = await alice.hears("presence.updated", user_id="bob", activity="reviewing")
    assert told["data"]["focus"] == {"record_id": "r1", "field_name": "amount"}
    await bob.done("presence", status="idle")
    told = await alice.hears("presence.updated", user_id="bob", status="idle")
    assert told["data"]["activity"] == "reviewing"
    await bob.done("presence", focus=None)
    await alice.hears("presence.updated", user_id="bob", focus=None, status="idle")
    assert (await _members(alice))["bob"]["activity"] == "reviewing"


async def test_a_person_is_active_while_one_of_their_tabs_is(server: Server) -> None:
    rita = await server.member("rita")
    first, second = await server.member("alice"), await server.member("alice")
    await first.done("presence", status="idle")
    assert (await _members(rita))["alice"]["status"] == "active"
    await second.done("presence", status="idle")
    assert (await _members(rita))["alice"]["status"] == "idle"


async def test_a_flood_of_updates_is_told_as_a_few_and_the_last_one_is_among_them(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    for number in range(200):
        await bob.done("presence", activity=f"step {number}")
    await alice.hears("presence.updated", activity="step 199")
    assert len(_presence(alice, "bob")) < 100


@pytest.mark.parametrize(
    "request_",
    [{"activity": "x" * 101}, {"focus": {"record_id": "r" * 201}}, {"focus": {"other": 1}}, {"status": "away"}],
)
async def test_what_a_person_says_of_themselves_is_bounded(server: Server, request_: dict[str, Any]) -> None:
    alice = await server.member("alice")
    assert (await alice.refused("presence", **request_))["code"] == "invalid"


async def test_a_lost_client_is_seen_to_be_gone(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    await bob.cut()
    await alice.hears("presence.left", user_id="bob")


async def test_a_client_that_has_fallen_silent_is_gone_when_its_ping_has_timed_out(start_server: StartServer) -> None:
    """The time for which it was silent is the time for which it was waited for: nothing is added to it."""
    server = await start_server(WS_PING_INTERVAL="1", WS_PING_TIMEOUT="1", COLLABORATION_PRESENCE_GRACE="300")
    await server.create_session()
    alice = await server.member("alice")
    address = f"{server.url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as http, http.ws_connect(address) as silent:
        await silent.send_str(f"40{NAMESPACE}," + json.dumps({"token": token_of("bob")}))
        await silent.send_str(f'42{NAMESPACE},1["join",{{"session_id":"s1"}}]')
        await alice.hears("presence.joined", user_id="bob")
        # It answers no ping.
        await alice.hears("presence.left", user_id="bob")


async def test_who_is_back_within_the_grace_time_was_never_gone(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    await bob.done("presence", activity="reviewing")
    await bob.cut()
    await bob.until(lambda: bob.ended)
    back = await server.member("bob")
    members = await _members(alice)
    assert (members["bob"]["activity"], members["bob"]["connections"]) == ("reviewing", 1)
    await back.close()
    await alice.hears("presence.left", user_id="bob")
    kinds = _presence(alice, "bob")
    assert kinds.count("presence.joined") == kinds.count("presence.left") == 1


async def test_a_javascript_client_that_reconnects_by_itself_is_not_seen_to_leave(
    server: Server, js_client: JsConnect
) -> None:
    alice = await js_client("alice")
    await alice.done("join")
    bob = await js_client("bob")
    await bob.done("join")
    await alice.hears("presence.joined", user_id="bob")
    await bob.cut()
    await bob.until(lambda: bob.ended)
    await bob.resume()
    await bob.done("join")
    await bob.close()
    await alice.hears("presence.left", user_id="bob")
    kinds = _presence(alice, "bob")
    assert kinds.count("presence.joined") == kinds.count("presence.left") == 1


async def test_locks_of_somebody_who_went_away_are_given_back(start_server: StartServer) -> None:
    server = await start_server(COLLABORATION_LOCK_GRACE="0.2")
    await server.create_session()
    alice, bob = await server.member("alice"), await server.member("bob")
    lock = await bob.done("lock", record_id="r1")
    other = await bob.done("lock", record_id="r2")
    await bob.close()
    told = await alice.hears("lock.released", token=lock["token"])
    assert (told["data"]["cause"], told["user_id"]) == ("holder_gone", "system")
    await alice.hears("lock.released", token=other["token"])
    assert (await alice.done("edit", **record_edit("e1", "rent")))["status"] == "applied"


async def test_locks_of_somebody_who_came_back_in_time_stay(start_server: StartServer) -> None:
    server = await start_server(COLLABORATION_LOCK_GRACE="0.3")
    await server.create_session()
    alice, bob, rita = [await server.member(user) for user in ("alice", "bob", "rita")]
    kept = await bob.done("lock", record_id="r1")
    lost = await rita.done("lock", record_id="r2")
    await bob.close()
    await alice.hears("presence.left", user_id="bob")
    back = await server.member("bob")
    await rita.close()
    # Both grace times are over once the later one is.
    await alice.hears("lock.released", token=lost["token"])
    assert (await back.done("edit", **record_edit("e1", "rent", lock_token=kept["token"])))["status"] == "applied"


async def test_locks_stay_while_another_tab_of_their_holder_is_there(start_server: StartServer) -> None:
    server = await start_server(COLLABORATION_LOCK_GRACE="0.1")
    await server.create_session()
    alice, first, second, rita = [await server.member(user) for user in ("alice", "bob", "bob", "rita")]
    kept = await first.done("lock", record_id="r1")
    lost = await rita.done("lock", record_id="r2")
    await first.close()
    await rita.close()
    await alice.hears("lock.released", token=lost["token"])
    assert (await second.done("renew", record_id="r1", token=kept["token"]))["token"] == kept["token"]


async def test_the_lock_of_somebody_who_only_said_over_http_what_they_do_ends_with_its_lease(
    start_server: StartServer,
) -> None:
    server = await start_server(COLLABORATION_LOCK_GRACE="0.1")
    await server.create_session()
    alice, rita = await server.member("alice"), await server.member("rita")
    lost = await rita.done("lock", record_id="r2")
    path = f"{server.url}/api/collaboration/sessions/s1"
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token_of('bob')}"}) as http:
        async with http.post(f"{path}/records/r1/lock", json={}) as locked:
            assert locked.status == 200, await locked.text()
            kept = (await locked.json())["token"]
        async with http.post(f"{path}/users/bob/activity", json={"activity": "reviewing"}) as said:
            assert said.status == 200, await said.text()
        await alice.hears("presence.joined", user_id="bob")
        # Another request takes the place of this one, and its minute is over at once.
        seat = Seat("again", "bob", "Bob", Role.PREPARER, 0, "rest", connected=False)
        await server.services.presence.enter("s1", seat, 10)
        await server.services.presence.leave("s1", "again")
        await alice.hears("presence.left", user_id="bob")
        await rita.close()
        # Both grace times are over once the later one is.
        await alice.hears("lock.released", token=lost["token"])
        async with http.post(f"{path}/records/r1/unlock", json={"token": kept}) as released:
            assert released.status == 200, await released.text()
