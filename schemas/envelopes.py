"""The one form in which everything that happened travels."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from schemas import common as c
from schemas.broadcasts import EPHEMERAL, MESSAGE_TYPES
from schemas.common import Message
from schemas.strict import Choice, Integer, Text


class Envelope(Message):
    """A broadcast. It comes under its family's event name (the part of ``message_type`` before the dot), or under
    ``message`` for clients that asked for that; a replay brings the same envelopes in a list."""

    message_type = Choice("What happened.", tuple(MESSAGE_TYPES), required=True)
    session_id = c.session_id(allow_none=True)
    project_id = Text("The session's project.", "demo", maximum=c.MAX_USER_ID, line=True, required=True,
                      allow_none=True)  # fmt: skip
    user_id = c.user_id("Who did it; `system` for what happened by itself.")
    timestamp = c.instant("When.")
    seq = Integer("Place in the session's log. Absent in the families `presence` and `notification`.", 42, minimum=1)
    data = fields.Dict(
        keys=fields.String(),
        required=True,
        metadata={"description": "As `message_type` says.", "example": {}},
    )

    @validates_schema
    def _data_is_as_its_type_says(self, data: dict[str, Any], **_: Any) -> None:
        message_type = data["message_type"]
        ephemeral = message_type.partition(".")[0] in EPHEMERAL
        if ephemeral == ("seq" in data):
            raise ValidationError("Commits have a seq, and nothing else has.", "seq")
        errors = MESSAGE_TYPES[message_type]().validate(data["data"])
        if errors:
            raise ValidationError({"data": errors})
