"""A person's name goes, everywhere, and the log is as sound as before."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from bson import encode
from redis.asyncio import Redis

from realtime_server.app import SERVICES
from realtime_server.auth.issue import issue_token
from realtime_server.client import connect
from realtime_server.core.roles import Role
from realtime_server.serving import running
from realtime_server.settings import Settings
from realtime_server.storage.audit import verify_session
from tests.redis_server import RedisServer, running_redis
from tests.rest.conftest import SECRET, Person, Server, token
from tests.rest.test_sidecar import told
from tests.seeing.commands import command

RECORD = "ledger-000001"


async def stored(server: Server) -> bytes:
    """Everything that is in the database, as bytes."""
    database = server.services.store.database
    names = await database.list_collection_names()
    return b"".join([encode(document) for name in names async for document in database[name].find()])


async def naming(server: Server, name: bytes) -> set[str]:
    """The collections that have it somewhere."""
    database = server.services.store.database
    return {
        collection
        for collection in await database.list_collection_names()
        async for document in database[collection].find()
        if name in encode(document)
    }


async def named_session(server: Server, pat: Person) -> str:
    """A session in which Pat did what the log names people for."""
    session_id = await server.session(pat)
    lock = await pat.post(f"/sessions/{session_id}/records/{RECORD}/lock", {})
    assert lock.status == 200, lock.body
    comment = await pat.post(f"/sessions/{session_id}/comments", {"text": "is this paid?", "mentions": ["kay"]})
    assert comment.status == 201, comment.body
    await kept(await server.person("kay", Role.PREPARER), session_id)
    return session_id


async def kept(person: Person, session_id: str) -> dict[str, Any]:
    """The person's notification from a session, once there is one: it is kept beside the comment."""
    async with asyncio.timeout(10):
        while True:
            for item in await person.all("/notifications"):
                if item["session_id"] == session_id:
                    return dict(item)
            await asyncio.sleep(0.01)


async def sound(server: Server, session_id: str) -> bool:
    verdict = await verify_session(server.services.store, session_id)
    assert verdict is not None
    return verdict.problem is None


async def test_an_admin_erases_a_name_and_nobody_is_told_it_any_more(server: Server, ada: Person, pat: Person) -> None:
    session_id = await named_session(server, pat)
    path = f"/sessions/{session_id}"
    async with connect(server.url, token("rae", Role.REVIEWER)) as client, client.join(session_id) as rae:
        erased = await ada.ask("DELETE", f"{path}/users/pat/name")
        assert erased.status == 200, erased.body
        assert erased.body["commits"] == 3
        assert (await told(rae, "session.name_erased")).data == {"user_id": "pat"}
    assert b"Pat" not in await stored(server)
    assert await sound(server, session_id)
    for shown in (await ada.get(f"{path}/history", limit=100), await ada.get(f"{path}/users"),
                  await ada.get(f"{path}/records/{RECORD}")):  # fmt: skip
        assert shown.status == 200
        assert "Pat" not in str(shown.body)
    comment = next(item for item in await ada.all(f"{path}/history") if item["message_type"] == "comment.added")
    assert comment["data"]["name"] == "pat"
    assert (await kept(await server.person("kay", Role.PREPARER), session_id))["name"] == "pat"


async def in_redis(redis: RedisServer) -> bytes:
    """Everything that is in Redis, as bytes: names of keys, and values of whatever kind."""
    async with Redis.from_url(redis.url) as client:
        found = []
        async for key in client.scan_iter():
            match await client.type(key):
                case b"hash":
                    value: object = await client.hgetall(key)
                case b"zset":
                    value = await client.zrange(key, 0, -1)
                case b"string":
                    value = await client.get(key)
                case kind:
                    raise AssertionError(kind)
            found.append(repr((key, value)).encode())
        return b"".join(found)


