"""Updates of one person are told at a bounded rate, and the last one always is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from realtime_server.core.roles import Role
from realtime_server.presence.members import ChangeKind, Member, PresenceChange
from realtime_server.presence.pacing import Pacer
from tests.presence.test_presence import Told


def change(kind: ChangeKind, activity: str = "", user: str = "alice") -> PresenceChange:
    return PresenceChange("s", kind, Member(user, user, Role.PREPARER, False, activity, None, 1, 1))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def slow(told: Told) -> Iterator[Pacer]:
    """A pacer whose interval does not end in this test."""
    pacer = Pacer(told, 60)
    yield pacer
    pacer.close()


async def test_the_first_update_goes_at_once_and_the_next_waits(told: Told, slow: Pacer) -> None:
    slow(change(ChangeKind.UPDATED, "one"))
    slow(change(ChangeKind.UPDATED, "two"))
    assert [item.member.activity for item in told.changes] == ["one"]


async def test_the_latest_of_those_that_waited_is_told(told: Told) -> None:
    pacer = Pacer(told, 0.01)
    for number in range(50):
        pacer(change(ChangeKind.UPDATED, str(number)))
    await told.until(lambda: told.changes[-1].member.activity == "49")
    assert [item.member.activity for item in told.changes] == ["0", "49"]
    pacer.close()


async def test_people_do_not_wait_for_each_other(told: Told, slow: Pacer) -> None:
    slow(change(ChangeKind.UPDATED, "one"))
    slow(change(ChangeKind.UPDATED, "one", "bob"))
    assert told.kinds == [("updated", "alice"), ("updated", "bob")]


async def test_coming_and_going_is_told_at_once_and_an_update_that_waited_is_not(told: Told, slow: Pacer) -> None:
    slow(change(ChangeKind.JOINED))
    slow(change(ChangeKind.UPDATED, "late"))
    slow(change(ChangeKind.LEFT))
    slow(change(ChangeKind.JOINED))
    assert [item.kind.value for item in told.changes] == ["joined", "left", "joined"]
