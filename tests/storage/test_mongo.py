"""What MongoDB alone can get wrong: indexes, durability, failures, addresses."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient, MongoClient

from realtime_server.core.commits import Commit
from realtime_server.core.state import RecordState
from realtime_server.errors import CollaborationError, ConfigurationError, ErrorCode
from realtime_server.ports import Appended, NewRecord
from realtime_server.storage.documents import commit_document
from realtime_server.storage.embedded import embedded_mongod, running_mongod
from realtime_server.storage.mongo import MongoStore, open_store
from tests.storage.logs import SESSION, chain, checkpoint_of, edit_of, edits


async def test_opening_makes_the_indexes_and_opening_again_changes_nothing(
    mongodb_url: str, database_name: str
) -> None:
    async def indexes() -> dict[str, Any]:
        async with AsyncMongoClient[dict[str, Any]](mongodb_url) as client:
            database = client[database_name]
            return {name: await database[name].index_information() for name in ("commits", "sessions", "records")}

    async with open_store(mongodb_url, database_name):
        made = await indexes()
    async with open_store(mongodb_url, database_name) as store:
        assert await indexes() == made
        await store.ping()
    assert {name for name, index in made["commits"].items() if index.get("unique")} == {"log_order", "command_once"}
    assert made["records"]["record_order"]["unique"]


READS: dict[str, Callable[[MongoStore], Awaitable[list[Any]]]] = {
    "the tail": lambda store: store.log.read(SESSION, 290, 100),
    "a record's history": lambda store: store.log.history(SESSION, 0, 100, record_ids=["record-3"]),
    "a person's history": lambda store: store.log.history(SESSION, 0, 100, user_id="bob"),
    "a page of sessions": lambda store: store.sessions.page(["project-1"], after="session-3", limit=3),
    "sessions to expire": lambda store: store.sessions.expirable(2**53, 3),
    "a page of records": lambda store: store.records.page(SESSION, after="r10", limit=5),
}


async def test_what_is_read_while_people_wait_looks_at_no_more_than_it_gives(
    mongodb_url: str, database_name: str
) -> None:
    async with open_store(mongodb_url, database_name) as store:
        alice = edits(290)
        await store.log.append([*alice, *edits(10, after=alice[-1], user_id="bob")])
        for number in range(9):
            await store.sessions.save(checkpoint_of(edits(1, session_id=f"session-{number}")[0], expires_in=60))
        await store.records.insert(SESSION, [NewRecord(f"r{n}", "ledger", "", {}, "chunk") for n in range(50)])
        await store.database.command("profile", 2)
        for name, read in READS.items():
            found = await read(store)
            assert found, name
            entry = await store.database["system.profile"].find_one(
                {"op": "query", "ns": {"$ne": f"{database_name}.system.profile"}}, sort=[("$natural", -1)]
            )
            assert entry is not None
            assert entry["nreturned"] == len(found), name
            assert entry["docsExamined"] <= len(found), name
            assert entry["keysExamined"] <= len(found) + 1, name
            assert not entry.get("hasSortStage"), name
        await store.database.command("profile", 0)


async def test_a_url_cannot_weaken_what_was_promised(mongodb_url: str, database_name: str) -> None:
    weak = f"{mongodb_url.rstrip('/')}/?w=0&readPreference=secondary&retryWrites=false"
    async with open_store(weak, database_name) as store:
        for name in ("commits", "sessions", "records"):
            collection = store.database[name]
            assert collection.write_concern.document == {"w": "majority", "j": True}
            assert collection.read_concern.level == "majority"
            assert collection.read_preference.name == "Primary"
        assert await store.log.append(edits(1)) == Appended(1)
        assert await store.log.append(edits(1)) == Appended(0)


async def test_a_log_with_a_hole_is_never_served_as_if_it_were_whole(mongodb_url: str, database_name: str) -> None:
    async with open_store(mongodb_url, database_name) as store:
        await store.log.append(edits(9))
        await store.database["commits"].delete_one({"seq": 5})
        assert len(await store.log.read(SESSION, 0, 4)) == 4
        with pytest.raises(CollaborationError) as caught:
            await store.log.read(SESSION, 0, 9)
        assert caught.value.code is ErrorCode.INTERNAL


def reason(error: pytest.ExceptionInfo[ConfigurationError]) -> str:
    return str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://somebody:hunter2@localhost",
        "mongodb://somebody:hunter2@localhost:port",
        "mongodb://somebody:hun@ter2@localhost",
        "mongodb://somebody:hunter2@",
        "mongodb://somebody:hunter2@%2Fnowhere%2Fmongodb.sock",
    ],
)
async def test_an_address_that_leads_nowhere_stops_the_start_without_telling_the_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        async with open_store(url, "nowhere", timeout=0.2):
            raise AssertionError
    assert "hunter2" not in reason(caught)
    assert "ter2" not in reason(caught)


async def test_two_commits_under_one_number_stop_the_start(mongodb_url: str, database_name: str) -> None:
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        forged = {**commit_document(edits(1)[0]), "command_id": "another"}
        client[database_name]["commits"].insert_many([commit_document(edits(1)[0]), forged])
    with pytest.raises(ConfigurationError, match="two entries where there can be one"):
        async with open_store(mongodb_url, database_name):
            raise AssertionError
    async with open_store(mongodb_url, database_name, create_indexes=False) as store:
        assert len([commit async for commit in store.log.scan(SESSION)]) == 2


async def appended_by(store: MongoStore, session_id: str) -> list[Commit]:
    return [commit async for commit in store.log.scan(session_id)]


async def test_appends_that_go_together_are_refused_each_by_itself(mongodb_url: str, database_name: str) -> None:
    logs = {f"s{number:02}": edits(12, session_id=f"s{number:02}") for number in range(40)}
    async with open_store(mongodb_url, database_name) as store:
        await asyncio.gather(*(store.log.append(log[:2]) for log in logs.values()))
        # Every second session has a command again that it has done before, at a different place each.
        tries = {
            name: [
                replace(commit, command_id="c-1") if number % 2 and place == number % 10 else commit
                for place, commit in enumerate(log[2:])
            ]
            for number, (name, log) in enumerate(logs.items())
        }
        outcomes = await asyncio.gather(*(store.log.append(commits) for commits in tries.values()))
        expected = [number % 10 if number % 2 else 10 for number in range(40)]
        assert [outcome.count for outcome in outcomes] == expected
        for (name, log), count in zip(logs.items(), expected, strict=True):
            assert await appended_by(store, name) == log[: 2 + count]


async def test_appends_one_after_the_other_never_wait_for_somebody_else(mongodb_url: str, database_name: str) -> None:
    async with open_store(mongodb_url, database_name) as store, asyncio.timeout(60):
        for commit in edits(100):
            assert await store.log.append([commit]) == Appended(1)


async def test_a_commit_that_cannot_be_stored_fails_alone(mongodb_url: str, database_name: str) -> None:
    def log_of(name: str) -> list[Commit]:
        return chain([edit_of("r1", 2**63 if name == "s3" else 1)], session_id=name)

    names = [f"s{number}" for number in range(6)]
    async with open_store(mongodb_url, database_name) as store:
        outcomes = await asyncio.gather(*(store.log.append(log_of(name)) for name in names), return_exceptions=True)
        assert isinstance(outcomes.pop(3), OverflowError)
        assert outcomes == [Appended(1)] * 5
        for name in names:
            assert await appended_by(store, name) == ([] if name == "s3" else log_of(name))


async def test_an_append_that_is_cancelled_while_it_waits_is_not_made(mongodb_url: str, database_name: str) -> None:
    async with open_store(mongodb_url, database_name) as store:
        tasks = [asyncio.create_task(store.log.append(edits(1, session_id=f"s{number}"))) for number in range(5)]
        await asyncio.sleep(0)  # all of them wait now, and nothing was sent
        tasks[2].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(outcomes.pop(2), asyncio.CancelledError)
        assert outcomes == [Appended(1)] * 4
        assert await appended_by(store, "s2") == []
        assert len(await appended_by(store, "s3")) == 1


RECORD = RecordState("r1", "ledger", "1", {"amount": "1.00"}, seq=1)
HEAD: Commit = edits(1)[0]


async def scan(store: MongoStore) -> list[Commit]:
    return [commit async for commit in store.log.scan(SESSION)]


EVERY_METHOD: dict[str, Callable[[MongoStore], Awaitable[Any]]] = {
    "ping": lambda store: store.ping(),
    "append": lambda store: store.log.append([HEAD]),
    "read": lambda store: store.log.read(SESSION, 0, 10),
    "find": lambda store: store.log.find(SESSION, ["c-1"]),
    "history": lambda store: store.log.history(SESSION, 0, 10, record_ids=["r1"]),
    "scan": scan,
    "sessions.load": lambda store: store.sessions.load(SESSION),
    "sessions.save": lambda store: store.sessions.save(checkpoint_of(HEAD)),
    "sessions.page": lambda store: store.sessions.page(["project-1"]),
    "expirable": lambda store: store.sessions.expirable(0, 10),
    "keep": lambda store: store.sessions.keep([SESSION], 0, 1),
    "records.load": lambda store: store.records.load(SESSION, ["r1"]),
    "records.save": lambda store: store.records.save(SESSION, [RECORD]),
    "insert": lambda store: store.records.insert(SESSION, [NewRecord("r1", "ledger", "1", {}, "chunk")]),
    "imported": lambda store: store.records.imported(SESSION, ["r1"]),
    "mark_imported": lambda store: store.records.mark_imported(SESSION, "r1", {"amount": ("2.00", 1)}),
    "records.page": lambda store: store.records.page(SESSION),
    "count": lambda store: store.records.count(SESSION),
}


async def assert_unavailable(store: MongoStore, timeout: float) -> None:
    async def call(name: str) -> None:
        began = time.monotonic()
        with pytest.raises(CollaborationError) as caught:
            await EVERY_METHOD[name](store)
        assert caught.value.code is ErrorCode.UNAVAILABLE, name
        assert caught.value.retryable
        assert "127.0.0.1" not in caught.value.message
        assert "mongodb.sock" not in caught.value.message
        # Far beyond the limit, so that only a wait without one fails here.
        assert time.monotonic() - began < timeout * 40, name

    await asyncio.gather(*(call(name) for name in EVERY_METHOD))


async def test_no_method_waits_for_ever_and_each_works_again_when_the_database_is_back(tmp_path: Path) -> None:
    async with embedded_mongod(tmp_path) as address, open_store(address.url, "test", timeout=0.5) as store:
        for method in EVERY_METHOD.values():
            await method(store)
        pid = running_mongod(tmp_path)
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)  # it hangs: connections stay open, nothing is answered
        try:
            await assert_unavailable(store, 0.5)
        finally:
            os.kill(pid, signal.SIGCONT)
        async with asyncio.timeout(30):
            while True:
                try:
                    await store.ping()
                    break
                except CollaborationError:
                    continue
        for method in EVERY_METHOD.values():
            await method(store)
        assert await scan(store) == [HEAD]


async def test_a_database_that_is_gone_is_told_as_unavailable(tmp_path: Path) -> None:
    async with embedded_mongod(tmp_path) as address:
        opened = open_store(address.url, "test", timeout=0.5)
        store = await opened.__aenter__()
    try:
        await assert_unavailable(store, 0.5)
    finally:
        await opened.__aexit__(None, None, None)
