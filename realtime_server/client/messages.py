"""What comes from the server, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from realtime_server.errors import CollaborationError, ErrorCode


@dataclass(frozen=True, slots=True)
class Envelope:
    """Something that happened. ``seq`` is None for presence and notifications, which no log keeps."""

    message_type: str
    session_id: str | None
    project_id: str | None
    user_id: str
    timestamp: str
    seq: int | None
    data: Mapping[str, Any]

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Envelope:
        return cls(
            payload["message_type"],
            payload["session_id"],
            payload["project_id"],
            payload["user_id"],
            payload["timestamp"],
            payload.get("seq"),
            payload["data"],
        )


@dataclass(frozen=True, slots=True)
class Reset:
    """More was missed than the server replays: load the records anew, as of ``seq``, and go on from there."""

    seq: int


@dataclass(frozen=True, slots=True)
class Edited:
    """What became of an edit. ``status``: applied, merged, unchanged, or conflict (then there is a ``conflict_id``).

    ``version`` is the field's now; ``value`` what it holds, after applied and merged.
    """

    status: str
    seq: int
    version: int
    value: Any = None
    conflict_id: str | None = None

    @classmethod
    def of(cls, ack: Mapping[str, Any]) -> Edited:
        return cls(ack["status"], ack["seq"], ack["version"], ack.get("value"), ack.get("conflict_id"))


def refusal_of(error: Mapping[str, Any]) -> CollaborationError:
    """The server's refusal. A code that this client is too old to know is `internal`, and named in the details."""
    details = dict(error.get("details") or {})
    try:
        code = ErrorCode(error.get("code", ""))
    except ValueError:
        code = ErrorCode.INTERNAL
        details["code"] = error.get("code")
    return CollaborationError(code, str(error.get("message", "the server refused")), details)
