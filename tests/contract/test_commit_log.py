"""The contract of `ports.CommitLog`, over every adapter."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from realtime_server.core import limits
from realtime_server.core.commits import Commit, Draft, digest, verify
from realtime_server.ports import Appended, CommitLog, Ended
from tests.contract.conftest import Store
from tests.storage.logs import SESSION, chain, edit_of, edits


@pytest.fixture
def log(store: Store) -> CommitLog:
    return store.log


async def stored(log: CommitLog, session_id: str = SESSION) -> list[Commit]:
    return [commit async for commit in log.scan(session_id)]


async def test_what_was_appended_is_read_as_it_was_written(log: CommitLog) -> None:
    commits = edits(7)
    assert await log.append(commits[:3]) == Appended(3)
    assert await log.append(commits[3:]) == Appended(4)
    assert await log.read(SESSION, 0, 100) == commits
    assert await stored(log) == commits


async def test_appending_nothing_is_done_at_once(log: CommitLog) -> None:
    assert await log.append([]) == Appended(0)


async def test_a_read_begins_after_a_commit_and_ends_at_its_limit(log: CommitLog) -> None:
    commits = edits(9)
    await log.append(commits)
    assert await log.read(SESSION, 3, 4) == commits[3:7]
    assert await log.read(SESSION, 7, 100) == commits[7:]
    assert await log.read(SESSION, 9, 100) == []
    assert await log.read(SESSION, 1000, 100) == []
    assert await log.read(SESSION, 0, 0) == []
    assert await log.read("nobody knows this one", 0, 100) == []


async def test_a_scan_begins_after_a_commit(log: CommitLog) -> None:
    commits = edits(5)
    await log.append(commits)
    assert [commit async for commit in log.scan(SESSION, 3)] == commits[3:]


async def test_heads_are_the_newest_numbers_of_the_logs_asked_for(log: CommitLog) -> None:
    assert await log.heads([SESSION]) == {}
    await log.append(edits(5))
    await log.append(edits(3, session_id="session-2"))
    await log.append(edits(4, session_id="session-3"))
    assert await log.heads([SESSION, "session-2", "nobody knows this one"]) == {SESSION: 5, "session-2": 3}
    assert await log.heads([]) == {}


async def test_sessions_share_neither_numbers_nor_commands(log: CommitLog) -> None:
    here, there = edits(3), edits(3, session_id="session-2")
    assert await log.append(here) == Appended(3)
    assert await log.append(there) == Appended(3)
    assert await log.read("session-2", 0, 10) == there
    assert await log.read(SESSION, 0, 10) == here


async def test_a_number_that_is_taken_is_refused_and_changes_nothing(log: CommitLog) -> None:
    commits = edits(3)
    await log.append(commits)
    late = edits(3, command="late")
    assert await log.append(late[2:]) == Appended(0)
    assert await stored(log) == commits


async def test_a_command_that_is_in_the_log_is_refused_and_changes_nothing(log: CommitLog) -> None:
    commits = edits(3)
    await log.append(commits)
    retry = replace(edits(4)[3], command_id=commits[0].command_id)
    assert await log.append([retry]) == Appended(0)
    assert await stored(log) == commits


@pytest.mark.parametrize("position", [0, 1, 70, 199])
async def test_what_stands_before_a_duplicate_is_durable_and_nothing_after_it(log: CommitLog, position: int) -> None:
    first = edits(1)
    await log.append(first)
    batch = edits(200, after=first[0])
    batch[position] = replace(batch[position], command_id=first[0].command_id)
    assert await log.append(batch) == Appended(position)
    assert await stored(log) == [*first, *batch[:position]]


async def test_the_rest_can_be_appended_after_a_refusal(log: CommitLog) -> None:
    first = edits(2)
    await log.append(first[:1])
    assert await log.append(first) == Appended(0)
    assert await log.append(first[1:]) == Appended(1)
    assert await stored(log) == first


async def test_of_appenders_that_race_for_the_same_numbers_one_wins_each(log: CommitLog) -> None:
    """Ten writers decide on what they have read, append, and read again when somebody was faster."""

    async def write(name: str) -> None:
        head: Commit | None = None
        wanted = 8
        while wanted:
            drafts = [edit_of("record-1", f"{name} {number}") for number in range(min(wanted, 3))]
            appended = await log.append(chain(drafts, after=head, user_id=name, command=name))
            wanted -= appended.count
            tail = await log.read(SESSION, head.seq if head else 0, 1_000)
            head = tail[-1] if tail else head

    await asyncio.gather(*(write(f"writer-{number}") for number in range(10)))
    commits = await stored(log)
    assert [commit.seq for commit in commits] == list(range(1, 81))
    assert Counter(commit.user_id for commit in commits) == {f"writer-{number}": 8 for number in range(10)}
    assert verify(SESSION, commits) is None


async def test_one_command_from_many_appenders_at_once_is_in_the_log_once(log: CommitLog) -> None:
    commits = edits(20, command="other")
    contenders = [[replace(commit, command_id="the same")] for commit in commits]
    outcomes = await asyncio.gather(*(log.append(contender) for contender in contenders))
    assert sorted(outcome.count for outcome in outcomes) == [0] * 19 + [1]
    assert len(await stored(log)) == 1


async def test_commits_are_found_by_their_commands(log: CommitLog) -> None:
    commits = edits(5)
    await log.append(commits)
    found = await log.find(SESSION, ["c-2", "c-4", "never happened"])
    assert found == {"c-2": commits[1], "c-4": commits[3]}
    assert await log.find(SESSION, []) == {}
    assert await log.find("session-2", ["c-2"]) == {}


async def test_the_history_of_records_has_every_commit_that_touches_them_and_no_other(log: CommitLog) -> None:
    batch = {"edits": [{"record_id": name, "field_name": "f", "new_value": 1} for name in ("r1", "r2", "r1")]}
    commits = chain(
        [
            Draft("session.created", {"name": "n", "field_policies": {}}),
            edit_of("r1", "a"),
            edit_of("r2", "b"),
            Draft("edit.batch_applied", batch),
            Draft("comment.added", {"comment_id": "comment-5", "record_id": None, "text": "r1"}),
            Draft("lock.acquired", {"record_id": "r1", "token": 6}),
            Draft("record.status_changed", {"record_ids": ["r3", "r1"], "status": "matched"}),
        ]
    )
    await log.append(commits)
    assert [commit.seq for commit in await log.history(SESSION, 0, 100, record_ids=["r1"])] == [2, 4, 6, 7]
    assert [commit.seq for commit in await log.history(SESSION, 2, 2, record_ids=["r1"])] == [4, 6]
    assert [commit.seq for commit in await log.history(SESSION, 0, 100, record_ids=["r3"])] == [7]
    assert [commit.seq for commit in await log.history(SESSION, 0, 100, record_ids={"r2", "r3"})] == [3, 4, 7]
    assert await log.history(SESSION, 0, 100, record_ids={"r4"}) == []
    assert await log.history(SESSION, 0, 100, record_ids=[]) == []
    assert await log.history(SESSION, 0, 0, record_ids={"r1"}) == []


async def test_the_history_of_a_person_has_what_they_did(log: CommitLog) -> None:
    alice = edits(2)
    bob = edits(2, after=alice[-1], user_id="bob")
    await log.append([*alice, *bob])
    assert await log.history(SESSION, 0, 100, user_id="bob") == bob
    assert await log.history(SESSION, 3, 100, user_id="bob") == bob[1:]
    assert await log.history(SESSION, 0, 100, user_id="alice", record_ids={"record-1"}) == alice[1:]
    assert await log.history(SESSION, 0, 100) == [*alice, *bob]


VALUES: list[Any] = [
    None, True, False, 0, -1, 2**31 - 1, 2**31, -(2**31) - 1, 2**32, limits.MAX_INTEGER, -limits.MAX_INTEGER,
    0.1, -2.5, 1e-5, 123456789012345.67, 3.0000000000000004,
    "", "$set", "a.b", "$where: 1", "{\"$gt\": \"\"}", "tab\tline\nreturn\r", "naïve Ω 漢字 🧾 \u202e\u0301",
    "\x01\x7f\u2028", "x" * limits.MAX_TEXT, "🧾" * limits.MAX_TEXT,
    [], {}, [[]], [{}], ["a", ["b", ["c", None, 2**40]]], {"": {}, " ": [], "é": {"nested": {"deep": [1, 2.5]}}},
    ["x" * limits.MAX_LIST_ITEM_TEXT] * limits.MAX_LIST_ITEMS,
    {"z": 1, "a": 2, "Z": 3, "\U0001f9fe": 4, "\uffee": 5},
]  # fmt: skip


def types(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: types(item) for name, item in value.items()}
    return [types(item) for item in value] if isinstance(value, list) else type(value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:30])
async def test_every_value_comes_back_with_its_type_and_gives_its_hash(log: CommitLog, value: Any) -> None:
    commit = chain([edit_of("record-1", value)])[0]
    assert await log.append([commit]) == Appended(1)
    (read,) = await log.read(SESSION, 0, 10)
    assert read == commit
    assert types(read.data) == types(commit.data)
    assert type(read.at) is int
    assert digest(read) == commit.hash
    assert [digest(item) for item in await stored(log)] == [commit.hash]


def named(user_id: str, *, session_id: str = SESSION) -> list[Commit]:
    """One commit that names two people, one that names one of them, and one that names nobody."""
    lease = {"record_id": "r1", "token": 1}
    holder, previous = {"user_id": user_id, "name": user_id.title()}, {"user_id": "olga", "name": "Olga"}
    drafts = [
        Draft("lock.taken_over", {**lease, "holder": holder, "previous": previous}),
        Draft("comment.added", {"comment_id": "c", "record_id": None, "text": "t", "name": "Olga"}),
        edit_of("r1", "x"),
    ]
    return chain(drafts, session_id=session_id, user_id="olga")


async def test_an_erased_name_leaves_the_others_and_a_sound_chain(log: CommitLog) -> None:
    await log.append(named("pat"))
    await log.append(named("pat", session_id="session-2"))
    assert await log.erase_name(SESSION, "olga") == 2
    commits = await stored(log)
    assert [commit.names for commit in commits] == [(("pat", "Pat"),), (), ()]
    assert verify(SESSION, commits) is None
    assert await log.read(SESSION, 0, 10) == commits
    assert list((await log.find(SESSION, {commits[1].command_id})).values()) == [commits[1]]
    assert await log.erase_name(SESSION, "olga") == 0
    assert await log.erase_name("nobody knows this one", "olga") == 0
    assert await stored(log, "session-2") == named("pat", session_id="session-2")


async def test_the_sessions_that_name_a_person_are_found_page_by_page(log: CommitLog) -> None:
    for number in range(3):
        await log.append(named("pat", session_id=f"session-{number}"))
    await log.append(edits(2, session_id="session-8"))
    assert await log.naming("pat", None, 2) == ["session-0", "session-1"]
    assert await log.naming("pat", "session-1", 2) == ["session-2"]
    assert await log.naming("pat", None, 0) == []
    assert await log.naming("nobody", None, 2) == []
    await log.erase_name("session-1", "pat")
    assert await log.naming("pat", None, 9) == ["session-0", "session-2"]
    assert await log.naming("olga", None, 9) == ["session-0", "session-1", "session-2"]


def ended(session_id: str, at: int, how: str = "session.ended") -> list[Commit]:
    """A log of an edit, an end at that instant, and an erasure a second later."""
    drafts = [edit_of("r1", "x"), Draft(how, {}), Draft("session.name_erased", {"user_id": "pat"})]
    return [replace(commit, at=at + after) for commit, after in zip(chain(drafts, session_id=session_id),
                                                                    (-5, 0, 1_000), strict=True)]  # fmt: skip


async def test_sessions_that_ended_are_found_the_earliest_first_page_by_page(log: CommitLog) -> None:
    for session_id, at in (("c", 300), ("b", 200), ("a", 300), ("late", 301)):
        await log.append(ended(session_id, at, "session.expired" if session_id == "b" else "session.ended"))
    await log.append(edits(2, session_id="open"))
    everything = [Ended(200, "b"), Ended(300, "a"), Ended(300, "c")]
    assert await log.ended(300, None, 100) == everything
    assert await log.ended(299, None, 100) == everything[:1]
    assert await log.ended(300, None, 2) == everything[:2]
    assert await log.ended(300, everything[1], 2) == everything[2:]
    assert await log.ended(300, everything[2], 2) == []
    assert await log.ended(300, None, 0) == []


async def test_the_sessions_that_still_name_somebody_are_told_from_those_that_do_not(log: CommitLog) -> None:
    for number in range(4):
        await log.append(named("pat", session_id=f"session-{number}"))
    await log.append(edits(2, session_id="session-8"))
    assert await log.still_named(["session-8", "session-2", "session-0", "nobody knows this one"]) == [
        "session-0", "session-2",
    ]  # fmt: skip
    assert await log.still_named([]) == []
    assert await log.people_named("session-2") == ["olga", "pat"]
    await log.erase_name("session-2", "olga")
    assert await log.people_named("session-2") == ["pat"]
    await log.erase_name("session-2", "pat")
    assert await log.people_named("session-2") == []
    left = await log.still_named([f"session-{number}" for number in range(9)])
    assert left == ["session-0", "session-1", "session-3"]
