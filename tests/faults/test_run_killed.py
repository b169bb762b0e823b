"""A server process is killed in the middle of a matching run: the next one goes on from what the log has."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from realtime_server.reconciliation.generator import generate
from tests.faults.processes import ServerProcess
from tests.server.conftest import token_of


async def test_a_run_whose_server_is_killed_goes_on_in_the_next_one_and_matches_nothing_twice(
    mongodb_url: str, database_name: str, tmp_path: Path
) -> None:
    server = ServerProcess(MONGODB_URL=mongodb_url, MONGODB_DATABASE=database_name, DATA_DIR=str(tmp_path))
    await server.start()
    headers = {"Authorization": f"Bearer {token_of('alice')}"}
    try:
        async with aiohttp.ClientSession(headers=headers) as http:
            session = await _session_with_books(http, server)
            await _ask(http, "POST", f"{session}/reconciliation/start")
            before = await _status(http, session, lambda run: run["matches_confirmed"] > 20)
            assert before["status"] == "running"
            await server.stop(signal.SIGKILL)
            await server.start()
            after = await _status(http, session, lambda run: run["status"] == "completed")
            await _check(http, session, before, after)
    finally:
        await server.stop()


async def _ask(http: aiohttp.ClientSession, method: str, url: str, **options: Any) -> Any:
    async with http.request(method, url, **options) as answer:
        body = await answer.json()
        assert answer.status < 300, body
        return body


async def _session_with_books(http: aiohttp.ClientSession, server: ServerProcess) -> str:
    """A session with some 2,000 records; its URL."""
    api = f"{server.url}/api/collaboration/sessions"
    session = f"{api}/{(await _ask(http, 'POST', api, json={'project_id': 'p1'}))['session_id']}"
    books = generate(11, 2_000)
    for source, rows in (("ledger", books.ledger), ("statement", books.statement)):
        lines = b"".join(_line(row.external_id, row.values()) for row in rows)
        where = {"source": source, "format": "json_lines"}
        media = {"Content-Type": "application/x-ndjson"}
        done = await _ask(http, "POST", f"{session}/records", params=where, data=lines, headers=media)
        assert done["refused"] == 0, done["errors"]
    return session


def _line(external_id: str, values: dict[str, Any]) -> bytes:
    return orjson.dumps({"external_id": external_id, **values}) + b"\n"


async def _status(http: aiohttp.ClientSession, session: str, fulfilled: Any) -> dict[str, Any]:
    async with asyncio.timeout(120):
        while True:
            run: dict[str, Any] = (await _ask(http, "GET", f"{session}/reconciliation/status"))["run"]
            if fulfilled(run):
                return run
            await asyncio.sleep(0.02)


async def _check(http: aiohttp.ClientSession, session: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    """The run is the same, more is matched, nothing twice, and the counts are those of the matches."""
    assert after["run_id"] == before["run_id"]
    assert after["matches_confirmed"] > before["matches_confirmed"]
    matches: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await _ask(http, "GET", f"{session}/matches", params={"limit": "1000", **cursor})
        matches += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    records = [record for match in matches for record in (*match["ledger"], *match["statement"])]
    assert len(records) == len(set(records)), "a record is in two matches"
    confirmed = [match for match in matches if match["status"] == "confirmed"]
    assert len(confirmed) == after["matches_confirmed"]
    assert len(matches) - len(confirmed) == after["matches_suggested"]
    assert len(records) == after["matched"] + after["suggested"]
    statuses = {"matched": 0, "suggested": 0}
    for name in statuses:
        cursor = {}
        while True:
            query = {"limit": "1000", "status": name, **cursor}
            page = await _ask(http, "GET", f"{session}/records", params=query)
            statuses[name] += len(page["items"])
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
    assert statuses == {name: after[name] for name in statuses}
