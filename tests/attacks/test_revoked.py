"""Tokens revoked and roles removed while their holder is connected: refused, and not an event more."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import jwt
import pytest
from click.testing import CliRunner

from realtime_server.ports import Revocation
from realtime_server.revoke_command import revoke_command
from tests.attacks.conftest import Bystanders, bearer
from tests.server.clients import NotConnected, PythonClient
from tests.server.conftest import SECRET, Server, StartServer, record_edit, token_of

REVOKE = "/api/collaboration/projects/{}/users/{}/revoke"


async def revoke(
    http: aiohttp.ClientSession, server: Server, user: str, by: str = "adam", project: str = "p1", **body: Any
) -> tuple[int, dict[str, Any]]:
    url = server.url + REVOKE.format(project, user)
    async with http.post(url, json=body, headers=bearer(token_of(by))) as response:
        return response.status, await response.json(content_type=None)


async def test_whose_role_an_admin_removes_leaves_the_sessions_at_once_and_hears_nothing_more(
    server: Server, bystanders: Bystanders, http: aiohttp.ClientSession
) -> None:
    mallory, bob = await server.member("mallory"), await server.member("bob")
    tabs = [mallory, await server.member("mallory", envelope="message")]
    status, answer = await revoke(http, server, "mallory", reason="left the firm")
    assert (status, answer["user_id"], answer["project_id"]) == (200, "mallory", "p1")
    for tab in tabs:
        await tab.hears("notification.access_revoked")
    await bob.hears("presence.left", user_id="mallory")
    told = [len(tab.told) for tab in tabs]
    ack = await bob.done("edit", **record_edit("e1", "secret"))
    await bob.hears_seq(ack["seq"])
    for tab in tabs:
        assert (await tab.refused("edit", **record_edit("e2", "mine")))["code"] == "not_joined"
        assert (await tab.refused("sync", since=0))["code"] == "not_joined"
        assert (await tab.refused("join"))["code"] == "not_found"
    assert [len(tab.told) for tab in tabs] == told
    async with http.get(f"{server.url}/api/collaboration/sessions/s1", headers=bearer(token_of("mallory"))) as response:
        assert response.status == 404


async def test_whose_role_was_removed_is_not_warned_of_what_others_do_there(server: Server) -> None:
    mallory, bob = await server.member("mallory"), await server.member("bob")
    await mallory.done("edit", **record_edit("e1", "11.00", field="amount"))
    await server.services.revocations.revoke("mallory", "p1", "adam")
    await mallory.hears("notification.access_revoked")
    await bob.hears("presence.left", user_id="mallory")
    told = len(mallory.told)
    await bob.done("presence", focus={"record_id": "r1", "field_name": "amount"}, activity="editing")
    await bob.hears("presence.overlap", cause="unreviewed_change")
    await mallory.refused("sync", since=0)  # answered after all that was told before
    assert len(mallory.told) == told
    await bob.done("leave")
    assert server.collaboration.attendance._warnings._here == {}


async def test_who_is_revoked_everywhere_is_told_closed_and_cannot_come_back(
    server: Server, bystanders: Bystanders
) -> None:
    mallory, bob = await server.member("mallory"), await server.member("bob")
    await server.services.revocations.revoke("mallory", None, "system")
    await mallory.hears("notification.access_revoked")
    await mallory.until(lambda: mallory.ended)
    await bob.hears("presence.left", user_id="mallory")
    with pytest.raises(NotConnected) as refusal:
        await PythonClient().connect(server.url, {"token": token_of("mallory")})
    assert refusal.value.data["data"]["code"] == "unauthenticated"


async def test_other_processes_hear_of_it_from_the_database(start_server: StartServer) -> None:
    here = await start_server(AUTH_REVOCATION_INTERVAL="0.1")
    there = await start_server(AUTH_REVOCATION_INTERVAL="0.1")
    await here.create_session()
    mallory = await there.member("mallory")
    await here.services.revocations.revoke("mallory", "p1", "adam")
    await mallory.hears("notification.access_revoked")
    assert (await mallory.refused("join"))["code"] == "not_found"


async def test_an_operator_revokes_by_command(
    start_server: StartServer, mongodb_url: str, database_name: str
) -> None:
    server = await start_server(AUTH_REVOCATION_INTERVAL="0.1")
    await server.create_session()
    mallory = await server.member("mallory")
    environment = {"MONGODB_URL": mongodb_url, "MONGODB_DATABASE": database_name}
    arguments = ["--user", "mallory", "--reason", "lost laptop"]
    result = await asyncio.to_thread(CliRunner(env=environment).invoke, revoke_command, arguments)
    assert result.exit_code == 0, result.output
    assert "every project" in result.output
    await mallory.until(lambda: mallory.ended)


async def test_only_an_admin_of_the_project_revokes_and_nobody_learns_which_projects_there_are(
    server: Server, bystanders: Bystanders, http: aiohttp.ClientSession
) -> None:
    bob = await server.member("bob")
    for by in ("alice", "rita", "paul", "audrey"):
        status, problem = await revoke(http, server, "bob", by)
        assert (status, problem["code"]) == (403, "forbidden")
    for project in ("p9", "nowhere"):
        status, problem = await revoke(http, server, "carol", project=project)
        assert (status, problem["code"]) == (404, "not_found")
    assert (await bob.done("edit", **record_edit("e1", "rent")))["status"] == "applied"


@pytest.mark.parametrize("user", ["$where", "__proto__", "a.b", "constructor", "%7B%22$ne%22:1%7D", "o'hara \"x\""])
async def test_a_name_that_looks_like_an_operator_revokes_that_name_and_nobody_else(
    server: Server, bystanders: Bystanders, http: aiohttp.ClientSession, user: str
) -> None:
    bob = await server.member("bob")
    status, _ = await revoke(http, server, user)
    assert status == 200
    await server.services.revocations.refresh()
    assert (await bob.done("edit", **record_edit("e1", "rent")))["status"] == "applied"


async def test_a_newer_token_brings_the_role_back_on_the_open_connection(server: Server) -> None:
    old = token_of("alice")
    alice = await server.member("alice")
    now = int(time.time())
    server.services.revocations.learn(Revocation("alice", "p1", now + 1, "adam"))
    await alice.hears("notification.access_revoked")
    await alice.done("authenticate", None, token=old)
    assert (await alice.refused("join"))["code"] == "not_found"
    # Of an issuer whose clock is a little ahead, so that nobody has to wait for the next second.
    claims = {"sub": "alice", "iat": now + 4, "exp": now + 600, "projects": {"p1": "preparer"}}
    await alice.done("authenticate", None, token=jwt.encode(claims, SECRET, "HS256"))
    assert (await alice.done("join"))["role"] == "preparer"


async def test_a_join_under_way_gives_nothing_to_somebody_whose_role_goes_meanwhile(server: Server) -> None:
    mallory, bob = await server.client("mallory"), await server.member("bob")
    presence = server.services.presence
    entering, release = asyncio.Event(), asyncio.Event()
    enter = presence.enter

    async def slow(*arguments: Any) -> None:
        entering.set()
        await release.wait()
        await enter(*arguments)

    presence.enter = slow  # type: ignore[method-assign]
    joining = asyncio.create_task(mallory.refused("join"))
    await entering.wait()
    await server.services.revocations.revoke("mallory", "p1", "adam")
    release.set()
    assert (await joining)["code"] == "not_found"
    presence.enter = enter  # type: ignore[method-assign]
    ack = await bob.done("edit", **record_edit("e1", "secret"))
    await bob.hears_seq(ack["seq"])
    assert (await mallory.refused("leave"))["code"] == "not_joined"
    assert not mallory.envelopes("edit")
    assert [member["user_id"] for member in (await bob.done("join"))["members"]] == ["bob"]


async def test_what_a_token_allowed_ends_with_it_even_when_its_timer_never_ran(server: Server) -> None:
    """A machine that slept, or a clock that was set: the timers of the event loop know nothing of it."""
    mallory = await server.member(token=token_of("mallory", ttl=600))
    later = int(time.time() * 1000) + 700_000
    server.collaboration.admission._clock = lambda: later
    server.collaboration.recheck()
    await mallory.hears("notification.token_expired")
    await mallory.until(lambda: mallory.ended)


async def test_one_persons_connections_are_closed_on_demand(server: Server, bystanders: Bystanders) -> None:
    tabs = [await server.member("mallory") for _ in range(3)]
    bob = await server.member("bob")
    assert server.collaboration.disconnect_user("mallory") == 3
    assert server.collaboration.disconnect_user("mallory") == 0
    assert server.collaboration.disconnect_user("nobody") == 0
    for tab in tabs:
        await tab.until(lambda tab=tab: tab.ended)
    await bob.hears("presence.left", user_id="mallory")
    assert await server.member("mallory")  # closed, not revoked

