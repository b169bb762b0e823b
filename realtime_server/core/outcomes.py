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


def item_refused(name: str, value: Any, rejection: Rejection) -> dict[str, Any]:
    """What a bulk action says of an item that was refused. ``name``, ``value``: which one.

    It stands in the action's commit, whose chain holds people by their ids alone.
    """
    error: dict[str, Any] = {"code": rejection.code.value, "message": rejection.message}
    if rejection.details:
        error["details"] = dict(rejection.details)
    holder = rejection.details.get("holder")
    if holder is not None:
        error["message"] = f"{holder['user_id']} is working on this record"
        error["details"]["holder"] = {"user_id": holder["user_id"]}
    return {name: value, "ok": False, "error": error}
