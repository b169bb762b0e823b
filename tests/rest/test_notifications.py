"""Notifications over HTTP: to those whom they concern, kept, and read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime_server.core.roles import Role
from tests.rest.conftest import Person, Server


async def unread(person: Person, **query: Any) -> list[dict[str, Any]]:
    reply = await person.get("/notifications", unread="true", **query)
    assert reply.status == 200, reply.body
    return list(reply.body["items"])


async def told(person: Person, count: int = 1) -> list[dict[str, Any]]:
    """Unread notifications, once there are so many: they are kept beside the edit that leads to them."""
    async with asyncio.timeout(10):
        while len(found := await unread(person)) < count:  # noqa: ASYNC110 - nothing announces it here
            await asyncio.sleep(0.01)
    assert len(found) == count
    return found


@pytest.fixture
async def bob(server: Server) -> Person:
    return await server.person("bob", Role.PREPARER)


async def edit(person: Person, session_id: str, value: str, *, version: int = 0) -> dict[str, Any]:
    path = f"/sessions/{session_id}/records/ledger-000001/edit"
    reply = await person.post(path, {"field_name": "amount", "new_value": value, "base_version": version})
    assert reply.status == 200, reply.body
    return dict(reply.body)


async def test_a_person_who_is_mentioned_is_told_and_nobody_else(server: Server, pat: Person, bob: Person) -> None:
    session_id = await server.session(pat)
    text = "Is this the March invoice? " + "x" * 400
    comment = {"record_id": "ledger-000002", "text": text, "mentions": ["bob", "pat"]}
    made = (await pat.post(f"/sessions/{session_id}/comments", comment)).body
    [notice] = await told(bob)
    assert notice["kind"] == "mentioned"
    assert (notice["session_id"], notice["project_id"], notice["seq"]) == (session_id, "demo", made["seq"])
    assert (notice["record_ids"], notice["comment_id"]) == (["ledger-000002"], made["comment_id"])
    assert (notice["user_id"], notice["name"], notice["read"]) == ("pat", "Pat", False)
    assert notice["text"] == text[:300]
    assert await unread(pat) == []
    assert await unread(await server.person("eve", Role.ADMIN)) == []


async def test_somebody_of_another_project_is_shown_nothing_of_it(server: Server, pat: Person, bob: Person) -> None:
    session_id = await server.session(pat)
    await pat.post(f"/sessions/{session_id}/comments", {"text": "?", "mentions": ["bob"]})
    await told(bob)
    elsewhere = await server.person("bob", Role.ADMIN, project="other")
    assert await unread(elsewhere) == []
    assert await unread(elsewhere, project_id="demo") == []
    ids = [item["notification_id"] for item in await unread(bob)]
    reply = await elsewhere.post("/notifications/read", {"notification_ids": ids})
    assert reply.body == {"changed": 0, "unread": 0}
    assert len(await unread(bob)) == 1


async def test_whoever_is_given_records_is_told_once_for_all_of_them(server: Server, pat: Person, bob: Person) -> None:
    session_id = await server.session(pat, records=30)
    ids = [f"ledger-{number:06}" for number in range(1, 26)]
    await pat.post(f"/sessions/{session_id}/assignments", {"record_ids": [*ids, "nothing"], "assignee": "bob"})
    [notice] = await told(bob)
    assert (notice["kind"], notice["records"], notice["record_ids"]) == ("assigned", 25, ids[:20])


async def test_a_conflict_is_told_to_whose_value_it_is_about_and_its_end_to_whose_candidate_it_was(
    server: Server, pat: Person, bob: Person, rae: Person
) -> None:
    session_id = await server.session(pat)
    await edit(pat, session_id, "2.00")
    conflict = (await edit(bob, session_id, "3.00"))["conflict_id"]
    [clash] = await told(pat)
    assert (clash["kind"], clash["conflict_id"], clash["field_name"]) == ("conflict", conflict, "amount")
    path = f"/sessions/{session_id}/conflicts/{conflict}/resolve"
    await rae.post(path, {"strategy": "keep_current", "reason": "as the bank has it"})
    [end] = await told(bob)
    assert (end["kind"], end["text"], end["user_id"]) == ("conflict_resolved", "as the bank has it", "rae")


async def test_signers_are_asked_for_their_signature_even_if_they_never_were_in_the_session(
    server: Server, pat: Person, rae: Person, ada: Person
) -> None:
    session_id = await server.session(pat, records=0)
    run = f"/sessions/{session_id}/reconciliation"
    assert (await pat.post(f"{run}/submit", {"comment": "all in"})).status == 200
    [asked] = await told(rae)
    assert (asked["kind"], asked["text"]) == ("signoff_wanted", "all in")
    assert [item["kind"] for item in await told(ada)] == ["signoff_wanted"]
    assert await unread(await server.person("olive", Role.AUDITOR)) == []
    # One's own mark is one's own, on what many were told.
    await rae.post("/notifications/read", {"notification_ids": [asked["notification_id"]]})
    assert await unread(rae) == []
    assert len(await unread(ada)) == 1
    await rae.post(f"{run}/reject", {"reason": "wrong file"})
    [back] = await told(pat)
    assert (back["kind"], back["text"]) == ("rejected", "wrong file")


async def test_whoever_prepared_is_not_asked_to_sign(server: Server, pat: Person, ada: Person, rae: Person) -> None:
    session_id = await server.session(ada, records=1)
    await edit(ada, session_id, "0.00")
    assert (await pat.post(f"/sessions/{session_id}/reconciliation/submit")).status == 200
    await told(rae)
    assert await unread(ada) == []


async def test_who_started_a_run_is_told_that_it_has_ended(server: Server, pat: Person) -> None:
    session_id = await server.session(pat, records=2)
    run = (await pat.post(f"/sessions/{session_id}/reconciliation/start")).body["run_id"]
    [ended] = await told(pat)
    assert (ended["kind"], ended["run_id"], ended["status"]) == ("run_finished", run, "completed")


async def test_a_lock_that_is_taken_over_is_told_to_whose_it_was(server: Server, pat: Person, rae: Person) -> None:
    session_id = await server.session(pat)
    record = f"/sessions/{session_id}/records/ledger-000001"
    await pat.post(f"{record}/lock")
    await rae.post(f"{record}/takeover", {"reason": "the deadline"})
    [lost] = await told(pat)
    assert (lost["kind"], lost["text"], lost["record_ids"]) == ("lock_taken_over", "the deadline", ["ledger-000001"])


async def test_pages_show_unread_ones_first_and_each_once(server: Server, pat: Person, bob: Person) -> None:
    session_id = await server.session(pat)
    for number in range(7):
        await pat.post(f"/sessions/{session_id}/comments", {"text": f"{number}", "mentions": ["bob"]})
    found = await told(bob, 7)
    assert [item["text"] for item in found] == list("6543210")
    read = [found[0]["notification_id"], found[3]["notification_id"]]
    reply = await bob.post("/notifications/read", {"notification_ids": [*read, "no.such"]})
    assert reply.body == {"changed": 2, "unread": 5}
    again = await bob.post("/notifications/read", {"notification_ids": read})
    assert again.body == {"changed": 0, "unread": 5}
    pages = await bob.all("/notifications", limit=2)
    assert [(item["text"], item["read"]) for item in pages] == [
        *((text, False) for text in "54210"),
        ("6", True),
        ("3", True),
    ]


async def test_reading_all_leaves_what_came_after_what_was_shown(server: Server, pat: Person, bob: Person) -> None:
    session_id = await server.session(pat)
    for text in ("first", "second"):
        await pat.post(f"/sessions/{session_id}/comments", {"text": text, "mentions": ["bob"]})
    second, first = await told(bob, 2)
    until = first["at"] if first["at"] < second["at"] else second["at"]
    done = (await bob.post("/notifications/read-all", {"until": until, "project_id": "demo"})).body
    assert done["unread"] == 2 - done["changed"]
    assert (await bob.post("/notifications/read-all")).body["unread"] == 0
    assert (await bob.post("/notifications/read-all", {"until": "2026-99-01T00:00:00.000Z"})).code == "invalid"


async def test_a_cursor_of_another_list_is_refused(server: Server, pat: Person) -> None:
    session_id = await server.session(pat)
    cursor = (await pat.get(f"/sessions/{session_id}/records", limit=1)).body["next_cursor"]
    assert (await pat.get("/notifications", cursor=cursor)).code == "invalid"
