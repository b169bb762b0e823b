"""The chain: history that was altered, removed or inserted is found, and named."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_server.core.commits import (
    GENESIS,
    ChainVerifier,
    Commit,
    Draft,
    canonical,
    digest,
    seal,
    verify,
)
from tests.core.session_log import ALICE, SESSION, Log, committed


def log_of(length: int) -> list[Commit]:
    log = Log()
    for number in range(length - 1):
        committed(log.edit(ALICE, "r1", "notes", f"Grüße {number}"))
    return log.commits


def test_a_log_as_it_was_written_is_sound() -> None:
    commits = log_of(5)
    verifier = ChainVerifier(SESSION)
    assert all(verifier.check(commit) is None for commit in commits)
    assert (verifier.seq, verifier.head) == (5, commits[-1].hash)
    assert verify(SESSION, []) is None


def test_each_commit_carries_the_hash_of_the_one_before() -> None:
    commits = log_of(3)
    assert [commit.prev_hash for commit in commits] == [GENESIS, commits[0].hash, commits[1].hash]


def test_the_hash_can_be_computed_by_any_other_json_writer() -> None:
    commit = log_of(2)[-1]
    members = {name: getattr(commit, name) for name in Commit.__dataclass_fields__ if name not in ("hash", "names")}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(commit) == text.encode()
    assert commit.hash == hashlib.sha256(text.encode()).hexdigest() == digest(commit)


@pytest.mark.parametrize("place", [0, 1, 3, 4])
@pytest.mark.parametrize(
    "change",
    [
        {"user_id": "mallory"},
        {"at": 0},
        {"command_id": "x"},
        {"message_type": "edit.merged"},
        {"project_id": "other"},
        {"data": {}},
        {"data": {"no_json": object()}},
        {"data": {"no_number": 2**70}},
        {"hash": GENESIS},
        {"prev_hash": "f" * 64},
    ],
    ids=lambda change: "-".join(change),
)
def test_an_altered_commit_is_named(place: int, change: dict[str, Any]) -> None:
    commits = log_of(5)
    commits[place] = replace(commits[place], **change)
    problem = verify(SESSION, commits)
    assert problem is not None
    assert problem.seq == place + 1
    assert "altered" in problem.problem


@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_removed_commit_is_named(place: int) -> None:
    commits = log_of(5)
    del commits[place]
    problem = verify(SESSION, commits)
    assert problem is not None
    assert problem.seq == place + 1
    assert "missing" in problem.problem


@pytest.mark.parametrize("place", [1, 3, 5])
def test_an_inserted_commit_is_named(place: int) -> None:
    commits = log_of(5)
    commits.insert(place, commits[place - 1])
    problem = verify(SESSION, commits)
    assert problem is not None
    assert problem.seq == place
    assert "inserted" in problem.problem


def test_a_history_that_was_written_anew_from_some_commit_on_breaks_there() -> None:
    commits = log_of(5)
    other = commits[2]
    forged = seal(
        Draft(other.message_type, {**other.data, "new_value": "forged"}),
        session_id=other.session_id,
        project_id=other.project_id,
        seq=other.seq,
        command_id=other.command_id,
        user_id=other.user_id,
        at=other.at,
        prev_hash=other.prev_hash,
    )
    commits[2] = forged
    problem = verify(SESSION, commits)
    assert problem is not None
    assert problem.seq == 4
    assert "does not follow" in problem.problem


def test_a_commit_of_another_session_is_named() -> None:
    problem = verify("session-2", log_of(1))
    assert problem is not None
    assert "another session" in problem.problem


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(left=st.dictionaries(st.text(max_size=5), JSON, max_size=3), right=st.dictionaries(st.text(max_size=5), JSON))
def test_different_data_have_different_hashes_and_the_order_of_keys_does_not_matter(
    left: dict[str, Any], right: dict[str, Any]
) -> None:
    place: dict[str, Any] = {
        "session_id": "s",
        "project_id": "p",
        "seq": 1,
        "command_id": "c",
        "user_id": "u",
        "at": 0,
        "prev_hash": GENESIS,
    }
    one, other = (seal(Draft("edit.applied", data), **place) for data in (left, right))
    assert (one.hash == other.hash) is (json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True))
    assert seal(Draft("edit.applied", dict(reversed(left.items()))), **place).hash == one.hash
