"""Joining, leaving, catching up: what a member is given, and that nothing falls between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime_server.presence.members import Seat
from tests.server.conftest import JsConnect, Server, StartServer, ordered, record_edit, token_of
from tests.support import eventually


async def test_a_join_gives_the_whole_picture(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    lock = await alice.done("lock", record_id="r2")
    await alice.done("edit", **record_edit("e1", "11.00", field="amount"))
    clash = await bob.done("edit", **record_edit("e2", "12.00", field="amount", edit_reason="the bank says so"))
    rita = await server.client("rita")
    picture = await rita.done("join", device_id="tab-1")
    assert picture["role"] == "reviewer"
    assert picture["session"]["name"] == "October"
    assert picture["session"]["status"] == "active"
    assert {member["user_id"] for member in picture["members"]} == {"alice", "bob", "rita"}
    assert [(item["record_id"], item["token"]) for item in picture["locks"]] == [("r2", lock["token"])]
    (conflict,) = picture["conflicts"]
    assert conflict["conflict_id"] == clash["conflict_id"]
    assert conflict["current"]["value"] == "11.00"
    assert conflict["candidates"][0]["edit_reason"] == "the bank says so"
    assert picture["reconciliation"]["status"] == "not_started"
    assert (picture["recovered"], picture["commits"]) == (False, [])
    assert picture["seq"] == (await server.services.engine.state("s1")).seq


async def test_open_conflicts_of_records_that_left_memory_are_in_the_picture(start_server: StartServer) -> None:
    first = await start_server()
    await first.create_session()
    alice = await first.member("alice")
    await alice.done("edit", **record_edit("e1", "11.00", field="amount"))
    clash = await alice.done("edit", **record_edit("e2", "12.00", field="amount"))
    second = await start_server()
    bob = await second.client("bob")
    picture = await bob.done("join")
    assert [item["conflict_id"] for item in picture["conflicts"]] == [clash["conflict_id"]]


async def test_a_first_join_is_in_the_log_and_a_second_is_not(server: Server) -> None:
    alice = await server.member("alice")
    told = await alice.hears("session.updated", user_id="alice")
    assert told["data"]["change"] == "participant_added"
    before = await server.services.engine.state("s1")
    await alice.done("join")
    assert (await server.services.engine.state("s1")).seq == before.seq


@pytest.mark.parametrize("session_id", ["nowhere", "foreign"])
async def test_a_session_of_a_foreign_project_is_not_found_as_one_that_does_not_exist(
    server: Server, session_id: str
) -> None:
    await server.create_session("foreign", project="p2")
    alice = await server.client("alice")
    error = await alice.refused("join", session_id)
    assert error["code"] == "not_found"
    assert error["message"] == f"there is no session {session_id}"


async def test_a_stranger_hears_nothing_of_a_session(server: Server) -> None:
    await server.create_session("foreign", project="p2")
    alice = await server.client("alice")
    await alice.refused("join", "foreign")
    mallory = await server.client(token=token_of("mallory", project="p2"))
    await mallory.done("join", "foreign")
    await mallory.done("edit", "foreign", **record_edit("e1", "rent"))
    await mallory.hears("edit.applied")
    await alice.done("join")
    assert not [item for item in alice.envelopes() if item["session_id"] == "foreign"]


async def test_what_was_missed_comes_with_the_join(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    last = await bob.done("edit", **record_edit("e1", "one"))
    await bob.hears_seq(last["seq"])
    await bob.close()
    for number in range(5):
        ack = await alice.done("edit", **record_edit(f"m{number}", f"text {number}", field="note"))
    back = await server.client("bob")
    picture = await back.done("join", since=last["seq"])
    assert picture["recovered"] is True
    await alice.hears_seq(ack["seq"])
    assert picture["commits"] == [item for item in alice.commits() if item["seq"] > last["seq"]]
    assert picture["commits"][-1]["seq"] == picture["seq"]


async def test_a_replay_has_the_very_envelopes_that_were_told(server: Server) -> None:
    alice = await server.member("alice")
    await alice.done("lock", record_id="r1")
    await alice.done("edit", **record_edit("e1", "rent"))
    ack = await alice.done("comment", text="done")
    await alice.hears_seq(ack["seq"])
    first = alice.seqs()[0]
    synced = await alice.done("sync", since=first - 1)
    assert synced["commits"] == alice.commits()
    assert synced["seq"] == ack["seq"]
    assert "reset" not in synced


async def test_who_missed_too_much_is_told_to_begin_afresh(start_server: StartServer) -> None:
    server = await start_server(COLLABORATION_REPLAY_LIMIT="3")
    await server.create_session()
    alice = await server.member("alice")
    for number in range(4):
        await alice.done("edit", **record_edit(f"e{number}", f"text {number}", field=f"f{number}"))
    synced = await alice.done("sync", since=1)
    assert (synced["reset"], synced["commits"]) == (True, [])
    picture = await alice.done("join", since=1)
    assert (picture["recovered"], picture["commits"]) == (False, [])
    assert (await alice.done("sync", since=10_000))["reset"] is True


async def test_sync_that_is_up_to_date_brings_nothing(server: Server) -> None:
    alice = await server.member("alice")
    seq = (await alice.done("join"))["seq"]
    assert await alice.done("sync", since=seq) == {"ok": True, "seq": seq, "commits": []}


async def test_members_hear_every_commit_once_and_in_the_same_order(server: Server) -> None:
    members = [await server.member(user) for user in ("alice", "bob", "rita")]
    await asyncio.gather(
        *(
            member.done("edit", **record_edit(f"{name}{number}", f"{name} {number}", field=f"f{number}"))
            for name, member in zip("ab", members, strict=False)
            for number in range(30)
        )
    )
    seq = (await server.services.engine.state("s1")).seq
    for member in members:
        await member.hears_seq(seq)
        assert ordered(member.seqs())
    joined = members[2].seqs()[0]
    views = [[item for item in member.commits() if item["seq"] >= joined] for member in members]
    assert views[0] == views[1] == views[2]


async def test_commits_made_during_a_join_are_in_its_answer_or_told(server: Server) -> None:
    alice = await server.member("alice")
    bob = await server.client("bob")

    async def write() -> None:
        for number in range(40):
            await alice.done("edit", **record_edit(f"e{number}", f"text {number}", field=f"f{number}"))

    writing = asyncio.create_task(write())
    await alice.hears("edit.applied", edit_id="e5")
    picture = await bob.done("join", since=0)
    await writing
    seq = (await server.services.engine.state("s1")).seq
    await bob.hears_seq(seq)
    seen = {item["seq"] for item in picture["commits"]} | set(bob.seqs())
    assert seen == set(range(1, seq + 1))


async def test_events_sent_right_behind_a_join_are_handled_after_it(server: Server) -> None:
    alice = await server.client("alice")
    join, *edits = await asyncio.gather(
        alice.ask("join"),
        *(alice.ask("edit", **record_edit(f"e{number}", f"{number}", field="note", base=0)) for number in range(10)),
    )
    assert join["ok"]
    assert [edit["ok"] for edit in edits] == [True] * 10
    assert edits[0]["status"] == "applied"


async def test_one_clients_edits_are_decided_in_the_order_in_which_it_sent_them(server: Server) -> None:
    alice = await server.member("alice")
    acks = await asyncio.gather(
        *(alice.done("edit", **record_edit(f"e{number}", f"{number}", field=f"f{number}")) for number in range(90))
    )
    assert ordered([ack["seq"] for ack in acks])


async def test_who_left_hears_nothing_more_and_may_not_act(server: Server) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    await bob.done("leave")
    await alice.hears("presence.left", user_id="bob")
    ack = await alice.done("edit", **record_edit("e1", "rent"))
    await alice.hears_seq(ack["seq"])
    assert (await bob.refused("edit", **record_edit("e2", "hire")))["code"] == "not_joined"
    assert not bob.envelopes("edit")


async def test_a_session_has_room_for_so_many_people_and_their_tabs(start_server: StartServer) -> None:
    server = await start_server(COLLABORATION_MAX_USERS="2")
    await server.create_session()
    await server.member("alice")
    bob = await server.member("bob")
    await server.member("alice")
    rita = await server.client("rita")
    error = await rita.refused("join")
    assert (error["code"], error["retryable"]) == ("session_full", True)
    await bob.done("leave")
    await rita.done("join")


async def test_people_who_come_at_once_do_not_overfill_a_session(start_server: StartServer) -> None:
    server = await start_server(COLLABORATION_MAX_USERS="3")
    await server.create_session()
    clients = [await server.client(f"user{number}") for number in range(8)]
    answers = await asyncio.gather(*(client.ask("join") for client in clients))
    assert sum(answer["ok"] for answer in answers) == 3
    assert {answer["error"]["code"] for answer in answers if not answer["ok"]} == {"session_full"}


async def test_a_connection_is_in_a_bounded_number_of_sessions(server: Server) -> None:
    for number in range(17):
        await server.create_session(f"many-{number}", records=0)
    alice = await server.client("alice")
    for number in range(16):
        await alice.done("join", f"many-{number}")
    assert (await alice.refused("join", "many-16"))["code"] == "rate_limited"
    await alice.done("leave", "many-0")
    await alice.done("join", "many-16")


async def test_an_ended_session_can_be_read_and_not_changed(server: Server) -> None:
    from realtime_server.core.commands import SYSTEM, EndSession

    alice = await server.member("alice")
    await server.services.engine.submit("s1", EndSession(actor=SYSTEM, command_id="system/end"))
    await alice.hears("session.ended")
    assert (await alice.refused("edit", **record_edit("e1", "rent")))["code"] == "session_ended"
    assert (await alice.done("join"))["session"]["status"] == "ended"


async def test_clients_in_the_message_form_hear_and_say_the_same(server: Server) -> None:
    alice = await server.member("alice", envelope="message")
    bob = await server.member("bob")
    ack = await alice.send("message", {"message_type": "edit", "session_id": "s1", "data": record_edit("e1", "rent")})
    assert ack["status"] == "applied"
    refused = await alice.send("message", {"message_type": "edit", "session_id": "s1", "data": {"edit_id": "e2"}})
    assert refused["error"]["code"] == "invalid"
    token = await alice.send("message", {"message_type": "authenticate", "data": {"token": token_of("alice")}})
    assert token["ok"]
    told = await bob.hears("edit.applied")
    assert await alice.hears("edit.applied") == told
    assert {event for event, _ in alice.told} == {"message"}
    assert "message" not in {event for event, _ in bob.told}


async def test_javascript_clients_join_edit_clash_and_catch_up(server: Server, js_client: JsConnect) -> None:
    alice, rita = await js_client("alice"), await js_client("rita", envelope="message")
    bob = await js_client("bob", options={"transports": ["websocket"]})
    for client in (alice, rita, bob):
        await client.done("join")
    await alice.done("edit", **record_edit("e1", "11.00", field="amount"))
    last = await bob.hears("edit.applied", edit_id="e1")
    await bob.cut()
    await bob.until(lambda: bob.ended)
    clash = await alice.done("edit", **record_edit("e2", "12.00", field="amount"))
    assert clash["status"] == "conflict"
    resolved = await rita.done("resolve", conflict_id=clash["conflict_id"], strategy="take_candidate")
    await bob.resume()
    picture = await bob.done("join", since=last["seq"])
    assert picture["recovered"] is True
    assert [item["seq"] for item in picture["commits"]] == list(range(last["seq"] + 1, resolved["seq"] + 1))
    await rita.hears_seq(resolved["seq"])
    assert {event for event, _ in rita.told} == {"message"}
    assert picture["commits"] == [item for item in rita.commits() if item["seq"] > last["seq"]]
    assert (await alice.refused("resolve", conflict_id="x", strategy="keep_current"))["code"] == "forbidden"


async def test_who_leaves_while_a_join_reads_is_not_in_its_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await server.member("alice"), await server.client("bob")
    reading, go_on = asyncio.Event(), asyncio.Event()
    page = server.services.store.notices.page

    async def read_and_wait(*asked: Any, **more: Any) -> Any:
        found = await page(*asked, **more)
        reading.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(server.services.store.notices, "page", read_and_wait)
    joining = asyncio.create_task(bob.done("join"))
    await reading.wait()
    await alice.done("leave")
    await bob.hears("presence.left", user_id="alice")
    go_on.set()
    assert [member["user_id"] for member in (await joining)["members"]] == ["bob"]


async def test_who_leaves_while_their_new_name_is_shown_has_left(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await server.member("alice"), await server.member("bob")
    enter, presence = server.collaboration.presence.enter, server.collaboration.presence

    async def leave_first(session_id: str, seat: Seat, maximum: int) -> None:
        connection = next(iter(server.collaboration.of_user("bob")))
        await server.collaboration.attendance.leave(connection, session_id)
        await enter(session_id, seat, maximum)

    monkeypatch.setattr(presence, "enter", leave_first)
    await bob.done("authenticate", None, token=token_of("bob", name="Robert"))
    assert [member.user_id for member in await presence.members("s1")] == ["alice"]
    await alice.hears("presence.left", user_id="bob")


async def test_joins_wait_for_each_other_and_nothing_is_read_for_who_has_gone_meanwhile(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, carol = [await server.client(name) for name in ("alice", "bob", "carol")]
    server.collaboration.attendance._joins = asyncio.Semaphore(1)
    reading, go_on = asyncio.Event(), asyncio.Event()
    inspect = server.services.engine.inspect
    begun = 0

    async def wait_and_inspect(*asked: Any, **more: Any) -> Any:
        nonlocal begun
        begun += 1
        reading.set()
        await go_on.wait()
        return await inspect(*asked, **more)

    monkeypatch.setattr(server.services.engine, "inspect", wait_and_inspect)
    joining = [asyncio.create_task(client.ask("join")) for client in (alice, bob, carol)]
    await reading.wait()
    await eventually(lambda: len(server.collaboration.attendance._joins._waiters or ()) == 2)
    assert begun == 1
    gone = next(iter(server.collaboration.of_user("bob")))
    await bob.cut()
    await eventually(lambda: not gone.open)
    go_on.set()
    first, last = await joining[0], await joining[2]
    joining[1].cancel()
    assert first["ok"]
    assert {member["user_id"] for member in last["members"]} == {"alice", "carol"}
    assert begun == 4, "twice for each of two joins"
