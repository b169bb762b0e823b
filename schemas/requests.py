"""What clients send: one object per event, acknowledged, refusals too."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from schemas import common as c
from schemas.common import Focus, Message, Place, nested
from schemas.reconciliation import RECONCILIATION_EVENTS
from schemas.strict import Choice, Integer, Listed, Number, Text


class ConnectAuth(Message):
    """The ``auth`` object of a connection."""

    token = Text("A JSON Web Token. Also taken from an `Authorization: Bearer` header.", None, maximum=c.MAX_TOKEN)
    envelope = Choice(
        "`named`: broadcasts come under their family's event name. `message`: all under the one name `message`.",
        ("named", "message"),
        load_default="named",
    )


class SessionRequest(Message):
    """Anything asked of a session."""

    session_id = c.session_id()


class Join(SessionRequest):
    """Enter a session and subscribe to its broadcasts; come back after an interruption."""

    since = c.seq("The last `seq` seen: the answer brings the commits after it.", required=False)
    device_id = Text("Names the tab or device, for the client's own use.", "tab-1", maximum=64, pattern=c.CLIENT_ID)


class Leave(SessionRequest):
    """Leave a session; its broadcasts end."""


class FieldEdit(Message):
    """One field's new value, as its author saw the field at ``base_version``."""

    record_id = c.record_id()
    field_name = c.field_name()
    new_value = c.value("Text, number, true, false, null or a list of texts. Amounts are decimal texts.")
    base_version = Integer("The field's version that the author saw; 0 as imported.", 0, required=True)
    lock_token = c.lock_token(
        "The token of one's own lock; the edit is refused once that lock is gone.", required=False
    )


class Edit(FieldEdit):
    """Set one field of a record."""

    session_id = c.session_id()
    edit_id = c.edit_id()
    edit_reason = c.reason("Why; kept in the audit trail.")


class EditBatch(SessionRequest):
    """Set several fields, all or none."""

    edit_id = c.edit_id()
    edits = Listed(
        fields.Nested(FieldEdit),
        "The edits; each field at most once.",
        [{"record_id": "ledger-000017", "field_name": "notes", "new_value": "seen", "base_version": 0}],
        minimum=1,
        maximum=c.MAX_BATCH,
        required=True,
    )
    edit_reason = c.reason("Why; kept in the audit trail.")


class LockRequest(SessionRequest):
    record_id = c.record_id()
    request_id = c.request_id()


class Lock(LockRequest):
    """Take a lease on a record, or renew one's own."""

    ttl = Number("Seconds of the lease; 300 without, and never more than the server's maximum.", 300, minimum=0.1,
                 maximum=86_400)  # fmt: skip


class Renew(LockRequest):
    """Prolong one's own lease."""

    token = c.lock_token()
    ttl = Number("Seconds from now; 300 without.", 300, minimum=0.1, maximum=86_400)


class Unlock(LockRequest):
    """Give a lease back."""

    token = c.lock_token()


class TakeOver(LockRequest):
    """Take somebody else's lock, for a reason that goes into the audit trail."""

    reason = Text(
        "Why. Required: without it the answer is `reason_required`.",
        "Alice has gone home",
        minimum=0,
        maximum=c.MAX_REASON,
        load_default="",
    )


class Presence(SessionRequest):
    """Say what one is doing. Fields that are left out stay as they are; null clears."""

    status = Choice("Whether the person is there.", ("active", "idle"))
    activity = Text("What the person is doing. With `editing` they are taken to change the field they are at.",
                    "reviewing", maximum=c.MAX_ACTIVITY, allow_none=True)  # fmt: skip
    focus = nested(Focus, "Where the person is.", allow_none=True)
    drafts = Listed(
        fields.Nested(Place), "Fields with a change that the person has not sent yet: whoever starts on one is told.",
        [{"record_id": "ledger-000017", "field_name": "amount"}], minimum=0, maximum=c.MAX_DRAFTS, allow_none=True,
    )  # fmt: skip


class Resolve(SessionRequest):
    """Decide an open conflict."""

    conflict_id = c.conflict_id()
    strategy = Choice("How.", c.STRATEGIES, required=True)
    edit_id = c.edit_id("The candidate that is meant, where there are several.", required=False)
    value = c.value("The value, for the strategy `custom`.", required=False)
    reason = c.reason("Why; kept in the audit trail.")
    request_id = c.request_id()

    @validates_schema
    def _custom_has_a_value(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("strategy") == "custom" and "value" not in data:
            raise ValidationError("Missing data for required field.", "value")


class Comment(SessionRequest):
    """Comment on the session, on a record, or on a comment."""

    text = Text("The comment.", "Is this the March invoice?", maximum=c.MAX_COMMENT_TEXT, required=True)
    record_id = c.record_id(required=False)
    parent_id = c.comment_id("The comment that this one answers.", required=False)
    mentions = c.mentions()
    request_id = c.request_id()


class ResolveComment(SessionRequest):
    """Mark a comment as settled."""

    comment_id = c.comment_id()
    request_id = c.request_id()


class Undo(SessionRequest):
    """Take back one of one's own edits: the last one, or the one named. Refused when the field has moved on."""

    seq = Integer("The edit's `seq`.", 42, minimum=1)
    request_id = c.request_id()


class Redo(Undo):
    """Do again what was undone: the last one, or the one named by the undo's `seq`."""


class Sync(SessionRequest):
    """Fetch the commits after a `seq`."""

    since = c.seq("The last `seq` seen.")


class Authenticate(Message):
    """A new token of the same person, on the open connection."""

    token = Text("A JSON Web Token.", None, maximum=c.MAX_TOKEN, required=True)


class MessageForm(Message):
    """Any event but `message` itself, under the one event name `message`."""

    message_type = Choice(
        "The event.",
        (
            "join", "leave", "edit", "edit_batch", "lock", "renew", "unlock", "takeover", "presence", "resolve",
            "comment", "resolve_comment", "undo", "redo", "sync", "authenticate", *RECONCILIATION_EVENTS,
        ),
        required=True,
    )  # fmt: skip
    session_id = c.session_id(required=False)
    data = fields.Dict(
        keys=fields.String(),
        load_default=dict,
        metadata={"description": "The event's other fields.", "example": {"since": 42}},
    )
