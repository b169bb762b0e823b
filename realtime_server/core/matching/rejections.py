"""What people said does not belong together: sets of records that no run proposes again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final


def signature(records: Iterable[str]) -> str:
    """A set of records in 16 characters: what a rejected suggestion is known by."""
    return hashlib.sha256("\n".join(sorted(records)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Rejections:
    """``marks``: of the records that a person took out of a suggestion, the signatures of those suggestions."""

    marks: Mapping[str, Collection[str]] = field(default_factory=dict)

    def concern(self, record_id: str) -> bool:
        return record_id in self.marks

    def forbid(self, records: Sequence[str]) -> bool:
        """Whether just these were rejected. Asked of the first one, as deciding does (`matches.decide_propose`)."""
        marks = self.marks.get(records[0])
        return marks is not None and signature(records) in marks


NO_REJECTIONS: Final = Rejections()
