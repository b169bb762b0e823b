from __future__ import annotations

import asyncio
from typing import Any

from realtime_server.core.commands import Actor, AddComment
from realtime_server.core.roles import Role
from tests.rest.conftest import Person, Server
from tests.rest.test_records import edit


async def _busy(server: Server, pat: Person, ada: Person, rae: Person) -> str:
    """A session in which something of every kind has happened."""
    session = await server.session(pat, records=5, field_policies={"reference": "last_writer_wins"})
    records = f"/sessions/{session}/records"
    await edit(pat, session, 1, "amount", "5")
    await edit(ada, session, 1, "amount", "6")
    await edit(pat, session, 1, "description", "Payment 1 rent")
    await edit(ada, session, 1, "description", "Office payment 1")
    lock = (await pat.post(f"{records}/ledger-000002/lock")).body
    await rae.post(f"{records}/ledger-000002/takeover", {"reason": "late"})
    await rae.post(f"{records}/ledger-000003/lock")
    await rae.post(f"/sessions/{session}/conflicts/conflict-3/resolve", {"strategy": "take_candidate"})
    edits = [
        {"record_id": f"ledger-{number:06}", "field_name": "notes", "new_value": "b", "base_version": 0}
        for number in (3, 4)
    ]
    assert (await rae.post(f"{records}/ledger-000003/unlock", {"token": lock["token"] + 2})).status == 200
    assert (await ada.post(f"/sessions/{session}/edits", {"edits": edits})).status == 200
    await ada.post(f"/sessions/{session}/comments", {"text": "why?", "record_id": "ledger-000004"})
    await ada.ask("DELETE", f"/sessions/{session}")
    return session


async def test_history_is_filtered_by_record_person_field_type_and_time(
    server: Server, pat: Person, ada: Person, rae: Person
) -> None:
    session = await _busy(server, pat, ada, rae)
    path = f"/sessions/{session}/history"
    everything = await pat.all(path, limit=3)
    assert [item["seq"] for item in everything] == list(range(1, len(everything) + 1))

    async def seqs(**query: Any) -> list[int]:
        found = [item["seq"] for item in await pat.all(path, **query)]
        assert found == [item["seq"] for item in await pat.all(path, limit=1, **query)]
        return found

    def expected(fits: Any) -> list[int]:
        return [item["seq"] for item in everything if fits(item)]

    assert await seqs(user_id="rae") == expected(lambda item: item["user_id"] == "rae") != []
    assert await seqs(record_id="ledger-000003") == [8, 10, 11]
    assert await seqs(record_id="ledger-000003", user_id="rae") == [8, 10]
    assert await seqs(field_name="notes") == [11]
    assert await seqs(field_name="notes", record_id="ledger-000004") == [11]
    assert await seqs(field_name="amount") == [2, 3, 9]
    assert await seqs(message_type="edit.merged") == [5]
    assert await seqs(since=9, user_id="rae") == [10]
    middle = everything[5]["timestamp"]
    assert await seqs(**{"from": middle}) == expected(lambda item: item["timestamp"] >= middle)
    assert await seqs(to=middle) == expected(lambda item: item["timestamp"] < middle)
    assert await seqs(**{"from": "2999-01-01"}) == []
    assert await seqs(**{"from": "2000-01-01", "to": "2999-01-01T00:00Z"}) == expected(lambda item: True)


async def test_a_filter_that_fits_little_is_paged_through_the_log_in_bounded_steps(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=1)
    actor, engine = Actor("pat", "Pat", Role.PREPARER), server.services.engine
    for first in range(0, 5_200, 400):
        hay = [AddComment(actor=actor, command_id=f"pat/c{first + number}", text="hay") for number in range(400)]
        await asyncio.gather(*(engine.submit(session, command) for command in hay))
    version = (await edit(pat, session, 1, "notes", "needle"))["seq"]
    first_page = (await pat.get(f"/sessions/{session}/history", field_name="notes")).body
    assert first_page["items"] == []
    found = await pat.all(f"/sessions/{session}/history", field_name="notes")
    assert [item["seq"] for item in found] == [version]


