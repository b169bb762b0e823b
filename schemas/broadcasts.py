"""What happened, as clients are told: the ``data`` of every ``message_type``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from marshmallow import Schema, fields

from schemas import common as c
from schemas.common import Message, Person, nested
from schemas.notifications import KINDS, Notification
from schemas.reconciliation import RECONCILIATION_MESSAGES, Rule
from schemas.strict import Choice, Flag, Integer, Listed, Text
from schemas.views import Candidate, FieldBase, FieldNow, Member, Suggested, Suggestion


class FieldSet(Message):
    """A field that was set."""

    record_id = c.record_id()
    field_name = c.field_name()
    old_value = c.value("What the field held before.", "10.00")
    new_value = c.value("What it holds now.")
    base_version = Integer("The version that the author had seen.", 12, required=True)
    restored_version = Integer("The version whose value an undo or redo brought back.", 7)


class _EditMarks(Message):
    edit_id = c.edit_id("The edit.")
    edit_reason = c.reason("Why.")
    undo_of = Integer("This took back the commit with this `seq`.", 40, minimum=1)
    redo_of = Integer("This did again what the undo with this `seq` took back.", 41, minimum=1)


class EditApplied(FieldSet, _EditMarks):
    """A field was set."""

    version = Integer("The field's version from now on: the commit's `seq`.", 42, minimum=1, required=True)


class EditMerged(EditApplied):
    """A field was set to what an edit and a newer value make together."""

    submitted_value = c.value("What the author had sent.")


class FieldSetTogether(FieldSet):
    """One of several fields that were set."""

    submitted_value = c.value("What the author had sent, where a newer value was merged with it.", required=False)


class EditBatchApplied(_EditMarks):
    """Several fields were set."""

    edits = Listed(
        fields.Nested(FieldSetTogether), "The fields that changed.", [], minimum=1, maximum=200, required=True
    )
    versions = Listed(
        Integer("A version.", 42), "For each edit that was sent, its field's version now.", [42], maximum=200,
        required=True,
    )  # fmt: skip


class LockLease(Message):
    """A record is locked until ``expires_at``."""

    record_id = c.record_id()
    holder = nested(Person, "Who holds the lock.", required=True)
    token = c.lock_token()
    expires_at = c.instant("Until when, unless renewed.")


class PreviousLock(Person):
    """The lock that was taken over."""

    token = c.lock_token()


class LockTakenOver(LockLease):
    """A reviewer took somebody's lock."""

    previous = nested(PreviousLock, "Whose lock it was.", required=True)
    reason = c.reason("Why.", required=True)


class LockEnded(Message):
    """A record is free again."""

    record_id = c.record_id()
    token = c.lock_token()
    user_id = c.user_id("Who held it.")
    cause = Choice("Why it ended by itself; absent when its holder gave it back.", ("lease_ended", "holder_gone"))


class ConflictDetected(Message):
    """People disagree on a field; it keeps its value until somebody resolves the conflict."""

    conflict_id = c.conflict_id()
    record_id = c.record_id()
    field_name = c.field_name()
    policy = Choice("The field's policy.", c.POLICIES, required=True)
    base = nested(FieldBase, "What the edit's author had seen.", required=True)
    current = nested(FieldNow, "What the field holds.", required=True)
    candidates = Listed(fields.Nested(Candidate), "The edits to choose from.", [], maximum=1_000, required=True)
    suggestion = nested(Suggestion, "What to decide, as far as can be said; null: nothing can.", allow_none=True)


class ConflictExtended(Message):
    """One more edit clashed."""

    conflict_id = c.conflict_id()
    record_id = c.record_id()
    field_name = c.field_name()
    current = nested(FieldNow, "What the field holds.", required=True)
    candidate = nested(Candidate, "The edit.", required=True)
    suggestion = nested(Suggestion, "What to decide now, in place of what was suggested before.", allow_none=True)


class ConflictResolved(Message):
    """A conflict was decided, and the field set."""

    conflict_id = c.conflict_id()
    record_id = c.record_id()
    field_name = c.field_name()
    strategy = Choice("How.", c.STRATEGIES, required=True)
    old_value = c.value("What the field held before.", "10.00")
    new_value = c.value("What it holds now.")
    version = Integer("The field's version from now on: the commit's `seq`.", 42, minimum=1, required=True)
    candidates = Integer("How many candidates there were.", 2, minimum=1, required=True)
    authors = Listed(c.user_id(required=False), "Whose candidates they were.", ["bob"], maximum=1_000)
    edit_id = c.edit_id("The candidate that was meant.", required=False)
    reason = c.reason("Why.")
    suggestion = nested(Suggested, "What was suggested at that moment; absent where nothing was.")
    followed_suggestion = Flag("Whether the field holds now what was suggested.", True)
    between = Listed(
        Text("A role, or what stands for one.", "preparer", maximum=20),
        "In which roles the current value's author, then the candidate's, had set it.", ["preparer", "admin"],
        minimum=2, maximum=2,
    )  # fmt: skip
    won = Choice("Whose value it became.", ("current", "candidate", "other"))


class CommentAdded(Message):
    """Somebody commented."""

    comment_id = c.comment_id()
    record_id = c.record_id(allow_none=True)
    parent_id = c.comment_id("The comment that this one answers.", allow_none=True)
    text = Text("The comment.", "Is this the March invoice?", maximum=c.MAX_COMMENT_TEXT, required=True)
    mentions = c.mentions(required=True)
    name = c.person_name()


