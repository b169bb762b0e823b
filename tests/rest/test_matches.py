"""Matches over HTTP: every one once, page by page, and only those that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from realtime_server.core import reconciliation_commands as r
from realtime_server.core.commands import SYSTEM, Actor, generated_command_id
from realtime_server.core.commits import SYSTEM_USER
from realtime_server.core.roles import Role
from realtime_server.ports import NewRecord
from tests.rest.conftest import Person, Server

PAT = Actor("pat", "Pat", Role.PREPARER)


async def books(server: Server, pat: Person, pairs: int) -> str:
    """A session with records that pair up by number."""
    session_id = await server.session(pat, records=pairs)
    rows = [
        NewRecord(f"statement-{number:06}", "statement", f"S-{number}",
                  {"amount": f"{number}.00", "currency": "GBP", "date": "2026-11-01", "status": "unmatched"}, "chunk-2")
        for number in range(1, pairs + 1)
    ]  # fmt: skip
    await server.services.store.records.insert(session_id, rows)
    return session_id


def pair(number: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (f"ledger-{number:06}",), (f"statement-{number:06}",)


async def found(server: Server, session_id: str, items: Sequence[r.Found]) -> None:
    """What a run would have found, stored as a run stores it."""
    engine = server.services.engine

    async def as_system(kind: Any, **members: Any) -> None:
        command_id = generated_command_id(SYSTEM_USER, uuid4().hex)
        await engine.submit(session_id, kind(actor=SYSTEM, command_id=command_id, run_id="run-1", **members))

    await engine.submit(session_id, r.StartRun(actor=PAT, command_id="pat/start", run_id="run-1"))
    await as_system(r.ReportProgress, total=len(items), processed=0, runner="test")
    await as_system(r.ProposeMatches, items=tuple(items), runner="test")
    await as_system(r.CompleteRun, total=len(items))


def item(number: int, rule_id: str, score: float, *, confirmed: bool = False) -> r.Found:
    ledger, statement = pair(number)
    return r.Found(ledger=ledger, statement=statement, rule_id=rule_id, score=score, confirmed=confirmed)


@pytest.fixture
async def session_id(server: Server, pat: Person) -> str:
    """Five matches of a run, and one by hand of two records of the ledger and one of the statement."""
    session_id = await books(server, pat, 9)
    await found(server, session_id, [
        item(1, "exact", 1.0, confirmed=True), item(2, "exact", 0.9, confirmed=True), item(3, "near", 0.9),
        item(4, "near", 0.75), item(5, "exact", 0.5),
    ])  # fmt: skip
    by_hand = {"ledger": ["ledger-000006", "ledger-000007"], "statement": ["statement-000009"], "reason": "a discount"}
    reply = await pat.post(f"/sessions/{session_id}/matches", by_hand)
    assert reply.status == 200, reply.body
    return session_id


async def listed(person: Person, session_id: str, **query: Any) -> list[int]:
    """Of the matches that a query finds, the number of the first ledger record."""
    items = await person.all(f"/sessions/{session_id}/matches", **query)
    return [int(match["ledger"][0][-6:]) for match in items]


async def test_a_match_is_listed_once_though_each_of_its_records_holds_it(
    server: Server, pat: Person, session_id: str
) -> None:
    page = (await pat.get(f"/sessions/{session_id}/matches")).body
    assert page["as_of"] == (await pat.get(f"/sessions/{session_id}")).body["seq"]
    assert page["next_cursor"] is None
    assert [match["ledger"][0] for match in page["items"]] == [f"ledger-{number:06}" for number in range(1, 7)]
    hand = page["items"][-1]
    assert (hand["ledger"], hand["statement"]) == (["ledger-000006", "ledger-000007"], ["statement-000009"])
    assert (hand["rule_id"], hand["score"], hand["reason"], hand["user_id"]) == (None, None, "a discount", "pat")
    assert (hand["difference"], hand["status"]) == ({"GBP": "4.00"}, "confirmed")
    assert (page["items"][3]["rule_id"], page["items"][3]["score"]) == ("near", 0.75)


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 7])
async def test_pages_of_any_size_hold_every_match_once(
    server: Server, pat: Person, session_id: str, limit: int
) -> None:
    assert await listed(pat, session_id, limit=limit) == [1, 2, 3, 4, 5, 6]
    assert await listed(pat, session_id, limit=limit, status="suggested") == [3, 4, 5]


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({"status": "confirmed"}, [1, 2, 6]),
    ({"status": "suggested"}, [3, 4, 5]),
    ({"rule_id": "near"}, [3, 4]),
    ({"rule_id": "by-hand"}, [6]),
    ({"rule_id": "nothing"}, []),
    ({"least_score": 0.9}, [1, 2, 3]),
    ({"most_score": 0.75}, [4, 5]),
    ({"least_score": 0.75, "most_score": 0.9}, [2, 3, 4]),
    ({"least_score": 1}, [1]),
    ({"most_score": 0}, []),
    ({"least_score": 0}, [1, 2, 3, 4, 5]),
    ({"status": "suggested", "rule_id": "exact", "most_score": 0.6}, [5]),
]


async def test_only_matches_that_fit_all_filters_are_listed(server: Server, pat: Person, session_id: str) -> None:
    assert {str(query): await listed(pat, session_id, **query) for query, _ in FILTERS} == {
        str(query): numbers for query, numbers in FILTERS
    }


async def test_the_list_follows_what_people_do(server: Server, pat: Person, session_id: str) -> None:
    path = f"/sessions/{session_id}/matches"
    by_ledger = {match["ledger"][0]: match["match_id"] for match in await pat.all(path)}
    await pat.post(f"{path}/confirm", {"match_ids": [by_ledger["ledger-000003"]]})
    await pat.post(f"{path}/reject", {"match_ids": [by_ledger["ledger-000004"]]})
    await pat.post(f"{path}/remove", {"match_ids": [by_ledger["ledger-000001"]]})
    assert await listed(pat, session_id, status="confirmed") == [2, 3, 6]
    assert await listed(pat, session_id, status="suggested") == [5]


async def test_a_filter_that_finds_nothing_near_answers_with_an_empty_page_and_goes_on(
    server: Server, pat: Person
) -> None:
    """A request looks at 5,000 records at most."""
    session_id = await books(server, pat, 2_501)
    ledger, statement = ["ledger-000001"], ["statement-002501"]
    hand = {"ledger": ledger, "statement": statement, "reason": "written off"}
    assert (await pat.post(f"/sessions/{session_id}/matches", hand)).status == 200
    first = (await pat.get(f"/sessions/{session_id}/matches", rule_id="exact")).body
    assert first["items"] == []
    last = (await pat.get(f"/sessions/{session_id}/matches", rule_id="exact", cursor=first["next_cursor"])).body
    assert (last["items"], last["next_cursor"]) == ([], None)
    assert await listed(pat, session_id) == [1]


async def test_queries_that_cannot_be_are_refused_by_name(server: Server, pat: Person, session_id: str) -> None:
    path = f"/sessions/{session_id}/matches"
    for query in (
        {"status": "rejected"},
        {"least_score": "2"},
        {"most_score": "-1"},
        {"limit": "0"},
        {"colour": "red"},
    ):
        refused = await pat.get(path, **query)
        assert (refused.status, set(refused.body["details"]["fields"])) == (422, set(query))
    assert (await pat.get(path, cursor="nonsense")).code == "invalid"
    stranger = await server.person("eve", Role.ADMIN, project="other")
    assert (await stranger.get(path)).status == 404
