"""Every event of the contract that the engine decides: fulfilled, told to everybody, and refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.conftest import Server, record_edit


async def test_an_edit_is_acknowledged_and_told_to_everybody_including_its_author(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    ack = await alice.done("edit", **record_edit("e1", "rent", edit_reason="typo"))
    assert (ack["status"], ack["version"], ack["value"]) == ("applied", ack["seq"], "rent")
    told = await bob.hears("edit.applied", edit_id="e1")
    assert told["seq"] == ack["seq"]
    assert told["user_id"] == "alice"
    assert told["data"]["old_value"] == "paid by the customer in May"
    assert told["data"]["edit_reason"] == "typo"
    assert await alice.hears("edit.applied", edit_id="e1") == told


async def test_the_same_edit_again_gets_the_first_answer_and_is_told_once(server: Server) -> None:
    alice = await server.member("alice")
    first = await alice.done("edit", **record_edit("e1", "rent"))
    assert await alice.done("edit", **record_edit("e1", "rent")) == first
    other = await alice.done("edit", **record_edit("e2", "hire", record="r2"))
    await alice.hears_seq(other["seq"])
    assert len(alice.envelopes("edit.applied")) == 2


async def test_an_edit_of_an_older_version_with_the_same_value_changes_nothing(server: Server) -> None:
    alice = await server.member("alice")
    await alice.done("edit", **record_edit("e1", "rent"))
    ack = await alice.done("edit", **record_edit("e2", "rent"))
    assert ack["status"] == "unchanged"


async def test_texts_changed_in_different_words_are_merged(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    await alice.done("edit", **record_edit("e1", "paid by the tenant in May"))
    ack = await bob.done("edit", **record_edit("e2", "paid by the customer in June"))
    assert (ack["status"], ack["value"]) == ("merged", "paid by the tenant in June")
    told = await alice.hears("edit.merged")
    assert told["data"]["submitted_value"] == "paid by the customer in June"


async def test_a_clash_on_money_becomes_a_conflict_that_grows_and_is_resolved(server: Server) -> None:
    alice, bob, rita = [await server.member(user) for user in ("alice", "bob", "rita")]
    await alice.done("edit", **record_edit("e1", "11.00", field="amount"))
    clash = await bob.done("edit", **record_edit("e2", "12.00", field="amount"))
    assert clash["status"] == "conflict"
    conflict_id = clash["conflict_id"]
    detected = await rita.hears("conflict.detected")
    assert detected["data"]["current"]["value"] == "11.00"
    assert [item["value"] for item in detected["data"]["candidates"]] == ["12.00"]
    again = await alice.done("edit", **record_edit("e3", "13.00", field="amount", base=clash["version"]))
    assert (again["status"], again["conflict_id"]) == ("conflict", conflict_id)
    await rita.hears("conflict.extended", conflict_id=conflict_id)
    resolved = await rita.done("resolve", conflict_id=conflict_id, strategy="take_candidate", edit_id="e2")
    assert (resolved["value"], resolved["version"]) == ("12.00", resolved["seq"])
    told = await bob.hears("conflict.resolved", conflict_id=conflict_id)
    assert told["data"]["new_value"] == "12.00"
    error = await rita.refused("resolve", conflict_id=conflict_id, strategy="keep_current")
    assert error["code"] == "already_resolved"


@pytest.mark.parametrize(
    ("strategy", "more", "value"),
    [
        ("keep_current", {}, "11.00"),
        ("take_candidate", {}, "12.00"),
        ("custom", {"value": "14.00", "reason": "asked the bank"}, "14.00"),
    ],
)
async def test_every_strategy_of_a_resolution_sets_its_value(
    server: Server, strategy: str, more: dict[str, Any], value: str
) -> None:
    alice, rita = await server.member("alice"), await server.member("rita")
    await alice.done("edit", **record_edit("e1", "11.00", field="amount"))
    clash = await alice.done("edit", **record_edit("e2", "12.00", field="amount"))
    ack = await rita.done("resolve", conflict_id=clash["conflict_id"], strategy=strategy, **more)
    assert ack["value"] == value


async def test_a_batch_is_one_commit_and_all_or_nothing(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")

    def edits(*values: tuple[str, Any]) -> list[dict[str, Any]]:
        return [
            {"record_id": record, "field_name": "amount", "new_value": value, "base_version": 0}
            for record, value in values
        ]

    ack = await alice.done("edit_batch", edit_id="b1", edits=edits(("r1", "1.00"), ("r2", "2.00")))
    assert ack["versions"] == [ack["seq"], ack["seq"]]
    told = await bob.hears("edit.batch_applied")
    assert [item["record_id"] for item in told["data"]["edits"]] == ["r1", "r2"]
    error = await alice.refused("edit_batch", edit_id="b2", edits=edits(("r3", "3.00"), ("r1", "not money")))
    assert (error["code"], error["details"]["index"]) == ("invalid", 1)
    after = await alice.done("edit", **record_edit("e3", "4.00", record="r3", field="amount"))
    assert (after["status"], after["seq"]) == ("applied", ack["seq"] + 1)


async def test_a_batch_that_merges_tells_what_was_sent_and_what_came_of_it(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    await alice.done("edit", **record_edit("e1", "paid by the new customer in May"))
    mine = {"record_id": "r1", "field_name": "description", "new_value": "paid by the customer in June"}
    await bob.done("edit_batch", edit_id="b1", edits=[{**mine, "base_version": 0}])
    told = (await alice.hears("edit.batch_applied"))["data"]["edits"][0]
    assert told["submitted_value"] == "paid by the customer in June"
    assert told["new_value"] == "paid by the new customer in June"


async def test_another_request_under_a_used_id_is_invalid_and_changes_nothing(server: Server) -> None:
    alice = await server.member("alice")
    first = await alice.done("edit", **record_edit("e1", "rent"))
    others = [
        ("edit", record_edit("e1", "hire", base=first["seq"]), "edit_id"),
        ("edit", record_edit("e1", "rent", record="r2"), "edit_id"),
        ("edit_batch", {"edit_id": "e1", "edits": [record_edit("", "hire", record="r2")]}, "edit_id"),
        ("lock", {"record_id": "r1", "request_id": "e1"}, "request_id"),
        ("comment", {"text": "hello", "request_id": "e1"}, "request_id"),
        ("undo", {"request_id": "e1"}, "request_id"),
    ]
    for event, request, field in others:
        for item in request.get("edits", ()):
            del item["edit_id"]
        error = await alice.refused(event, **request)
        assert (error["code"], list(error["details"]["fields"])) == ("invalid", [field]), event
    assert await alice.done("edit", **record_edit("e1", "rent")) == first
    assert (await alice.done("sync", since=0))["seq"] == first["seq"]


async def test_a_lock_is_taken_renewed_and_given_back(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    taken = await alice.done("lock", record_id="r1", ttl=60)
    told = await bob.hears("lock.acquired", record_id="r1")
    assert told["data"]["holder"] == {"user_id": "alice", "name": "Alice"}
    assert (told["data"]["token"], told["data"]["expires_at"]) == (taken["token"], taken["expires_at"])
    error = await bob.refused("edit", **record_edit("e1", "rent"))
    assert error["code"] == "locked"
    assert error["retryable"]
    assert error["details"]["holder"]["user_id"] == "alice"
    renewed = await alice.done("renew", record_id="r1", token=taken["token"], ttl=120)
    assert renewed["token"] == taken["token"]
    assert renewed["expires_at"] > taken["expires_at"]
    await bob.hears("lock.renewed", token=taken["token"])
    given_back = await alice.done("unlock", record_id="r1", token=taken["token"])
    told = await bob.hears("lock.released", token=taken["token"])
    assert (told["seq"], told["timestamp"]) == (given_back["seq"], given_back["expires_at"])
    assert (await bob.done("edit", **record_edit("e2", "rent")))["status"] == "applied"
    error = await alice.refused("edit", **record_edit("e3", "hire", lock_token=taken["token"]))
    assert error["code"] == "lock_lost"
    assert (await alice.refused("unlock", record_id="r1", token=taken["token"]))["code"] == "lock_not_held"


async def test_a_lease_is_never_longer_than_the_operator_allows(server: Server) -> None:
    alice = await server.member("alice")
    longest = await alice.done("lock", record_id="r1", ttl=86_400)
    bounded = await alice.hears("lock.acquired")
    expires = server.services.clock() + server.services.settings.collaboration_lock_timeout * 1000
    assert longest["expires_at"] == bounded["data"]["expires_at"]
    lock = (await server.services.engine.state("s1")).locks["r1"]
    assert lock.expires_at <= expires


async def test_a_lease_that_runs_out_is_told(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    taken = await alice.done("lock", record_id="r1", ttl=0.2)
    told = await bob.hears("lock.expired", token=taken["token"])
    assert told["user_id"] == "system"


async def test_a_reviewer_takes_over_a_lock_with_a_reason(server: Server) -> None:
    alice, rita = await server.member("alice"), await server.member("rita")
    taken = await alice.done("lock", record_id="r1")
    assert (await rita.refused("takeover", record_id="r1"))["code"] == "reason_required"
    assert (await rita.refused("takeover", record_id="r1", reason="  "))["code"] == "reason_required"
    ack = await rita.done("takeover", record_id="r1", reason="Alice has gone home")
    assert ack["token"] > taken["token"]
    told = await alice.hears("lock.taken_over")
    assert told["data"]["previous"] == {"user_id": "alice", "name": "Alice", "token": taken["token"]}
    assert (await alice.refused("renew", record_id="r1", token=taken["token"]))["code"] == "lock_lost"


async def test_a_comment_is_told_answered_and_settled(server: Server) -> None:
    alice, rita = await server.member("alice"), await server.member("rita")
    first = await alice.done("comment", record_id="r1", text="March?", mentions=["rita"])
    told = await rita.hears("comment.added", comment_id=first["comment_id"])
    assert told["data"]["mentions"] == ["rita"]
    reply = await rita.done("comment", text="April", parent_id=first["comment_id"])
    assert (await alice.hears("comment.added", comment_id=reply["comment_id"]))["data"]["record_id"] == "r1"
    await rita.done("resolve_comment", comment_id=first["comment_id"])
    await alice.hears("comment.resolved", comment_id=first["comment_id"])
    assert (await rita.refused("comment", text="x", parent_id="comment-999"))["code"] == "not_found"
    assert (await rita.refused("resolve_comment", comment_id="comment-999"))["code"] == "not_found"


async def test_an_edit_is_taken_back_and_done_again(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    edit = await alice.done("edit", **record_edit("e1", "rent"))
    undone = await alice.done("undo")
    assert undone["value"] == "paid by the customer in May"
    assert (await bob.hears("edit.applied", undo_of=edit["seq"]))["seq"] == undone["seq"]
    redone = await alice.done("redo", seq=undone["seq"])
    assert redone["value"] == "rent"
    assert (await alice.refused("redo"))["code"] == "nothing_to_undo"
    assert (await bob.refused("undo"))["code"] == "nothing_to_undo"


async def test_a_request_sent_again_with_its_id_is_done_once(server: Server) -> None:
    alice = await server.member("alice")
    first = await alice.done("comment", text="once", request_id="q1")
    assert await alice.done("comment", text="once", request_id="q1") == first
    locked = await alice.done("lock", record_id="r1", request_id="q2")
    assert await alice.done("lock", record_id="r1", request_id="q2") == locked


async def test_a_version_ahead_of_the_log_is_unknown(server: Server) -> None:
    alice = await server.member("alice")
    assert (await alice.refused("edit", **record_edit("e1", "rent", base=999)))["code"] == "version_unknown"


async def test_a_field_whose_first_writer_wins_refuses_the_second(server: Server) -> None:
    await server.create_session("s2", field_policies={"reference": "first_writer_wins"})
    alice = await server.member("alice", "s2")
    await alice.done("edit", "s2", **record_edit("e1", "A", field="reference"))
    error = await alice.refused("edit", "s2", **record_edit("e2", "B", field="reference"))
    assert error["code"] == "version_stale"


@pytest.mark.parametrize(
    "value", [{"$gt": ""}, {"a": 1}, [["deep"]], 10**20, 1e300, "x" * 4001, ["x" * 201], "\x00", [1]]
)
async def test_what_no_field_can_hold_is_invalid_and_touches_nothing(server: Server, value: Any) -> None:
    alice = await server.member("alice")
    before = await server.services.engine.inspect("s1", lambda _: {"r1"})
    error = await alice.refused("edit", **record_edit("e1", value, field="reference"))
    assert error["code"] == "invalid"
    assert "new_value" in error["details"]["fields"]
    assert await server.services.engine.inspect("s1", lambda _: {"r1"}) == before


@pytest.mark.parametrize("name", ["$set", "a.b", "__proto__", "a\x00b", " padded ", "record_id"])
async def test_names_that_no_field_can_have_are_invalid(server: Server, name: str) -> None:
    alice = await server.member("alice")
    assert (await alice.refused("edit", **record_edit("e1", "x", field=name)))["code"] == "invalid"
