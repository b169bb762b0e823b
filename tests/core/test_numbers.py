"""Whole numbers are written without a fraction, whichever way they came: another language must find the same hash."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_server.core import reconciliation_commands as r
from realtime_server.core.commits import canonical
from realtime_server.core.matching.rules import DEFAULT_RULES
from realtime_server.core.numbers import plain_number
from tests.core.reconciled import Books
from tests.core.session_log import ALICE, committed


@pytest.mark.parametrize(("value", "written"), [(1.0, "1"), (0.0, "0"), (-0.0, "0"), (1e15, "1000000000000000"),
                                                (0.9, "0.9"), (3, "3")])  # fmt: skip
def test_a_number_is_written_as_ecmascript_writes_it(value: float, written: str) -> None:
    assert repr(plain_number(value)) == written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_plain_number_is_the_same_number(value: float) -> None:
    assert plain_number(value) == value


def test_a_score_of_one_stands_in_the_commit_as_an_integer() -> None:
    books = Books()
    found = r.Found(ledger=("l1",), statement=("s1",), rule_id="exact", score=1.0, confirmed=True)
    half = r.Found(ledger=("l2",), statement=("s2",), rule_id="exact", score=0.5)
    commit = committed(books.system(r.ProposeMatches, run_id="run-1", items=(found, half)))
    assert b'"score":1,' in canonical(commit)
    assert b'"score":0.5,' in canonical(commit)
    assert b"1.0" not in canonical(commit)


def test_rules_and_progress_in_commits_have_no_whole_fractions() -> None:
    books = Books(run=False)
    rules = (replace(DEFAULT_RULES[0], min_score=1.0, auto_score=1.0, amount_percent=2.0),)
    changed = committed(books.ask(r.SetRules, ALICE, rules=rules, base_version=0))
    for name, value in (("min_score", 1), ("auto_score", 1), ("amount_percent", 2)):
        assert f'"{name}":{value}'.encode() in canonical(changed)
    assert b".0" not in canonical(changed)
    books.ask(r.StartRun, ALICE, run_id="run-1")
    members = {"run_id": "run-1", "total": 6, "processed": 3, "rate": 12.0, "seconds_left": 2.0}
    assert b".0" not in canonical(committed(books.system(r.ReportProgress, **members)))
