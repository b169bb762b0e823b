"""Two people are told before they clash, and nobody else is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from realtime_server.collaboration.warnings import BURST
from tests.redis_server import running_redis
from tests.server.clients import Client
from tests.server.conftest import Server, StartServer, record_edit

AMOUNT = {"record_id": "r1", "field_name": "amount"}


def _warnings(client: Client) -> list[dict[str, Any]]:
    return [item["data"] for item in client.envelopes("presence") if item["message_type"] == "presence.overlap"]


async def test_two_who_come_to_one_field_are_both_told_and_nobody_else(server: Server) -> None:
    alice, bob, rita = [await server.member(name) for name in ("alice", "bob", "rita")]
    await alice.done("presence", focus=AMOUNT, activity="editing")
    await bob.done("presence", focus=AMOUNT)
    for client in (alice, bob):
        told = await client.hears("presence.overlap", cause="same_field")
        assert told["user_id"] == "bob"
        assert [(item["user_id"], item["doing"]) for item in told["data"]["people"]] == [
            ("alice", "editing"),
            ("bob", "looking"),
        ]
    await rita.hears("presence.updated", user_id="bob", focus=AMOUNT)
    assert _warnings(rita) == []


async def test_whoever_comes_to_a_field_with_an_unsent_change_is_told(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    await alice.done("presence", drafts=[AMOUNT])
    shown = await bob.hears("presence.updated", user_id="alice", drafts=[AMOUNT])
    assert shown["data"]["focus"] is None
    await bob.done("presence", focus=AMOUNT)
    for client in (alice, bob):
        await client.hears("presence.overlap", cause="unsent_change")
    await alice.done("presence", drafts=None)
    told = await bob.hears("presence.updated", user_id="alice", connections=1)
    assert told["data"]["user_id"] == "alice"


async def test_whoever_starts_on_what_another_has_changed_is_told_and_so_is_the_other(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    done = await alice.done("edit", **record_edit("a1", "11.00", field="amount"))
    await bob.done("presence", focus=AMOUNT)
    await bob.done("presence", activity="editing")
    for client in (alice, bob):
        told = await client.hears("presence.overlap", cause="unreviewed_change", version=done["version"])
        assert [item["doing"] for item in told["data"]["people"]] == ["changed", "editing"]


async def test_whoever_starts_on_a_field_in_conflict_is_told_which(server: Server) -> None:
    alice, bob, ada = [await server.member(name) for name in ("alice", "bob", "ada")]
    await alice.done("edit", **record_edit("a1", "11.00", field="amount"))
    clash = await bob.done("edit", **record_edit("b1", "12.00", field="amount"))
    await ada.done("presence", drafts=[AMOUNT])
    for client in (alice, bob, ada):
        told = await client.hears("presence.overlap", cause="open_conflict", conflict_id=clash["conflict_id"])
        assert {item["user_id"] for item in told["data"]["people"]} == {"alice", "bob", "ada"}


async def test_ones_own_change_is_no_reason_to_warn(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    await alice.done("edit", **record_edit("a1", "11.00", field="amount"))
    await alice.done("presence", focus=AMOUNT, activity="editing")
    await alice.done("presence", focus={**AMOUNT, "field_name": "date"}, drafts=[{**AMOUNT, "field_name": "notes"}])
    await bob.done("presence", focus={**AMOUNT, "field_name": "notes"})
    await alice.hears("presence.overlap", cause="unsent_change", field_name="notes")
    assert [item["cause"] for item in _warnings(alice)] == ["unsent_change"]


async def test_warnings_to_one_person_are_bounded(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    fields = [f"field{number}" for number in range(20)]
    drafts = [{"record_id": "r1", "field_name": name} for name in fields]
    await alice.done("presence", drafts=drafts)
    await bob.hears("presence.updated", user_id="alice", drafts=drafts)
    await bob.done("presence", drafts=drafts)
    await bob.hears("presence.overlap", cause="unsent_change")
    await bob.done("sync", since=0)  # answered after all that was told before
    assert 1 <= len(_warnings(bob)) <= BURST


@pytest.fixture
async def instances(start_server: StartServer) -> AsyncIterator[tuple[Server, Server]]:
    """Two servers with a Redis between them, and a session ``s1``."""
    async with running_redis() as redis:
        first, second = [await start_server(REDIS_URL=redis.url) for _ in range(2)]
        await first.create_session()
        yield first, second


def _people(told: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(item["user_id"], item["name"], item["doing"]) for item in told["data"]["people"]]


@pytest.mark.parametrize(
    ("said", "cause", "doing"),
    [
        ({"focus": AMOUNT, "activity": "editing"}, "same_field", "editing"),
        ({"drafts": [AMOUNT]}, "unsent_change", "unsent"),
    ],
)
async def test_who_was_there_first_at_another_instance_is_known_to_whoever_comes_later(
    instances: tuple[Server, Server], said: dict[str, Any], cause: str, doing: str
) -> None:
    first, second = instances
    alice = await first.member("alice")
    await alice.done("presence", **said)
    # Nobody has been in the session at the second instance until now.
    bob = await second.member("bob")
    await bob.done("presence", focus=AMOUNT)
    for client in (alice, bob):
        told = await client.hears("presence.overlap", cause=cause)
        assert told["user_id"] == "bob"
        assert _people(told) == [("alice", "Alice", doing), ("bob", "Bob", "looking")]


async def test_who_has_gone_from_another_instance_or_sent_their_change_is_not_in_anybodys_way(
    instances: tuple[Server, Server],
) -> None:
    first, second = instances
    alice, paul = await first.member("alice"), await first.member("paul")
    await alice.done("presence", focus=AMOUNT)
    await paul.done("presence", drafts=[AMOUNT])
    bob, rita = await second.member("bob"), await second.member("rita")
    await alice.done("leave", "s1")
    await paul.done("presence", drafts=None)
    for client in (bob, rita):
        await client.hears("presence.left", user_id="alice")
        await client.hears("presence.updated", user_id="paul")
    await bob.done("presence", focus=AMOUNT)
    await rita.done("presence", focus=AMOUNT)
    told = await bob.hears("presence.overlap")
    assert [user_id for user_id, _, _ in _people(told)] == ["bob", "rita"]
    assert _warnings(alice) == _warnings(paul) == []
