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