async def test_the_session_can_be_seen_as_it_stood_at_every_commit(
    server: Server, pat: Person, ada: Person, rae: Person
) -> None:
    session = await server.session(pat, records=5)
    seen = [await _now(pat, session)]
    before = len(await pat.all(f"/sessions/{session}/history"))
    assert before == 1
    steps = [
        lambda: edit(pat, session, 1, "amount", "5"),
        lambda: edit(ada, session, 1, "amount", "6"),
        lambda: edit(ada, session, 1, "amount", "7"),
        lambda: pat.post(f"/sessions/{session}/records/ledger-000002/lock"),
        lambda: rae.post(f"/sessions/{session}/records/ledger-000002/takeover", {"reason": "late"}),
        lambda: rae.post(f"/sessions/{session}/conflicts/conflict-3/resolve", {"strategy": "keep_current"}),
        lambda: ada.ask("DELETE", f"/sessions/{session}"),
    ]
    for step in steps:
        await step()
        seen.append(await _now(pat, session))
    for number, then in enumerate(seen, start=1):
        assert await _now(pat, session, at=number) == then, number


async def _now(person: Person, session: str, **query: Any) -> Any:
    """The whole state: its first page's head, and the records of all pages."""
    first = await person.get(f"/sessions/{session}/state", limit=2, **query)
    assert first.status == 200, first.body
    items, cursor = first.body["items"], first.body["next_cursor"]
    while cursor is not None:
        page = (await person.get(f"/sessions/{session}/state", limit=2, cursor=cursor)).body
        assert (page["at"], page["session"], page["timestamp"]) == (first.body["at"], None, first.body["timestamp"])
        items, cursor = items + page["items"], page["next_cursor"]
    return {**first.body, "items": items, "next_cursor": None}


async def test_a_state_that_never_was_is_refused(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    assert (await pat.get(f"/sessions/{session}/state", at=2)).code == "version_unknown"
    assert (await pat.get(f"/sessions/{session}/state", at=0)).code == "invalid"


async def test_records_imported_later_were_not_there_yet(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    line = '{{"external_id": "A-{0}", "date": "2026-11-01", "amount": "1", "currency": "EUR"}}\n'
    for number in (1, 2):
        reply = await pat.ask(
            "POST",
            f"/sessions/{session}/records",
            params={"source": "ledger"},
            data=line.format(number),
            headers={"Content-Type": "application/x-ndjson"},
        )
        assert reply.status == 200, reply.body
    counts = [len((await _now(pat, session, at=seq))["items"]) for seq in (1, 2, 3)]
    assert counts == [0, 1, 2]


async def test_analytics_count_what_the_log_says(server: Server, pat: Person, ada: Person, rae: Person) -> None:
    session = await _busy(server, pat, ada, rae)
    figures = (await pat.get(f"/sessions/{session}/analytics")).body
    assert figures["as_of"] == 13
    assert figures["edits"] == {
        "total": 4, "applied": 2, "merged": 1, "batches": 1, "fields_set": 5, "undone": 0, "redone": 0,
    }  # fmt: skip
    conflicts = figures["conflicts"]
    assert (conflicts["detected"], conflicts["resolved"], conflicts["open"]) == (1, 1, 0)
    assert (conflicts["automatic"], conflicts["by_strategy"]) == (1, {"take_candidate": 1})
    assert (conflicts["by_type"], conflicts["by_policy"]) == ({"money": 1}, {"manual": 1})
    assert conflicts["share_resolved"] == 1.0
    assert conflicts["time_to_resolve"]["count"] == 1
    locks = figures["locks"]
    assert (locks["acquired"], locks["released"], locks["taken_over"]) == (2, 1, 1)
    assert (locks["waits"]["count"], locks["held"]["count"]) == (1, 2)
    assert figures["by_user"]["rae"] == {
        "commits": 4, "edits": 0, "conflicts": 0, "resolutions": 1, "locks": 2, "takeovers": 1, "comments": 0,
    }  # fmt: skip
    assert sum(day["commits"] for day in figures["by_day"].values()) == 13


async def test_analytics_go_on_where_they_stopped(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    path = f"/sessions/{session}/analytics"
    counts = [(await pat.get(path)).body["edits"]["total"]]
    for number in (1, 2, 3):
        await edit(pat, session, number, "notes", "x")
        counts.append((await pat.get(path)).body["edits"]["total"])
    assert counts == [0, 1, 2, 3]
