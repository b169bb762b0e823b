"""Two people at one field are found, once, and everything is forgotten when they are gone."""

from __future__ import annotations

from typing import Any

from realtime_server.core.roles import Role
from realtime_server.presence.members import ChangeKind, Member, PresenceChange
from realtime_server.presence.overlaps import Overlaps

AMOUNT = ("r1", "amount")


def change(
    user: str, field: str | None = "amount", *, kind: ChangeKind = ChangeKind.UPDATED, **doing: Any
) -> PresenceChange:
    focus = {"record_id": "r1"} | ({} if field is None else {"field_name": field})
    members = {"idle": False, "activity": None, "drafts": ()} | doing
    member = Member(user, user.title(), Role.PREPARER, focus=focus, seen_at=1, connections=1, **members)
    return PresenceChange("s", kind, member)


def test_two_at_one_field_are_found_and_whoever_came_last_stands_last() -> None:
    overlaps = Overlaps()
    assert overlaps.change(change("alice")).overlaps == ()
    (found,) = overlaps.change(change("bob")).overlaps
    assert (found.place, found.cause) == (AMOUNT, "same_field")
    assert [(person.user_id, person.name, person.doing) for person in found.people] == [
        ("alice", "Alice", "looking"),
        ("bob", "Bob", "looking"),
    ]


def test_people_at_other_fields_or_at_no_field_or_idle_are_not_in_the_way() -> None:
    overlaps = Overlaps()
    overlaps.change(change("alice", "date"))
    overlaps.change(change("carol", None))
    overlaps.change(change("dave", idle=True))
    assert overlaps.change(change("bob")).overlaps == ()


def test_staying_tells_nothing_and_going_further_tells_again() -> None:
    overlaps = Overlaps()
    overlaps.change(change("alice"))
    assert overlaps.change(change("bob")).overlaps
    assert not overlaps.change(change("bob")).overlaps
    (found,) = overlaps.change(change("bob", activity="editing")).overlaps
    assert [person.doing for person in found.people] == ["looking", "editing"]
    assert not overlaps.change(change("bob")).overlaps


def test_a_change_that_is_not_sent_is_a_cause_of_its_own_wherever_its_author_looks() -> None:
    overlaps = Overlaps()
    assert overlaps.change(change("alice", "date", drafts=(AMOUNT,))).started == (AMOUNT,)
    (found,) = overlaps.change(change("bob")).overlaps
    assert (found.cause, found.people[0].doing) == ("unsent_change", "unsent")


def test_only_who_begins_to_change_something_has_started() -> None:
    overlaps = Overlaps()
    assert overlaps.change(change("alice")).started == ()
    assert overlaps.change(change("alice", activity="editing")).started == (AMOUNT,)
    assert overlaps.change(change("alice", activity="editing", drafts=(AMOUNT,))).started == ()


def test_who_has_left_is_in_nobodys_way_and_nothing_is_kept() -> None:
    overlaps = Overlaps()
    overlaps.change(change("alice", drafts=(AMOUNT, ("r2", "date"))))
    overlaps.change(change("alice", kind=ChangeKind.LEFT))
    assert overlaps.change(change("bob")).overlaps == ()
    overlaps.change(change("bob", kind=ChangeKind.LEFT))
    assert (overlaps._people, overlaps._places) == ({}, {})
