"""A second opinion on what commits make of records: written from the contract alone, sharing nothing with the server's
own rules. The checker replays the log with it, and each client of a campaign keeps its view with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults.history import Fields

Json = Mapping[str, Any]


def fields_set(envelope: Json) -> Iterator[tuple[str, str, Any]]:
    """(record, field, value) of every field that a commit sets."""
    kind, data = envelope["message_type"], envelope["data"]
    if kind in ("edit.applied", "edit.merged", "conflict.resolved"):
        yield data["record_id"], data["field_name"], data["new_value"]
    elif kind == "edit.batch_applied":
        for item in data["edits"]:
            yield item["record_id"], item["field_name"], item["new_value"]


class Records:
    """Records under a log. ``fields``: those that were set, as (value, ``seq`` that set it)."""

    def __init__(self, base: Mapping[str, Mapping[str, Any]]) -> None:
        self._base = base
        self.fields: Fields = {}
        #: Open conflicts: (record, field) -> conflict id.
        self.conflicts: dict[tuple[str, str], str] = {}
        #: Records that somebody holds.
        self.held: set[str] = set()

    def at(self, record: str, field: str) -> tuple[Any, int]:
        return self.fields.get(record, {}).get(field) or (self._base.get(record, {}).get(field), 0)

    def apply(self, envelope: Json) -> None:
        kind, data = envelope["message_type"], envelope["data"]
        for record, field, value in fields_set(envelope):
            self.fields.setdefault(record, {})[field] = (value, envelope["seq"])
        if kind in ("lock.acquired", "lock.taken_over"):
            self.held.add(data["record_id"])
        elif kind in ("lock.released", "lock.expired"):
            self.held.discard(data["record_id"])
        elif kind == "conflict.detected":
            self.conflicts[data["record_id"], data["field_name"]] = data["conflict_id"]
        elif kind == "conflict.resolved":
            self.conflicts.pop((data["record_id"], data["field_name"]), None)
