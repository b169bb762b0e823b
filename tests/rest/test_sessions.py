from __future__ import annotations

import hashlib
import itertools

from realtime_server.core.roles import Role
from tests.rest.conftest import PROJECT, Person, Server


async def test_a_created_session_is_shown_where_its_location_says(server: Server, pat: Person) -> None:
    policies = {"reference": "last_writer_wins"}
    body = {"project_id": PROJECT, "session_name": "October", "expires_in": 60, "field_policies": policies}
    made = await pat.post("/sessions", body)
    assert made.status == 201
    assert made.headers["Location"] == f"/api/collaboration/sessions/{made.body['session_id']}"
    shown = await pat.get(f"/sessions/{made.body['session_id']}")
    assert shown.body == made.body
    assert shown.body["name"] == "October"
    assert shown.body["field_policies"] == policies
    assert (shown.body["role"], shown.body["seq"], shown.body["records"]) == ("preparer", 1, 0)


async def test_creating_again_with_the_same_key_gives_the_same_session(server: Server, pat: Person) -> None:
    body = {"project_id": PROJECT}
    first, again = [await pat.post("/sessions", body, Idempotency_Key="october") for _ in range(2)]
    assert first.body["session_id"] == again.body["session_id"]
    other = await pat.post("/sessions", body, Idempotency_Key="november")
    assert other.body["session_id"] != first.body["session_id"]
    assert len(await pat.all("/sessions")) == 2


async def test_two_people_with_the_same_key_get_a_session_each(server: Server, pat: Person, ada: Person) -> None:
    body = {"project_id": PROJECT}
    made = [await person.post("/sessions", body, Idempotency_Key="october") for person in (pat, ada)]
    assert made[0].body["session_id"] != made[1].body["session_id"]


async def test_sessions_are_listed_page_by_page_at_once_after_they_are_made(server: Server, pat: Person) -> None:
    made = {await server.session(pat, session_name=str(number)) for number in range(5)}
    listed = await pat.all("/sessions", limit=2, project_id=PROJECT)
    assert [item["session_id"] for item in listed] == sorted(made)


async def test_an_ended_session_is_listed_as_ended_and_can_only_be_read(server: Server, ada: Person) -> None:
    session = await server.session(ada)
    assert (await ada.ask("DELETE", f"/sessions/{session}", params={"reason": "done"})).status == 200
    assert [item["status"] for item in await ada.all("/sessions")] == ["ended"]
    edit = {"field_name": "notes", "new_value": "x", "base_version": 0}
    refused = await ada.post(f"/sessions/{session}/records/ledger-000001/edit", edit)
    assert (refused.status, refused.code) == (410, "session_ended")
    assert (await ada.get(f"/sessions/{session}/records")).status == 200
    history = await ada.all(f"/sessions/{session}/history")
    assert history[-1]["message_type"] == "session.ended"
    assert history[-1]["data"] == {"reason": "done"}


async def test_only_an_admin_ends_a_session(server: Server, ada: Person, pat: Person, rae: Person) -> None:
    session = await server.session(pat)
    for person in (pat, rae):
        refused = await person.ask("DELETE", f"/sessions/{session}")
        assert (refused.status, refused.code) == (403, "forbidden")
    assert (await ada.get(f"/sessions/{session}")).body["status"] == "active"


async def test_a_reviewer_and_an_auditor_create_no_session(server: Server, rae: Person) -> None:
    for person in (rae, await server.person("olive", Role.AUDITOR)):
        assert (await person.post("/sessions", {"project_id": PROJECT})).code == "forbidden"


async def test_a_session_of_another_project_looks_like_one_that_does_not_exist(server: Server, ada: Person) -> None:
    session = await server.session(ada)
    stranger = await server.person("sam", Role.ADMIN, project="other")
    for path in ("", "/records", "/records/ledger-000001", "/history", "/state", "/analytics", "/users", "/conflicts"):
        there = await stranger.get(f"/sessions/{session}{path}")
        nowhere = await stranger.get(f"/sessions/nowhere{path}")
        assert (there.status, there.code) == (404, "not_found")
        for name in ("title", "code", "status", "type", "retryable", "detail"):
            assert str(there.body[name]).replace(session, "nowhere") == str(nowhere.body[name])
    assert (await stranger.post("/sessions", {"project_id": PROJECT})).status == 404
    assert await stranger.all("/sessions") == []
    assert await stranger.all("/sessions", project_id=PROJECT) == []


async def test_the_users_of_a_session_say_what_they_do(server: Server, pat: Person, ada: Person) -> None:
    session = await server.session(ada)
    said = {"activity": "reviewing", "status": "idle", "focus": {"record_id": "ledger-000001"}}
    told = await pat.post(f"/sessions/{session}/users/pat/activity", said)
    assert told.status == 200
    users = (await ada.get(f"/sessions/{session}/users")).body["items"]
    assert [(user["user_id"], user["activity"], user["status"], user["focus"], user["present"]) for user in users] == [
        ("pat", "reviewing", "idle", {"record_id": "ledger-000001"}, True)
    ]
    again = await pat.post(f"/sessions/{session}/users/pat/activity", {"activity": None, "status": "active"})
    assert (again.body["activity"], again.body["status"]) == (None, "active")
    assert len((await ada.get(f"/sessions/{session}/users")).body["items"]) == 1


async def test_nobody_says_what_somebody_else_does(server: Server, pat: Person, ada: Person) -> None:
    session = await server.session(ada)
    refused = await ada.post(f"/sessions/{session}/users/pat/activity", {"activity": "sleeping"})
    assert (refused.status, refused.code) == (403, "forbidden")


async def test_no_id_begins_as_an_option_of_a_command_does(server: Server, pat: Person) -> None:
    def dashed(key: str) -> bool:
        """Whether this key's hash would be written with a dash first: 62 in base64 for URLs."""
        return hashlib.sha256(f"pat\0demo\0{key}".encode()).digest()[0] >> 2 == 62

    key = next(key for number in itertools.count() if dashed(key := f"key-{number}"))
    first, again = [await pat.post("/sessions", {"project_id": "demo"}, Idempotency_Key=key) for _ in range(2)]
    assert (first.status, again.body["session_id"]) == (201, first.body["session_id"])
    assert first.body["session_id"].startswith("A")


async def test_a_session_that_is_used_over_http_alone_is_listed_as_it_is(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    for number in range(3):
        done = await pat.post(f"/sessions/{session}/comments", {"text": f"number {number}"})
        assert done.status == 201, done.body
    (listed,) = await pat.all("/sessions")
    shown = (await pat.get(f"/sessions/{session}")).body
    assert {name: listed[name] for name in ("seq", "last_activity", "expires_at")} == {
        name: shown[name] for name in ("seq", "last_activity", "expires_at")
    }
    assert listed["seq"] == 4
