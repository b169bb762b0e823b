from __future__ import annotations

import gzip
from typing import Any

from tests.rest.conftest import Person, Reply, Server

CSV = "external_id,date,amount,currency,description\nA-1,2026-11-01,10.50,GBP,Rent\nA-2,2026-11-02,7,GBP,Tea\n"


async def send(person: Person, session: str, body: Any, media_type: str = "text/csv", **query: str) -> Reply:
    headers = {"Content-Type": media_type}
    params = {"source": "ledger", **query}
    return await person.ask("POST", f"/sessions/{session}/records", params=params, data=body, headers=headers)


async def test_a_csv_becomes_records_once_however_often_it_is_sent(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    first, again = [(await send(pat, session, CSV)).body for _ in range(2)]
    assert (first["rows"], first["new"], first["unchanged"]) == (2, 2, 0)
    assert (again["rows"], again["new"], again["unchanged"]) == (2, 0, 2)
    records = await pat.all(f"/sessions/{session}/records")
    assert [(item["record_id"], item["values"]["amount"]) for item in records] == [
        ("ledger:A-1", "10.50"),
        ("ledger:A-2", "7.00"),
    ]
    assert [item["message_type"] for item in await pat.all(f"/sessions/{session}/history")] == [
        "session.created",
        "record.imported",
    ]


async def test_a_file_that_changed_edits_what_nobody_has_edited(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    await send(pat, session, CSV)
    path = f"/sessions/{session}/records/ledger:A-2/edit"
    await pat.post(path, {"field_name": "amount", "new_value": "8", "base_version": 0})
    changed = (await send(pat, session, CSV.replace("10.50", "11").replace(",7,", ",9,"))).body
    assert (changed["changed"], changed["conflicting"]) == (1, 1)


async def test_a_row_that_cannot_be_taken_stops_no_other_unless_asked(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    bad = CSV + "A-3,2026-11-03,much,GBP,?\n"
    refused = await send(pat, session, bad, all_or_nothing="true")
    assert (refused.status, refused.code) == (422, "invalid")
    assert [error["line"] for error in refused.body["details"]["errors"]] == [4]
    assert await pat.all(f"/sessions/{session}/records") == []
    done = (await send(pat, session, bad)).body
    assert (done["new"], done["refused"], done["errors"][0]["line"]) == (2, 1, 4)


async def test_json_lines_become_records(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    line = '{"external_id": "S-1", "date": "2026-11-01", "amount": "1.5", "currency": "EUR", "tags": ["a"]}\n'
    done = await send(pat, session, line, "application/x-ndjson", source="statement")
    assert done.body["new"] == 1
    assert (await pat.get(f"/sessions/{session}/records/statement:S-1")).body["values"]["tags"] == ["a"]


async def test_a_compressed_file_is_refused_whole_or_cut(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    headers = {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
    for body in (gzip.compress(CSV.encode()), gzip.compress(CSV.encode())[:-20]):
        path, params = f"/sessions/{session}/records", {"source": "ledger"}
        refused = await pat.ask("POST", path, params=params, data=body, headers=headers)
        assert (refused.status, refused.code) == (415, "invalid")
        assert refused.headers["Accept-Encoding"] == "identity"


async def test_who_may_not_import_is_told_before_anything_is_read(server: Server, pat: Person, rae: Person) -> None:
    session = await server.session(pat, records=0)
    assert (await send(rae, session, CSV)).code == "forbidden"
    assert (await send(pat, session, "")).code == "invalid"
    assert (await send(pat, session, CSV, "application/xml")).status == 415
    assert (await send(pat, "nowhere", CSV)).status == 404
