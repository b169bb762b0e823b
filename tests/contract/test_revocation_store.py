"""The contract of `ports.RevocationStore`, over every adapter."""

from __future__ import annotations

import asyncio

import pytest

from realtime_server.ports import Revocation, RevocationStore
from tests.contract.conftest import Store


@pytest.fixture
def revocations(store: Store) -> RevocationStore:
    return store.revocations


async def test_what_was_added_is_given_out_with_names_as_they_are(revocations: RevocationStore) -> None:
    odd = Revocation("$where", "a.b/$c", 100, "$$NOW", "{$ne: 1}")
    everywhere = Revocation("bob", None, 200, "system")
    await revocations.add(odd)
    await revocations.add(everywhere)
    found, _ = await revocations.changed(0)
    assert set(found) == {odd, everywhere}


async def test_a_mark_leads_to_what_came_after_it(revocations: RevocationStore) -> None:
    await revocations.add(Revocation("alice", "p", 100, "adam"))
    _, mark = await revocations.changed(0)
    later = Revocation("bob", "p", 100, "adam")
    await revocations.add(later)
    found, mark = await revocations.changed(mark)
    assert later in found
    again, following = await revocations.changed(mark)
    assert set(again) <= {later, *found}
    assert following >= mark


async def test_a_later_one_takes_the_place_of_the_earlier_and_never_the_other_way(
    revocations: RevocationStore,
) -> None:
    for before in (100, 300, 200):
        await revocations.add(Revocation("alice", "p", before, "adam"))
    found, _ = await revocations.changed(0)
    assert [item.before for item in found] == [300]


async def test_of_many_at_once_the_latest_stays(revocations: RevocationStore) -> None:
    await asyncio.gather(*(revocations.add(Revocation("alice", "p", number, "adam")) for number in range(20)))
    found, _ = await revocations.changed(0)
    assert [item.before for item in found] == [19]


async def test_people_are_counted_by_project_up_to_the_limit(revocations: RevocationStore) -> None:
    for user, project in (("alice", "p"), ("bob", "p"), ("alice", "q"), ("alice", None)):
        await revocations.add(Revocation(user, project, 100, "adam"))
    assert [await revocations.count(project, 10) for project in ("p", "q", None, "$p")] == [2, 1, 1, 0]
    assert await revocations.count("p", 1) == 1