class CommentResolved(Message):
    """A comment was settled."""

    comment_id = c.comment_id()
    record_id = c.record_id(allow_none=True)


class RecordImported(Message):
    """Records were added to the session; load them over REST."""

    import_id = Text("The import.", "import-1", maximum=200, line=True, required=True)
    source = Choice("Which side.", ("ledger", "statement"), required=True)
    counts = c.mapping(
        fields.String(), Integer("How many.", 10), "How many records were new, unchanged, changed, refused.",
        {"new": 500, "unchanged": 0, "changed": 0, "refused": 2},
    )  # fmt: skip
    digest = Text("SHA-256 over what was imported, in hexadecimal.", None, maximum=64, minimum=64, required=True)


class FirstRules(Message):
    """The rules of matching that a session began with."""

    project_version = Integer("Which version of the project's rules they are.", 3, minimum=1, required=True)
    rules = Listed(fields.Nested(Rule), "The rules, in order.", [], maximum=50, required=True)


class SessionCreated(Message):
    """The session's first commit."""

    name = Text("The session's name.", "October close", maximum=c.MAX_NAME, minimum=0, required=True)
    expires_in = Integer("Seconds without activity after which it expires; 0: never.", 3600, required=True)
    field_policies = c.mapping(
        c.field_name(required=False), Choice("The policy.", c.POLICIES), "Policies asked for.", {},
    )  # fmt: skip
    created_by = nested(Person, "Who created it.", required=True)
    rules = nested(FirstRules, "The project's rules of matching, as they were; without it, the defaults.")


class SessionUpdated(Message):
    """A person was let in for the first time, or with another name or role."""

    change = Choice("What changed.", ("participant_added", "participant_changed"), required=True)
    user_id = c.user_id()
    name = c.person_name()
    role = c.role()


class SessionNameErased(Message):
    """A person's name was erased from the session: from now on they are told by their id alone."""

    user_id = c.user_id()


class SessionEnded(Message):
    """The session was ended; it can be read, not changed."""

    reason = c.reason("Why.")


class SessionExpired(Message):
    """Nothing happened in the session for so long that it ended by itself."""

    expires_in = Integer("Seconds without activity.", 3600, required=True)


class PresenceLeft(Person):
    """A person's last connection is gone."""


class Involved(Person):
    """Somebody who is at a field."""

    doing = Choice("Looks at it, edits it, has a change there that is not sent, or changed it before.",
                   ("looking", "editing", "unsent", "changed"), required=True)  # fmt: skip


class PresenceOverlap(Message):
    """Two people are about to clash at a field: told to both of them, once, and to nobody else.

    `user_id` of the envelope is whoever came last. Warnings may be left out where they come too fast.
    """

    record_id = c.record_id()
    field_name = c.field_name()
    cause = Choice(
        "They are at one field; or one started on what the other has an unsent change for, has changed since the "
        "last sign-off, or has a candidate for in an open conflict.",
        ("same_field", "unsent_change", "unreviewed_change", "open_conflict"), required=True,
    )  # fmt: skip
    people = Listed(fields.Nested(Involved), "Who; the one who came last stands last.", [], minimum=2, maximum=50,
                    required=True)  # fmt: skip
    version = Integer("The version that the other one made, for `unreviewed_change`.", 42)
    conflict_id = c.conflict_id(required=False)


class TokenExpiring(Message):
    """The connection ends soon unless a new token comes by `authenticate`."""

    expires_at = c.instant("When the token expires.")


class TokenExpired(TokenExpiring):
    """The token has expired; the server closes the connection."""


class AccessRevoked(Message):
    """The person has no role in the session's project any more, by a new token or because the old one was revoked; the
    session was left. Without a session: nothing is left to them, and the server closes the connection."""


MESSAGE_TYPES: Final[Mapping[str, type[Schema]]] = {
    "edit.applied": EditApplied,
    "edit.merged": EditMerged,
    "edit.batch_applied": EditBatchApplied,
    "lock.acquired": LockLease,
    "lock.renewed": LockLease,
    "lock.released": LockEnded,
    "lock.expired": LockEnded,
    "lock.taken_over": LockTakenOver,
    "conflict.detected": ConflictDetected,
    "conflict.extended": ConflictExtended,
    "conflict.resolved": ConflictResolved,
    "comment.added": CommentAdded,
    "comment.resolved": CommentResolved,
    "record.imported": RecordImported,
    "session.created": SessionCreated,
    "session.updated": SessionUpdated,
    "session.name_erased": SessionNameErased,
    "session.ended": SessionEnded,
    "session.expired": SessionExpired,
    **RECONCILIATION_MESSAGES,
    "presence.joined": Member,
    "presence.updated": Member,
    "presence.left": PresenceLeft,
    "presence.overlap": PresenceOverlap,
    "notification.token_expiring": TokenExpiring,
    "notification.token_expired": TokenExpired,
    "notification.access_revoked": AccessRevoked,
    **dict.fromkeys((f"notification.{kind}" for kind in KINDS), Notification),
}

#: Families whose envelopes carry no ``seq``: they are not in the log.
EPHEMERAL: Final = frozenset({"presence", "notification"})
