"""Two servers on one database, each with clients of its own, and nothing between them but the log."""

from __future__ import annotations

import asyncio

from tests.server.conftest import StartServer, ordered, record_edit


async def test_clients_of_two_servers_hear_one_log_and_a_retry_through_the_other_server_changes_nothing(
    start_server: StartServer,
) -> None:
    first, second = await start_server(), await start_server()
    await first.create_session()
    alice, bob = await first.member("alice"), await second.member("bob")
    again = await second.member("alice")
    began = (await alice.done("sync", since=0))["seq"]

    once = record_edit("once", "11.00", field="amount")
    acks = await asyncio.gather(*(client.ask("edit", **once) for client in (alice, again, alice, again, alice)))
    assert acks[0]["status"] == "applied"
    assert all(ack == acks[0] for ack in acks)
    await asyncio.gather(
        *(
            client.done("edit", **record_edit(f"{name}{n}", f"{n}.50", record=record, field=f"f{n}"))
            for n in range(10)
            for name, client, record in (("a", alice, "r2"), ("b", bob, "r3"))
        )
    )
    head = began + 21
    for client in (alice, bob, again):
        await client.hears_seq(head)
        after = [seq for seq in client.seqs() if seq > began]
        assert after[-1] == head
        assert ordered(after)
    told = [[item for item in client.commits() if item["seq"] > began] for client in (alice, bob, again)]
    assert told[0] == told[1] == told[2]


async def test_a_lock_and_a_clash_through_one_server_hold_in_the_other(start_server: StartServer) -> None:
    first, second = await start_server(), await start_server()
    await first.create_session()
    alice, bob, rita = await first.member("alice"), await second.member("bob"), await second.member("rita")
    lock = await alice.done("lock", record_id="r1")
    assert (await bob.refused("edit", **record_edit("b1", "9.00", field="amount")))["code"] == "locked"
    taken = await rita.done("takeover", record_id="r1", reason="Alice has gone home")
    assert taken["token"] > lock["token"]
    error = await alice.refused("edit", **record_edit("a1", "9.00", field="amount", lock_token=lock["token"]))
    assert error["code"] == "lock_lost"
    await rita.done("unlock", record_id="r1", token=taken["token"])
    await alice.done("edit", **record_edit("a2", "9.00", field="amount"))
    clash = await bob.done("edit", **record_edit("b2", "8.00", field="amount"))
    assert clash["status"] == "conflict"
    resolved = await rita.done("resolve", conflict_id=clash["conflict_id"], strategy="take_candidate")
    told = await alice.hears("conflict.resolved", conflict_id=clash["conflict_id"])
    assert (told["seq"], told["data"]["new_value"]) == (resolved["seq"], "8.00")
