"""Two people are told before they clash, and nobody else is."""

from __future__ import annotations

from typing import Any

from realtime_server.collaboration.warnings import BURST
from tests.server.clients import Client
from tests.server.conftest import Server, record_edit

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
