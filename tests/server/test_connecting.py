"""Tokens at the door and on the open connection."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from realtime_server.core.roles import Role
from tests.server.clients import NotConnected, PythonClient
from tests.server.conftest import SECRET, JsConnect, Server, StartServer, record_edit, token_of


def _claims(**claims: Any) -> str:
    return jwt.encode({"exp": 4_000_000_000, "projects": {"p1": "admin"}, **claims}, SECRET, algorithm="HS256")


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        (None, "unauthenticated"),
        ({}, "unauthenticated"),
        ({"token": "nonsense"}, "unauthenticated"),
        ({"token": 5}, "invalid"),
        ({"token": token_of("alice"), "envelope": "other"}, "invalid"),
        ({"token": token_of("alice"), "unknown": 1}, "invalid"),
        ({"token": token_of("alice", ttl=-60)}, "token_expired"),
        ({"token": jwt.encode({"sub": "alice", "exp": 4_000_000_000}, "x" * 32, algorithm="HS256")}, "unauthenticated"),
        ({"token": jwt.encode({"sub": "alice", "exp": 4_000_000_000}, None, algorithm="none")}, "unauthenticated"),
        ({"token": _claims(sub="system")}, "unauthenticated"),
        ({"token": _claims(sub="system/gone")}, "unauthenticated"),
    ],
)
async def test_a_bad_token_is_refused_with_a_code(server: Server, auth: Any, code: str) -> None:
    client = PythonClient()
    with pytest.raises(NotConnected) as refusal:
        await client.connect(server.url, auth)
    assert refusal.value.data["data"]["code"] == code


async def test_a_token_that_has_just_expired_opens_no_connection_that_would_be_closed_at_once(server: Server) -> None:
    client, alice = PythonClient(), await server.member("alice")
    # Within what clocks may differ, so that REST takes it still.
    just_expired = token_of("alice", ttl=-1)
    with pytest.raises(NotConnected) as refusal:
        await client.connect(server.url, {"token": just_expired})
    assert refusal.value.data["data"]["code"] == "token_expired"
    assert (await alice.refused("authenticate", None, token=just_expired))["code"] == "token_expired"
    assert (await alice.done("edit", **record_edit("e1", "rent")))["status"] == "applied"


async def test_javascript_sees_the_code_in_the_data_of_the_error(js_client: JsConnect) -> None:
    with pytest.raises(NotConnected) as refusal:
        await js_client("alice", token="nonsense")
    assert refusal.value.data["data"]["code"] == "unauthenticated"
    assert refusal.value.data["message"]


async def test_a_token_in_the_authorization_header_is_as_good(server: Server) -> None:
    client = PythonClient()
    await client.connect(server.url, None, headers={"Authorization": f"Bearer {token_of('alice')}"})
    server.keep(client)
    assert (await client.done("join"))["role"] == "preparer"


async def test_clients_are_served_on_the_second_path_too(start_server: StartServer) -> None:
    server = await start_server(WS_PATH="/live")
    await server.create_session()
    client = PythonClient()
    await client.connect(server.url, {"token": token_of("alice")}, socketio_path="/live")
    server.keep(client)
    await client.done("join")


async def test_long_polling_clients_are_served_as_well(server: Server) -> None:
    client = PythonClient()
    await client.connect(server.url, {"token": token_of("alice")}, transports=["polling"])
    server.keep(client)
    await client.done("join")
    ack = await client.done("edit", **record_edit("e1", "rent"))
    await client.hears_seq(ack["seq"])


async def test_a_new_token_gives_the_new_role_at_once(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    assert (await alice.refused("takeover", record_id="r1", reason="x"))["code"] == "forbidden"
    await alice.done("authenticate", None, token=token_of("alice", Role.REVIEWER))
    assert (await alice.refused("takeover", record_id="r1", reason="x"))["code"] == "lock_not_held"
    assert (await alice.refused("edit", **record_edit("e1", "rent")))["code"] == "forbidden"
    assert (await bob.hears("presence.updated", user_id="alice"))["data"]["role"] == "reviewer"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("nonsense", "unauthenticated"),
        (token_of("alice", ttl=-60), "token_expired"),
        (token_of("bob"), "unauthenticated"),
    ],
)
async def test_a_bad_new_token_changes_nothing(server: Server, token: str, code: str) -> None:
    alice = await server.member("alice")
    assert (await alice.refused("authenticate", None, token=token))["code"] == code
    assert (await alice.done("edit", **record_edit("e1", "rent")))["status"] == "applied"


async def test_a_new_token_that_leaves_a_project_out_ends_its_sessions(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    await alice.done("authenticate", None, token=token_of("alice", project="p2"))
    await alice.hears("notification.access_revoked")
    await bob.hears("presence.left", user_id="alice")
    assert (await alice.refused("edit", **record_edit("e1", "rent")))["code"] == "not_joined"
    assert (await alice.refused("join"))["code"] == "not_found"
    await bob.done("edit", **record_edit("e1", "rent"))
    await bob.hears("edit.applied")
    assert not alice.envelopes("edit")


async def test_a_client_is_warned_before_its_token_expires(server: Server) -> None:
    client = await server.client(token=token_of("alice", ttl=30))
    warning = await client.hears("notification.token_expiring")
    assert warning["session_id"] is None
    assert warning["user_id"] == "alice"


async def test_a_client_whose_token_has_expired_is_told_and_disconnected(server: Server) -> None:
    client = await server.client(token=token_of("alice", ttl=2))
    await client.hears("notification.token_expired")
    await client.until(lambda: client.ended)


async def test_a_refreshed_client_stays(server: Server) -> None:
    first = await server.client(token=token_of("alice", ttl=2))
    second = await server.client(token=token_of("bob", ttl=2))
    answer = await first.done("authenticate", None, token=token_of("alice", ttl=3600))
    assert answer["expires_at"] > "2026"
    await second.until(lambda: second.ended)
    await first.done("join")
    assert first.ended is None


async def test_a_token_that_never_expires_is_taken(server: Server) -> None:
    for expiry in (10**12, 10**18):
        client = await server.client(token=_claims(sub="alice", exp=expiry))
        answer = await client.done("authenticate", None, token=_claims(sub="alice", exp=expiry))
        assert answer["expires_at"].startswith("9999")
        assert client.ended is None


async def test_expiry_closes_javascript_clients_for_good(js_client: JsConnect) -> None:
    client = await js_client(token=token_of("alice", ttl=2), options={"reconnection": True})
    assert await client.until(lambda: client.ended) == "io server disconnect"
