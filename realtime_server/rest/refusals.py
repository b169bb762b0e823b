"""Refusals that HTTP has its own statuses for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime_server.errors import CollaborationError, ErrorCode


class HttpRefusal(CollaborationError):
    """A refusal whose HTTP status says more than its code's own: 400, 405, 408, 412, 415."""

    def __init__(
        self,
        status: int,
        code: ErrorCode,
        message: str,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code, message, details)
        self.status = status
        self.headers = dict(headers or {})

    @property
    def http_status(self) -> int:
        return self.status


def invalid(errors: Any, what: str) -> CollaborationError:
    """``errors``: marshmallow's, by field; a text for a body that is no object at all."""
    by_field = errors if isinstance(errors, dict) else {"_schema": errors}
    names = ", ".join(str(name) for name in list(by_field)[:5] if name != "_schema")
    return CollaborationError(
        ErrorCode.INVALID, f"{what}: {names}" if names else what, {"fields": _text_keys(by_field)}
    )


def _text_keys(errors: Any) -> Any:
    """Errors of list items stand under numbers, and JSON's names are texts."""
    if isinstance(errors, dict):
        return {str(name): _text_keys(item) for name, item in errors.items()}
    return errors
