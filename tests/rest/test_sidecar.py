"""HTTP and the socket are two doors of one house, in one process and in two."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from realtime_server.app import SERVICES, create_rest_app
from realtime_server.client import CollaborationError, Envelope, ErrorCode, Session, connect
from realtime_server.core.roles import Role
from realtime_server.serving import running
from realtime_server.settings import Settings
from tests.rest.conftest import Person, Server, environment

RECORD = "ledger-000001"


@pytest.fixture
async def sidecar(server: Server, settings: Settings) -> AsyncIterator[Server]:
    """The HTTP interface alone, on the database of ``server``."""
    async with AsyncExitStack() as stack, running(settings, create_rest_app) as (app, port):
        yield Server(app[SERVICES], port, stack)
        await stack.aclose()


async def told(session: Session, message_type: str) -> Envelope:
    async with asyncio.timeout(10):
        async for envelope in session.envelopes():
            assert isinstance(envelope, Envelope)
            if envelope.message_type == message_type:
                return envelope
    raise AssertionError("the session ended")


@pytest.mark.parametrize("door", ["server", "sidecar"])
async def test_what_comes_over_http_is_a_commit_like_any_other(
    server: Server, sidecar: Server, pat: Person, door: str
) -> None:
    session_id = await server.session(pat)
    ada = await (server if door == "server" else sidecar).person("ada", Role.ADMIN)
    async with connect(server.url, pat.token or "") as client, client.join(session_id) as session:
        path = f"/sessions/{session_id}/records/{RECORD}"
        lock = (await ada.post(f"{path}/lock")).body
        seen = await told(session, "lock.acquired")
        assert (seen.seq, seen.data["holder"]["user_id"]) == (lock["seq"], "ada")
        with pytest.raises(CollaborationError) as refused:
            await session.edit(RECORD, "amount", "5", base_version=0)
        assert refused.value.code is ErrorCode.LOCKED
        edited = (await ada.post(f"{path}/edit", {"field_name": "amount", "new_value": "6", "base_version": 0})).body
        seen = await told(session, "edit.applied")
        assert (seen.seq, seen.data["new_value"], seen.user_id) == (edited["seq"], "6.00", "ada")
        await ada.post(f"{path}/unlock", {"token": lock["token"]})
        await told(session, "lock.released")
        late = await session.edit(RECORD, "amount", "7", base_version=0)
        assert late.status == "conflict"
        shown = (await ada.get(path)).body
        assert (shown["values"]["amount"], shown["conflicts"]) == ("6.00", {"amount": late.conflict_id})


async def test_a_session_that_is_entered_again_still_sees_what_comes_from_beside(
    server: Server, sidecar: Server, pat: Person
) -> None:
    session_id = await server.session(pat)
    ada = await sidecar.person("ada", Role.ADMIN)
    async with connect(server.url, pat.token or "") as client:
        async with client.join(session_id):
            pass
        # The second time the log says nothing new of pat: no commit wakes the session.
        async with client.join(session_id) as session:
            await ada.post(f"/sessions/{session_id}/comments", {"text": "here"})
            assert (await told(session, "comment.added")).data["text"] == "here"


async def test_an_edit_retried_through_another_door_is_done_once(server: Server, sidecar: Server, pat: Person) -> None:
    session_id = await server.session(pat)
    async with connect(server.url, pat.token or "") as client, client.join(session_id) as session:
        first = await session.edit(RECORD, "amount", "5", base_version=0, edit_id="once")
    body = {"field_name": "amount", "new_value": "5", "base_version": 0}
    for other in (server, sidecar):
        again = await (await other.bearer(pat.token)).post(
            f"/sessions/{session_id}/records/{RECORD}/edit", body, Idempotency_Key="once"
        )
        assert (again.body["status"], again.body["seq"]) == ("applied", first.seq)


async def test_who_is_in_a_session_is_shown_over_http(server: Server, pat: Person, ada: Person) -> None:
    session_id = await server.session(pat)
    async with connect(server.url, pat.token or "") as client, client.join(session_id) as session:
        await session.presence(activity="reviewing", focus={"record_id": RECORD})
        users = (await ada.get(f"/sessions/{session_id}/users")).body["items"]
        assert [(user["user_id"], user["activity"], user["present"]) for user in users] == [("pat", "reviewing", True)]
    users = (await ada.get(f"/sessions/{session_id}/users")).body["items"]
    assert [(user["user_id"], user["present"], user["connections"]) for user in users] == [("pat", False, 0)]


async def test_the_command_serves_until_it_is_told_to_stop(
    mongodb_url: str, database_name: str, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "realtime_server",
        "rest",
        env={**os.environ, **environment(mongodb_url, database_name, tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            line = ""
            while "listens on" not in line:
                line = (await process.stdout.readline()).decode()
                assert line
            url = line.split("listens on ")[1].split(". ")[0].strip()
            async with aiohttp.ClientSession() as http:
                for path, status in (("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/api/docs", 200),
                                     ("/api/collaboration/sessions", 401), ("/socket.io/", 404)):  # fmt: skip
                    async with http.get(f"{url}{path}") as response:
                        assert response.status == status, path
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
