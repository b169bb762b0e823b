"""The run as the log knows it: its statuses as a table, its counts, and the rules it works by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from realtime_server.core import reconciliation_commands as r
from realtime_server.core.matching.rules import DEFAULT_RULES, Kind, Rule, document, from_document
from realtime_server.core.reconciling import RunStatus
from realtime_server.core.runs import evolve_run, run_view
from realtime_server.errors import ErrorCode
from tests.core.reconciled import Books
from tests.core.session_log import ALICE, BOB, committed, refused, unchanged

QUEUED, RUNNING, PAUSED, COMPLETED, FAILED, CANCELLED = RunStatus


def in_status(status: RunStatus) -> Books:
    books = Books(run=False)
    books.ask(r.StartRun, ALICE, run_id="run-1")
    if status is not QUEUED:
        books.system(r.ReportProgress, run_id="run-1", total=6, processed=0)
    ends: dict[RunStatus, Any] = {
        PAUSED: lambda: books.ask(r.PauseRun, ALICE),
        COMPLETED: lambda: books.system(r.CompleteRun, run_id="run-1", total=6),
        FAILED: lambda: books.system(r.FailRun, run_id="run-1", message="the pool broke"),
        CANCELLED: lambda: books.ask(r.CancelRun, ALICE),
    }
    if status in ends:
        committed(ends[status]())
    run = books.state.reconciliation.run
    assert run is not None
    assert run.status is status
    return books


NO, SAME = ErrorCode.INVALID, None
# fmt: off
TABLE: dict[str, tuple[Any, ...]] = {
    #             queued     running    paused     completed  failed     cancelled
    "start":     (NO,        NO,        NO,        QUEUED,    QUEUED,    QUEUED),
    "pause":     (PAUSED,    PAUSED,    SAME,      NO,        NO,        NO),
    "resume":    (SAME,      SAME,      RUNNING,   NO,        NO,        NO),
    "cancel":    (CANCELLED, CANCELLED, CANCELLED, NO,        NO,        NO),
    "progress":  (RUNNING,   RUNNING,   NO,        NO,        NO,        NO),
    "complete":  (COMPLETED, COMPLETED, COMPLETED, NO,        NO,        NO),
    "fail":      (FAILED,    FAILED,    FAILED,    NO,        NO,        NO),
}
# fmt: on

ACTIONS: dict[str, Any] = {
    "start": lambda books: books.ask(r.StartRun, BOB, run_id="run-2"),
    "pause": lambda books: books.ask(r.PauseRun, BOB),
    "resume": lambda books: books.ask(r.ResumeRun, BOB),
    "cancel": lambda books: books.ask(r.CancelRun, BOB, reason="wrong file"),
    "progress": lambda books: books.system(r.ReportProgress, run_id="run-1", total=6, processed=3, rate=10.0),
    "complete": lambda books: books.system(r.CompleteRun, run_id="run-1", total=6),
    "fail": lambda books: books.system(r.FailRun, run_id="run-1", message="out of memory"),
}


@pytest.mark.parametrize("action", TABLE)
@pytest.mark.parametrize("status", RunStatus)
def test_each_step_of_a_run_leads_where_the_table_says(action: str, status: RunStatus) -> None:
    books = in_status(status)
    expected = TABLE[action][list(RunStatus).index(status)]
    outcome = ACTIONS[action](books)
    run = books.state.reconciliation.run
    assert run is not None
    if isinstance(expected, ErrorCode):
        refused(outcome, expected)
        assert run.status is status
    elif expected is SAME:
        unchanged(outcome)
    else:
        committed(outcome)
        assert run.status is expected


def test_a_runner_that_comes_too_late_reports_to_nobody() -> None:
    books = in_status(COMPLETED)
    books.ask(r.StartRun, BOB, run_id="run-2")
    refused(books.system(r.ReportProgress, run_id="run-1", total=6, processed=3), ErrorCode.INVALID)
    refused(books.system(r.CompleteRun, run_id="run-1", total=6), ErrorCode.INVALID)


def test_one_runner_holds_the_run_until_its_lease_ends() -> None:
    books = Books(run=False)
    books.ask(r.StartRun, ALICE, run_id="run-1")
    progress = {"run_id": "run-1", "total": 6, "processed": 0}
    committed(books.system(r.ReportProgress, runner="one", **progress))
    refused(books.system(r.ReportProgress, runner="two", **progress), ErrorCode.LOCKED)
    refused(books.system(r.ProposeMatches, run_id="run-1", runner="two", items=()), ErrorCode.LOCK_LOST)
    books.now += 15_000
    committed(books.system(r.ReportProgress, runner="two", **progress))
    refused(books.system(r.ProposeMatches, run_id="run-1", runner="one", items=()), ErrorCode.LOCK_LOST)


def test_a_resumed_run_is_anybodys() -> None:
    books = Books(run=False)
    books.ask(r.StartRun, ALICE, run_id="run-1")
    progress = {"run_id": "run-1", "total": 6, "processed": 0}
    books.system(r.ReportProgress, runner="one", **progress)
    books.ask(r.PauseRun, ALICE)
    books.ask(r.ResumeRun, BOB)
    committed(books.system(r.ReportProgress, runner="two", **progress))


def test_counts_are_those_of_what_is_stored_not_what_was_reported() -> None:
    books = Books()
    books.found((("l1",), ("s1",)), (("l2",), ("s2",)), confirmed=True)
    books.found((("l3",), ("s3",)))
    books.ask(r.RemoveMatches, ALICE, match_ids=(books.match_of("l1"),))
    data = committed(books.system(r.ReportProgress, run_id="run-1", total=6, processed=6)).data
    assert {name: data[name] for name in ("total", "processed", "matched", "suggested", "exceptions")} == {
        "total": 6,
        "processed": 6,
        "matched": 2,
        "suggested": 2,
        "exceptions": 0,
    }
    assert run_view(books.state.reconciliation)["matches_confirmed"] == 1


def test_whoever_is_shown_the_run_is_told_by_which_sign_matches_balance() -> None:
    books = Books()
    progress = {"run_id": "run-1", "total": 6, "processed": 6}
    books.system(r.ReportProgress, statement_sign=-1, **progress)
    assert run_view(books.state.reconciliation)["statement_sign"] == -1
    books.system(r.CompleteRun, run_id="run-1", total=6)
    books.ask(r.StartRun, ALICE, run_id="run-2")
    assert run_view(books.state.reconciliation)["statement_sign"] == -1


def test_rules_are_kept_in_versions_and_a_late_author_is_told() -> None:
    books = Books(run=False)
    mine = (replace(DEFAULT_RULES[0], name="Our references"), *DEFAULT_RULES[1:])
    commit = committed(books.ask(r.SetRules, ALICE, rules=mine, base_version=0))
    assert books.state.reconciliation.rules.version == commit.seq
    assert books.state.reconciliation.rules.rules == mine
    refused(books.ask(r.SetRules, BOB, rules=DEFAULT_RULES, base_version=0), ErrorCode.VERSION_STALE)
    unchanged(books.ask(r.SetRules, BOB, rules=mine, base_version=commit.seq))


def test_a_run_remembers_which_rules_it_works_by() -> None:
    books = Books(run=False)
    commit = committed(books.ask(r.SetRules, ALICE, rules=DEFAULT_RULES[:2], base_version=0))
    books.ask(r.StartRun, ALICE, run_id="run-1")
    run = books.state.reconciliation.run
    assert run is not None
    assert run.rules_version == commit.seq


@pytest.mark.parametrize("status", RunStatus)
def test_rules_stand_still_while_a_run_works_by_them(status: RunStatus) -> None:
    books = in_status(status)
    outcome = books.ask(r.SetRules, ALICE, rules=DEFAULT_RULES[:2], base_version=0)
    if status in (QUEUED, RUNNING):
        assert refused(outcome, ErrorCode.INVALID).details == {"run_id": "run-1", "status": status.value}
        unchanged(books.ask(r.SetRules, ALICE, rules=DEFAULT_RULES, base_version=0))
    else:
        committed(outcome)


def test_a_resumed_run_remembers_the_rules_that_it_goes_on_by() -> None:
    books = in_status(PAUSED)
    commit = committed(books.ask(r.SetRules, ALICE, rules=DEFAULT_RULES[:2], base_version=0))
    assert run_view(books.state.reconciliation)["rules_version"] == 0
    resumed = committed(books.ask(r.ResumeRun, ALICE))
    assert resumed.data["rules_version"] == commit.seq
    assert run_view(books.state.reconciliation)["rules_version"] == commit.seq
    progress = {"run_id": "run-1", "total": 6, "processed": 0}
    refused(books.system(r.ReportProgress, rules_version=0, **progress), ErrorCode.LOCK_LOST)
    committed(books.system(r.ReportProgress, rules_version=commit.seq, **progress))


def test_a_log_in_which_a_resumed_run_says_nothing_of_rules_leaves_its_version() -> None:
    books = in_status(PAUSED)
    before = books.state.reconciliation
    books.ask(r.SetRules, ALICE, rules=DEFAULT_RULES[:2], base_version=0)
    resumed = committed(books.ask(r.ResumeRun, ALICE))
    data = {name: value for name, value in resumed.data.items() if name != "rules_version"}
    run = evolve_run(before, replace(resumed, data=data)).run
    assert run is not None
    assert run.rules_version == 0


@pytest.mark.parametrize("rule", DEFAULT_RULES, ids=lambda rule: rule.rule_id)
def test_a_rule_comes_back_from_its_document(rule: Rule) -> None:
    assert from_document(document(rule)) == rule


@pytest.mark.parametrize(
    "change",
    [{"rule_id": ""}, {"name": "x" * 200}, {"amount_percent": 51}, {"amount_tolerance": 0.5}, {"days_after": -1},
     {"min_score": 0}, {"auto_score": 0.5}, {"max_records": 101}, {"auto_confirm": "yes"}, {"text_similarity": True}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_a_rule_out_of_bounds_is_refused_and_named(change: dict[str, Any]) -> None:
    rule = replace(Rule("mine", "Mine", Kind.PAIR), **change)
    outcome = Books().ask(r.SetRules, ALICE, rules=(rule,), base_version=0)
    rejection = refused(outcome, ErrorCode.INVALID)
    assert next(iter(change)) in rejection.message


def test_a_sum_rule_has_no_tolerance_and_names_are_unique() -> None:
    sloppy = Rule("sum", "Sums", Kind.SUM, amount_tolerance=5)
    refused(Books().ask(r.SetRules, ALICE, rules=(sloppy,), base_version=0), ErrorCode.INVALID)
    twice = (DEFAULT_RULES[0], DEFAULT_RULES[0])
    refused(Books().ask(r.SetRules, ALICE, rules=twice, base_version=0), ErrorCode.INVALID)
    refused(Books().ask(r.SetRules, ALICE, rules=(), base_version=0), ErrorCode.INVALID)


def test_a_document_that_is_no_rule_is_refused() -> None:
    good = document(DEFAULT_RULES[0])
    for item in ({"kind": "pair"}, {**good, "kind": "magic"}, {**good, "x": 1}):
        with pytest.raises(ValueError):
            from_document(item)
