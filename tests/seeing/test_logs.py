"""Every entry says whose work it belongs to, in text and as JSON; secrets are in none."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from realtime_server.client import CollaborationError, connect
from realtime_server.collaboration.commands import COMMANDS
from realtime_server.core.roles import Role
from realtime_server.log_context import context_of, current, log_context
from realtime_server.logs import JsonFormatter, TextFormatter, redacted
from tests.rest.conftest import Person, Server, token

RECORD = "ledger-000001"
TOKEN = token("pat", Role.PREPARER)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the server of this process logs, as JSON lines."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("realtime_server")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


def entries(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("realtime_server.x", logging.WARNING, "", 1, message, (), None)


def test_an_entry_bears_the_ids_of_the_work_it_belongs_to() -> None:
    with log_context(request_id="r1", session_id=None), log_context(user_id="alice"):
        entry = json.loads(JsonFormatter().format(record("late")))
        line = TextFormatter().format(record("late"))
    assert (entry["request_id"], entry["user_id"], entry["message"]) == ("r1", "alice", "late")
    assert "session_id" not in entry
    assert line.endswith("WARNING realtime_server.x: late [request_id=r1 user_id=alice]")
    assert not current()
    assert TextFormatter().format(record("late")).endswith(": late")


def test_a_task_that_outlives_a_request_bears_none_of_its_ids() -> None:
    with log_context(request_id="r1"):
        assert context_of(session_id="s1").run(current) == {"session_id": "s1"}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"refused {TOKEN}.", "refused [token]."),
        ("mongodb://app:hunter2@db.example:27017/x", "mongodb://app:[password]@db.example:27017/x"),
        ("redis://:hunter2@cache/0 and redis://cache/1", "redis://:[password]@cache/0 and redis://cache/1"),
        ("Authorization: Bearer abcdef.ghijkl", "Authorization: Bearer [token]"),
        ("session eyJ is 12:30@noon", "session eyJ is 12:30@noon"),
    ],
)
def test_tokens_and_passwords_are_blotted_out(text: str, left: str) -> None:
    assert redacted(text) == left


async def test_a_request_that_fails_can_be_found_in_the_log_by_its_id(
    server: Server, pat: Person, written: io.StringIO
) -> None:
    # Somebody put something there that no server writes.
    mappings = server.services.store.database["import_mappings"]
    await mappings.insert_one({"_id": {"project_id": "demo", "source": "ledger"}, "nonsense": True})
    session_id = await server.session(pat)
    await server.services.store.database["records"].update_one(
        {"session_id": session_id, "record_id": RECORD}, {"$unset": {"fields": ""}}
    )
    reply = await pat.get(f"/sessions/{session_id}/records")
    assert reply.status == 500
    entry = next(item for item in entries(written) if item.get("request_id") == reply.body["request_id"])
    assert (entry["session_id"], entry["user_id"], entry["level"]) == (session_id, "pat", "error")
    assert "KeyError" in entry["exception"]


async def test_an_event_that_fails_names_its_entry_in_the_log(
    server: Server, pat: Person, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> Any:
        raise RuntimeError("a planted defect")

    monkeypatch.setitem(COMMANDS.handlers, "comment", replace(COMMANDS.handlers["comment"], handle=broken))
    session_id = await server.session(pat)
    async with connect(server.url, TOKEN, timeout=5) as client, client.join(session_id):
        with pytest.raises(CollaborationError) as failed:
            await client.request("comment", {"session_id": session_id, "text": "hello"})
    (entry,) = (item for item in entries(written) if "planted" in item.get("exception", ""))
    assert (entry["session_id"], entry["user_id"], entry["event"]) == (session_id, "pat", "comment")
    assert failed.value.details["request_id"] == entry["request_id"]


async def test_what_a_sessions_actor_logs_bears_the_session(
    server: Server, pat: Person, written: io.StringIO
) -> None:
    session_id = await server.session(pat)
    await server.services.store.database["commits"].insert_one({"session_id": session_id, "seq": 2, "command_id": "x"})
    server.services.engine.poke(session_id)
    assert (await pat.get(f"/sessions/{session_id}")).status == 500
    failed = [item for item in entries(written) if "failed" in item["message"] and item["level"] == "error"]
    assert failed
    assert {item["session_id"] for item in failed} == {session_id}
