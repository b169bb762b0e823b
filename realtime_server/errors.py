"""The one error family: every refusal a client can meet, with its code and whether trying again can help.

Clients see ``{"code", "message", "details"?, "retryable"}`` over the socket and the same members in problem+json over
HTTP. The table below is the whole list; adding a code means adding a row, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ErrorCode(StrEnum):
    """Stable, public names of what can go wrong. The value is what travels on the wire."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    TOKEN_EXPIRED = "token_expired"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    NOT_JOINED = "not_joined"
    SESSION_FULL = "session_full"
    SESSION_ENDED = "session_ended"
    LOCKED = "locked"
    LOCK_LOST = "lock_lost"
    LOCK_NOT_HELD = "lock_not_held"
    VERSION_UNKNOWN = "version_unknown"
    VERSION_STALE = "version_stale"
    ALREADY_RESOLVED = "already_resolved"
    ALREADY_MATCHED = "already_matched"
    FROZEN = "frozen"
    SEPARATION_OF_DUTIES = "separation_of_duties"
    UNBALANCED = "unbalanced"
    REASON_REQUIRED = "reason_required"
    NOTHING_TO_UNDO = "nothing_to_undo"
    RATE_LIMITED = "rate_limited"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class _Row:
    """``title``: what the code means, in words for people."""

    http_status: int
    title: str
    retryable: bool = False


ERROR_TABLE: Mapping[ErrorCode, _Row] = {
    ErrorCode.INVALID: _Row(422, "The request is not valid"),
    ErrorCode.UNAUTHENTICATED: _Row(401, "A good token is needed"),
    ErrorCode.TOKEN_EXPIRED: _Row(401, "The token has expired"),
    ErrorCode.FORBIDDEN: _Row(403, "The role does not permit this"),
    ErrorCode.NOT_FOUND: _Row(404, "There is no such thing"),
    ErrorCode.NOT_JOINED: _Row(409, "The session was not joined"),
    ErrorCode.SESSION_FULL: _Row(409, "The session is full", retryable=True),
    ErrorCode.SESSION_ENDED: _Row(410, "The session has ended"),
    ErrorCode.LOCKED: _Row(423, "Somebody else is working on the record", retryable=True),
    ErrorCode.LOCK_LOST: _Row(409, "The lock is gone"),
    ErrorCode.LOCK_NOT_HELD: _Row(409, "Nobody holds such a lock"),
    ErrorCode.VERSION_UNKNOWN: _Row(409, "The version is ahead of the log"),
    ErrorCode.VERSION_STALE: _Row(409, "It has changed since that version"),
    ErrorCode.ALREADY_RESOLVED: _Row(409, "The conflict is decided already"),
    ErrorCode.ALREADY_MATCHED: _Row(409, "The record is matched already"),
    ErrorCode.FROZEN: _Row(409, "The content is under review and cannot change"),
    ErrorCode.SEPARATION_OF_DUTIES: _Row(403, "Nobody approves what they prepared"),
    ErrorCode.UNBALANCED: _Row(409, "The sides do not balance"),
    ErrorCode.REASON_REQUIRED: _Row(422, "A reason is needed"),
    ErrorCode.NOTHING_TO_UNDO: _Row(409, "There is nothing to undo"),
    ErrorCode.RATE_LIMITED: _Row(429, "Too much in too short a time", retryable=True),
    ErrorCode.PAYLOAD_TOO_LARGE: _Row(413, "The body is too large"),
    ErrorCode.OVERLOADED: _Row(503, "The server has too much to do just now", retryable=True),
    ErrorCode.UNAVAILABLE: _Row(503, "A service behind the server does not answer", retryable=True),
    ErrorCode.INTERNAL: _Row(500, "The server failed", retryable=True),
}


class CollaborationError(Exception):
    """A refusal with a code. Raised by the shells; the pure core returns a `Rejection` instead."""

    def __init__(self, code: ErrorCode, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details: dict[str, Any] = dict(details or {})

    @property
    def retryable(self) -> bool:
        return ERROR_TABLE[self.code].retryable

    @property
    def http_status(self) -> int:
        return ERROR_TABLE[self.code].http_status

    def to_wire(self) -> dict[str, Any]:
        """``{"code", "message", "details"?, "retryable"}``: the ``error`` member of a failed acknowledgement."""
        body: dict[str, Any] = {"code": self.code.value, "message": self.message, "retryable": self.retryable}
        if self.details:
            body["details"] = self.details
        return body


class ConfigurationError(Exception):
    """The start cannot go on: one line that says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """The core's refusal of a command, as a value. It changes nothing."""

    code: ErrorCode
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_error(self) -> CollaborationError:
        return CollaborationError(self.code, self.message, self.details)
