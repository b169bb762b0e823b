"""The contract of `ports.MappingStore`, over every adapter."""

from __future__ import annotations

import asyncio

import pytest

from realtime_server.ports import MappingStore, SavedMapping
from tests.contract.conftest import Store

ODD = {"columns": {"date": "Booked $on.1"}, "rename": {"Ref. № $": "ref"}, "ignore": ["a.b", "$c"], "decimal": None}


@pytest.fixture
def mappings(store: Store) -> MappingStore:
    return store.mappings


async def test_a_mapping_is_loaded_as_it_was_saved_whatever_the_columns_are_called(mappings: MappingStore) -> None:
    saved = SavedMapping(ODD, "alice", 1_795_341_600_000)
    await mappings.save("p.1/$x", "ledger", saved)
    assert await mappings.load("p.1/$x", "ledger") == saved


async def test_each_side_of_each_project_has_its_own(mappings: MappingStore) -> None:
    await mappings.save("p", "ledger", SavedMapping({"decimal": ","}, "alice", 1))
    await mappings.save("q", "ledger", SavedMapping({"decimal": "."}, "bob", 2))
    asked = (("p", "ledger"), ("p", "statement"), ("q", "ledger"))
    found = [await mappings.load(project, side) for project, side in asked]
    assert [item and item.saved_by for item in found] == ["alice", None, "bob"]


async def test_a_later_mapping_takes_the_place_of_the_one_before(mappings: MappingStore) -> None:
    await mappings.save("p", "ledger", SavedMapping(ODD, "alice", 1))
    await mappings.save("p", "ledger", SavedMapping({"decimal": ","}, "bob", 2))
    assert await mappings.load("p", "ledger") == SavedMapping({"decimal": ","}, "bob", 2)


async def test_of_many_saved_at_once_one_stays_whole(mappings: MappingStore) -> None:
    for project in (f"p{number}" for number in range(10)):  # the first ones race to be there at all
        saved = [SavedMapping({"decimal": ",", "by": n}, f"user-{n}", n) for n in range(10)]
        await asyncio.gather(*(mappings.save(project, "ledger", item) for item in saved))
        assert await mappings.load(project, "ledger") in saved


async def test_a_deleted_mapping_is_gone_and_deleting_says_whether_there_was_one(mappings: MappingStore) -> None:
    await mappings.save("p", "ledger", SavedMapping(ODD, "alice", 1))
    assert await mappings.delete("p", "ledger")
    assert await mappings.load("p", "ledger") is None
    assert not await mappings.delete("p", "ledger")


async def test_what_is_loaded_can_be_changed_without_changing_what_is_stored(mappings: MappingStore) -> None:
    given = {"ignore": ["a"]}
    await mappings.save("p", "ledger", SavedMapping(given, "alice", 1))
    given["ignore"].append("b")
    first = await mappings.load("p", "ledger")
    assert first is not None
    first.reading["ignore"].append("c")
    again = await mappings.load("p", "ledger")
    assert again is not None
    assert again.reading == {"ignore": ["a"]}
