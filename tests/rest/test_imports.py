from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest

from realtime_server.core.roles import Role
from tests.reconciliation.bank_samples import CAMT_02, MT940_DUTCH, OFX_1
from tests.rest.conftest import Person, Reply, Server

CSV = "external_id,date,amount,currency,description\nA-1,2026-11-01,10.50,GBP,Rent\nA-2,2026-11-02,7,GBP,Tea\n"


async def send(person: Person, session: str, body: Any, media_type: str = "text/csv", **query: str) -> Reply:
    headers = {"Content-Type": media_type}
    params = {"source": "ledger", **query}
    return await person.ask("POST", f"/sessions/{session}/records", params=params, data=body, headers=headers)


async def test_a_csv_becomes_records_once_however_often_it_is_sent(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    assert (await pat.get(f"/sessions/{session}")).body["records"] == 0
    first, again = [(await send(pat, session, CSV)).body for _ in range(2)]
    assert (first["rows"], first["new"], first["unchanged"]) == (2, 2, 0)
    assert (again["rows"], again["new"], again["unchanged"]) == (2, 0, 2)
    assert (await pat.get(f"/sessions/{session}")).body["records"] == 2
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
    assert (await send(pat, session, CSV, "image/png")).status == 415
    assert (await send(pat, "nowhere", CSV)).status == 404


async def test_a_banks_file_is_known_by_what_stands_in_it(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    for content, media_type, kind, rows in (
        (CAMT_02, "application/xml", "camt053", 2),
        (MT940_DUTCH, "text/plain; charset=iso-8859-1", "mt940", 3),
        (OFX_1, "text/csv", "ofx", 2),
    ):
        first, again = [
            (await send(pat, session, content.encode(), media_type, source="statement")).body for _ in range(2)
        ]
        assert (first["format"], first["new"], first["refused"]) == (kind, rows, 0)
        assert (again["new"], again["unchanged"]) == (0, rows)
    record = await pat.get(f"/sessions/{session}/records/statement:123456789:202611020001")
    assert (record.body["values"]["amount"], record.body["values"]["currency"]) == ("-42.10", "USD")


async def test_a_format_that_is_named_is_not_looked_for(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    refused = await send(pat, session, CSV, format="mt940")
    assert (refused.code, "not MT940" in refused.body["detail"]) == ("invalid", True)
    assert (await send(pat, session, CSV, format="pdf")).status == 422


async def test_hostile_xml_is_one_clear_refusal(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    bomb = CAMT_02.replace("<Document", '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n<Document')
    refused = await send(pat, session, bomb.encode(), "application/xml")
    assert (refused.status, refused.code, "DOCTYPE" in refused.body["detail"]) == (422, "invalid", True)
    assert await pat.all(f"/sessions/{session}/records") == []


ODD = "Nr;Booked on;Sum;Cur;Text\nA-1;04.05.2026;1,50;EUR;Rent\n"
READ_AS = {"columns": {"external_id": "Nr", "date": "Booked on", "amount": "Sum", "currency": "Cur"},
           "date_format": "dd/mm/yyyy"}  # fmt: skip
MAPPING = "/projects/demo/import-mappings/ledger"


async def test_what_one_import_settles_the_next_one_uses(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    assert (await send(pat, session, ODD)).code == "invalid"
    given = {"mapping": orjson.dumps(READ_AS).decode(), "save_mapping": "true"}
    first = await send(pat, session, ODD, **given)
    assert (first.body["new"], first.body["saved_mapping"]) == (1, False)
    saved = (await pat.get(MAPPING)).body
    assert (saved["columns"]["date"], saved["date_format"], saved["saved_by"]) == ("Booked on", "dd/mm/yyyy", "pat")
    again = await send(pat, session, ODD)
    assert (again.body["unchanged"], again.body["saved_mapping"]) == (1, True)
    assert (await send(pat, session, ODD, saved_mapping="false")).code == "invalid"
    assert (await send(pat, session, CSV)).body["saved_mapping"] is False


async def test_a_mapping_is_settled_shown_and_forgotten(server: Server, pat: Person) -> None:
    assert (await pat.get(MAPPING)).status == 404
    put = await pat.ask("PUT", MAPPING, READ_AS)
    assert (put.status, (await pat.get(MAPPING)).body) == (200, put.body)
    session = await server.session(pat, records=0)
    assert (await send(pat, session, ODD)).body["saved_mapping"] is True
    assert (await pat.ask("DELETE", MAPPING)).body == {"forgotten": True}
    assert (await pat.ask("DELETE", MAPPING)).body == {"forgotten": False}
    assert (await send(pat, session, ODD)).code == "invalid"


async def test_who_may_not_import_settles_nothing(server: Server, pat: Person, rae: Person) -> None:
    assert (await rae.ask("PUT", MAPPING, READ_AS)).code == "forbidden"
    assert (await rae.ask("DELETE", MAPPING)).code == "forbidden"
    stranger = await server.person("sam", Role.PREPARER, project="other")
    assert (await stranger.ask("PUT", MAPPING, READ_AS)).status == 404
    assert (await pat.ask("PUT", MAPPING.replace("ledger", "bank"), READ_AS)).status == 404
    assert (await pat.get(MAPPING)).status == 404


@pytest.mark.parametrize(
    "wrong",
    [{"columns": {"day": "x"}}, {"columns": []}, {"date_format": "%d"}, {"decimal": "x"}, {"ignore": [1]}, {"more": 1},
     {"delimiter": "x"}],
)  # fmt: skip
async def test_a_mapping_that_could_read_nothing_is_refused(server: Server, pat: Person, wrong: dict[str, Any]) -> None:
    assert (await pat.ask("PUT", MAPPING, wrong)).code == "invalid"
    session = await server.session(pat, records=0)
    assert (await send(pat, session, ODD, mapping=orjson.dumps(wrong).decode())).code == "invalid"
