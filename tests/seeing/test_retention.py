"""Names go from sessions that have been over for as long as the operator said. Nothing else does; logs stay sound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from bson import encode

from realtime_server.app import SERVICES
from realtime_server.core import commands as c
from realtime_server.core.roles import Role
from realtime_server.ending import end_tasks
from realtime_server.engine import retention
from realtime_server.engine.engine import Engine
from realtime_server.engine.retention import DAY, WORK, NameRetention, RetentionSweeper
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.serving import running
from realtime_server.settings import Settings
from realtime_server.storage.audit import verify_session
from realtime_server.storage.mongo import MongoStore, open_store
from tests.seeing.commands import command
from tests.support import eventually

PAT, RAE = c.Actor("pat", "Patricia", Role.PREPARER), c.Actor("rae", "Raelene", Role.REVIEWER)
ADA = c.Actor("ada", "Adalbert", Role.ADMIN)
NAMES = (b"Patricia", b"Raelene", b"Adalbert")
KEPT = 30


@pytest.fixture
async def store(mongodb_url: str, database_name: str) -> AsyncIterator[MongoStore]:
    async with open_store(mongodb_url, database_name) as opened:
        yield opened


@pytest.fixture
def environment(mongodb_url: str, database_name: str, tmp_path: Path) -> dict[str, str]:
    return {"MONGODB_URL": mongodb_url, "MONGODB_DATABASE": database_name, "DATA_DIR": str(tmp_path)}


@asynccontextmanager
async def engine_of(store: MongoStore, clock: Callable[[], int] | None = None) -> AsyncIterator[Engine]:
    engine = Engine(
        store.log, store.sessions, store.records,
        publish=lambda commits: None, notices=store.notices, clock=clock or store.clock,
    )  # fmt: skip
    try:
        yield engine
    finally:
        await engine.close()


async def session(store: MongoStore, session_id: str, days_ago: float, end: c.Command | None = None) -> None:
    """A session of three people as it was so many days ago; ``end``: the command that ended it, if it has ended."""
    async with engine_of(store, lambda: store.clock() - round(days_ago * DAY)) as engine:
        await engine.submit(session_id, c.CreateSession(
            actor=ADA, command_id="ada/1", session_id=session_id, project_id="demo", name="Close", expires_in=3600,
        ))  # fmt: skip
        await engine.submit(session_id, c.Join(actor=PAT, command_id="pat/1"))
        mention = c.AddComment(actor=RAE, command_id="rae/1", text="look", mentions=("pat",))
        await engine.submit(session_id, mention)
        if end is not None:
            await engine.submit(session_id, end)


END = c.EndSession(actor=ADA, command_id="ada/end")


async def naming(store: MongoStore) -> dict[str, set[str]]:
    """Sessions that have a name somewhere in the database: and in which collections."""
    found: dict[str, set[str]] = {}
    for collection in await store.database.list_collection_names():
        async for document in store.database[collection].find():
            if any(name in encode(document) for name in NAMES):
                found.setdefault(document["session_id"], set()).add(collection)
    return found


async def sound(store: MongoStore, session_id: str) -> bool:
    verdict = await verify_session(store, session_id)
    assert verdict is not None
    return verdict.problem is None


async def erasures(store: MongoStore, session_id: str) -> list[str]:
    commits = store.log.scan(session_id)
    return [commit.data["user_id"] async for commit in commits if commit.message_type == "session.name_erased"]


async def test_the_command_erases_what_is_past_its_time_and_nothing_else(
    store: MongoStore, environment: dict[str, str]
) -> None:
    await session(store, "ended", 31, END)
    await session(store, "recent", 29, END)
    await session(store, "open", 31)
    everywhere = {"commits", "sessions", "notifications"}
    assert await naming(store) == {"ended": everywhere, "recent": everywhere, "open": everywhere}

    looked = await command(environment, "retention", "--names-days", str(KEPT), "--dry-run")
    first, last = looked.stdout.splitlines()
    assert first.startswith("ended: ended at ")
    assert first.endswith(", 3 people named")
    assert last == "names are kept for 30 days: they would be erased from 1 sessions"
    assert set(await naming(store)) == {"ended", "recent", "open"}

    done = await command({**environment, "RETENTION_NAMES_DAYS": str(KEPT)}, "retention")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.splitlines() == [
        f"{first}; erased from 3 commits; sound",
        "names are kept for 30 days: they are erased from 1 sessions",
    ]
    assert set(await naming(store)) == {"recent", "open"}
    assert await erasures(store, "ended") == ["ada", "pat", "rae"]
    again = await command(environment, "retention", "--names-days", str(KEPT))
    assert again.stdout == "names are kept for 30 days: they are erased from 0 sessions\n"


async def test_without_a_number_of_days_names_are_kept_for_ever(environment: dict[str, str]) -> None:
    refused = await command(environment, "retention")
    assert refused.returncode == 2
    assert "names are kept for ever" in refused.stderr


async def test_servers_do_it_by_themselves_each_session_once(store: MongoStore, settings: Settings) -> None:
    sessions = [f"close-{number}" for number in range(4)]
    for session_id in sessions:
        await session(store, session_id, 31, END)
    await session(store, "recent", 29, END)
    kept = replace(settings, retention_names_days=KEPT)
    async with running(kept) as (one, _), running(kept) as (other, _):
        async with asyncio.timeout(20):
            while set(await naming(store)) != {"recent"}:
                pass
        states = [await app[SERVICES].engine.state("close-0") for app in (one, other)]
    assert all(person.name == person.user_id for state in states for person in state.participants.values())
    for session_id in sessions:
        assert await erasures(store, session_id) == ["ada", "pat", "rae"]
        assert await sound(store, session_id)


async def test_a_session_that_expired_is_over_when_it_expired(store: MongoStore) -> None:
    """Its people were last there 40 days ago, and it was found to be over 10 days later."""
    await session(store, "expired", 40)
    expire = c.ExpireSession(actor=c.SYSTEM, command_id="system/expire")
    async with engine_of(store, lambda: store.clock() - 30 * DAY) as engine:
        await engine.submit("expired", expire)
        for days, due in ((29, ["expired"]), (31, [])):
            kept = NameRetention(engine, store.log, store.notices, store.clock, days)
            assert [item.session_id async for item in kept.due()] == due


async def test_a_sweep_does_a_bounded_part_and_leaves_the_turn_to_whoever_comes_next(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_SESSIONS", 2)
    monkeypatch.setattr(retention, "_PAGE", 2)
    for number in range(5):
        await session(store, f"close-{number}", 31 + number, END)
    async with engine_of(store) as engine:
        kept = NameRetention(engine, store.log, store.notices, store.clock, KEPT)
        assert await store.turns.take(WORK, 600)  # another process has it
        one, other = RetentionSweeper(kept, store.turns), RetentionSweeper(kept, store.turns)
        # The longest past goes first.
        for left in ({0, 1, 2}, {0}, set()):
            await one.sweep()
            await store.turns.put_off(WORK, 0)
            await other.sweep()
            # Its own turn is put off then, and everybody else's with it.
            await one.sweep()
            assert set(await naming(store)) == {f"close-{number}" for number in left}
        assert (one.sessions, other.sessions) == (0, 5)


async def test_time_is_the_databases_and_not_the_process_own(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await session(store, "recent", 1, END)
    async with engine_of(store) as engine:
        kept = NameRetention(engine, store.log, store.notices, store.clock, KEPT)
        with monkeypatch.context() as patched:
            patched.setattr("time.time", lambda: 4e9)
            patched.setattr("time.time_ns", lambda: 4 * 10**18)
            await store.clock.look()
            assert [item async for item in kept.due()] == []
        store.clock._ahead += 40 * DAY
        assert [item.session_id async for item in kept.due()] == ["recent"]


async def test_what_was_interrupted_is_found_again_and_said_once(store: MongoStore) -> None:
    await session(store, "close", 31, END)
    async with engine_of(store) as engine:
        kept = NameRetention(engine, store.log, store.notices, store.clock, KEPT)
        erase_name, calls = store.log.erase_name, 0

        async def fails_once(session_id: str, user_id: str) -> int:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise CollaborationError(ErrorCode.UNAVAILABLE, "the database is away")
            return await erase_name(session_id, user_id)

        store.log.erase_name = fails_once  # type: ignore[method-assign]
        due = [item async for item in kept.due()]
        with pytest.raises(CollaborationError):
            await kept.erase(due[0])
        store.log.erase_name = erase_name  # type: ignore[method-assign]
        assert set(await naming(store)) == {"close"}
        due = [item async for item in kept.due()]
        assert [item.people for item in due] == [("pat", "rae")]
        await kept.erase(due[0])
    assert await naming(store) == {}
    assert await erasures(store, "close") == ["ada", "pat", "rae"]
    assert await sound(store, "close")


async def test_a_sweeper_goes_on_when_the_database_was_away(
    store: MongoStore, caplog: pytest.LogCaptureFixture
) -> None:
    await session(store, "close", 31, END)
    async with engine_of(store) as engine:
        ended, calls = store.log.ended, 0

        async def away_at_first(*arguments: object) -> object:
            nonlocal calls
            calls += 1
            if calls == 1:
                await store.turns.put_off(WORK, 0)
                raise CollaborationError(ErrorCode.UNAVAILABLE, "the database is away")
            return await ended(*arguments)  # type: ignore[arg-type]  # as they came

        store.log.ended = away_at_first  # type: ignore[method-assign,assignment]
        kept = NameRetention(engine, store.log, store.notices, store.clock, KEPT)
        sweeper = RetentionSweeper(kept, store.turns)
        sweeping = asyncio.create_task(sweeper.sweep_forever(0.01))
        await eventually(lambda: sweeper.sessions == 1)
        await end_tasks(sweeping)
    assert "is tried again" in caplog.text


@pytest.mark.parametrize("days", [1, 90, 400])
async def test_notifications_are_kept_as_long_as_the_operator_says(
    mongodb_url: str, database_name: str, days: int
) -> None:
    async with open_store(mongodb_url, database_name, notices_days=days) as store:
        await session(store, "open", 0)
        async for kept in store.database["notifications"].find():
            assert round((kept["expires_at"].timestamp() * 1000 - kept["at"]) / DAY) == days


async def test_a_session_whose_log_is_damaged_is_left_and_keeps_no_other_waiting(
    store: MongoStore, environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    for session_id, days in (("damaged", 40), ("first", 35), ("second", 32)):
        await session(store, session_id, days, END)
    await store.database["sessions"].delete_one({"_id": "damaged"})
    await store.database["commits"].delete_one({"session_id": "damaged", "seq": 2})
    done = await command(environment, "retention", "--names-days", "34")
    assert done.returncode == 1
    damaged, first, last = done.stdout.splitlines()
    assert damaged.endswith("; not erased: the session's log is damaged")
    assert first.startswith("first: ")
    assert last == "names are kept for 34 days: they are erased from 1 sessions"
    async with engine_of(store) as engine:
        kept = NameRetention(engine, store.log, store.notices, store.clock, KEPT)
        sweeper = RetentionSweeper(kept, store.turns)
        await sweeper.sweep()
    assert sweeper.sessions == 1
    assert set(await naming(store)) == {"damaged"}
    assert "names could not be erased from session damaged" in caplog.text
