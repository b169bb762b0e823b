"""`audit verify` against logs that somebody with access to the database has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Code, Decimal128
from bson.raw_bson import RawBSONDocument

from realtime_server.core.commits import Commit, digest
from realtime_server.storage.documents import commit_document
from tests.storage.conftest import Archive
from tests.storage.logs import SESSION, chain, edit_of, edits


def assert_broken(archive: Archive, seq: int, *words: str) -> None:
    result = archive.audit("verify", SESSION)
    assert result.exit_code == 1, result.output
    assert result.output.startswith(f"{SESSION}: broken at {seq}: "), result.output
    assert result.output.count("\n") == 1
    for word in words:
        assert word in result.output


def resealed(commit: Commit, **members: Any) -> Commit:
    """A forgery by somebody who knows how hashes are made."""
    forged = replace(commit, **members)
    return replace(forged, hash=digest(forged))


def put(archive: Archive, seq: int, commit: Commit) -> None:
    """Something else in the place of a commit."""
    archive.commits.replace_one({"session_id": SESSION, "seq": seq}, commit_document(commit))


def test_a_sound_log_is_told_with_its_length_and_its_head(archive: Archive) -> None:
    commits = edits(2_500)
    archive.store(commits)
    archive.checkpoint(commits[1_999])
    archive.store(edits(3, session_id="session-2"))
    result = archive.audit("verify", SESSION)
    assert result.output == f"{SESSION}: sound, 2500 commits, head {commits[-1].hash}\n"
    assert result.exit_code == 0


def test_an_unknown_session_is_told_in_one_line(archive: Archive) -> None:
    result = archive.audit("verify", "nobody")
    assert result.exit_code == 2
    assert result.stderr == "Error: there is no session nobody\n"


CHANGES: list[dict[str, Any]] = [
    {"data.new_value": "another"},
    {"data.new_value": None},
    {"data.extra": 1},
    {"data": {}},
    {"data": "text"},
    {"user_id": "mallory"},
    {"at": 1_795_341_600_000},
    {"at": 1_795_341_600_128.0},
    {"at": datetime(2026, 11, 22, tzinfo=UTC)},
    {"message_type": "comment.added"},
    {"command_id": "other"},
    {"project_id": "other"},
    {"prev_hash": "0" * 64},
    {"hash": "0" * 64},
    {"hash": None},
    {"hash": 7},
    {"records": []},
    {"records": ["record-9"]},
    {"records": 5},
]


@pytest.mark.parametrize("change", CHANGES, ids=ascii)
def test_an_altered_member_is_named(archive: Archive, change: dict[str, Any]) -> None:
    archive.store(edits(9))
    archive.commits.update_one({"session_id": SESSION, "seq": 5}, {"$set": change})
    assert_broken(archive, 5, "commit 5 was altered")


@pytest.mark.parametrize(
    "member", ["data", "user_id", "at", "message_type", "command_id", "project_id", "prev_hash", "hash", "records"]
)
def test_a_member_taken_away_is_named(archive: Archive, member: str) -> None:
    archive.store(edits(9))
    archive.commits.update_one({"session_id": SESSION, "seq": 5}, {"$unset": {member: ""}})
    assert_broken(archive, 5, "commit 5 was altered")


@pytest.mark.parametrize(
    ("written", "put"),
    [
        (True, 1), (1, True), (1, 1.0), (None, float("nan")), (None, float("inf")), ("1.5", Decimal128("1.5")),
        ("2026-11-22T00:00:00", datetime(2026, 11, 22)), ("x", Code("x")), ("", None), ([], {}), ([], None),
        ("a", b"a"), ({"a": 1}, {"a": 1, "b": None}), (["a", "b"], ["b", "a"]), ("é", "e\u0301"),
    ],
    ids=ascii,
)  # fmt: skip
def test_a_value_of_another_kind_that_looks_the_same_is_found(archive: Archive, written: Any, put: Any) -> None:
    archive.store(chain([edit_of("record-1", "before"), edit_of("record-1", written), edit_of("record-1", "after")]))
    assert archive.audit("verify", SESSION).exit_code == 0
    archive.commits.update_one({"session_id": SESSION, "seq": 2}, {"$set": {"data.new_value": put}})
    assert_broken(archive, 2, "commit 2 was altered")


def test_text_that_is_not_even_utf8_is_found(archive: Archive) -> None:
    archive.store(edits(3))
    raw = archive.commits.with_options(
        codec_options=archive.commits.codec_options.with_options(document_class=RawBSONDocument)
    )
    document = raw.find_one({"session_id": SESSION, "seq": 2})
    archive.commits.delete_one({"session_id": SESSION, "seq": 2})
    raw.insert_one(RawBSONDocument(document.raw.replace(b"value 1", b"v\xff\xfe\xfd\xfc 1")))
    assert_broken(archive, 2, "commit 2 was altered")


@pytest.mark.parametrize("seq", [1, 5, 8])
def test_a_commit_altered_together_with_its_hash_breaks_the_next_one(archive: Archive, seq: int) -> None:
    commits = edits(9)
    archive.store(commits)
    put(archive, seq, resealed(commits[seq - 1], user_id="mallory"))
    assert_broken(archive, seq + 1, f"commit {seq + 1} does not follow from commit {seq}")


@pytest.mark.parametrize("seq", [1, 5, 8])
def test_a_removed_commit_is_named(archive: Archive, seq: int) -> None:
    archive.store(edits(9))
    archive.commits.delete_one({"session_id": SESSION, "seq": seq})
    assert_broken(archive, seq, f"commit {seq} is missing")


@pytest.mark.parametrize("count", [1, 3])
def test_a_removal_is_named_though_the_rest_was_numbered_anew(archive: Archive, count: int) -> None:
    archive.store(edits(9))
    archive.commits.delete_many({"session_id": SESSION, "seq": {"$gt": 4, "$lte": 4 + count}})
    archive.commits.update_many({"session_id": SESSION, "seq": {"$gt": 4}}, {"$inc": {"seq": -count}})
    assert_broken(archive, 5, "commit 5 was removed or moved", f"was written as {5 + count}")


@pytest.mark.parametrize("count", [1, 3])
def test_an_insertion_that_fits_the_chain_is_named_though_the_rest_was_numbered_anew(
    archive: Archive, count: int
) -> None:
    commits = edits(9)
    archive.store(commits)
    archive.commits.update_many({"session_id": SESSION, "seq": {"$gt": 4}}, {"$inc": {"seq": count}})
    archive.store(edits(count, after=commits[3], user_id="mallory", command="forged"))
    assert_broken(archive, 5, "commit 5 was inserted")


@pytest.mark.parametrize("seq", [2.5, "3", None, True, -1, 0, 3.0], ids=repr)
def test_an_entry_under_no_proper_number_is_named(archive: Archive, seq: Any) -> None:
    commits = edits(9)
    archive.store(commits)
    forged = resealed(edits(1, after=commits[2], command="forged")[0])
    archive.commits.insert_one({**commit_document(forged), "seq": seq})
    result = archive.audit("verify", SESSION)
    assert result.exit_code == 1
    assert "was inserted" in result.output
    assert str(seq) in result.output


def test_a_second_entry_under_one_number_is_named(archive: Archive) -> None:
    """The unique index stands in the way of this, so it was dropped."""
    commits = edits(9)
    archive.store(commits)
    archive.store(edits(1, after=commits[3], user_id="mallory", command="forged"))
    assert_broken(archive, 5, "commit 5 was inserted")


def test_reordered_commits_are_named(archive: Archive) -> None:
    archive.store(edits(9))
    for old, new in ((4, 100), (6, 4), (100, 6)):
        archive.commits.update_one({"session_id": SESSION, "seq": old}, {"$set": {"seq": new}})
    assert_broken(archive, 4, "commit 4 was removed or moved", "was written as 6")


def test_a_commit_of_another_session_is_no_replacement(archive: Archive) -> None:
    archive.store(edits(9))
    archive.commits.delete_one({"session_id": SESSION, "seq": 5})
    foreign = edits(9, session_id="session-2", command="other")[4]
    archive.commits.insert_one({**commit_document(foreign), "session_id": SESSION})
    assert_broken(archive, 5, "commit 5 was altered")


@pytest.mark.parametrize("left", [6, 1, 0])
def test_a_log_whose_end_was_cut_off_is_found_by_the_checkpoint(archive: Archive, left: int) -> None:
    commits = edits(9)
    archive.store(commits)
    archive.checkpoint(commits[6])
    archive.commits.delete_many({"session_id": SESSION, "seq": {"$gt": left}})
    assert_broken(archive, left + 1, f"commit {left + 1} is missing", "the checkpoint stood at 7")


def test_a_chain_that_was_made_anew_is_found_by_the_checkpoint(archive: Archive) -> None:
    commits = edits(9)
    archive.checkpoint(commits[6])
    archive.store(edits(9, user_id="mallory"))
    assert_broken(archive, 7, "not the one the checkpoint was taken of")


@pytest.mark.parametrize("damage", [{"seq": "7"}, {"seq": None}, {"hash": "0" * 64}], ids=repr)
def test_an_altered_checkpoint_is_no_excuse(archive: Archive, damage: dict[str, Any]) -> None:
    commits = edits(9)
    archive.store(commits)
    archive.checkpoint(commits[6])
    archive.database["sessions"].update_one({"_id": SESSION}, {"$set": damage})
    result = archive.audit("verify", SESSION)
    assert result.exit_code == 1
    assert "checkpoint" in result.output


@pytest.mark.parametrize("tamper", [lambda commits: commits.delete_one({"seq": 2}), lambda commits: None])
def test_verifying_writes_nothing(archive: Archive, tamper: Callable[[Any], None]) -> None:
    archive.store(edits(3))
    tamper(archive.commits)
    before = (archive.database.list_collection_names(), list(archive.commits.list_indexes()))
    archive.audit("verify", SESSION)
    assert (archive.database.list_collection_names(), list(archive.commits.list_indexes())) == before
