"""Notifications outlive a crash between a commit and their keeping: the next one who opens the session makes them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from realtime_server.core.commands import AddComment, EraseName, Join
from realtime_server.core.notifications import Notice
from realtime_server.core.roles import Role
from realtime_server.engine.engine import Engine
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import Reader
from realtime_server.storage.memory_projects import MemoryNoticeStore
from tests.engine.conftest import ADMIN, SESSION, Bench, preparer
from tests.support import eventually

BOB = Reader("bob", {"demo": Role.PREPARER})


class Interrupted(MemoryNoticeStore):
    """A database that does not answer until it is mended."""

    mended = False

    async def add(self, notices: Sequence[Notice]) -> set[str]:
        if not self.mended:
            raise CollaborationError(ErrorCode.UNAVAILABLE, "away")
        return await super().add(notices)


def engine_of(bench: Bench, store: MemoryNoticeStore, told: list[Notice]) -> Engine:
    engine = Engine(
        bench.stores.log, bench.stores.sessions, bench.stores.records,
        publish=lambda commits: None, notices=store, notify=lambda notices, first: told.extend(notices),
    )  # fmt: skip
    bench.engines.append(engine)
    return engine


def mention(number: int) -> AddComment:
    return AddComment(
        actor=preparer("alice"), command_id=f"alice/c{number}", record_id=None, text=f"look {number}", mentions=("bob",)
    )


async def test_no_checkpoint_stands_behind_a_notification_that_is_not_kept(bench: Bench) -> None:
    store, told = Interrupted(), list[Notice]()
    first = engine_of(bench, store, told)
    await bench.create(first)
    await first.checkpoint(SESSION)
    for number in range(3):
        await first.submit(SESSION, mention(number))
    assert not told
    with pytest.raises(CollaborationError, match="away"):
        await first.checkpoint(SESSION)
    stored = await bench.stores.sessions.load(SESSION)
    assert stored is not None
    assert stored["seq"] == 1
    # As after a crash: another instance opens the session, and nothing of the first one's memory is left.
    store.mended = True
    heard: list[Notice] = []
    second = engine_of(bench, store, heard)
    await second.checkpoint(SESSION)
    assert [item.about["text"] for item, _ in await store.page(BOB)] == ["look 2", "look 1", "look 0"]
    assert [item.seq for item in heard] == [2, 3, 4]


async def test_a_name_that_is_erased_before_a_notification_is_kept_is_not_in_it(bench: Bench) -> None:
    store, told = Interrupted(), list[Notice]()
    engine = engine_of(bench, store, told)
    await bench.create(engine)
    await engine.submit(SESSION, Join(actor=preparer("alice"), command_id="alice/join"))
    await engine.submit(SESSION, mention(1))
    await engine.submit(SESSION, EraseName(actor=ADMIN, command_id="ada/erase", user_id="alice"))
    store.mended = True
    await engine.checkpoint(SESSION)
    ((kept, _),) = await store.page(BOB)
    assert (kept.user_id, kept.name) == ("alice", "alice")


async def test_two_instances_keep_one_notification_and_each_tells_its_own_people(bench: Bench) -> None:
    store = MemoryNoticeStore()
    here, there = list[Notice](), list[Notice]()
    one, two = engine_of(bench, store, here), engine_of(bench, store, there)
    await bench.create(one)
    await two.state(SESSION)
    await one.submit(SESSION, mention(1))
    await two.state(SESSION)
    await eventually(lambda: here and there)
    assert [item.notice_id for item in here] == [item.notice_id for item in there]
    assert len(await store.page(BOB)) == 1


async def test_what_was_kept_before_is_not_told_again_when_a_session_is_opened(bench: Bench) -> None:
    store, told = MemoryNoticeStore(), list[Notice]()
    one = engine_of(bench, store, told)
    await bench.create(one)
    await one.submit(SESSION, mention(1))
    await eventually(lambda: told)
    again: list[Notice] = []
    await engine_of(bench, store, again).checkpoint(SESSION)
    assert not again
