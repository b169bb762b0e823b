"""What is refused, with which code, and that every refusal is an answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from marshmallow import ValidationError

from realtime_server.collaboration.failures import MAX_PROBLEMS, as_error, refusal
from realtime_server.collaboration.namespace import EVENTS
from realtime_server.core.roles import Role
from realtime_server.errors import ERROR_TABLE, CollaborationError, ErrorCode
from schemas import CLIENT_EVENTS, MESSAGE_TYPES, Refused
from schemas.acks import ERROR_CODES
from tests.server.clients import check_ack
from tests.server.conftest import JsConnect, Server, StartServer, record_edit, token_of

#: A well-formed request for each event, about things that do not exist where that is enough to be refused.
REQUESTS: dict[str, dict[str, Any]] = {
    "join": {},
    "leave": {},
    "edit": record_edit("e1", "rent"),
    "edit_batch": {"edit_id": "b1", "edits": [
        {"record_id": "r1", "field_name": "note", "new_value": "x", "base_version": 0}]},
    "lock": {"record_id": "r1"},
    "renew": {"record_id": "r1", "token": 1},
    "unlock": {"record_id": "r1", "token": 1},
    "takeover": {"record_id": "r1", "reason": "why"},
    "presence": {"status": "idle"},
    "resolve": {"conflict_id": "conflict-9", "strategy": "keep_current"},
    "comment": {"text": "hello"},
    "resolve_comment": {"comment_id": "comment-9"},
    "undo": {},
    "redo": {},
    "sync": {"since": 0},
    "match_confirm": {"match_ids": ["match-9-0@r1"]},
    "match_reject": {"match_ids": ["match-9-0@r1"]},
    "match_remove": {"match_ids": ["match-9-0@r1"]},
    "match_create": {"ledger": ["r1"], "statement": ["nobody"]},
    "match_split": {"match_id": "match-9-0@r1", "parts": [{"ledger": ["r1"], "statement": []}]},
    "record_status": {"record_ids": ["nobody"], "status": "excluded", "reason": "why"},
    "record_assign": {"record_ids": ["nobody"], "assignee": "alice"},
    "rules_set": {"rules": [{"rule_id": "mine", "name": "Mine", "kind": "pair"}], "base_version": 999},
    "reconciliation_start": {},
    "reconciliation_pause": {},
    "reconciliation_resume": {},
    "reconciliation_cancel": {},
    "reconciliation_status": {},
    "reconciliation_configure": {"settings": {"threshold": 0}},
    "reconciliation_submit": {},
    "reconciliation_approve": {},
    "reconciliation_reject": {"reason": "why"},
    "reconciliation_reopen": {"reason": "why"},
}  # fmt: skip

READERS = frozenset(Role)
WORKERS = READERS - {Role.AUDITOR}
PREPARERS = frozenset({Role.PREPARER, Role.ADMIN})
REVIEWERS = frozenset({Role.REVIEWER, Role.APPROVER, Role.ADMIN})
WHO_MAY = {
    "join": READERS, "leave": READERS, "presence": READERS, "sync": READERS,
    "edit": PREPARERS, "edit_batch": PREPARERS, "undo": PREPARERS, "redo": PREPARERS,
    "lock": WORKERS, "renew": WORKERS, "unlock": WORKERS, "comment": WORKERS, "resolve_comment": WORKERS,
    "takeover": REVIEWERS, "resolve": REVIEWERS,
    **dict.fromkeys(
        ("match_confirm", "match_reject", "match_remove", "match_create", "match_split", "record_status", "rules_set",
         "reconciliation_start", "reconciliation_resume", "reconciliation_cancel", "reconciliation_submit"),
        PREPARERS,
    ),
    "record_assign": WORKERS, "reconciliation_pause": WORKERS, "reconciliation_status": READERS,
    **dict.fromkeys(("reconciliation_approve", "reconciliation_reject", "reconciliation_reopen"), REVIEWERS),
    "reconciliation_configure": frozenset({Role.APPROVER, Role.ADMIN}),
}  # fmt: skip


def test_every_event_of_the_schemas_has_a_handler_and_a_case_here() -> None:
    assert set(EVENTS) == set(CLIENT_EVENTS)
    assert set(REQUESTS) == set(WHO_MAY) == set(CLIENT_EVENTS) - {"authenticate"}


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_may_do_what_the_table_says_and_nothing_else(server: Server, role: Role) -> None:
    client = await server.client(token=token_of("someone", role))
    await client.done("join")
    for event in [event for event in REQUESTS if event != "leave"] + ["leave"]:
        ack = await client.ask(event, **REQUESTS[event])
        forbidden = not ack["ok"] and ack["error"]["code"] == "forbidden"
        assert forbidden == (role not in WHO_MAY[event]), (event, ack)


@pytest.mark.parametrize("event", [event for event in REQUESTS if event != "join"])
async def test_nothing_can_be_asked_of_a_session_that_was_not_joined(server: Server, event: str) -> None:
    alice = await server.client("adam")
    assert (await alice.refused(event, **REQUESTS[event]))["code"] == "not_joined"
    assert (await alice.refused(event, "nowhere", **REQUESTS[event]))["code"] == "not_joined"


async def test_a_malformed_request_is_invalid_whatever_its_event(server: Server) -> None:
    client = await server.member("adam")
    good = {"session_id": "s1"}
    for event in CLIENT_EVENTS:
        for arguments in [(), (None,), ("text",), ([],), (5,), ({},), (good, {}), ({**good, "surprise": 1},)]:
            ack = await client.send(event, *arguments)
            check_ack(event, ack)
            assert ack["error"]["code"] == "invalid", (event, arguments)


WRONG = [
    ("session_id", "no spaces"), ("session_id", ""), ("session_id", "x" * 65), ("session_id", 5),
    ("session_id", "s1\n"), ("record_id", ""), ("record_id", "r" * 201), ("record_id", "r\x00"),
    ("edit_id", "a/b"), ("edit_id", "x" * 65), ("edit_id", None), ("base_version", "0"), ("base_version", True),
    ("base_version", -1), ("base_version", 0.5), ("base_version", 2**53), ("lock_token", 0),
    ("edit_reason", ""), ("edit_reason", "x" * 1001), ("field_name", "x" * 65),
    ("new_value", [[[[[["deep"]]]]]]), ("new_value", "x" * 32_001), ("new_value", ["x"] * 501),
]  # fmt: skip


async def test_a_wrong_field_is_named(server: Server) -> None:
    alice = await server.member("alice")
    for field, value in WRONG:
        ack = await alice.send("edit", {"session_id": "s1", **record_edit("e1", "rent"), field: value})
        check_ack("edit", ack)
        assert ack["error"]["code"] == "invalid", (field, value)
        assert field in ack["error"]["details"]["fields"], (field, value)


async def test_a_wrong_field_inside_a_list_is_named_by_its_path(server: Server) -> None:
    alice = await server.member("alice")
    edits = [*REQUESTS["edit_batch"]["edits"], {"record_id": "r1"}]
    error = await alice.refused("edit_batch", edit_id="b", edits=edits)
    assert "edits.1.field_name" in error["details"]["fields"]


async def test_an_event_that_nobody_declared_is_answered(server: Server) -> None:
    alice = await server.client("alice")
    for event in ("delete_everything", "x" * 5_000, "*", "__proto__"):
        ack = await alice.send(event, {})
        assert not Refused().validate(ack)
        assert ack["error"]["code"] == "invalid"


@pytest.mark.parametrize(
    "message",
    [None, {}, {"message_type": "message"}, {"message_type": "connect"}, {"message_type": "disconnect"},
     {"message_type": "edit", "data": []}, {"message_type": "edit", "session_id": 5}, {"message_type": ["edit"]}],
)  # fmt: skip
async def test_a_malformed_message_is_invalid(server: Server, message: Any) -> None:
    alice = await server.client("alice")
    ack = await alice.send("message", message)
    assert not Refused().validate(ack)
    assert ack["error"]["code"] == "invalid"


async def test_javascript_clients_get_refusals_as_answers(js_client: JsConnect) -> None:
    alice = await js_client("alice")
    assert (await alice.refused("edit", **record_edit("e1", "rent")))["code"] == "not_joined"
    ack = await alice.send("edit")
    assert ack["error"]["code"] == "invalid"
    assert (await alice.send("nothing", {}))["error"]["code"] == "invalid"


async def test_events_beyond_the_rate_are_refused_and_the_connection_stays(start_server: StartServer) -> None:
    server = await start_server(WS_RATE_LIMIT="20", WS_RATE_BURST="10")
    await server.create_session()
    alice = await server.member("alice")
    acks = await asyncio.gather(*(alice.ask("sync", since=0) for _ in range(30)))
    codes = [ack["error"]["code"] for ack in acks if not ack["ok"]]
    assert codes
    assert set(codes) == {"rate_limited"}
    assert alice.ended is None


# -- the one table of failures


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_refusal_travels_under_its_code(code: ErrorCode) -> None:
    answer = refusal(CollaborationError(code, "a sentence", {"seq": 1}))
    assert not Refused().validate(answer)
    assert answer["error"]["code"] == code
    assert answer["error"]["retryable"] == ERROR_TABLE[code].retryable
    assert answer["error"]["details"] == {"seq": 1}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValidationError({"amount": ["wrong"]}), ErrorCode.INVALID),
        (ValidationError("wrong"), ErrorCode.INVALID),
        (TimeoutError(), ErrorCode.UNAVAILABLE),
        (KeyError("secret"), ErrorCode.INTERNAL),
        (RuntimeError("secret"), ErrorCode.INTERNAL),
    ],
)
def test_every_exception_becomes_one_of_the_codes(error: Exception, code: ErrorCode) -> None:
    failure = as_error(error)
    assert failure.code == code
    assert "secret" not in str(refusal(error))


def test_the_schemas_know_exactly_the_codes_that_there_are() -> None:
    assert set(ERROR_CODES) == {code.value for code in ErrorCode}


def test_a_refusal_is_small_whatever_was_sent() -> None:
    messages = {"x" * 10_000 + str(number): ["Unknown field."] for number in range(1_000)}
    fields = as_error(ValidationError(messages)).details["fields"]
    assert len(fields) <= MAX_PROBLEMS
    assert all(len(name) <= 100 for name in fields)


def test_a_name_that_no_json_can_carry_is_not_sent_back() -> None:
    failure = as_error(ValidationError({"\ud800": ["Unknown field."]}))
    assert all(name.isascii() for name in failure.details["fields"])


def test_every_message_type_has_a_schema_of_its_own_family() -> None:
    families = {
        "edit", "lock", "conflict", "comment", "record", "match", "reconciliation", "session", "presence",
        "notification",
    }  # fmt: skip
    assert {name.partition(".")[0] for name in MESSAGE_TYPES} == families
