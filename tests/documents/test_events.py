"""Every event of the AsyncAPI document, sent to the running server as its example shows, and answered as it says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
import socketio
from jsonschema import Draft202012Validator

from realtime_server.core.roles import Role
from realtime_server.documents import documents
from realtime_server.ports import NewRecord
from tests.rest.conftest import Server, ada, pat, server, settings, token
from tests.support import eventually

__all__ = ["ada", "pat", "server", "settings"]

ASYNCAPI = orjson.loads(documents()["asyncapi.json"])
COMPONENTS = ASYNCAPI["components"]
NAMESPACE = ASYNCAPI["channels"]["collaboration"]["address"]
EVENTS = [
    operation for operation in ASYNCAPI["operations"].values() if operation["action"] == "receive"
]  # fmt: skip


def resolve(reference: dict[str, str]) -> Any:
    place: Any = ASYNCAPI
    for step in reference["$ref"].removeprefix("#/").split("/"):
        place = place[step]
    return resolve(place) if "$ref" in place else place


def check(payload: Any, schema: dict[str, Any]) -> None:
    Draft202012Validator({**schema, "components": COMPONENTS}).validate(payload)


class Witness:
    """A socket client that holds every broadcast against the document."""

    def __init__(self) -> None:
        self.socket = socketio.AsyncClient(reconnection=False)
        self.seen: dict[str, Any] = {}
        families = {operation_name.removeprefix("send_") for operation_name in ASYNCAPI["operations"]}
        for family in families:
            self.socket.on(family, lambda payload, family=family: self._see(family, payload), namespace=NAMESPACE)

    def _see(self, family: str, payload: Any) -> None:
        self.seen[payload["message_type"]] = (family, payload)

    async def ask(self, event: str, request: Any) -> Any:
        return await self.socket.call(event, request, namespace=NAMESPACE, timeout=10)


@asynccontextmanager
async def _witness(server: Server, user: str) -> AsyncIterator[Witness]:
    witness = Witness()
    await witness.socket.connect(
        server.url, auth={"token": token(user, Role.ADMIN)}, namespaces=[NAMESPACE], transports=["websocket"]
    )
    yield witness
    await witness.socket.disconnect()
    await witness.socket.shutdown()


@pytest.fixture
async def witness(server: Server) -> AsyncIterator[Witness]:
    async with _witness(server, "alice") as witness:
        yield witness


@pytest.fixture
async def judge(server: Server) -> AsyncIterator[Witness]:
    """Somebody who has changed nothing, and so may sign."""
    async with _witness(server, "judith") as judge:
        yield judge


async def _prepared(server: Server, witness: Witness) -> dict[str, Any]:
    """A session in which every example can succeed; what has to be put into the examples."""
    alice, bob = await server.person("alice", Role.ADMIN), await server.person("bob", Role.ADMIN)
    session_id = await server.session(alice, records=30)
    assert (await witness.ask("join", {"session_id": session_id}))["ok"]
    path = f"/sessions/{session_id}/records/ledger-000003"
    for person, value in ((alice, "1"), (bob, "2")):
        reply = await person.post(f"{path}/edit", {"field_name": "amount", "new_value": value, "base_version": 0})
    comment = (await alice.post(f"/sessions/{session_id}/comments", {"text": "?"})).body["comment_id"]
    lock = (await alice.post(f"/sessions/{session_id}/records/ledger-000017/lock")).body
    await bob.post(f"/sessions/{session_id}/records/ledger-000020/lock")
    return {
        "session_id": session_id,
        "conflict_id": reply.body["conflict_id"],
        "comment_id": comment,
        "token": lock["token"],
    }


async def _led_up_to(
    event: str, server: Server, witness: Witness, judge: Witness, there: dict[str, Any]
) -> dict[str, Any]:
    """Do what has to come before an event of reconciling; what has to be put into its example."""
    session = {"session_id": there["session_id"]}

    async def done(event: str, asks: Witness = witness, **request: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await asks.ask(event, {**session, **request})
        assert answer["ok"], answer
        return answer

    if event.startswith("match_"):
        values = {"amount": "17.00", "currency": "GBP", "date": "2026-11-02", "status": "unmatched"}
        row = NewRecord("statement-000017", "statement", "S-17", values, "chunk-2")
        await server.services.store.records.insert(there["session_id"], [row])
    if event == "match_split":
        sides = {"ledger": ["ledger-000017"], "statement": ["statement-000017"]}
        return {"match_id": (await done("match_create", **sides, reason="By hand"))["match_id"]}
    if event in ("reconciliation_pause", "reconciliation_resume", "reconciliation_cancel"):
        await done("reconciliation_start")
    if event == "reconciliation_resume":
        await done("reconciliation_pause")
    if event in ("reconciliation_submit", "reconciliation_approve", "reconciliation_reject", "reconciliation_reopen"):
        await done("resolve", conflict_id=there["conflict_id"], strategy="keep_current")
        await done("reconciliation_configure", settings={"threshold": 10**12})
    if event in JUDGED:
        await done("reconciliation_submit")
        assert (await judge.ask("join", session))["ok"]
    if event == "reconciliation_reopen":
        await done("reconciliation_approve", judge)
    return {}


#: Events of whoever signs off, who is nobody that has prepared.
JUDGED = ("reconciliation_approve", "reconciliation_reject", "reconciliation_reopen")

#: What an example needs beyond the ids of this session, because its command depends on what was done before.
DIFFERENT: dict[str, dict[str, Any]] = {
    "takeover": {"record_id": "ledger-000020"},
    "authenticate": {"token": token("alice", Role.ADMIN)},
    "resolve": {"edit_id": None, "strategy": "keep_current"},
    "message": {"message_type": "sync", "data": {"since": 1}},
    "match_create": {"statement": ["statement-000017"]},
}


@pytest.mark.parametrize("operation", EVENTS, ids=lambda operation: resolve(operation["messages"][0])["name"])
async def test_every_event_is_answered_as_its_document_says(
    server: Server, witness: Witness, judge: Witness, operation: dict[str, Any]
) -> None:
    message = resolve(operation["messages"][0])
    event = message["name"]
    there = await _prepared(server, witness)
    there |= await _led_up_to(event, server, witness, judge, there)
    if event in ("undo", "redo"):
        done = {"field_name": "notes", "new_value": "x", "base_version": 0, "edit_id": "n1"}
        await witness.ask("edit", {"session_id": there["session_id"], "record_id": "ledger-000005", **done})
    if event == "redo":
        assert (await witness.ask("undo", {"session_id": there["session_id"]}))["ok"]
    example = message.get("examples", [{"payload": {"session_id": "demo"}}])[0]["payload"]
    request = {**example, **{name: value for name, value in there.items() if name in example}}
    request |= DIFFERENT.get(event, {})
    request = {name: value for name, value in request.items() if value is not None}
    if event in ("undo", "redo"):
        request.pop("seq", None)
    check(request, message["payload"])
    ack = await (judge if event in JUDGED else witness).ask(event, request)
    replies = [resolve(reply) for reply in operation["reply"]["messages"]]
    good, refused = replies[:-1], replies[-1]
    assert ack["ok"] is True, ack
    assert any(Draft202012Validator({**reply["payload"], "components": COMPONENTS}).is_valid(ack) for reply in good)
    for wrong in ({}, {"unheard_of": 1}, [], "text", None, 7):
        answer = await witness.ask(event, wrong)
        check(answer, refused["payload"])
        assert answer["error"]["code"] == "invalid"


async def test_every_broadcast_is_as_its_document_says(server: Server, witness: Witness) -> None:
    there = await _prepared(server, witness)
    session = {"session_id": there["session_id"]}
    record = {**session, "record_id": "ledger-000017"}
    first, second = ({"base_version": 0, "edit_id": edit_id} for edit_id in ("a", "b"))
    for event, request in (
        ("edit", {**record, "field_name": "description", "new_value": "Payment 17 a", **first}),
        ("edit", {**record, "field_name": "description", "new_value": "Old payment 17", **second}),
        ("renew", {**record, "token": there["token"]}),
        ("takeover", {**session, "record_id": "ledger-000020", "reason": "late"}),
        ("unlock", {**record, "token": there["token"]}),
        ("lock", {**session, "record_id": "ledger-000021", "ttl": 0.1}),
        ("presence", {**session, "activity": "reviewing"}),
        ("edit_batch", {**session, "edit_id": "c", "edits": [
            {"record_id": "ledger-000009", "field_name": "notes", "new_value": "x", "base_version": 0}]}),
        ("resolve", {**session, "conflict_id": there["conflict_id"], "strategy": "keep_current"}),
        ("resolve_comment", {**session, "comment_id": there["comment_id"]}),
    ):  # fmt: skip
        ack = await witness.ask(event, request)
        assert ack["ok"], (event, ack)
    alice = await server.person("alice", Role.ADMIN)
    await alice.post(f"/sessions/{there['session_id']}/records/ledger-000003/edit", {
        "field_name": "amount", "new_value": "3", "base_version": 0, "edit_id": "z"})  # fmt: skip
    await alice.ask("DELETE", f"/sessions/{there['session_id']}")
    families = {"edit", "lock", "conflict", "comment", "session", "presence", "notification"}
    await eventually(lambda: {kind.partition(".")[0] for kind in witness.seen} == families)
    await eventually(lambda: "session.ended" in witness.seen)
    for message_type, (family, payload) in witness.seen.items():
        message = COMPONENTS["messages"][message_type.replace(".", "__")]
        assert message["name"] == family
        check(payload, message["payload"])
