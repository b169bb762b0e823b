"""Notifications over the socket: live to those whom they concern, and at the next join."""

from __future__ import annotations

import asyncio

from tests.server.clients import Client
from tests.server.conftest import Server


def heard(client: Client) -> list[str]:
    return [kind for _, payload in client.told if (kind := payload["message_type"]).startswith("notification.")]


async def test_a_mention_is_told_live_to_every_tab_of_that_person_and_to_nobody_else(server: Server) -> None:
    alice, bob, carol = await server.member("alice"), await server.member("bob"), await server.member("carol")
    tab = await server.member("bob")
    made = await alice.done("comment", text="look", mentions=["bob"])
    for client in (bob, tab):
        notice = await client.hears("notification.mentioned", comment_id=made["comment_id"])
        assert notice["data"]["seq"] == made["seq"]
        assert notice["user_id"] == "alice"
        assert "seq" not in notice
    # A notification of their own comes after anything that was on its way to them.
    await bob.done("comment", text="both of you", mentions=["alice", "carol"])
    for client in (alice, carol):
        await client.hears("notification.mentioned", text="both of you")
        assert heard(client) == ["notification.mentioned"]


async def test_what_was_missed_is_there_at_the_next_join(server: Server) -> None:
    alice = await server.member("alice")
    for number in range(23):
        await alice.done("comment", text=f"{number}", mentions=["bob"])
    witness = await server.member("bob")
    # Kept beside the comments: they are all there when the last one is.
    async with asyncio.timeout(10):
        while (missed := (await witness.done("join"))["notifications"])["unread"] < 23:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
    assert [item["text"] for item in missed["items"]] == [str(number) for number in range(22, 2, -1)]
    assert (await alice.done("join"))["notifications"] == {"unread": 0, "items": []}


async def test_the_difference_is_known_over_the_socket_and_follows_every_edit(server: Server) -> None:
    alice = await server.member("alice")
    status = await alice.done("reconciliation_status")
    assert (status["records"], status["difference"]) == (3, {"EUR": "30.00"})
    edit = {"record_id": "r1", "field_name": "amount", "new_value": "12.50", "base_version": 0, "edit_id": "e1"}
    await alice.done("edit", **edit)
    assert (await alice.done("reconciliation_status"))["difference"] == {"EUR": "32.50"}
    await alice.done("edit", **{**edit, "field_name": "currency", "new_value": "GBP", "edit_id": "e2"})
    assert (await alice.done("reconciliation_status"))["difference"] == {"EUR": "20.00", "GBP": "12.50"}
    await alice.done("undo")
    await alice.done("undo")
    assert (await alice.done("reconciliation_status"))["difference"] == {"EUR": "30.00", "GBP": "0.00"}


async def test_rules_that_cannot_be_are_named_by_place_and_field(server: Server) -> None:
    alice = await server.member("alice")
    good = {"rule_id": "exact", "name": "Exact", "kind": "pair"}
    tolerant = {"rule_id": "sum", "name": "Sums", "kind": "sum", "amount_tolerance": 5}
    error = await alice.refused("rules_set", rules=[good, tolerant, good], base_version=0)
    assert error["details"]["fields"] == {
        "rules.1.amount_tolerance": ["a rule of kind sum is exact: with a tolerance, anything adds up"],
        "rules.2.rule_id": ["rule 1 is called exact already"],
    }
    error = await alice.refused("rules_set", rules=[good, {**good, "min_score": 2}], base_version=0)
    assert list(error["details"]["fields"]) == ["rules.1.min_score"]
