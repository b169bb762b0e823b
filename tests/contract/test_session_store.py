"""The contract of `ports.SessionStore`, over every adapter."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from immutables import Map

from realtime_server.core.roles import Role
from realtime_server.core.snapshot import state_document, state_from_document
from realtime_server.core.state import (
    Lock,
    Participant,
    SessionState,
    SessionStatus,
    UndoEntry,
    UserHistory,
)
from realtime_server.ports import SessionStore
from tests.contract.conftest import Store

NOW = 1_795_341_600_000


@pytest.fixture
def sessions(store: Store) -> SessionStore:
    return store.sessions


def state(session_id: str = "s", seq: int = 1, project_id: str = "p", **members: Any) -> SessionState:
    return SessionState(
        session_id=session_id, project_id=project_id, seq=seq, name=f"{session_id} {seq}", created_by="alice",
        created_at=NOW - 1000, last_activity=NOW, at=NOW, hash="ab" * 32, **members,
    )  # fmt: skip


async def save(sessions: SessionStore, *states: SessionState) -> None:
    for item in states:
        await sessions.save(state_document(item))


async def test_a_checkpoint_is_loaded_as_it_was_saved(sessions: SessionStore) -> None:
    full = state(
        seq=2**33,
        expires_in=3600,
        field_policies={"amount": "manual", "naïve 🧾": "union"},
        participants=Map({"alice": Participant("alice", "Alice $set a.b", Role.PREPARER, NOW)}),
        locks=Map({"r.1": Lock("r.1", "alice", "Alice", 7, NOW, NOW + 300_000)}),
        conflicts=Map({"conflict-9": ("$r", "amount")}),
        resolved=Map({"conflict-3": 4}),
        comments=Map({"comment-5": (None, False), "comment-6": ("r.1", True)}),
        histories=Map({"al.ice": UserHistory((UndoEntry(3, (("r.1", "amount"),), (3,)),), (UndoEntry(4, (), ()),), 1)}),
    )
    await save(sessions, full)
    loaded = await sessions.load("s")
    assert loaded is not None
    assert state_from_document(loaded) == full
    assert loaded == state_document(full)


async def test_an_unknown_session_has_no_checkpoint(sessions: SessionStore) -> None:
    assert await sessions.load("s") is None


async def test_what_is_loaded_can_be_changed_without_changing_what_is_stored(sessions: SessionStore) -> None:
    await save(sessions, state())
    loaded = await sessions.load("s")
    assert loaded is not None
    loaded["locks"].append("mine")
    again = await sessions.load("s")
    assert again is not None
    assert again["locks"] == []


@pytest.mark.parametrize(("later", "kept"), [(4, "s 5"), (5, "s 5 again"), (6, "s 6")])
async def test_an_older_checkpoint_changes_nothing(sessions: SessionStore, later: int, kept: str) -> None:
    await save(sessions, state(seq=5))
    await sessions.save({**state_document(state(seq=later)), "name": f"s {later}" + " again" * (later == 5)})
    loaded = await sessions.load("s")
    assert loaded is not None
    assert loaded["name"] == kept


async def test_of_many_checkpoints_at_once_the_newest_stays(sessions: SessionStore) -> None:
    """The first ones race to create the document as well."""
    names = [f"s{number}" for number in range(100)]
    await asyncio.gather(*(save(sessions, state(name, seq)) for name in names for seq in (3, 10, 1, 7, 2)))
    assert [item.seq for item in await sessions.page({"p"})] == [10] * len(names)


async def test_sessions_are_paged_by_id_over_the_projects_asked_for(sessions: SessionStore) -> None:
    await save(sessions, *(state(f"s{number:02}", project_id=f"p{number % 3}") for number in range(20)))
    seen: list[str] = []
    after: str | None = None
    while page := await sessions.page({"p0", "p1"}, after=after, limit=4):
        assert len(page) <= 4
        seen += [item.session_id for item in page]
        after = page[-1].session_id
    assert seen == [f"s{number:02}" for number in range(20) if number % 3 < 2]
    assert await sessions.page([], limit=5) == []
    assert await sessions.page({"p0"}, limit=0) == []
    assert await sessions.page({"p9"}) == []


async def test_pages_stay_stable_while_sessions_are_added_and_changed(sessions: SessionStore) -> None:
    await save(sessions, *(state(f"s{number}") for number in (2, 4, 6)))
    first = await sessions.page({"p"}, limit=2)
    await save(sessions, state("s1"), state("s4", seq=9), state("s5"))
    rest = await sessions.page({"p"}, after=first[-1].session_id, limit=10)
    assert [item.session_id for item in [*first, *rest]] == ["s2", "s4", "s5", "s6"]


async def test_a_summary_tells_what_the_checkpoint_says(sessions: SessionStore) -> None:
    await save(sessions, state("s1", expires_in=60, status=SessionStatus.ENDED), state("s2", expires_in=0))
    first, second = await sessions.page({"p"})
    assert (first.name, first.status, first.created_by, first.seq) == ("s1 1", "ended", "alice", 1)
    assert (first.created_at, first.last_activity, first.expires_at) == (NOW - 1000, NOW, NOW + 60_000)
    assert second.expires_at is None
    assert type(first.created_at) is int


async def test_active_sessions_whose_time_is_up_are_found_the_longest_past_first(sessions: SessionStore) -> None:
    await save(
        sessions,
        state("late", expires_in=10),
        state("later", expires_in=20),
        state("latest", expires_in=30),
        state("not yet", expires_in=31),
        state("never", expires_in=0),
        state("over", expires_in=1, status=SessionStatus.EXPIRED),
    )
    now = NOW + 30_000
    assert await sessions.expirable(now, 10) == ["late", "later", "latest"]
    assert await sessions.expirable(now, 2) == ["late", "later"]
    assert await sessions.expirable(now, 0) == []


async def test_a_session_that_is_kept_is_not_to_be_expired_until_then(sessions: SessionStore) -> None:
    now = NOW + 20_000
    await save(sessions, state("open", expires_in=10), state("soon", expires_in=20), state("far", expires_in=90),
               state("shut", expires_in=10))  # fmt: skip
    assert await sessions.expirable(now, 10) == ["open", "shut", "soon"]
    await sessions.keep(["open", "soon", "far", "unknown"], now + 1_000, now + 50_000)
    await sessions.keep(["open"], now + 1_000, now + 40_000)  # the longest counts
    assert await sessions.expirable(now, 10) == ["shut"]
    assert await sessions.expirable(now + 49_999, 1) == ["shut"]
    assert await sessions.expirable(now + 50_000, 10) == ["open", "shut", "soon"]
    assert await sessions.expirable(now + 70_000, 10) == ["open", "shut", "soon", "far"]  # its end was far: not kept
    await sessions.keep([], now, now + 90_000)
    assert await sessions.expirable(now + 50_000, 10) == ["open", "shut", "soon"]
    loaded = await sessions.load("open")
    assert loaded is not None
    await sessions.save(loaded)  # what is beside a checkpoint is not in it
    assert await sessions.load("open") == loaded
