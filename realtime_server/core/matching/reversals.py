"""Entries of one side that take each other back: a voided cheque and its replacement, a returned debit and its retry.

Such entries net to one, and only together belong to the other side's record. What counts on the ledger is its last word
(the replacement); at the bank, the first presentation.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import Final

from realtime_server.core.matching.table import Item, Side, order
from realtime_server.core.matching.text import (
    REPETITION_WORDS,
    REVERSAL_WORDS,
    fold,
    has_reversal_word,
    plain_reference,
)

#: Days in which an entry is taken back, and after that replaced.
_BACK_WITHIN: Final = 45
_AGAIN_WITHIN: Final = 30
#: Bits of a word that every 20th record has; bits in all without which a text names nobody; share that is alike.
_COMMON, _TELLING, _LIKE = log2(20), 3.0, 0.6
#: Letters by which words are compared: banks cut the last word anywhere.
_STEM: Final = 4
_REVERSAL_STEMS: Final = {word[:_STEM] for word in REVERSAL_WORDS | REPETITION_WORDS}
#: Entries of one amount looked at together: a standing price has hundreds, and says nothing.
_MAX_ALIKE: Final = 200


@dataclass(frozen=True, slots=True)
class Chain:
    """``items``: the entry, what took it back, and its repetition if there is one; in order of day."""

    items: tuple[Item, ...]

    @property
    def records(self) -> tuple[str, ...]:
        return tuple(item.record_id for item in self.items)

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
    """Whether two entries speak of the same thing: a reference in common, or the words that tell."""

    def __init__(self, items: Sequence[Item]) -> None:
        counts: Counter[str] = Counter()
        for item in items:
            counts.update(self._words(item))
        self._worth = {word: log2(len(items) / count) for word, count in counts.items()}

    @staticmethod
    def _words(item: Item) -> set[str]:
        return {word[:_STEM] for word in fold(item.description).split() if len(word) > 3} - _REVERSAL_STEMS

    def __call__(self, one: Item, other: Item) -> float:
        """3: the same reference; 2: one names the other's; up to 1: the share of telling words in common; 0: none."""
        a, b = plain_reference(one.reference), plain_reference(other.reference)
        if a and a == b:
            return 3.0
        if (a and a in plain_reference(other.description)) or (b and b in plain_reference(one.description)):
            return 2.0
        sides = self._words(one), self._words(other)
        least = min(self._sum(sides[0]), self._sum(sides[1]))
        share = self._sum(sides[0] & sides[1]) / least if least > _TELLING else 0.0
        return share if share >= _LIKE else 0.0

    def _sum(self, words: Iterable[str]) -> float:
        """Bits of the words, but for those that every 20th record has: they name a channel, not a party."""
        return sum(bits for bits in (self._worth.get(word, 0.0) for word in sorted(words)) if bits > _COMMON)


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
    candidates: list[tuple[float, Item]] = []
    for item in group:
        if item.minor == entry.minor and item.record_id not in used and 0 <= item.day - back.day <= _AGAIN_WITHIN:
            likeness = max(related(item, entry), related(item, back))
            if likeness:
                candidates.append((likeness, item))
    return min(candidates, key=lambda pair: (-pair[0], *_by_day(pair[1])), default=(0.0, None))[1]
