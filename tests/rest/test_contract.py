"""The running server against its own OpenAPI document: whatever is sent, it answers as the document says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi import checks as openapi_checks

from realtime_server.app import SERVICES, Services
from realtime_server.core.commands import AcquireLock, Actor, CreateSession, Edit, FieldEdit
from realtime_server.core.roles import Role
from realtime_server.rest.documents.openapi import openapi
from realtime_server.rest.routes import OPERATIONS
from realtime_server.serving import running
from realtime_server.settings import Settings
from tests.rest.conftest import environment, record, token

ADMIN = Actor("ada", "Ada", Role.ADMIN)
RECORD = "ledger-000017"


def _document() -> dict[str, Any]:
    """Without the part about tokens: every request here has a good one (bad ones: `test_bad_input`)."""
    document = openapi(OPERATIONS)
    del document["security"]
    return document


schemathesis.serializer.alias(
    ["application/x-ndjson", "application/jsonl", "text/csv", "application/x-ofx", "application/vnd.intu.qfx"],
    "text/plain",
)
schema = schemathesis.openapi.from_dict(_document())


class _Server:
    """The whole server in a thread of its own: schemathesis speaks synchronously."""

    def __init__(self, configuration: Settings) -> None:
        self.port = 0
        self.services: Services
        self.loop: asyncio.AbstractEventLoop
        self._configuration = configuration
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        self._started.result(30)
        self.http = requests.Session()
        self.sessions: dict[str, str] = {}

    async def _serve(self) -> None:
        self.loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with running(self._configuration) as (app, port):
                self.port, self.services = port, app[SERVICES]
                self._started.set_result(None)
                await self._stop.wait()
        except BaseException as error:
            if not self._started.done():
                self._started.set_exception(error)
            raise

    def close(self) -> None:
        self.http.close()
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def session_for(self, operation: str) -> str:
        """A session of the operation's own, with records, a lock and an open conflict."""
        if operation not in self.sessions:
            session_id = f"contract-{len(self.sessions)}"
            asyncio.run_coroutine_threadsafe(self._fill(session_id), self.loop).result(30)
            self.sessions[operation] = session_id
        return self.sessions[operation]

    async def _fill(self, session_id: str) -> None:
        engine, pat = self.services.engine, Actor("pat", "Pat", Role.PREPARER)
        await engine.submit(
            session_id,
            CreateSession(
                actor=ADMIN,
                command_id="ada/create",
                session_id=session_id,
                project_id="demo",
                name="Contract",
                expires_in=3600,
            ),
        )
        await self.services.store.records.insert(session_id, [record(number) for number in range(1, 30)])
        for actor, value in ((ADMIN, "1.00"), (pat, "2.00")):
            edit = FieldEdit(record_id=RECORD, field_name="amount", new_value=value, base_version=0)
            await engine.submit(
                session_id, Edit(actor=actor, command_id=f"{actor.user_id}/e1", edit_id="e1", edit=edit)
            )
        lock = AcquireLock(actor=pat, command_id="pat/l1", record_id="ledger-000002", duration=300_000)
        await engine.submit(session_id, lock)


@pytest.fixture(scope="module")
def server(mongodb_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Server]:
    from pymongo import MongoClient

    name = f"test_contract_{tmp_path_factory.getbasetemp().name}_{id(schema)}"[:60]
    server = _Server(Settings.from_environment(environment(mongodb_url, name, Path(tmp_path_factory.mktemp("data")))))
    try:
        yield server
    finally:
        server.close()
        with MongoClient[dict[str, Any]](mongodb_url) as client:
            client.drop_database(name)


def _real(case: Case, server: _Server) -> None:
    """Half of the requests are about things that exist: otherwise nearly all would end at `not_found`."""
    found = case.path_parameters or {}
    path = case.meta.components.get(ParameterLocation.PATH) if case.meta is not None else None
    if path is not None and path.mode is GenerationMode.NEGATIVE:
        return
    if sum(str(sorted(map(str, found.values()))).encode()) % 2:
        return
    real = {
        "session_id": server.session_for(case.operation.label),
        "record_id": RECORD,
        # Whose tokens are revoked must not be the one who asks.
        "user_id": "nobody" if case.operation.label.endswith("/revoke") else "ada",
        "conflict_id": "conflict-3",
        "project_id": "demo",
        "source": "ledger",
        "match_id": "match-1-0@ledger-000001",
        "progress_id": "upload-1",
    }
    case.path_parameters = {name: real[name] for name in found}


@schema.parametrize()
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_sent_is_answered_as_documented(case: Case, server: _Server) -> None:
    _real(case, server)
    case.call_and_validate(
        base_url=f"http://127.0.0.1:{server.port}",
        session=server.http,
        headers={"Authorization": f"Bearer {token('ada', Role.ADMIN)}"},
        excluded_checks=[openapi_checks.positive_data_acceptance, openapi_checks.ignored_auth],
    )
