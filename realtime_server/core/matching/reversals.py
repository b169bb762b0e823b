"""Entries of one side that take each other back: a voided cheque and its replacement, a returned debit and its retry.

Such entries net to one, and only together belong to the other side's record. What counts on the ledger is its last word
(the replacement); at the bank, the first presentation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from realtime_server.core.matching.table import Item, Side, order
from realtime_server.core.matching.text import REVERSAL_WORDS, fold, has_reversal_word, plain_reference
from realtime_server.core.matching.words import STEM_LETTERS

#: Days in which an entry is taken back, and after that replaced.
_BACK_WITHIN: Final = 45
_AGAIN_WITHIN: Final = 30
#: A word that more than one in so many records of the side have relates nobody to anybody.
_RARE: Final = 50
_REVERSAL_STEMS: Final = {word[:STEM_LETTERS] for word in REVERSAL_WORDS}
#: Entries of one amount looked at together: a standing price has hundreds, and says nothing.
_MAX_ALIKE: Final = 200


@dataclass(frozen=True, slots=True)
class Chain:
    """``items``: the entry, what took it back, and its repetition if there is one; in order of day."""

    items: tuple[Item, ...]

    @property
    def nets_to_nothing(self) -> bool:
        return len(self.items) == 2

    def standing_for(self, side: Side) -> Item:
        """The one item as which a chain of three takes part in matching."""
        total = sum(item.minor for item in self.items)
        same = [item for item in self.items if item.minor == total]
        chosen = same[-1] if side == "ledger" else same[0]
        if plain_reference(chosen.reference):
            return chosen
        named = next((item.reference for item in same if plain_reference(item.reference)), chosen.reference)
        return replace(chosen, reference=named)


def find(items: Sequence[Item]) -> list[Chain]:
    """All chains of one side; no item is in two."""
    alike: dict[tuple[str, int], list[Item]] = defaultdict(list)
    for item in items:
        if item.minor:
            alike[item.currency, abs(item.minor)].append(item)
    both = [group for group in alike.values() if _has_both_signs(group) and len(group) <= _MAX_ALIKE]
    if not both:
        return []
    related = _Related(items)
    return [chain for group in both for chain in _chains(sorted(group, key=order), related)]


def _has_both_signs(group: Iterable[Item]) -> bool:
    return len({item.minor > 0 for item in group}) == 2


class _Related:
    """Whether two entries speak of the same thing: a reference in common, or a rare word."""

    def __init__(self, items: Sequence[Item]) -> None:
        counts: dict[str, int] = defaultdict(int)
        for item in items:
            for word in self._words(item):
                counts[word] += 1
        most = max(len(items) // _RARE, 3)
        self._rare = {word for word, count in counts.items() if count <= most}

    @staticmethod
    def _words(item: Item) -> set[str]:
        # By their first letters: banks cut the last word anywhere.
        return {word[:STEM_LETTERS] for word in fold(item.description).split() if len(word) > 3} - _REVERSAL_STEMS

    def __call__(self, one: Item, other: Item) -> int:
        """3: the same reference; 2: one names the other's; 1: words in common; 0: nothing."""
        a, b = plain_reference(one.reference), plain_reference(other.reference)
        if a and a == b:
            return 3
        if (a and a in plain_reference(other.description)) or (b and b in plain_reference(one.description)):
            return 2
        common = self._words(one) & self._words(other)
        return int(bool(common & self._rare) or len(common) > 1)


def _chains(group: Sequence[Item], related: _Related) -> list[Chain]:
    used: set[str] = set()
    chains: list[Chain] = []
    for back in group:
        if back.record_id in used or not _takes_back(back, group):
            continue
        entry = _entry_of(back, group, used, related)
        if entry is None:
            continue
        used |= {back.record_id, entry.record_id}
        again = _repetition(entry, back, group, used, related)
        if again is not None:
            used.add(again.record_id)
        chains.append(Chain(tuple(sorted((entry, back, *((again,) if again else ())), key=_by_day))))
    return chains


def _by_day(item: Item) -> tuple[int, str]:
    return item.day, item.record_id


def _takes_back(item: Item, group: Sequence[Item]) -> bool:
    """It says so, or an earlier opposite entry bears the same reference."""
    if has_reversal_word(fold(item.description)):
        return True
    own = plain_reference(item.reference)
    return bool(own) and any(
        other.minor == -item.minor and plain_reference(other.reference) == own and other.day < item.day
        for other in group
    )


def _entry_of(back: Item, group: Sequence[Item], used: set[str], related: _Related) -> Item | None:
    candidates = [
        item
        for item in group
        if item.minor == -back.minor
        and item.record_id not in used
        and 0 <= back.day - item.day <= _BACK_WITHIN
        and related(item, back)
    ]
    return min(candidates, key=lambda item: (-related(item, back), -item.day, item.record_id), default=None)


def _repetition(entry: Item, back: Item, group: Sequence[Item], used: set[str], related: _Related) -> Item | None:
    candidates = [
        item
        for item in group
        if item.minor == entry.minor
        and item.record_id not in used
        and 0 <= item.day - back.day <= _AGAIN_WITHIN
        and related(item, entry)
    ]
    return min(candidates, key=lambda item: (-related(item, entry), *_by_day(item)), default=None)
