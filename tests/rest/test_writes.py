from __future__ import annotations

from realtime_server.core.roles import Role
from tests.rest.conftest import Person, Server

EDIT = {"field_name": "amount", "new_value": "5", "base_version": 0}


async def test_an_idempotency_key_is_the_edits_id(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    path = f"/sessions/{session}/records/ledger-000001/edit"
    by_key = await pat.post(path, EDIT, Idempotency_Key="e1")
    by_body = await pat.post(path, {**EDIT, "edit_id": "e1"})
    quoted = await pat.post(path, EDIT, Idempotency_Key='"e1"')
    assert by_key.body == by_body.body == quoted.body
    assert (await pat.all(f"/sessions/{session}/history"))[-1]["data"]["edit_id"] == "e1"
    both = await pat.post(path, {**EDIT, "edit_id": "e2"}, Idempotency_Key="e1")
    assert both.body["details"]["fields"] == {"edit_id": ["Is not the same as the header Idempotency-Key."]}


async def test_the_same_key_on_another_record_is_another_request(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    locks = [
        await pat.post(f"/sessions/{session}/records/{record}/lock", Idempotency_Key="k")
        for record in ("ledger-000001", "ledger-000002", "ledger-000001")
    ]
    assert locks[0].body == locks[2].body
    assert locks[0].body["token"] != locks[1].body["token"]
    edited = await pat.post(f"/sessions/{session}/records/ledger-000001/edit", EDIT, Idempotency_Key="k")
    assert edited.body["status"] == "applied"


async def test_a_lock_keeps_others_out_until_it_is_given_back(server: Server, pat: Person, ada: Person) -> None:
    session = await server.session(pat)
    path = f"/sessions/{session}/records/ledger-000001"
    lock = (await pat.post(f"{path}/lock", {"ttl": 100})).body
    refused = await ada.post(f"{path}/edit", EDIT)
    assert (refused.status, refused.code, refused.body["retryable"]) == (423, "locked", True)
    assert refused.body["details"]["holder"] == {"user_id": "pat", "name": "Pat"}
    assert 98 <= int(refused.headers["Retry-After"]) <= 100
    assert (await ada.post(f"{path}/lock")).code == "locked"
    assert (await pat.post(f"{path}/edit", {**EDIT, "lock_token": lock["token"]})).body["status"] == "applied"
    renewed = (await pat.post(f"{path}/renew", {"token": lock["token"], "ttl": 200})).body
    assert renewed["token"] == lock["token"]
    assert renewed["expires_at"] > lock["expires_at"]
    shown = (await ada.get(f"/sessions/{session}")).body["locks"]
    assert [(item["record_id"], item["holder"]["user_id"]) for item in shown] == [("ledger-000001", "pat")]
    assert (await ada.post(f"{path}/unlock", {"token": lock["token"]})).code == "lock_lost"
    assert (await pat.post(f"{path}/unlock", {"token": lock["token"]})).status == 200
    assert (await pat.post(f"{path}/unlock", {"token": lock["token"]})).code == "lock_not_held"
    late = await pat.post(f"{path}/edit", {**EDIT, "new_value": "6", "base_version": 3, "lock_token": lock["token"]})
    assert late.code == "lock_lost"


async def test_a_lease_is_never_longer_than_the_servers_maximum(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    lock = await pat.post(f"/sessions/{session}/records/ledger-000001/lock", {"ttl": 86_400})
    refused = await (await server.person("ada", Role.ADMIN)).post(f"/sessions/{session}/records/ledger-000001/lock")
    assert lock.status == 200
    assert int(refused.headers["Retry-After"]) <= 1_800


async def test_a_reviewer_takes_a_lock_over_with_a_reason(server: Server, pat: Person, rae: Person) -> None:
    session = await server.session(pat)
    path = f"/sessions/{session}/records/ledger-000001"
    await pat.post(f"{path}/lock")
    assert (await rae.post(f"{path}/takeover", {})).code == "reason_required"
    taken = await rae.post(f"{path}/takeover", {"reason": "gone home"})
    assert taken.status == 200
    assert (await pat.post(f"{path}/edit", EDIT)).code == "locked"
    assert (await pat.post(f"{path}/takeover", {"reason": "mine"})).code == "forbidden"


async def test_a_batch_is_one_commit_or_none(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    edits = [
        {"record_id": f"ledger-{number:06}", "field_name": "notes", "new_value": "x", "base_version": 0}
        for number in (1, 2, 3)
    ]
    done = await pat.post(f"/sessions/{session}/edits", {"edits": edits}, Idempotency_Key="b1")
    assert done.body == {"status": "applied", "seq": 2, "versions": [2, 2, 2]}
    bad = [*edits[:1], {**edits[1], "new_value": "y", "base_version": 2}, {**edits[2], "record_id": "nothing"}]
    refused = await pat.post(f"/sessions/{session}/edits", {"edits": bad})
    assert (refused.status, refused.code) == (404, "not_found")
    assert refused.body["details"]["index"] == 2
    assert (await pat.get(f"/sessions/{session}")).body["seq"] == 2


async def test_people_who_judge_do_not_edit(server: Server, pat: Person, rae: Person) -> None:
    session = await server.session(pat)
    assert (await rae.post(f"/sessions/{session}/records/ledger-000001/edit", EDIT)).code == "forbidden"
    olive = await server.person("olive", Role.AUDITOR)
    for path in ("records/ledger-000001/edit", "records/ledger-000001/lock", "comments"):
        body = {"text": "x"} if path == "comments" else EDIT if path.endswith("edit") else {}
        assert (await olive.post(f"/sessions/{session}/{path}", body)).code == "forbidden"
    assert (await olive.get(f"/sessions/{session}/records")).status == 200


async def test_conflicts_are_listed_open_and_decided(server: Server, pat: Person, ada: Person, rae: Person) -> None:
    session = await server.session(pat)
    for number in (1, 2):
        path = f"/sessions/{session}/records/ledger-{number:06}/edit"
        await pat.post(path, EDIT)
        clash = await ada.post(path, {**EDIT, "new_value": "6", "edit_reason": "invoice"}, Idempotency_Key=f"c{number}")
        assert clash.body["status"] == "conflict"
        await pat.post(path, {**EDIT, "new_value": "7"}, Idempotency_Key=f"d{number}")
    first, second = await pat.all(f"/sessions/{session}/conflicts", limit=1)
    assert [candidate["value"] for candidate in first["candidates"]] == ["6.00", "7.00"]
    resolve = f"/sessions/{session}/conflicts/{first['conflict_id']}/resolve"
    choice = {"strategy": "take_candidate", "edit_id": "c1", "reason": "invoice says so"}
    assert (await pat.post(resolve, choice)).code == "forbidden"
    assert (await rae.post(resolve, {"strategy": "custom"})).body["details"]["fields"] == {
        "value": ["Missing data for required field."]
    }
    decided = await rae.post(resolve, choice, Idempotency_Key="r1")
    assert decided.body["value"] == "6.00"
    assert (await rae.post(resolve, choice, Idempotency_Key="r1")).body == decided.body
    assert (await rae.post(resolve, choice)).code == "already_resolved"
    assert [item["conflict_id"] for item in await pat.all(f"/sessions/{session}/conflicts")] == [second["conflict_id"]]
    closed = (await pat.all(f"/sessions/{session}/conflicts", status="resolved"))[0]
    assert closed["candidates"] == first["candidates"]
    assert closed["base"] == first["base"]
    assert closed["resolution"] == {
        "strategy": "take_candidate",
        "user_id": "rae",
        "resolved_at": closed["resolution"]["resolved_at"],
        "seq": decided.body["seq"],
        "value": "6.00",
        "edit_id": "c1",
        "reason": "invoice says so",
        "suggestion": {name: first["suggestion"][name] for name in ("value", "confidence", "code")},
        "followed_suggestion": False,
    }
    one = await pat.get(f"/sessions/{session}/conflicts/{second['conflict_id']}")
    assert (one.body["status"], one.body["suggestion"]["value"]) == ("open", second["suggestion"]["value"])
    assert (await pat.get(f"/sessions/{session}/conflicts/conflict-999")).code == "not_found"
    both = await pat.all(f"/sessions/{session}/conflicts", status="all", limit=1)
    assert [item["status"] for item in both] == ["resolved", "open"]
