"""What a decision can be, and the small helpers that every family of rules uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from realtime_server.core.commits import Draft
from realtime_server.errors import ErrorCode, Rejection


@dataclass(frozen=True, slots=True)
class NoChange:
    """The command is fulfilled as things stand: nothing happens, and this is the answer."""

    answer: Mapping[str, Any]


Outcome = Draft | NoChange | Rejection


def reject(code: ErrorCode, message: str, **details: Any) -> Rejection:
    return Rejection(code, message, details)
