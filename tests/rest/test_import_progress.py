"""How far an import over HTTP is, as seen by somebody else while it runs and after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from realtime_server.core.roles import Role
from realtime_server.ports import NewRecord
from tests.rest.conftest import Person, Server
from tests.rest.test_imports import CSV, send


async def seen(person: Person, session: str, progress_id: str, fits: Callable[[dict[str, Any]], bool]) -> Any:
    """The import's progress, once it is as said."""
    async with asyncio.timeout(10):
        while True:
            reply = await person.get(f"/sessions/{session}/imports/{progress_id}")
            if reply.status == 200 and fits(reply.body):
                return reply.body
            assert reply.status in (200, 404), reply.body
            await asyncio.sleep(0.01)


async def test_a_file_that_is_still_coming_is_seen_by_others(server: Server, pat: Person, rae: Person) -> None:
    session, rest = await server.session(pat, records=0), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield CSV[:30].encode()
        await rest.wait()
        yield CSV[30:].encode()

    sending = asyncio.create_task(send(pat, session, slowly(), progress_id="upload-1"))
    coming = await seen(rae, session, "upload-1", lambda body: True)
    assert (coming["status"], coming["source"], coming["user_id"]) == ("receiving", "ledger", "pat")
    # Sent in pieces, nobody knows yet how long it is, nor how many rows it has.
    assert (coming["bytes_total"], coming["rows"], coming["rows_total"]) == (None, 0, None)
    assert coming["bytes_received"] in (0, 30)
    rest.set()
    assert (await sending).status == 200
    done = (await rae.get(f"/sessions/{session}/imports/upload-1")).body
    assert (done["status"], done["bytes_received"]) == ("completed", len(CSV))
    assert (done["rows"], done["rows_total"], done["new"], done["changed"], done["refused"]) == (2, 2, 2, 0, 0)
    assert done["started_at"] == coming["started_at"] <= coming["updated_at"] <= done["updated_at"]


async def test_a_sender_who_hangs_up_leaves_an_import_that_failed(server: Server, pat: Person, rae: Person) -> None:
    session = await server.session(pat, records=0)

    async def slowly() -> AsyncIterator[bytes]:
        yield CSV[:30].encode()
        await asyncio.Event().wait()

    sending = asyncio.create_task(send(pat, session, slowly(), progress_id="cut"))
    await seen(rae, session, "cut", lambda body: body["status"] == "receiving")
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    found = await seen(rae, session, "cut", lambda body: body["status"] != "receiving")
    assert (found["status"], found["rows"]) == ("failed", 0)
    assert "send it again" in found["message"]