async def test_after_everything_that_names_a_person_the_name_is_in_no_collection_and_not_in_redis(
    settings: Settings,
) -> None:
    async with (
        running_redis() as redis,
        running(replace(settings, redis_url=redis.url)) as (app, port),
        AsyncExitStack() as stack,
    ):
        server = Server(app[SERVICES], port, stack)
        ada, pat = await server.person("ada", Role.ADMIN), await server.person("pat", Role.PREPARER)
        session_id = await named_session(server, pat)
        path = f"/sessions/{session_id}"
        async with (
            connect(server.url, ada.token or "") as his,
            his.join(session_id) as theirs,
            connect(server.url, pat.token or "") as hers,
            hers.join(session_id) as mine,
        ):
            focus = {"record_id": RECORD, "field_name": "amount"}
            await mine.presence(focus=focus, drafts=[focus], activity="editing")
            # The sentences of a suggestion, in two commits.
            await theirs.edit("ledger-000002", "amount", "5.00", base_version=0)
            for value, reason in (("6.00", "invoice"), ("7.00", None)):
                clash = await mine.edit("ledger-000002", "amount", value, base_version=0, reason=reason)
                assert clash.status == "conflict"
            (conflict,) = await ada.all(f"{path}/conflicts")
            assert "Pat" in str(conflict["suggestion"])
            await theirs.take_over(RECORD, "it is late")
            # Notifications, to a person and to whoever signs.
            mention = await pat.post(f"{path}/comments", {"text": "look", "mentions": ["ada", "rae"]})
            assert mention.status == 201, mention.body
            await server.services.engine.checkpoint(session_id)
            assert {"commits", "sessions", "notifications"} <= await naming(server, b"Pat")
            assert b"Pat" in await in_redis(redis)
        assert (await ada.ask("DELETE", f"{path}/users/pat/name")).status == 200
        assert await naming(server, b"Pat") == set()
        assert await sound(server, session_id)
        (conflict,) = await ada.all(f"{path}/conflicts")
        shown = [conflict, await ada.all(f"{path}/history"), await ada.all("/notifications")]
        assert "pat" in str(shown)
        assert "Pat" not in str(shown)
        async with asyncio.timeout(10):
            while b"Pat" in await in_redis(redis):  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)


async def shown_as(person: Person, path: str, user_id: str, name: str) -> None:
    """Return when the session's list of people calls somebody so, and says that they are there."""
    async with asyncio.timeout(10):
        while not any(
            (item["user_id"], item["name"], item["present"]) == (user_id, name, True)
            for item in (await person.get(f"{path}/users")).body["items"]
        ):
            pass


async def test_who_is_connected_goes_on_without_the_name_at_every_instance_until_a_newer_token_says_it(
    settings: Settings,
) -> None:
    async with (
        running_redis() as redis,
        running(replace(settings, redis_url=redis.url)) as (one, port),
        running(replace(settings, redis_url=redis.url)) as (other, far_port),
        AsyncExitStack() as stack,
    ):
        here, there = Server(one[SERVICES], port, stack), Server(other[SERVICES], far_port, stack)
        for server in (here, there):
            # All that follows was ten seconds ago, so that a token of this moment is newer than the erasure.
            server.services.store.clock._ahead -= 10_000
        ada = await here.person("ada", Role.ADMIN)
        old = issue_token(SECRET, "pat", "Pat", {"demo": Role.PREPARER}, 3600)
        claims = jwt.decode(old, SECRET, ["HS256"])
        old = jwt.encode({**claims, "iat": claims["iat"] - 60}, SECRET, "HS256")
        pat = await here.bearer(old)
        session_id = await named_session(here, pat)
        path = f"/sessions/{session_id}"
        async with connect(there.url, old) as hers, hers.join(session_id) as mine:
            await shown_as(ada, path, "pat", "Pat")
            erased = await ada.ask("DELETE", f"{path}/users/pat/name")
            await told(mine, "session.name_erased")
            await shown_as(ada, path, "pat", "pat")
            async with mine.lock("ledger-000002"):
                await mine.comment("still here")
            for server in (here, there):  # over HTTP, and with another connection
                again = await server.bearer(old)
                comment = await again.post(f"{path}/comments", {"text": "and here"})
                assert comment.status == 201, comment.body
                assert (await again.post(f"{path}/users/pat/activity", {"activity": "reading"})).body["name"] == "pat"
                async with connect(server.url, old) as once_more, once_more.join(session_id) as joined:
                    assert [item["name"] for item in joined.state["members"] if item["user_id"] == "pat"] == ["pat"]
            history = [item for item in await ada.all(f"{path}/history") if item["seq"] > erased.body["seq"]]
            assert [item["message_type"] for item in history] == [
                "lock.acquired", "comment.added", "lock.released", "comment.added", "comment.added",
            ]  # fmt: skip
            assert "Pat" not in str(history)
            assert b"Pat" not in await stored(here)
            new = token("pat", Role.PREPARER)
            await hers.request("authenticate", {"token": new})
            await shown_as(ada, path, "pat", "Pat")
            await mine.comment("named anew")
            assert (await told(mine, "comment.added")).data["text"] == "still here"
            # A token from before says nothing, also now.
            assert (await pat.post(f"{path}/comments", {"text": "the old one"})).status == 201
        named = {item["data"]["text"]: item["data"]["name"] for item in await ada.all(f"{path}/history")
                 if item["message_type"] == "comment.added"}  # fmt: skip
        assert (named["named anew"], named["the old one"]) == ("Pat", "pat")
        assert await sound(here, session_id)


