"""How requests are answered: ``{"ok": true, …}``, or ``{"ok": false, "error": {…}}``."""

from __future__ import annotations

from marshmallow import fields, validate

from schemas import common as c
from schemas.common import Message, nested
from schemas.envelopes import Envelope
from schemas.notifications import Unread
from schemas.reconciliation import Reconciliation
from schemas.strict import Choice, Flag, Integer, Listed, Text
from schemas.views import ConflictView, LockView, Member, Session

ERROR_CODES = (
    "invalid", "unauthenticated", "token_expired", "forbidden", "not_found", "not_joined", "session_full",
    "session_ended", "locked", "lock_lost", "lock_not_held", "version_unknown", "version_stale", "already_resolved",
    "already_matched", "frozen", "separation_of_duties", "unbalanced", "reason_required", "nothing_to_undo",
    "rate_limited", "payload_too_large", "overloaded", "unavailable", "internal",
)  # fmt: skip


class Error(Message):
    """Why something was refused."""

    code = Choice("Stable, for programs.", ERROR_CODES, required=True)
    message = Text("One sentence, for people.", "Alice Adams is working on this record", maximum=2_000, required=True)
    details = fields.Dict(
        keys=fields.String(),
        metadata={
            "description": "More about it. `invalid` has `fields`: what is wrong, by field.",
            "example": {"fields": {"base_version": ["Not a valid integer."]}},
        },
    )
    retryable = Flag("Whether the same request may succeed later.", False, required=True)


class Refused(Message):
    """The answer to a request that changed nothing."""

    ok = Flag("Always false.", False, required=True, validate=validate.Equal(False))
    error = nested(Error, "Why.", required=True)


class Done(Message):
    """The answer to a request that was fulfilled."""

    ok = Flag("Always true.", True, required=True, validate=validate.Equal(True))


class Committed(Done):
    """Fulfilled by the commit with this ``seq``, or as things stood at it."""

    seq = c.seq()


class Joined(Committed):
    """The session as of ``seq``; what happened after it comes as broadcasts."""

    session = nested(Session, "The session.", required=True)
    role = c.role()
    members = Listed(fields.Nested(Member), "Who is there.", [], maximum=10_000, required=True)
    locks = Listed(fields.Nested(LockView), "Locks held now.", [], maximum=100_000, required=True)
    conflicts = Listed(fields.Nested(ConflictView), "Open conflicts.", [], maximum=10_000, required=True)
    reconciliation = nested(Reconciliation, "The matching run.", required=True)
    notifications = nested(Unread, "What concerns you and is not read yet.", required=True)
    recovered = Flag("Whether `commits` has all that was missed. False without `since`.", True, required=True)
    commits = Listed(fields.Nested(Envelope), "What happened after `since`.", [], maximum=100_000, required=True)


class Synced(Committed):
    """The commits after ``since``; with ``reset``, too many: load anew."""

    commits = Listed(fields.Nested(Envelope), "What happened after `since`.", [], maximum=100_000, required=True)
    reset = Flag("True when more was missed than is replayed.", True)


class Edited(Committed):
    """What became of an edit. It is never dropped."""

    status = Choice("What became of it.", ("applied", "merged", "unchanged", "conflict"), required=True)
    version = Integer("The field's version now.", 42, required=True)
    value = c.value("What the field holds now, after `applied` and `merged`.", required=False)
    conflict_id = c.comment_id("The conflict of which the edit is a candidate.", required=False)


class BatchEdited(Committed):
    """All edits were applied."""

    status = Choice("What became of them.", ("applied", "unchanged"), required=True)
    versions = Listed(Integer("A version.", 42), "For each edit, its field's version now.", [42], maximum=200,
                      required=True)  # fmt: skip


class Undone(Committed):
    """The fields were set again."""

    status = Choice("What became of it.", ("applied",), required=True)
    version = Integer("The field's version now, where it is one.", 42)
    value = c.value("What the field holds now, where it is one.", required=False)
    versions = Listed(Integer("A version.", 42), "The fields' versions now, where they are several.", [42], maximum=200)


class Locked(Committed):
    """The lease."""

    token = c.lock_token()
    expires_at = c.instant("Until when, unless renewed.")


class Unlocked(Committed):
    """The lease is over."""

    token = c.lock_token()
    expires_at = c.instant("When it ended: the time of the commit.")


class Resolved(Committed):
    """The conflict is closed."""

    version = Integer("The field's version now.", 42, minimum=1, required=True)
    value = c.value("What the field holds now.")


class Commented(Committed):
    """The comment's id."""

    comment_id = c.comment_id()


class Authenticated(Done):
    """The new token holds."""

    expires_at = c.instant("When it expires.")
