"""The drill: back up beside a server at work, lose the database, restore, go on; and what is not restored."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from realtime_server.app import SERVICES
from realtime_server.client import connect
from realtime_server.core.roles import Role
from realtime_server.serving import running
from realtime_server.settings import Settings
from realtime_server.storage.audit import verify_session
from realtime_server.storage.backup import write_backup
from tests.rest.conftest import Server, environment, token
from tests.seeing.commands import command

RECORD = "ledger-000001"


@asynccontextmanager
async def serving(given: dict[str, str]) -> AsyncIterator[Server]:
    async with AsyncExitStack() as stack, running(Settings.from_environment(given)) as (app, port):
        yield Server(app[SERVICES], port, stack)
        await stack.aclose()


@pytest.fixture
def given(mongodb_url: str, database_name: str, tmp_path: Path) -> dict[str, str]:
    return environment(mongodb_url, database_name, tmp_path)


async def worked(server: Server, given: dict[str, str], target: Path) -> str:
    """A session in which somebody edits while it is backed up."""
    session_id = await server.session(await server.person("pat", Role.PREPARER))
    async with connect(server.url, token("pat", Role.PREPARER)) as client, client.join(session_id) as session:
        for number in range(20):
            await session.edit(RECORD, "notes", f"before {number}", base_version=session.seq)
        done = asyncio.create_task(command(given, "backup", "--out", str(target)))
        number = 0
        while not done.done():
            await session.edit(RECORD, "notes", f"meanwhile {number}", base_version=session.seq)
            number += 1
        result = await done
        assert (result.returncode, result.stderr) == (0, ""), result
    return session_id


async def lost_and_restored(given: dict[str, str], backup: Path) -> subprocess.CompletedProcess[str]:
    with MongoClient(given["MONGODB_URL"]) as client:
        client.drop_database(given["MONGODB_DATABASE"])
    restored = await command(given, "restore", str(backup))
    assert restored.returncode == 0, restored
    return restored


async def test_a_lost_database_is_restored_and_work_goes_on(given: dict[str, str], tmp_path: Path) -> None:
    target = tmp_path / "backup.jsonl"
    async with serving(given) as server:
        session_id = await worked(server, given, target)
    assert target.stat().st_mode & 0o077 == 0
    restored = await lost_and_restored(given, target)
    assert restored.stdout.startswith("1 sessions, ")
    async with serving(given) as server:
        verdict = await verify_session(server.services.store, session_id)
        assert verdict is not None
        assert (verdict.problem, verdict.count >= 22) == (None, True)
        pat = await server.person("pat", Role.PREPARER)
        shown = (await pat.get(f"/sessions/{session_id}/records/{RECORD}")).body
        assert shown["values"]["notes"].startswith(("before", "meanwhile"))
        async with connect(server.url, token("pat", Role.PREPARER)) as client, client.join(session_id) as session:
            assert session.seq == verdict.count
            edited = await session.edit(RECORD, "notes", "afterwards", base_version=session.seq)
            assert edited.seq == verdict.count + 1
        verdict = await verify_session(server.services.store, session_id)
        assert verdict is not None
        assert verdict.problem is None


ROWS = "external_id,date,amount,currency\nA-1,2026-11-01,10.50,GBP\nA-2,2026-11-02,7.00,GBP\n"


class BeforeTheLog:
    """The real database, in which something is done before the log is read."""

    def __init__(self, database: Any, work: Callable[[], Awaitable[None]]) -> None:
        self.database, self._real, self._work = self, database, work

    def __getitem__(self, name: str) -> Any:
        return _Late(self._real[name], self._work) if name == "commits" else self._real[name]


class _Late:
    def __init__(self, collection: Any, work: Callable[[], Awaitable[None]]) -> None:
        self._collection, self._work = collection, work

    def find(self) -> _Late:
        return self

    async def sort(self, order: Any) -> AsyncIterator[Any]:
        await self._work()
        async for document in self._collection.find().sort(order):
            yield document


async def test_what_is_imported_during_a_backup_is_restored_with_what_was_done_to_it(
    given: dict[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "backup.jsonl"
    async with serving(given) as server:
        pat = await server.person("pat", Role.PREPARER)
        session_id = await server.session(pat)
        path = f"/sessions/{session_id}/records"

        async def imported_and_edited() -> None:
            headers = {"Content-Type": "text/csv"}
            done = await pat.ask("POST", path, params={"source": "ledger"}, data=ROWS, headers=headers)
            assert (done.status, done.body["new"]) == (200, 2), done.body
            change = {"field_name": "amount", "new_value": "8.00", "base_version": 0}
            assert (await pat.post(f"{path}/ledger:A-2/edit", change)).status == 200
            # Stored, so that the record itself is ahead of the checkpoint that was read before.
            await server.services.engine.checkpoint(session_id)

        before = await pat.all(path)
        store: Any = BeforeTheLog(server.services.store.database, imported_and_edited)
        with target.open("wb") as file:
            copied = await write_backup(store, file)
        assert (copied.problem, copied.records) == (None, len(before) + 2)
        shown = await pat.all(path)
    await lost_and_restored(given, target)
    async with serving(given) as server:
        pat = await server.person("pat", Role.PREPARER)
        await server.services.engine.checkpoint(session_id)
        assert await pat.all(path) == shown
        change = {"field_name": "amount", "new_value": "9.00", "base_version": 0}
        clash = await (await server.person("kay", Role.PREPARER)).post(f"{path}/ledger:A-2/edit", change)
        assert clash.body["status"] == "conflict"


async def test_a_restored_database_knows_what_was_revoked_the_rules_and_the_notifications(
    given: dict[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "backup.jsonl"
    async with serving(given) as server:
        ada, kay = await server.person("ada", Role.ADMIN), await server.person("kay", Role.PREPARER)
        rules = (await ada.get("/projects/demo/rules")).body
        saved = await ada.ask("PUT", "/projects/demo/rules", {
            "rules": rules["rules"][:1], "base_version": rules["version"], "comment": "fewer",
        })  # fmt: skip
        assert saved.status == 200, saved.body
        session_id = await server.session(ada)
        await ada.post(f"/sessions/{session_id}/comments", {"text": "look", "mentions": ["kay"]})
        await server.services.engine.checkpoint(session_id)
        notifications = await kay.all("/notifications")
        assert len(notifications) == 1
        pat = token("pat", Role.PREPARER)
        assert (await (await server.bearer(pat)).get(f"/sessions/{session_id}")).status == 200
        revoked = await ada.post("/projects/demo/users/pat/revoke", {"reason": "gone"})
        assert revoked.status == 200, revoked.body
        backed_up = await command(given, "backup", "--out", str(target))
        assert backed_up.returncode == 0, backed_up
    await lost_and_restored(given, target)
    async with serving(given) as server:
        ada, kay = await server.person("ada", Role.ADMIN), await server.person("kay", Role.PREPARER)
        assert (await ada.get("/projects/demo/rules")).body == saved.body
        assert await kay.all("/notifications") == notifications
        assert (await (await server.bearer(pat)).get(f"/sessions/{session_id}")).status == 404


async def test_what_is_not_sound_or_not_wanted_is_not_restored(
    given: dict[str, str], mongodb_url: str, database_name: str, tmp_path: Path
) -> None:
    target = tmp_path / "backup.jsonl"
    async with serving(given) as server:
        await worked(server, given, target)
    full = await command(given, "restore", str(target))
    assert (full.returncode, "restore into an empty one" in full.stderr) == (2, True)
    again = await command(given, "backup", "--out", str(target))
    assert (again.returncode, "File exists" in again.stderr) == (2, True)
    lines = target.read_bytes().splitlines(keepends=True)
    with MongoClient(mongodb_url) as client:
        client.drop_database(database_name)
        for name, damaged in (
            ("cut short", lines[:-1]),
            ("altered", [line.replace(b"before 3", b"before 4") for line in lines]),
            ("no backup", [b"{}\n"]),
        ):
            other = tmp_path / "damaged.jsonl"
            other.write_bytes(b"".join(damaged))
            refused = await command(given, "restore", str(other))
            assert (refused.returncode, name in refused.stderr) == (2, True), refused
            assert client[database_name]["commits"].find_one() is None


async def test_a_backup_of_a_log_that_was_tampered_with_says_so(
    given: dict[str, str], mongodb_url: str, database_name: str, tmp_path: Path
) -> None:
    async with serving(given) as server:
        session_id = await worked(server, given, tmp_path / "sound.jsonl")
    with MongoClient(mongodb_url) as client:
        client[database_name]["commits"].update_one({"seq": 5}, {"$set": {"data.new_value": "forged"}})
    target = tmp_path / "forged.jsonl"
    told = await command(given, "backup", "--out", str(target))
    assert told.returncode == 1
    assert f"{session_id}: broken at 5" in told.stdout
    with MongoClient(mongodb_url) as client:
        client.drop_database(database_name)
    refused = await command(given, "restore", str(target))
    assert (refused.returncode, "broken at 5" in refused.stderr) == (2, True)
