"""What people are told about, live and when they come back: each notification goes to those whom it concerns."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields

from schemas import common as c
from schemas.common import Message
from schemas.strict import Choice, Flag, Integer, Listed, Text

KINDS: Final = (
    "assigned", "mentioned", "conflict", "conflict_resolved", "lock_taken_over", "signoff_wanted", "approved",
    "rejected", "reopened", "run_finished",
)  # fmt: skip
#: Notifications that a join brings along; the list has the others.
MAX_AT_JOIN: Final = 20
#: Records that one notification names; `records` says how many there are.
MAX_NAMED: Final = 20
MAX_EXCERPT: Final = 300


def notification_id(**options: Any) -> Text:
    text = "The notification."
    return Text(text, "demo.42.mentioned.c2FsbHk", maximum=300, pattern="[A-Za-z0-9_.-]+",
                **{"required": True, **options})  # fmt: skip


class Notification(Message):
    """Something that concerns one. The same over REST, at a join and as the ``data`` of the live event.

    `assigned`: records were given to you. `mentioned`: in a comment. `conflict`: somebody disagrees with what you set.
    `conflict_resolved`: a conflict with an edit of yours was decided. `lock_taken_over`: your lock was taken.
    `signoff_wanted`: your signature is asked for. `approved`, `rejected`, `reopened`: what you prepared was.
    `run_finished`: the run that you started has ended.
    """

    notification_id = notification_id()
    kind = Choice("What it is about.", KINDS, required=True)
    session_id = c.session_id()
    session_name = Text("The session's name.", "October close", maximum=c.MAX_NAME, minimum=0, required=True)
    project_id = Text("The project.", "demo", maximum=c.MAX_USER_ID, line=True, required=True)
    seq = c.seq("The commit that it follows from.")
    user_id = c.user_id("Who did it; begins with `system` for what happened by itself.")
    name = Text("Their name, where the session knows it.", "Alice Adams", maximum=c.MAX_NAME, minimum=0, required=True)
    at = c.instant("When.")
    read = Flag("Whether you have marked it as read.", False, required=True)
    record_ids = Listed(c.record_id(required=False), f"The records concerned, {MAX_NAMED} at most.",
                        ["ledger-000017"], maximum=MAX_NAMED, required=True)  # fmt: skip
    records = Integer("How many records are concerned.", 1, required=True)
    field_name = c.field_name(required=False)
    conflict_id = c.conflict_id(required=False)
    comment_id = c.comment_id(required=False)
    run_id = Text("The run.", "run-5f0c7b1e9d2e", maximum=64, pattern=c.CLIENT_ID)
    status = Choice("How the run ended.", ("completed", "failed", "cancelled"))
    text = Text("The beginning of what was said with it: the comment, the reason.", "Is this the March invoice?",
                maximum=MAX_EXCERPT)  # fmt: skip


class Unread(Message):
    """What is unread of the session's project."""

    unread = Integer("How many. 1,000 stands for so many and more.", 3, maximum=1_000, required=True)
    items = Listed(fields.Nested(Notification), f"The newest {MAX_AT_JOIN} of them, newest first.", [],
                   maximum=MAX_AT_JOIN, required=True)  # fmt: skip
