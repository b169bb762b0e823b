"""The way to the sign-off: every step from every status, allowed and refused; who may sign; what suspends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from realtime_server.core import commands as c
from realtime_server.core import reconciliation_commands as r
from realtime_server.core.commits import Commit
from realtime_server.core.reconciling import WorkflowStatus
from realtime_server.core.reconciling_documents import reconciliation_document, reconciliation_from
from realtime_server.core.workflow import workflow_view
from realtime_server.errors import ErrorCode, Rejection
from tests.core.reconciled import Books, entry
from tests.core.session_log import ADA, ALICE, BOB, OLGA, RITA, committed, refused

NOT_STARTED, IN_PROGRESS, IN_REVIEW, APPROVED = WorkflowStatus


def books_in(status: WorkflowStatus) -> Books:
    """Two balanced records, brought to a status the usual way: Alice works and submits, Rita signs."""
    books = Books(entry("l1"), entry("s1"), run=False)
    if status is NOT_STARTED:
        return books
    books.ask(r.MakeMatch, ALICE, ledger=("l1",), statement=("s1",))
    if status in (IN_REVIEW, APPROVED):
        books.submit()
    if status is APPROVED:
        books.ask(r.Approve, RITA)
    assert books.state.reconciliation.workflow.status is status
    return books


def submit(books: Books) -> Any:
    return books.submit(BOB)


def approve(books: Books) -> Any:
    return books.ask(r.Approve, OLGA)


def reject_it(books: Books) -> Any:
    return books.ask(r.RejectSubmission, OLGA, reason="l1 is wrong")


def reopen(books: Books) -> Any:
    return books.ask(r.Reopen, OLGA, reason="a late bank line")


def work(books: Books) -> Any:
    return books.edit(BOB, "l1", "notes", "looked at it")


def correct(books: Books) -> Any:
    return books.edit(ADA, "l1", "notes", "corrected")


def certify(books: Books) -> Any:
    return books.system(r.Certify, **books.totals())


INVALID, FROZEN = ErrorCode.INVALID, ErrorCode.FROZEN

# fmt: off
TABLE: list[tuple[Callable[[Books], Any], dict[WorkflowStatus, WorkflowStatus | ErrorCode]]] = [
    #           not_started               in_progress               in_review             approved
    (submit,    {NOT_STARTED: IN_REVIEW,  IN_PROGRESS: IN_REVIEW,   IN_REVIEW: FROZEN,    APPROVED: FROZEN}),
    (approve,   {NOT_STARTED: INVALID,    IN_PROGRESS: INVALID,     IN_REVIEW: APPROVED,  APPROVED: INVALID}),
    (reject_it, {NOT_STARTED: INVALID,    IN_PROGRESS: INVALID,     IN_REVIEW: IN_PROGRESS, APPROVED: INVALID}),
    (reopen,    {NOT_STARTED: INVALID,    IN_PROGRESS: INVALID,     IN_REVIEW: INVALID,   APPROVED: IN_PROGRESS}),
    (work,      {NOT_STARTED: IN_PROGRESS, IN_PROGRESS: IN_PROGRESS, IN_REVIEW: FROZEN,   APPROVED: FROZEN}),
    (correct,   {NOT_STARTED: IN_PROGRESS, IN_PROGRESS: IN_PROGRESS, IN_REVIEW: FROZEN,   APPROVED: IN_PROGRESS}),
    (certify,   {NOT_STARTED: INVALID,    IN_PROGRESS: INVALID,     IN_REVIEW: FROZEN,    APPROVED: FROZEN}),
]
# fmt: on

STEPS = [
    pytest.param(action, status, row[status], id=f"{action.__name__}-{status.value}")
    for action, row in TABLE
    for status in WorkflowStatus
]


@pytest.mark.parametrize(("action", "status", "expected"), STEPS)
def test_each_step_leads_where_the_table_says(
    action: Callable[[Books], Any], status: WorkflowStatus, expected: WorkflowStatus | ErrorCode
) -> None:
    books = books_in(status)
    outcome = action(books)
    if isinstance(expected, ErrorCode):
        refused(outcome, expected)
        assert books.state.reconciliation.workflow.status is status
    else:
        committed(outcome)
        assert books.state.reconciliation.workflow.status is expected


def commands_that_change_the_content() -> list[Any]:
    edit = c.FieldEdit(record_id="l1", field_name="notes", new_value="x", base_version=0)
    return [
        (c.Edit, {"edit_id": "e", "edit": edit}),
        (c.EditBatch, {"edit_id": "e", "edits": (edit,)}),
        (c.Undo, {}),
        (c.Redo, {}),
        (c.RecordImport, {"import_id": "i", "source": "ledger", "counts": {"new": 1}, "digest": "0" * 64}),
        (r.ConfirmMatches, {"match_ids": ("match-1-0@l1",)}),
        (r.RejectMatches, {"match_ids": ("match-1-0@l1",)}),
        (r.MakeMatch, {"ledger": ("l1",), "statement": ("s1",)}),
        (r.RemoveMatches, {"match_ids": ("match-1-0@l1",)}),
        (r.SplitMatch, {"match_id": "match-1-0@l1", "parts": ()}),
        (r.SetRecordStatus, {"record_ids": ("l1",), "status": "excluded", "reason": "x"}),
        (r.StartRun, {"run_id": "run-9"}),
        (r.ResumeRun, {}),
        (r.SetRules, {"rules": (), "base_version": 0}),
    ]


@pytest.mark.parametrize(
    ("kind", "members"), [pytest.param(*item, id=item[0].__name__) for item in commands_that_change_the_content()]
)
def test_after_the_submission_nothing_that_changes_the_content_goes_through(kind: Any, members: Any) -> None:
    for actor in (ALICE, ADA):
        refused(books_in(IN_REVIEW).ask(kind, actor, **members), ErrorCode.FROZEN)


def test_comments_and_locks_go_on_while_it_is_in_review() -> None:
    books = books_in(IN_REVIEW)
    committed(books.ask(c.AddComment, RITA, text="why?", record_id="l1"))
    committed(books.lock(RITA, "l1"))


@pytest.mark.parametrize("kind", [r.RejectSubmission, r.Reopen])
@pytest.mark.parametrize("reason", [None, "", "  "])
def test_sending_back_and_reopening_need_a_reason(kind: Any, reason: str | None) -> None:
    books = books_in(IN_REVIEW if kind is r.RejectSubmission else APPROVED)
    refused(books.ask(kind, RITA, reason=reason), ErrorCode.REASON_REQUIRED)


def test_nobody_signs_what_they_prepared_whatever_their_role_is_now() -> None:
    books = books_in(IN_PROGRESS)
    books.submit(BOB)
    for user in ("alice", "bob"):
        for role in (RITA.role, OLGA.role, ADA.role):
            refused(books.ask(r.Approve, c.Actor(user, user, role)), ErrorCode.SEPARATION_OF_DUTIES)
    committed(books.ask(r.Approve, RITA), "reconciliation.approved")


def test_who_decided_a_conflict_has_prepared_too() -> None:
    books = Books(entry("l1"), entry("s1"), run=False)
    seen = books.state.seq
    books.edit(ALICE, "l1", "date", "2026-11-21", base=seen)
    conflict = committed(books.edit(BOB, "l1", "date", "2026-11-20", base=seen), "conflict.detected")
    refused(books.submit(), ErrorCode.INVALID)
    books.resolve(RITA, conflict.data["conflict_id"], "keep_current")
    books.submit()
    refused(books.ask(r.Approve, RITA), ErrorCode.SEPARATION_OF_DUTIES)


def test_a_comment_is_no_preparation() -> None:
    books = books_in(IN_PROGRESS)
    books.ask(c.AddComment, RITA, text="looks fine", record_id="l1")
    books.submit()
    committed(books.ask(r.Approve, RITA), "reconciliation.approved")


def test_what_an_administrator_changes_after_the_sign_off_suspends_it_and_keeps_it_visible() -> None:
    books = books_in(APPROVED)
    change = committed(books.edit(ADA, "l1", "notes", "corrected"))
    view = workflow_view(books.state.reconciliation)
    assert view["status"] == "in_progress"
    assert [(item["user_id"], item["suspended_by"]) for item in view["signoffs"]] == [("rita", change.seq)]
    books.submit()
    refused(books.ask(r.Approve, ADA), ErrorCode.SEPARATION_OF_DUTIES)
    committed(books.ask(r.Approve, RITA))
    assert len(books.state.reconciliation.workflow.standing) == 1


def test_a_late_import_suspends_the_sign_off() -> None:
    books = books_in(APPROVED)
    members = {"import_id": "late", "source": "statement", "counts": {"new": 1}, "digest": "0" * 64}
    refused(books.ask(c.RecordImport, ALICE, **members), ErrorCode.FROZEN)
    committed(books.ask(c.RecordImport, ADA, **members))
    assert not books.state.reconciliation.workflow.standing


def test_an_unexplained_difference_above_the_threshold_is_not_submitted() -> None:
    books = Books(entry("l1", "10.00"), entry("s1", "9.90"), run=False)
    rejection = refused(books.submit(), ErrorCode.UNBALANCED)
    assert rejection.details["difference"] == {"GBP": "0.10"}
    books.ask(r.Configure, OLGA, settings={"threshold": 9})
    refused(books.submit(), ErrorCode.UNBALANCED)
    books.ask(r.Configure, OLGA, settings={"threshold": 10})
    assert committed(books.submit()).data["difference"] == {"GBP": "0.10"}


def test_a_difference_that_a_match_or_an_exception_explains_is_explained() -> None:
    books = Books(entry("l1", "10.00"), entry("s1", "9.90"), entry("s2", "3.00"), run=False)
    books.ask(r.MakeMatch, ALICE, ledger=("l1",), statement=("s1",), reason="bank fee")
    refused(books.submit(), ErrorCode.UNBALANCED)
    books.ask(r.SetRecordStatus, ALICE, record_ids=("s2",), status="exception", reason="asked the bank")
    data = committed(books.submit()).data
    assert (data["difference"], data["open_records"], data["exceptions"]) == ({"GBP": "0.00"}, 0, 1)


def test_each_currency_is_judged_by_itself() -> None:
    books = Books(entry("l1", "10.00"), entry("s1", "10.00", currency="EUR"), run=False)
    rejection = refused(books.submit(), ErrorCode.UNBALANCED)
    assert rejection.details["difference"] == {"EUR": "-10.00", "GBP": "10.00"}


def test_totals_that_are_older_than_a_change_of_an_amount_are_not_taken() -> None:
    books = Books(entry("l1"), entry("s1"), run=False)
    before = books.totals()
    books.edit(ALICE, "l1", "amount", "11.00")
    refused(books.ask(r.Submit, ALICE, **before), ErrorCode.UNAVAILABLE)


def test_a_run_under_way_keeps_the_submission_waiting() -> None:
    books = Books(entry("l1"), entry("s1"))
    refused(books.submit(), ErrorCode.INVALID)
    books.end_run()
    committed(books.submit())


def test_the_period_is_not_locked_while_a_run_is_under_way() -> None:
    books = Books(entry("l1"), entry("s1"))
    rejection = refused(books.ask(r.Configure, OLGA, settings={"period_locked": True}), ErrorCode.INVALID)
    assert "run" in rejection.message
    committed(books.ask(r.Configure, OLGA, settings={"due_date": "2026-12-01"}))
    books.end_run()
    committed(books.ask(r.Configure, OLGA, settings={"period_locked": True}))
    # What else is set is set, then too.
    committed(books.ask(r.Configure, OLGA, settings={"due_date": "2026-12-02"}))


def test_large_amounts_need_two_signatures_the_last_an_approvers() -> None:
    books = books_in(IN_PROGRESS)
    books.ask(r.Configure, OLGA, settings={"second_signature_above": 1000})
    books.submit()
    zoe = c.Actor("zoe", "Zoe", RITA.role)
    committed(books.ask(r.Approve, RITA), "reconciliation.reviewed")
    refused(books.ask(r.Approve, RITA), ErrorCode.SEPARATION_OF_DUTIES)
    refused(books.ask(r.Approve, zoe), ErrorCode.FORBIDDEN)
    committed(books.ask(r.Approve, OLGA), "reconciliation.approved")


def test_receipts_and_payments_do_not_take_each_other_away_when_amounts_are_judged() -> None:
    books = Books(entry("l1", "50.00"), entry("s1", "50.00"), entry("l2", "-50.00"), entry("s2", "-50.00"))
    limits = {"second_signature_above": 6_000, "auto_certify": True, "auto_certify_up_to": 6_000}
    books.ask(r.Configure, OLGA, settings=limits)
    books.found((("l1",), ("s1",)), (("l2",), ("s2",)), confirmed=True)
    books.end_run()
    assert books.state.reconciliation.tally.largest == 10_000
    refused(certify(books), ErrorCode.INVALID)
    books.submit()
    committed(books.ask(r.Approve, RITA), "reconciliation.reviewed")


def test_what_is_undone_or_taken_back_counts_no_more_among_the_amounts_that_are_judged() -> None:
    books = Books(entry("l1", "50.00"), entry("s1", "50.00"), entry("l2", "-50.00"), entry("s2", "-50.00"))
    books.ask(r.SetRecordStatus, ALICE, record_ids=("l2",), status="exception", reason="odd")
    books.ask(r.MakeMatch, ALICE, ledger=("l1",), statement=("s1",))
    assert books.state.reconciliation.tally.largest == 10_000
    books.ask(r.SetRecordStatus, ALICE, record_ids=("l2",), status="unmatched")
    books.ask(r.RemoveMatches, ALICE, match_ids=(books.match_of("l1"),))
    assert books.state.reconciliation.tally.largest == 0


def test_sending_back_voids_the_first_of_two_signatures() -> None:
    books = books_in(IN_PROGRESS)
    books.ask(r.Configure, OLGA, settings={"second_signature_above": 1000})
    books.submit()
    books.ask(r.Approve, RITA)
    books.ask(r.RejectSubmission, OLGA, reason="not yet")
    books.submit()
    refused(books.ask(r.Approve, c.Actor("alice", "Alice", OLGA.role)), ErrorCode.SEPARATION_OF_DUTIES)
    committed(books.ask(r.Approve, RITA), "reconciliation.reviewed")


def certifiable(**settings: Any) -> Books:
    books = Books(entry("l1"), entry("s1"))
    books.ask(r.Configure, OLGA, settings={"auto_certify": True, **settings})
    return books


def test_a_rule_signs_off_what_has_nothing_open_and_nothing_unexplained() -> None:
    books = certifiable()
    books.found((("l1",), ("s1",)), confirmed=True)
    refused(certify(books), ErrorCode.INVALID)  # the run is under way
    books.end_run()
    data = committed(certify(books), "reconciliation.approved").data
    assert data["automatic"] is True


@pytest.mark.parametrize("spoil", ["open", "unexplained", "exception", "suggested", "too much"])
def test_a_rule_never_signs_off_what_a_person_has_to_judge(spoil: str) -> None:
    books = certifiable(**({"auto_certify_up_to": 999} if spoil == "too much" else {}))
    if spoil == "exception":
        books.ask(r.SetRecordStatus, ALICE, record_ids=("l1", "s1"), status="exception", reason="odd")
    elif spoil == "unexplained":
        books.edit(ALICE, "l1", "amount", "11.00")
    elif spoil in ("suggested", "too much"):
        books.found((("l1",), ("s1",)), confirmed=spoil == "too much")
    books.end_run()
    assert isinstance(certify(books), Rejection)
    assert books.state.reconciliation.workflow.status is not APPROVED


@pytest.mark.parametrize("by_hand", ["match", "explained match", "confirmed with a reason", "excluded"])
def test_a_rule_never_signs_off_what_a_person_settled_by_hand(by_hand: str) -> None:
    books = Books(entry("l1", "10.00"), entry("s1", "10.00" if by_hand == "match" else "9.00"))
    books.ask(r.Configure, OLGA, settings={"auto_certify": True})
    if by_hand == "excluded":
        books.ask(r.SetRecordStatus, ALICE, record_ids=("l1", "s1"), status="excluded", reason="odd")
    elif by_hand == "confirmed with a reason":
        books.found((("l1",), ("s1",)), rule_id="near")
        books.edit(ALICE, "s1", "amount", "5.00")
        results = books.ask(r.ConfirmMatches, ALICE, match_ids=(books.match_of("l1"),), reason="the bank's fee")
        assert committed(results)
    else:
        reason = None if by_hand == "match" else "the bank's fee"
        books.ask(r.MakeMatch, ALICE, ledger=("l1",), statement=("s1",), reason=reason)
    books.end_run()
    rejection = refused(certify(books), ErrorCode.INVALID)
    assert "by hand" in rejection.message


def test_a_match_by_hand_that_was_undone_counts_no_more() -> None:
    books = certifiable()
    books.ask(r.MakeMatch, ALICE, ledger=("l1",), statement=("s1",))
    books.ask(r.RemoveMatches, ALICE, match_ids=(books.match_of("l1"),))
    books.found((("l1",), ("s1",)))
    books.ask(r.ConfirmMatches, BOB, match_ids=(books.match_of("l1"),))
    books.end_run()
    committed(certify(books), "reconciliation.approved")


def test_of_an_older_checkpoint_any_match_may_be_by_hand_and_amounts_count_as_they_did() -> None:
    books = certifiable()
    books.found((("l1",), ("s1",)), confirmed=True)
    document = reconciliation_document(books.state.reconciliation)
    assert reconciliation_from(document) == books.state.reconciliation
    del document["tally"]["by_hand"], document["tally"]["gross"]
    older = reconciliation_from(document).tally
    assert (older.by_hand, older.largest) == (1, 1_000)


def test_a_locked_period_changes_not_at_all() -> None:
    books = books_in(IN_PROGRESS)
    books.ask(r.Configure, OLGA, settings={"period_locked": True})
    refused(work(books), ErrorCode.FROZEN)
    refused(correct(books), ErrorCode.FROZEN)
    refused(submit(books), ErrorCode.FROZEN)
    books.ask(r.Configure, OLGA, settings={"period_locked": False})
    committed(work(books))


@pytest.mark.parametrize(
    "settings",
    [{"nonsense": 1}, {"threshold": -1}, {"threshold": None}, {"threshold": True}, {"auto_certify": 1},
     {"due_date": "tomorrow"}, {"second_signature_above": 1.5}],
)  # fmt: skip
def test_settings_that_cannot_be_change_nothing(settings: Any) -> None:
    refused(Books().ask(r.Configure, OLGA, settings=settings), ErrorCode.INVALID)


def test_settings_do_not_change_under_a_judgement() -> None:
    books = books_in(IN_REVIEW)
    refused(books.ask(r.Configure, OLGA, settings={"threshold": 10_000}), ErrorCode.FROZEN)
    assert isinstance(books.ask(r.Configure, OLGA, settings={"due_date": "2026-12-01"}), Commit)
