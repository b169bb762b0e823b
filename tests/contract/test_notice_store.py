"""The contracts of `ports.NoticeStore`, `ports.RuleStore` and `ports.ImportStatusStore`, over every adapter."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from realtime_server.core.matching.rules import DEFAULT_RULES
from realtime_server.core.notifications import Notice
from realtime_server.core.roles import Role
from realtime_server.ports import ImportStatus, ImportStatusStore, NoticeStore, Place, Reader, RuleStore, SavedRules
from tests.contract.conftest import Store

BOB = Reader("bob", {"demo": Role.PREPARER})
RAE = Reader("rae", {"demo": Role.REVIEWER})
SAM = Reader("sam", {"demo": Role.REVIEWER})
_NOTICE = Notice("", "mentioned", "s1", "Close", "demo", 1, 0, "alice", "Alice", None)


def to_bob(number: int, **more: object) -> Notice:
    return replace(_NOTICE, notice_id=f"s1.{number}.bob", at=number, seq=number, recipient="bob", **more)  # type: ignore[arg-type]  # members by name


def to_signers(number: int, *excepted: str) -> Notice:
    notice_id, roles = f"s1.{number}.signers", ("admin", "reviewer")
    return replace(_NOTICE, notice_id=notice_id, at=number, seq=number, roles=roles, excepted=frozenset(excepted))


@pytest.fixture
def notices(store: Store) -> NoticeStore:
    return store.notices


async def ids(notices: NoticeStore, reader: Reader, **asked: bool) -> list[int]:
    return [notice.seq for notice, _ in await notices.page(reader, **asked)]


async def test_what_was_added_comes_back_as_it_was_and_once(notices: NoticeStore) -> None:
    one, two = to_bob(1, about={"text": "look $x.y"}), to_bob(2)
    assert await notices.add([one]) == {one.notice_id}
    assert await notices.add([one, two]) == {two.notice_id}
    assert await notices.add([]) == set()
    assert await notices.page(BOB) == [(two, False), (one, False)]


async def test_each_reader_sees_what_is_theirs_by_name_or_by_role(notices: NoticeStore) -> None:
    await notices.add([to_bob(1), to_signers(2), to_signers(3, "rae"), replace(to_bob(4), project_id="other")])
    assert await ids(notices, BOB) == [1]
    assert await ids(notices, RAE) == [2]
    assert await ids(notices, SAM) == [3, 2]
    assert await ids(notices, Reader("bob", {})) == []
    assert await ids(notices, Reader("bob", {"other": Role.ADMIN, "demo": Role.ADMIN})) == [4, 3, 2, 1]


async def test_a_mark_is_one_readers_own(notices: NoticeStore) -> None:
    await notices.add([to_signers(1), to_signers(2)])
    assert await notices.mark_read(RAE, ["s1.1.signers", "nothing"]) == 1
    assert await notices.mark_read(RAE, ["s1.1.signers"]) == 0
    assert await notices.count_unread(RAE) == 1
    assert await notices.count_unread(SAM) == 2
    assert await notices.count_unread(SAM, limit=1) == 1
    assert await notices.mark_read(BOB) == 0
    # Added again after a crash, it stays read.
    await notices.add([to_signers(1)])
    assert await ids(notices, RAE, unread=True) == [2]


async def test_pages_go_on_where_the_last_one_ended_through_unread_and_read(notices: NoticeStore) -> None:
    await notices.add([to_bob(number) for number in range(1, 8)])
    await notices.mark_read(BOB, until=3)
    expected = [7, 6, 5, 4, 3, 2, 1]
    for size in (1, 2, 3, 10):
        found: list[int] = []
        after: Place | None = None
        while page := await notices.page(BOB, after=after, limit=size):
            found += [notice.seq for notice, _ in page]
            last, read = page[-1]
            after = Place(read, last.at, last.notice_id)
        assert found == expected


async def test_a_person_keeps_the_newest_five_hundred_of_a_project(notices: NoticeStore) -> None:
    await notices.add([to_bob(number) for number in range(1, 451)])
    await notices.add([to_bob(number) for number in range(451, 521)])
    assert await notices.count_unread(BOB) == 500
    assert min(notice.seq for notice, _ in await notices.page(BOB, limit=600)) == 21


async def test_a_name_is_erased_from_one_session_and_what_was_read_stays_read(notices: NoticeStore) -> None:
    by_carl, elsewhere = to_bob(2, user_id="carl", name="Carl"), to_bob(3, session_id="s2")
    await notices.add([to_bob(1), by_carl, elsewhere, to_signers(4)])
    await notices.mark_read(BOB, ["s1.1.bob"])
    assert await notices.erase_name("s1", "alice") == 2
    assert await notices.erase_name("s1", "alice") == 0
    assert await notices.page(BOB) == [(elsewhere, False), (by_carl, False), (to_bob(1, name="alice"), True)]
    assert await notices.page(RAE) == [(replace(to_signers(4), name="alice"), False)]


@pytest.fixture
def rules(store: Store) -> RuleStore:
    return store.rules


def saved(version: int, who: str = "alice") -> SavedRules:
    return SavedRules("p", version, DEFAULT_RULES[version % 3 :], who, 1_795_341_600_000 + version, "why")


async def test_versions_of_rules_follow_one_another_and_are_kept(rules: RuleStore) -> None:
    assert await rules.load("p") is None
    assert not await rules.save(saved(2))
    assert await rules.save(saved(1))
    assert not await rules.save(saved(1, "bob"))
    assert await rules.save(saved(2))
    assert await rules.load("p") == saved(2)
    assert await rules.load("p", 1) == saved(1)
    assert await rules.load("q") is None
    assert await rules.versions("p") == [saved(2), saved(1)]


async def test_of_many_who_save_the_same_version_one_does(rules: RuleStore) -> None:
    done = await asyncio.gather(*(rules.save(saved(1, f"user-{number}")) for number in range(10)))
    assert sorted(done) == [False] * 9 + [True]
    assert len(await rules.versions("p")) == 1


@pytest.fixture
def imports(store: Store) -> ImportStatusStore:
    return store.imports


async def test_an_imports_last_word_stands_and_each_session_has_its_own(imports: ImportStatusStore) -> None:
    now = 1_795_341_600_000
    first = ImportStatus("s1", "upload", "ledger", "receiving", "alice", now, now)
    await imports.save(first)
    await imports.save(replace(first, status="completed", rows=5, rows_total=5, updated_at=now + 9))
    second = replace(first, progress_id="later", started_at=now + 5)
    await imports.save(second)
    found = await imports.load("s1", "upload")
    assert found is not None
    assert (found.status, found.rows) == ("completed", 5)
    assert [item.progress_id for item in await imports.newest("s1")] == ["later", "upload"]
    assert await imports.newest("s2") == []
    assert await imports.load("s2", "upload") is None