async def test_who_is_no_admin_erases_nothing(server: Server, pat: Person, rae: Person) -> None:
    session_id = await named_session(server, pat)
    for person in (pat, rae):
        refused = await person.ask("DELETE", f"/sessions/{session_id}/users/pat/name")
        assert (refused.status, refused.code) == (403, "forbidden")
    assert b"Pat" in await stored(server)


@pytest.fixture
def environment(mongodb_url: str, database_name: str, tmp_path: Path) -> dict[str, str]:
    return {"MONGODB_URL": mongodb_url, "MONGODB_DATABASE": database_name, "DATA_DIR": str(tmp_path)}


async def test_the_command_erases_a_name_from_all_sessions_and_running_servers_forget_it(
    server: Server, ada: Person, pat: Person, environment: dict[str, str]
) -> None:
    sessions = sorted([await named_session(server, pat), await named_session(server, pat)])
    others = await server.session(ada)
    done = await command(environment, "erase-person", "--user", "pat", "--by", "dpo")
    assert (done.returncode, done.stderr) == (0, ""), done
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [*sessions, "pat"]
    assert all(line.endswith("; sound") for line in lines[:-1])
    assert lines[-1] == "pat: the name is erased from 2 sessions"
    assert b"Pat" not in await stored(server)
    for session_id in sessions:
        history = await ada.all(f"/sessions/{session_id}/history")
        assert history[-1]["user_id"] == "dpo"
        assert "Pat" not in str(history)
    assert [item["message_type"] for item in await ada.all(f"/sessions/{others}/history")] == ["session.created"]
    again = await command(environment, "erase-person", "--user", "pat")
    assert again.stdout == "pat: the name is erased from 0 sessions\n"


async def test_a_session_whose_log_is_damaged_keeps_the_name_in_no_other_one(
    server: Server, pat: Person, environment: dict[str, str]
) -> None:
    damaged, other = sorted([await named_session(server, pat), await named_session(server, pat)])
    await server.services.engine.close()
    database = server.services.store.database
    await database["sessions"].delete_one({"_id": damaged})
    await database["commits"].delete_one({"session_id": damaged, "seq": 2})
    done = await command(environment, "erase-person", "--user", "pat")
    assert done.returncode == 1
    first, second, last = done.stdout.splitlines()
    assert first == f"{damaged}: not erased: the session's log is damaged"
    assert second.startswith(f"{other}: erased from ")
    assert last == "pat: the name is erased from 1 sessions"


async def test_with_revoke_the_persons_tokens_are_ended_where_the_name_is_erased(
    server: Server, pat: Person, environment: dict[str, str]
) -> None:
    session_id = await named_session(server, pat)
    refused = await command(environment, "erase-person", "--user", "pat", "--revoke", "--session", "s1")
    assert (refused.returncode, "leave out --session" in refused.stderr) == (2, True)
    for scope, status in ((("--project", "another"), 200), (("--project", "demo"), 404), ((), 401)):
        done = await command(environment, "erase-person", "--user", "pat", "--revoke", *scope)
        assert done.returncode == 0, done
        await server.services.revocations.refresh()
        assert (await pat.get(f"/sessions/{session_id}")).status == status, scope


async def test_only_the_projects_and_sessions_that_are_named_are_touched(
    server: Server, pat: Person, environment: dict[str, str]
) -> None:
    session_id = await named_session(server, pat)
    for narrowed in (("--project", "another"), ("--session", "another")):
        done = await command(environment, "erase-person", "--user", "pat", *narrowed)
        assert done.stdout == "pat: the name is erased from 0 sessions\n", done
    done = await command(environment, "erase-person", "--user", "pat", "--project", "demo", "--session", session_id)
    assert done.stdout.splitlines()[-1] == "pat: the name is erased from 1 sessions"


async def test_a_session_that_is_erased_from_twice_at_once_is_still_sound(
    server: Server, ada: Person, pat: Person
) -> None:
    session_id = await named_session(server, pat)
    path = f"/sessions/{session_id}/users/pat/name"
    replies = await asyncio.gather(*(ada.ask("DELETE", path) for _ in range(5)))
    assert {reply.status for reply in replies} == {200}
    assert sum(reply.body["commits"] for reply in replies) == 3
    assert await sound(server, session_id)
