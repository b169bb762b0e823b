"""Who may do what: every command and every role, written out."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_server.core import commands as c
from realtime_server.core import reconciliation_commands as r
from realtime_server.core.decide import decide
from realtime_server.core.permissions import PERMISSIONS, allowed
from realtime_server.core.roles import Role
from realtime_server.errors import ErrorCode, Rejection
from tests.core.session_log import ADA, LEASE, START, Log, create

EDIT = c.FieldEdit(record_id="r1", field_name="notes", new_value="x", base_version=0)

# fmt: off
TABLE = {
    #                   auditor preparer reviewer approver admin
    c.CreateSession:  (False,  True,    False,   False,   True),
    c.Join:           (True,   True,    True,    True,    True),
    c.Edit:           (False,  True,    False,   False,   True),
    c.EditBatch:      (False,  True,    False,   False,   True),
    c.AcquireLock:    (False,  True,    True,    True,    True),
    c.RenewLock:      (False,  True,    True,    True,    True),
    c.ReleaseLock:    (False,  True,    True,    True,    True),
    c.TakeOverLock:   (False,  False,   True,    True,    True),
    c.ExpireLock:     (False,  False,   False,   False,   True),
    c.Resolve:        (False,  False,   True,    True,    True),
    c.AddComment:     (False,  True,    True,    True,    True),
    c.ResolveComment: (False,  True,    True,    True,    True),
    c.Undo:           (False,  True,    False,   False,   True),
    c.Redo:           (False,  True,    False,   False,   True),
    c.RecordImport:   (False,  True,    False,   False,   True),
    c.EraseName:      (False,  False,   False,   False,   True),
    c.EndSession:     (False,  False,   False,   False,   True),
    c.ExpireSession:  (False,  False,   False,   False,   True),
    r.ProposeMatches: (False,  False,   False,   False,   True),
    r.ConfirmMatches: (False,  True,    False,   False,   True),
    r.RejectMatches:  (False,  True,    False,   False,   True),
    r.MakeMatch:      (False,  True,    False,   False,   True),
    r.RemoveMatches:  (False,  True,    False,   False,   True),
    r.SplitMatch:     (False,  True,    False,   False,   True),
    r.SetRecordStatus: (False, True,    False,   False,   True),
    r.AssignRecords:  (False,  True,    True,    True,    True),
    r.SetRules:       (False,  True,    False,   False,   True),
    r.StartRun:       (False,  True,    False,   False,   True),
    r.PauseRun:       (False,  True,    True,    True,    True),
    r.ResumeRun:      (False,  True,    False,   False,   True),
    r.CancelRun:      (False,  True,    False,   False,   True),
    r.ReportProgress: (False,  False,   False,   False,   True),
    r.CompleteRun:    (False,  False,   False,   False,   True),
    r.FailRun:        (False,  False,   False,   False,   True),
    r.Configure:      (False,  False,   False,   True,    True),
    r.Submit:         (False,  True,    False,   False,   True),
    r.Approve:        (False,  False,   True,    True,    True),
    r.RejectSubmission: (False, False,  True,    True,    True),
    r.Reopen:         (False,  False,   True,    True,    True),
    r.Certify:        (False,  False,   False,   False,   True),
}
# fmt: on

MEMBERS: dict[type[c.Command], dict[str, Any]] = {
    c.CreateSession: {"session_id": "session-1", "project_id": "demo", "name": "", "expires_in": 0},
    c.Join: {},
    c.Edit: {"edit_id": "e", "edit": EDIT},
    c.EditBatch: {"edit_id": "e", "edits": (EDIT,)},
    c.AcquireLock: {"record_id": "r1", "duration": LEASE},
    c.RenewLock: {"record_id": "r1", "token": 1, "duration": LEASE},
    c.ReleaseLock: {"record_id": "r1", "token": 1},
    c.TakeOverLock: {"record_id": "r1", "duration": LEASE, "reason": "she went home"},
    c.ExpireLock: {"record_id": "r1", "token": 1},
    c.Resolve: {"conflict_id": "conflict-1", "strategy": "keep_current"},
    c.AddComment: {"text": "hello"},
    c.ResolveComment: {"comment_id": "comment-1"},
    c.Undo: {},
    c.Redo: {},
    c.RecordImport: {"import_id": "i", "source": "ledger", "counts": {"new": 1}, "digest": "0" * 64},
    c.EraseName: {"user_id": "alice"},
    c.EndSession: {},
    c.ExpireSession: {},
    r.ProposeMatches: {"run_id": "run", "items": ()},
    r.ConfirmMatches: {"match_ids": ("match-1-0@r1",)},
    r.RejectMatches: {"match_ids": ("match-1-0@r1",)},
    r.MakeMatch: {"ledger": ("r1",), "statement": ("r2",)},
    r.RemoveMatches: {"match_ids": ("match-1-0@r1",)},
    r.SplitMatch: {"match_id": "match-1-0@r1", "parts": ()},
    r.SetRecordStatus: {"record_ids": ("r1",), "status": "unmatched"},
    r.AssignRecords: {"record_ids": ("r1",), "assignee": "alice"},
    r.SetRules: {"rules": (), "base_version": 0},
    r.StartRun: {"run_id": "run"},
    r.PauseRun: {},
    r.ResumeRun: {},
    r.CancelRun: {},
    r.ReportProgress: {"run_id": "run", "total": 0, "processed": 0},
    r.CompleteRun: {"run_id": "run", "total": 0},
    r.FailRun: {"run_id": "run", "message": "it broke"},
    r.Configure: {"settings": {}},
    r.Submit: {"totals": (), "records": 0, "counted_at": 1},
    r.Approve: {},
    r.RejectSubmission: {},
    r.Reopen: {},
    r.Certify: {"totals": (), "records": 0, "counted_at": 1},
}

CASES = [
    pytest.param(kind, role, may, id=f"{role.value}-{kind.__name__}-{'may' if may else 'may-not'}")
    for kind, row in TABLE.items()
    for role, may in zip(Role, row, strict=True)
]


@pytest.mark.parametrize(("kind", "role", "may"), CASES)
def test_a_role_may_send_exactly_the_commands_of_its_column(kind: type[c.Command], role: Role, may: bool) -> None:
    log = Log(created=kind is not c.CreateSession)
    command = kind(actor=c.Actor("somebody", "Somebody", role), command_id="somebody/1", **MEMBERS[kind])
    outcome = decide(log.state, command, START)
    assert (isinstance(outcome, Rejection) and outcome.code is ErrorCode.FORBIDDEN) is not may
    assert allowed(role, kind) is may


def test_the_table_has_every_command_there_is() -> None:
    named = (*vars(c).values(), *vars(r).values())
    commands = {item for item in named if isinstance(item, type) and issubclass(item, c.Command)}
    assert set(TABLE) == set(PERMISSIONS) == commands - {c.Command}


def test_a_command_without_a_row_is_nobodys() -> None:
    assert not any(allowed(role, c.Command) for role in Role)
    outcome = decide(Log().state, c.Command(actor=ADA, command_id="ada/1"), START)
    assert isinstance(outcome, Rejection)
    assert outcome.code is ErrorCode.FORBIDDEN


def test_who_may_not_is_not_told_whether_the_session_exists() -> None:
    outcome = decide(Log(created=False).state, c.EndSession(actor=c.Actor("a", "A", Role.AUDITOR), command_id="1"), 0)
    assert isinstance(outcome, Rejection)
    assert outcome.code is ErrorCode.FORBIDDEN


def test_the_role_is_the_one_held_at_the_moment_of_the_command_not_at_the_join() -> None:
    log = Log()
    log.ask(c.Join, c.Actor("zoe", "Zoe", Role.PREPARER))
    outcome = log.edit(c.Actor("zoe", "Zoe", Role.AUDITOR), "r1", "notes", "x")
    assert isinstance(outcome, Rejection)
    assert outcome.code is ErrorCode.FORBIDDEN


def test_a_session_is_created_once() -> None:
    outcome = Log().send(create())
    assert isinstance(outcome, Rejection)
    assert outcome.code is ErrorCode.INVALID
