from __future__ import annotations

from typing import Any
from urllib.parse import quote

from yarl import URL

from tests.rest.conftest import Person, Server, record


async def edit(person: Person, session: str, number: int, name: str, value: Any, base: int = 0) -> dict[str, Any]:
    body = {"field_name": name, "new_value": value, "base_version": base}
    reply = await person.post(f"/sessions/{session}/records/ledger-{number:06}/edit", body)
    assert reply.status == 200, reply.body
    answer: dict[str, Any] = reply.body
    return answer


async def test_a_page_shows_edits_that_are_not_stored_with_their_records_yet(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    await edit(pat, session, 2, "description", "Changed")
    page = (await pat.get(f"/sessions/{session}/records")).body
    assert [item["values"]["description"] for item in page["items"]] == ["Payment 1", "Changed", "Payment 3"]
    assert [item["versions"] for item in page["items"]] == [{}, {"description": 2}, {}]
    assert [item["seq"] for item in page["items"]] == [0, 2, 0]
    assert page["as_of"] == 2


async def test_all_pages_of_a_listing_are_as_of_one_commit_while_edits_arrive(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=20)
    await edit(pat, session, 15, "notes", "before")
    first = (await pat.get(f"/sessions/{session}/records", limit=7)).body
    for number in (3, 12, 15, 20):
        await edit(pat, session, number, "notes", f"after {number}", base=2 if number == 15 else 0)
    rest = await pat.all(f"/sessions/{session}/records", limit=7, cursor=first["next_cursor"])
    listed = [*first["items"], *rest]
    assert [item["record_id"] for item in listed] == [f"ledger-{number:06}" for number in range(1, 21)]
    assert {item["record_id"]: item["values"]["notes"] for item in listed if "notes" in item["values"]} == {
        "ledger-000015": "before"
    }
    now = await pat.all(f"/sessions/{session}/records", limit=7)
    assert {item["record_id"] for item in now if "after" in item["values"].get("notes", "")} == {
        "ledger-000003",
        "ledger-000012",
        "ledger-000015",
        "ledger-000020",
    }


async def test_records_are_filtered_by_status_side_and_text(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    await server.services.store.records.insert(
        session, [record(number, description="Office RENT" if number % 3 else "Coffee") for number in range(1, 31)]
    )
    aside = {"record_ids": ["ledger-000004", "ledger-000006"], "status": "excluded", "reason": "copies"}
    assert (await pat.post(f"/sessions/{session}/status-changes", aside)).status == 200
    path = f"/sessions/{session}/records"
    assert [item["record_id"] for item in await pat.all(path, status="excluded")] == ["ledger-000004", "ledger-000006"]
    assert len(await pat.all(path, q="rent")) == 20
    assert len(await pat.all(path, q="rent", limit=3)) == 20
    assert [item["record_id"] for item in await pat.all(path, q="rent", status="excluded")] == ["ledger-000004"]
    assert await pat.all(path, source="statement") == []
    assert len(await pat.all(path, status="unmatched", source="ledger", limit=1)) == 28


async def test_a_filter_that_fits_little_is_paged_through_in_bounded_steps(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    await server.services.store.records.insert(
        session, [record(number, description="needle" if number == 7_900 else "hay") for number in range(1, 8_001)]
    )
    first = (await pat.get(f"/sessions/{session}/records", q="needle")).body
    assert first["items"] == []
    assert first["next_cursor"] is not None
    found = await pat.all(f"/sessions/{session}/records", q="needle")
    assert [item["record_id"] for item in found] == ["ledger-007900"]


async def test_a_records_etag_is_its_version_and_spares_sending_it_again(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    path = f"/sessions/{session}/records/ledger-000001"
    assert (await pat.get(path)).headers["ETag"] == '"0"'
    answer = await edit(pat, session, 1, "notes", "x")
    shown = await pat.get(path)
    assert shown.headers["ETag"] == f'"{answer["seq"]}"'
    for tag, status in ((shown.headers["ETag"], 304), (f"W/{shown.headers['ETag']}", 304), ("*", 304), ('"0"', 200)):
        assert (await pat.ask("GET", path, headers={"If-None-Match": tag})).status == status


async def test_an_edit_with_if_match_is_refused_when_the_record_has_changed(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    path = f"/sessions/{session}/records/ledger-000001/edit"
    change = {"field_name": "notes", "new_value": "first"}
    done = await pat.post(path, change, If_Match='"0"')
    assert done.body["status"] == "applied"
    late = await pat.post(path, {**change, "new_value": "late"}, If_Match='"0"')
    assert (late.status, late.code) == (412, "version_stale")
    assert late.headers["ETag"] == f'"{done.body["seq"]}"'
    assert (await pat.post(path, {**change, "new_value": "second"}, If_Match=late.headers["ETag"])).status == 200
    weak = await pat.post(path, change, If_Match=f"W/{late.headers['ETag']}")
    assert weak.status == 412
    missing = await pat.post(path, change)
    assert missing.body["details"]["fields"] == {"base_version": ["Missing data for required field."]}


async def test_a_retried_edit_with_if_match_is_answered_as_the_first_time(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    path = f"/sessions/{session}/records/ledger-000001/edit"
    change = {"field_name": "notes", "new_value": "x"}
    replies = [await pat.post(path, change, If_Match='"0"', Idempotency_Key="e1") for _ in range(3)]
    assert [reply.body for reply in replies] == [replies[0].body] * 3
    assert len(await pat.all(f"/sessions/{session}/history")) == 2


async def test_any_id_that_a_record_can_have_can_stand_in_a_path(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    ids = ["ledger:A/1", "ledger:a b?c#d", "ledger:100%", "ledger:ü漢🧾", "ledger:..", "ledger:a+b", "ledger:{x}"]
    template = record(1)
    await server.services.store.records.insert(
        session, [type(template)(name, "ledger", name, template.values, "chunk-1") for name in ids]
    )
    for name in ids:
        url = URL(f"{pat.base}/sessions/{session}/records/{quote(name, safe='')}", encoded=True)
        async with pat.http.get(url, headers={"Authorization": f"Bearer {pat.token}"}) as response:
            assert response.status == 200, name
            assert (await response.json())["record_id"] == name


async def test_a_records_history_has_all_that_concerned_it(server: Server, pat: Person, rae: Person) -> None:
    session = await server.session(pat)
    base = f"/sessions/{session}/records/ledger-000001"
    await edit(pat, session, 1, "amount", "5")
    await edit(pat, session, 2, "amount", "5")
    await edit(pat, session, 1, "amount", "6")
    await pat.post(f"{base}/lock")
    await pat.post(f"/sessions/{session}/comments", {"text": "why?", "record_id": "ledger-000001"})
    history = await pat.all(f"{base}/history", limit=2)
    assert [item["message_type"] for item in history] == [
        "edit.applied",
        "conflict.detected",
        "lock.acquired",
        "comment.added",
    ]
    assert [item["seq"] for item in await pat.all(f"{base}/history", since=4)] == [5, 6]
    assert (await pat.get(f"/sessions/{session}/records/nothing/history")).status == 404
