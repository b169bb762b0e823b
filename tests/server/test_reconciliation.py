"""A matching run with real clients: watched, worked beside, paused, and signed off, over the socket and HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from realtime_server.ports import NewRecord
from realtime_server.reconciliation.generated import Kind
from realtime_server.reconciliation.generator import generate
from tests.server.conftest import Server, token_of

SESSION = "s1"


async def fill(server: Server, size: int = 300) -> list[tuple[str, str]]:
    """Generated books in the session; the plain pairs of them, as (ledger, statement)."""
    books = generate(5, size)
    rows = [
        NewRecord(row.external_id, source, row.external_id, {**row.values(), "status": "unmatched"}, "import-2")
        for source, side in (("ledger", books.ledger), ("statement", books.statement))
        for row in side
    ]
    await server.services.store.records.insert(SESSION, rows)
    plain = (group for group in books.groups if group.kind is Kind.ONE_TO_ONE)
    return [(group.ledger[0].external_id, group.statement[0].external_id) for group in plain]


async def test_two_people_work_beside_a_run_and_both_see_the_same(server: Server) -> None:
    pairs = await fill(server)
    alice, bob = await server.member("alice"), await server.member("bob")
    await bob.done("lock", record_id=pairs[0][0])
    started = await alice.done("reconciliation_start")
    assert (await bob.hears("reconciliation.started"))["data"]["run_id"] == started["run_id"]
    await bob.hears("match.suggested")
    edited = await bob.done(
        "edit", edit_id="mine", record_id=pairs[1][0], field_name="notes", new_value="seen", base_version=0
    )
    assert edited["status"] == "applied"
    done = await alice.hears("reconciliation.progress", processed=301)
    assert done["data"]["matched"] > 0
    held = pairs[0][0]
    shown = [item for item in alice.envelopes("match.suggested") if held in item["data"]["record_ids"]]
    assert not shown
    await alice.done("reconciliation_cancel", reason="enough for today")
    last = await bob.hears("reconciliation.cancelled")
    await alice.hears_seq(last["seq"])
    for kind in ("match.suggested", "reconciliation.progress"):
        assert alice.envelopes(kind) == bob.envelopes(kind)


async def test_a_suggestion_is_confirmed_by_one_of_two_who_try(server: Server) -> None:
    await fill(server)
    alice, bob = await server.member("alice"), await server.member("bob")
    rules = [{"rule_id": "exact", "name": "Exact", "kind": "pair"}]
    await alice.done("rules_set", rules=rules, base_version=0)
    await alice.done("reconciliation_start")
    await alice.hears("reconciliation.completed")
    match_id = alice.envelopes("match.suggested")[0]["data"]["matches"][0]["match_id"]
    answers = await asyncio.gather(
        alice.done("match_confirm", match_ids=[match_id]), bob.done("match_confirm", match_ids=[match_id])
    )
    assert sorted(item["results"][0]["ok"] for item in answers) == [False, True]
    refused = next(item["results"][0] for item in answers if not item["results"][0]["ok"])
    assert refused["error"]["code"] == "already_matched"


async def test_the_way_to_the_sign_off_over_http(server: Server) -> None:
    await server.services.store.records.insert(
        SESSION,
        [NewRecord(name, source, name, VALUES, "c") for name, source in (("l1", "ledger"), ("s1", "statement"))],
    )
    base = f"{server.url}/api/collaboration/sessions/{SESSION}"

    async def ask(user: str, method: str, path: str, expect: int = 200, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {token_of(user)}"}
        async with http.request(method, base + path, headers=headers, json=body or None) as response:
            answer = await response.json()
            assert response.status == expect, answer
            return answer

    async with aiohttp.ClientSession() as http:
        status = await ask("alice", "GET", "/reconciliation/status")
        assert status["difference"] == {"EUR": "30.00"}  # r1, r2, r3 of the ledger stand alone
        found = await ask("alice", "GET", "/records/l1/candidates")
        assert [item["record_id"] for item in found["items"]] == ["s1"]
        dry = await ask("alice", "POST", "/reconciliation/dry-run")
        assert dry["records"] == 5
        await ask("alice", "POST", "/matches", ledger=["l1"], statement=["s1"])
        refused = await ask("alice", "POST", "/reconciliation/submit", expect=409)
        assert refused["code"] == "unbalanced"
        records = ["r1", "r2", "r3"]
        await ask("alice", "POST", "/status-changes", record_ids=records, status="exception", reason="asked")
        await ask("alice", "POST", "/reconciliation/submit", comment="ready")
        assert (await ask("alice", "POST", "/matches", expect=409, ledger=["l1"], statement=["s1"]))["code"] == "frozen"
        await ask("rita", "POST", "/reconciliation/reject", expect=422)
        await ask("rita", "POST", "/reconciliation/reject", reason="which bank?")
        await ask("alice", "POST", "/reconciliation/submit")
        signed = await ask("rita", "POST", "/reconciliation/approve", comment="fine")
        assert signed["final"] is True
        assert (await ask("alice", "GET", "/reconciliation/status"))["workflow"]["status"] == "approved"


VALUES = {
    "amount": "10.00",
    "currency": "EUR",
    "date": "2026-11-22",
    "description": "paid by the customer in May",
    "reference": "INV-4711",
    "status": "unmatched",
}
