"""Parts of a session as answers show them: the session, its members, locks and conflicts."""

from __future__ import annotations

from typing import Final

from marshmallow import fields

from schemas import common as c
from schemas.common import Focus, Message, Person, Place, nested
from schemas.strict import Choice, Flag, Integer, Listed, Text

#: What can speak for a value in a conflict (`core.suggestions`).
EVIDENCE: Final = (
    "counterpart", "balances", "document", "as_imported", "agreed", "own_later", "informed", "slip", "keeps_both",
    "same_words", "fuller", "like_source", "role", "precedent", "filled", "reasoned",
)  # fmt: skip


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
    drafts = Listed(fields.Nested(Place), "Fields with a change that the person has not sent; absent without any.",
                    [{"record_id": "ledger-000017", "field_name": "amount"}], maximum=c.MAX_DRAFTS)  # fmt: skip
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


class Evidence(Message):
    """One thing that speaks for a value."""

    code = Choice("Stable, for programs.", EVIDENCE, required=True)
    reason = Text("One sentence, for people.", "The other side of the match says 120.00.", maximum=500, required=True)


class Against(Evidence):
    """One thing that speaks for another value."""

    edit_id = c.edit_id("The candidate it speaks for; absent where it is the value that stands.", required=False)


class Suggested(Message):
    """What was suggested."""

    value = c.value("The value that the field would get.")
    confidence = Integer("Percent: how sure that is.", 92, maximum=100, required=True)
    code = Choice("What speaks for it most.", EVIDENCE, required=True)


class Suggestion(Suggested):
    """How a conflict could be decided. To follow it, send `resolve` with its `strategy` and `edit_id`, and with its
    `value` for the strategy `custom`."""

    strategy = Choice("How.", c.STRATEGIES, required=True)
    edit_id = c.edit_id("The candidate that is meant, for `take_candidate` and `merge`.", required=False)
    reason = Text("One sentence, for people: what speaks for it most.", "The other side of the match says 120.00.",
                  maximum=500, required=True)  # fmt: skip
    evidence = Listed(fields.Nested(Evidence), "All that speaks for it, the strongest first.", [], maximum=20,
                      required=True)  # fmt: skip
    against = Listed(fields.Nested(Against), "What speaks for other values, the strongest first.", [], maximum=20,
                     required=True)  # fmt: skip


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
    suggestion = nested(Suggestion, "What to decide, as far as can be said. Null: nothing can, or it is decided; or in "
                        "the answer to `join`, where more than 50 are open, HTTP has it.", required=True,
                        allow_none=True)  # fmt: skip


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
