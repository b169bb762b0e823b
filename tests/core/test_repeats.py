"""A used id answers the command that used it, and no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from realtime_server.core import commands as c
from realtime_server.core import reconciliation_commands as r
from realtime_server.core.commits import Commit
from realtime_server.core.permissions import PERMISSIONS
from realtime_server.core.repeats import _COMPARISONS, refuse_used_id
from realtime_server.core.roles import Role
from realtime_server.errors import ErrorCode
from tests.core.reconciled import Books
from tests.core.session_log import ADA, ALICE, BOB, LEASE, PROJECT, RITA, SESSION, Log, committed

USED = "alice/used"
OF_ALICE = {"actor": ALICE, "command_id": USED}


def edit(value: object = "11.00", *, record: str = "r1", name: str = "amount", base: int = 0) -> c.Edit:
    part = c.FieldEdit(record_id=record, field_name=name, new_value=value, base_version=base)
    return c.Edit(**OF_ALICE, edit_id="used", edit=part)


def batch(*values: object) -> c.EditBatch:
    parts = tuple(
        c.FieldEdit(record_id=f"r{number}", field_name="amount", new_value=value, base_version=0)
        for number, value in enumerate(values, start=1)
    )
    return c.EditBatch(**OF_ALICE, edit_id="used", edits=parts)


def _with_lock(log: Log, actor: c.Actor = ALICE) -> int:
    return committed(log.lock(actor, "r1")).seq


def _with_edit(log: Log) -> None:
    committed(log.edit(ALICE, "r1", "amount", "20.00"))


#: For each kind of command: what has to be there, and the command. ``actor`` is set anew where Alice may not send it.
COMMANDS: dict[type[c.Command], Callable[[Log], c.Command]] = {
    c.Edit: lambda log: edit(),
    c.EditBatch: lambda log: batch("11.00", "12.00"),
    c.AcquireLock: lambda log: c.AcquireLock(**OF_ALICE, record_id="r1", duration=LEASE),
    c.RenewLock: lambda log: c.RenewLock(**OF_ALICE, record_id="r1", token=_with_lock(log), duration=LEASE),
    c.ReleaseLock: lambda log: c.ReleaseLock(**OF_ALICE, record_id="r1", token=_with_lock(log)),
    c.ExpireLock: lambda log: c.ExpireLock(**OF_ALICE, record_id="r1", token=_with_lock(log), holder_gone=True),
    c.TakeOverLock: lambda log: c.TakeOverLock(
        **OF_ALICE, record_id="r1", reason="gone", duration=LEASE + 0 * _with_lock(log, BOB)
    ),
    c.Resolve: lambda log: c.Resolve(**OF_ALICE, conflict_id=log.clash(), strategy="keep_current"),
    c.AddComment: lambda log: c.AddComment(**OF_ALICE, text="hello"),
    c.ResolveComment: lambda log: c.ResolveComment(
        **OF_ALICE, comment_id=committed(log.ask(c.AddComment, RITA, text="settled?")).data["comment_id"]
    ),
    c.Undo: lambda log: (_with_edit(log), c.Undo(**OF_ALICE))[1],
    c.Redo: lambda log: (_with_edit(log), committed(log.undo(ALICE)), c.Redo(**OF_ALICE))[2],
    c.Join: lambda log: c.Join(**OF_ALICE),
    c.RecordImport: lambda log: c.RecordImport(
        **OF_ALICE, import_id="i", source="ledger", counts={"new": 1}, digest="0" * 64
    ),
    c.EraseName: lambda log: c.EraseName(**OF_ALICE, user_id="bob"),
    c.EndSession: lambda log: c.EndSession(**OF_ALICE),
    c.ExpireSession: lambda log: (setattr(log, "now", log.now + 3_600_000), c.ExpireSession(**OF_ALICE))[1],
    c.CreateSession: lambda log: c.CreateSession(
        **OF_ALICE, session_id=SESSION, project_id=PROJECT, name="November", expires_in=3600
    ),
}


#: (what made the commit, what asks for no more than that): locking one's own lock again is renewing it.
ALIKE = {
    (c.RenewLock, c.AcquireLock),
    (c.RenewLock, c.TakeOverLock),
    (c.ExpireLock, c.ReleaseLock),
    (c.ReleaseLock, c.ExpireLock),
}


def made(kind: type[c.Command]) -> tuple[c.Command, Commit]:
    log = Log(created=kind is not c.CreateSession)
    command = COMMANDS[kind](log)
    roles = PERMISSIONS[kind]
    role = Role.PREPARER if Role.PREPARER in roles else Role.ADMIN
    return command, committed(log.send(replace(command, actor=replace(ALICE, role=role))))


def test_every_command_there_is_can_be_told_from_another() -> None:
    assert _COMPARISONS.keys() == PERMISSIONS.keys()
    assert {kind for kind in PERMISSIONS if kind.__module__ == c.__name__} == COMMANDS.keys()


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_command_sent_again_is_answered_and_any_other_kind_under_its_id_is_refused(kind: type[c.Command]) -> None:
    command, commit = made(kind)
    assert refuse_used_id(command, commit) is None
    for other in COMMANDS.keys() - {kind}:
        intruder = made(other)[0]
        refusal = refuse_used_id(intruder, commit)
        if (kind, other) in ALIKE:
            continue
        assert refusal is not None, other
        assert refusal.code is ErrorCode.INVALID
        assert refusal.details["seq"] == commit.seq
        name = "edit_id" if other in (c.Edit, c.EditBatch) else "request_id"
        assert name in refusal.details["fields"]


@pytest.mark.parametrize(
    ("name", "sent", "again", "same"),
    [
        ("amount", "11.00", "11.00", True),
        ("amount", "11", "11.0", True),
        ("amount", "11.00", "11.01", False),
        ("amount", "11.00", None, False),
        ("tags", ["b", "a", "b"], ["b", "a", "b"], True),
        ("tags", ["a"], ["a", "b"], False),
        ("free", 1.0, 1, True),
        ("free", 1, "1", False),
        ("notes", "one", {"$gt": 1}, False),
        ("notes", "one", [[[[1]]]], False),
        ("amount", "11.00", "\ud800", False),
        ("amount", "11.00", "x" * 40, False),
    ],
)
def test_another_value_under_a_used_edit_id_is_refused(name: str, sent: object, again: object, same: bool) -> None:
    commit = committed(Log().send(edit(sent, name=name)))
    assert (refuse_used_id(edit(again, name=name), commit) is None) is same


def test_another_record_or_field_under_a_used_edit_id_is_refused() -> None:
    commit = committed(Log().send(edit()))
    for other in (edit(record="r2"), edit(name="fee")):
        assert refuse_used_id(other, commit) is not None


def test_a_version_filled_in_anew_for_a_retry_makes_it_no_other_edit() -> None:
    commit = committed(Log().send(edit()))
    assert refuse_used_id(edit(base=commit.seq), commit) is None


def test_a_merged_edit_and_a_candidate_are_recognised_by_what_was_submitted() -> None:
    log = Log()
    committed(log.edit(BOB, "r1", "description", "Card payment to the good baker"))
    mine = edit("Card refund to the baker", name="description")
    merged = committed(log.send(mine), "edit.merged")
    assert refuse_used_id(mine, merged) is None
    assert refuse_used_id(edit(merged.data["new_value"], name="description"), merged) is not None
    committed(log.edit(BOB, "r1", "amount", "12.00"))
    for message_type, edit_id in (("conflict.detected", "one"), ("conflict.extended", "two")):
        again = replace(edit(), edit_id=edit_id, command_id=f"alice/{edit_id}")
        candidate = committed(log.send(again), message_type)
        assert refuse_used_id(again, candidate) is None
        assert refuse_used_id(edit("13.00"), candidate) is not None


def test_a_batch_with_another_edit_under_a_used_id_is_refused() -> None:
    # The first of the two holds its value already, so the commit has only the second.
    commit = committed(Log().send(batch("10.50", "12.00")))
    assert refuse_used_id(batch("10.50", "12.00"), commit) is None
    for other in (batch("10.50"), batch("10.50", "13.00"), batch("10.50", "12.00", "1.00")):
        assert refuse_used_id(other, commit) is not None


def test_ids_that_no_client_chose_are_not_compared() -> None:
    log = Log()
    commit = committed(log.edit(ADA, "r1", "amount", "12.00"))
    generated = replace(edit(), command_id=c.generated_command_id("alice", "x"))
    assert refuse_used_id(generated, commit) is None


def test_a_retry_in_a_reconciliation_is_recognised_though_the_server_named_its_run_anew() -> None:
    books = Books(run=False)
    commit = committed(books.send(r.StartRun(**OF_ALICE, run_id="one")))
    assert refuse_used_id(r.StartRun(**OF_ALICE, run_id="two"), commit) is None
    assert refuse_used_id(r.PauseRun(**OF_ALICE), commit) is not None


def test_another_status_or_assignee_under_a_used_id_is_refused() -> None:
    books = Books()
    first = r.AssignRecords(**OF_ALICE, record_ids=("l1",), assignee="bob")
    commit = committed(books.send(first))
    assert refuse_used_id(first, commit) is None
    assert refuse_used_id(replace(first, assignee=None), commit) is not None
    excluded = r.SetRecordStatus(**OF_ALICE, record_ids=("l1",), status="excluded", reason="copy")
    commit = committed(books.send(excluded))
    assert refuse_used_id(excluded, commit) is None
    assert refuse_used_id(replace(excluded, status="exception"), commit) is not None
