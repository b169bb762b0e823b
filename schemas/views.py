"""Parts of a session as answers show them: the session, its members, locks and conflicts."""

from __future__ import annotations

from marshmallow import fields

from schemas import common as c
from schemas.common import Focus, Message, Person, nested
from schemas.strict import Choice, Flag, Integer, Listed, Text


class Session(Message):
    """A session."""

    session_id = c.session_id()
    project_id = Text("The project whose members may enter.", "demo", maximum=c.MAX_USER_ID, line=True, required=True)
    name = Text("The session's name.", "October close", maximum=c.MAX_NAME, minimum=0, required=True)
    status = Choice("Ended and expired sessions can be read, not changed.", ("active", "ended", "expired"),
                    required=True)  # fmt: skip
    created_by = c.user_id("Who created it.")
    created_at = c.instant("When it was created.")
    expires_at = c.instant("When it expires if nothing happens until then; null: never.", allow_none=True)
    field_policies = c.mapping(
        c.field_name(required=False),
        Choice("What becomes of an edit of a field that has moved on.", c.POLICIES),
        "Fields whose policy differs from what their type implies.",
        {"reference": "last_writer_wins"},
    )


class Member(Message):
    """A person who is in the session now, with all their connections under one entry."""

    user_id = c.user_id()
    name = c.person_name()
    role = c.role()
    status = Choice("`active` while any connection is.", ("active", "idle"), required=True)
    activity = Text("What the person said they are doing.", "reviewing", maximum=c.MAX_ACTIVITY, required=True,
                    allow_none=True)  # fmt: skip
    focus = nested(Focus, "Where the person is.", required=True, allow_none=True)
    last_seen = c.instant("When the person last did anything.")
    connections = Integer("Open connections (tabs).", 1, minimum=0, maximum=10_000, required=True)


class LockView(Message):
    """A lock that is held now."""

    record_id = c.record_id()
    holder = nested(Person, "Who holds it.", required=True)
    token = c.lock_token()
    acquired_at = c.instant("Since when.")
    expires_at = c.instant("Until when, unless renewed.")


class Candidate(Message):
    """An edit that clashed, kept until the conflict is resolved."""

    edit_id = c.edit_id("The edit.")
    user_id = c.user_id("Its author.")
    value = c.value("What it would set.")
    base_version = Integer("The version its author had seen.", 12, required=True)
    edit_reason = c.reason("Why.")


class ConflictView(Message):
    """An open conflict."""

    conflict_id = c.conflict_id()
    record_id = c.record_id()
    field_name = c.field_name()
    policy = Choice("The field's policy.", c.POLICIES, required=True)
    opened_at = c.instant("When it was detected.")
    base = nested(lambda: FieldBase(), "What the first candidate's author had seen.", required=True)
    current = nested(lambda: FieldNow(), "What the field holds.", required=True)
    candidates = Listed(fields.Nested(Candidate), "The edits to choose from.", [], maximum=1_000, required=True)


class FieldBase(Message):
    """What a field held at an earlier version."""

    version = Integer("The version.", 12, required=True)
    value = c.value("The value then; null where it is not known any more.")
    known = Flag("Whether the value is still known.", True, required=True)


class FieldNow(Message):
    """What a field holds now."""

    version = Integer("The version.", 40, required=True)
    value = c.value("The value.")
    user_id = c.user_id("Who set it; null as imported.", allow_none=True)