async def test_an_import_that_is_refused_ends_as_failed_and_says_why(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    bad = CSV + "A-3,2026-11-03,much,GBP,?\n"
    refused = await send(pat, session, bad, all_or_nothing="true", progress_id="bad")
    found = (await pat.get(f"/sessions/{session}/imports/bad")).body
    assert (found["status"], found["refused"], found["message"]) == ("failed", 1, refused.body["detail"])
    assert found["bytes_total"] == found["bytes_received"] == len(bad)
    refused = await send(pat, session, "", progress_id="empty")
    assert (await pat.get(f"/sessions/{session}/imports/empty")).body["message"] == refused.body["detail"]


async def test_rows_that_changed_or_were_refused_are_counted(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    await send(pat, session, CSV)
    await send(pat, session, CSV.replace("10.50", "11") + "A-3,never,1,GBP,?\n", progress_id="second")
    found = (await pat.get(f"/sessions/{session}/imports/second")).body
    assert [found[name] for name in ("status", "rows", "new", "changed", "refused")] == ["completed", 3, 0, 1, 1]
    assert "message" not in found


async def test_the_newest_imports_come_first_and_each_has_a_name(server: Server, pat: Person) -> None:
    session, other = await server.session(pat, records=0), await server.session(pat, records=0)
    assert (await pat.get(f"/sessions/{session}/imports")).body == {"items": []}
    await send(pat, session, CSV, progress_id="mine")
    await send(pat, session, CSV, source="statement")
    await send(pat, other, CSV, progress_id="mine")
    items = (await pat.get(f"/sessions/{session}/imports")).body["items"]
    assert [(item["source"], item["status"]) for item in items] == [("statement", "completed"), ("ledger", "completed")]
    assert items[0]["progress_id"].startswith("import-")
    assert items[1] == (await pat.get(f"/sessions/{session}/imports/mine")).body


async def test_the_same_name_again_is_the_newer_import(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    await send(pat, session, CSV, progress_id="again")
    await send(pat, session, CSV, progress_id="again")
    [only] = (await pat.get(f"/sessions/{session}/imports")).body["items"]
    assert (only["progress_id"], only["new"], only["status"]) == ("again", 0, "completed")


async def test_an_import_that_there_is_not_and_a_name_that_cannot_be(server: Server, pat: Person) -> None:
    session = await server.session(pat, records=0)
    assert (await pat.get(f"/sessions/{session}/imports/nothing")).status == 404
    for name in ("a b", "x" * 65, "../x", ""):
        refused = await send(pat, session, CSV, progress_id=name)
        assert (refused.code, set(refused.body["details"]["fields"])) == ("invalid", {"progress_id"})
    assert (await pat.get(f"/sessions/{session}/imports")).body == {"items": []}
    stranger = await server.person("eve", Role.ADMIN, project="other")
    assert (await stranger.get(f"/sessions/{session}/imports")).status == 404


def table(rows: int) -> str:
    return CSV.splitlines()[0] + "\n" + "".join(f"B-{number},2026-11-01,1.00,GBP,x\n" for number in range(rows))


@pytest.mark.parametrize("project", ["demo", None])
async def test_an_import_whose_senders_token_is_revoked_ends_at_the_next_chunk_and_says_why(
    server: Server, pat: Person, rae: Person, project: str | None
) -> None:
    session, records = await server.session(pat, records=0), server.services.store.records
    insert = records.insert

    async def revoked_meanwhile(session_id: str, new: Sequence[NewRecord]) -> int:
        await server.services.revocations.revoke("pat", "elsewhere", "ada")
        if len(stored) == 1:
            await server.services.revocations.revoke("pat", project, "ada", "left")
        stored.append(len(new))
        return await insert(session_id, new)

    stored: list[int] = []
    records.insert = revoked_meanwhile  # type: ignore[method-assign]
    refused = await send(pat, session, table(3_500), progress_id="mine")
    records.insert = insert  # type: ignore[method-assign]
    assert (refused.status, refused.code, stored) == (401, "unauthenticated", [1_000, 1_000])
    found = (await rae.get(f"/sessions/{session}/imports/mine")).body
    assert (found["status"], found["rows"], found["new"], found["rows_total"]) == ("failed", 2_000, 2_000, 3_500)
    assert found["message"] == refused.body["detail"]
    assert "what was imported until now stays" in found["message"]
    # Every record that is there is vouched for by a commit, and the same file does the rest.
    assert await records.count(session) == 2_000
    imported = [item for item in await rae.all(f"/sessions/{session}/history")
                if item["message_type"] == "record.imported"]  # fmt: skip
    assert [item["data"]["counts"]["new"] for item in imported] == [1_000, 1_000]
    paula = await server.person("paula", Role.PREPARER)
    done = await send(paula, session, table(3_500))
    assert (done.body["new"], done.body["unchanged"]) == (1_500, 2_000)


@pytest.mark.parametrize("all_or_nothing", ["true", "false"])
async def test_a_token_that_is_revoked_while_the_file_comes_imports_nothing(
    server: Server, pat: Person, rae: Person, all_or_nothing: str
) -> None:
    session, rest = await server.session(pat, records=0), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield CSV[:30].encode()
        await rest.wait()
        yield CSV[30:].encode()

    sending = asyncio.create_task(send(pat, session, slowly(), progress_id="mine", all_or_nothing=all_or_nothing))
    await seen(rae, session, "mine", lambda body: True)
    await server.services.revocations.revoke("pat", "demo", "ada")
    rest.set()
    assert (await sending).status == 401
    found = await seen(rae, session, "mine", lambda body: body["status"] == "failed")
    assert (found["rows"], await server.services.store.records.count(session)) == (0, 0)
