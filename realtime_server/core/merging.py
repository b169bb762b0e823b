"""Field policies: what becomes of an edit whose author had not seen the field's latest value.

Money, dates and choices are never merged. Text is merged word by word against what both started from, and only where
they changed different words; tags are merged as sets. A word is everything between spaces, so that an amount, a date or
a reference inside a text is merged whole or not at all: nobody's 13.50 and 12.75 become 13.75.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from realtime_server.core import limits
from realtime_server.core.values import FieldType, check_field_name, field_type, same


class Policy(StrEnum):
    MANUAL = "manual"
    THREE_WAY = "three_way"
    UNION = "union"
    LAST_WRITER_WINS = "last_writer_wins"
    FIRST_WRITER_WINS = "first_writer_wins"


DEFAULT_POLICIES: Final[Mapping[FieldType, Policy]] = {
    FieldType.MONEY: Policy.MANUAL,
    FieldType.DATE: Policy.MANUAL,
    FieldType.CHOICE: Policy.MANUAL,
    FieldType.FREE: Policy.MANUAL,
    FieldType.TEXT: Policy.THREE_WAY,
    FieldType.TAGS: Policy.UNION,
}

#: Types whose values are never merged, not even when a person asks for it.
NEVER_MERGED: Final = frozenset({FieldType.MONEY, FieldType.DATE, FieldType.CHOICE})

#: The merging policies, and the types of field on which a session may ask for them.
_MERGEABLE: Final[Mapping[Policy, frozenset[FieldType]]] = {
    Policy.THREE_WAY: frozenset({FieldType.TEXT, FieldType.FREE}),
    Policy.UNION: frozenset({FieldType.TAGS, FieldType.FREE}),
}


def policy_of(name: str, asked: Mapping[str, str]) -> Policy:
    """The field's policy: what the session asks for, else what the field's type implies."""
    wanted = asked.get(name)
    return DEFAULT_POLICIES[field_type(name)] if wanted is None else Policy(wanted)


def check_policies(asked: Mapping[str, str]) -> None:
    """ValueError when a session asks for a policy that does not exist, or to merge what must not be merged."""
    if len(asked) > limits.MAX_FIELDS:
        raise ValueError(f"at most {limits.MAX_FIELDS} field policies")
    for name, wanted in asked.items():
        check_field_name(name)
        if wanted not in list(Policy):
            raise ValueError(f"{wanted!r} is no policy; there are {', '.join(Policy)}")
        types = _MERGEABLE.get(Policy(wanted))
        if types is not None and field_type(name) not in types:
            raise ValueError(f"{name} holds {field_type(name)}, which is never merged by itself")


def merge_values(policy: Policy, base: Any, current: Any, incoming: Any) -> tuple[bool, Any]:
    """(merged, value): the value that keeps both changes, where the policy can find one."""
    if policy not in _MERGEABLE:
        return False, None
    if same(base, current) or same(current, incoming):
        return True, incoming
    if same(base, incoming):
        return True, current
    if policy is Policy.UNION and isinstance(current, list | None) and isinstance(incoming, list | None):
        tags = merge_tags(base if isinstance(base, list) else [], current or [], incoming or [])
        return len(tags) <= limits.MAX_LIST_ITEMS, tags
    if policy is Policy.THREE_WAY and all(isinstance(text, str) for text in (base, current, incoming)):
        text = merge_text(base, current, incoming)
        return text is not None, text
    return False, None


def keep_both(base: Any, current: Any, incoming: Any) -> tuple[bool, Any]:
    """(merged, value), on a person's request: an empty field counts as an empty text, or an empty list."""
    if same(current, incoming):
        return True, current
    if isinstance(current, list) or isinstance(incoming, list):
        return merge_values(Policy.UNION, base, current, incoming)
    texts = ["" if item is None else item for item in (base, current, incoming)]
    return merge_values(Policy.THREE_WAY, *texts)


def merge_tags(base: Sequence[str], current: Sequence[str], incoming: Sequence[str]) -> list[str]:
    """What is there now, with what the edit added and without what it took away, in a stable order."""
    removed = set(base).difference(incoming)
    known = set(base).union(current)
    return [tag for tag in current if tag not in removed] + [tag for tag in dict.fromkeys(incoming) if tag not in known]


#: A stretch of tokens that two texts have in common: (place in the first, place in the second, length).
_Block = tuple[int, int, int]

_CHUNKS: Final = re.compile(r"\s+|\S+")
# These end a word where they stand at its end; inside it ("12.50", "11:30") they belong to it.
_PUNCTUATION: Final = ".,;:!?"


def merge_text(base: str, current: str, incoming: str) -> str | None:
    """Three-way merge by words (diff3). None where both changed the same words, or where it would cost too much."""
    tokens = [_tokens(text) for text in (base, current, incoming)]
    left, right = _blocks(tokens[0], tokens[1]), _blocks(tokens[0], tokens[2])
    if left is None or right is None:
        return None
    merged: list[str] = []
    for base_part, current_part, incoming_part in _diff3(tokens, _common(left, right)):
        if current_part == incoming_part or incoming_part == base_part:
            merged += current_part
        elif current_part == base_part:
            merged += incoming_part
        else:
            return None
    text = "".join(merged)
    return text if len(text) <= limits.MAX_TEXT else None


def _tokens(text: str) -> list[str]:
    """Spaces, words, and the punctuation that ends words; joined they are the text again."""
    tokens: list[str] = []
    for chunk in _CHUNKS.findall(text):
        word = chunk.rstrip(_PUNCTUATION)
        tokens += [part for part in (word, chunk[len(word) :]) if part]
    return tokens


def _blocks(base: list[str], other: list[str]) -> list[_Block] | None:
    """What a text has in common with the base, in order; None where finding it out would cost too much."""
    shorter = min(len(base), len(other))
    head = next((i for i in range(shorter) if base[i] != other[i]), shorter)
    room = shorter - head
    tail = next((i for i in range(room) if base[-1 - i] != other[-1 - i]), room)
    pairs = _common_subsequence(base[head : len(base) - tail], other[head : len(other) - tail])
    if pairs is None:
        return None
    blocks = [(0, 0, head), *((head + i, head + j, 1) for i, j in pairs)]
    return [*blocks, (len(base) - tail, len(other) - tail, tail)]


def _common_subsequence(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]] | None:
    """The places of a longest common subsequence; None where more pairs are equal than `limits.MAX_MERGE_WORK`.

    Hunt and Szymanski, "A fast algorithm for computing longest common subsequences", CACM 20 (1977): one binary search
    for each pair of equal tokens, whatever the texts are. (difflib's matcher takes cubic time on unlike texts.)
    """
    places: dict[str, list[int]] = {}
    for j in reversed(range(len(right))):
        places.setdefault(right[j], []).append(j)
    if sum(len(places.get(token, ())) for token in left) > limits.MAX_MERGE_WORK:
        return None
    # ends[k]: the first place in `right` at which a common subsequence of k + 1 tokens can end; chains[k]: that one,
    # as (left place, right place, the chain before).
    ends: list[int] = []
    chains: list[Any] = []
    for i, token in enumerate(left):
        for j in places.get(token, ()):
            k = bisect_left(ends, j)
            chain = (i, j, chains[k - 1] if k else None)
            if k == len(ends):
                ends.append(j)
                chains.append(chain)
            elif ends[k] != j:
                ends[k], chains[k] = j, chain
    pairs: list[tuple[int, int]] = []
    link = chains[-1] if chains else None
    while link is not None:
        i, j, link = link
        pairs.append((i, j))
    return pairs[::-1]


def _common(left: list[_Block], right: list[_Block]) -> Iterator[tuple[int, int, int, int]]:
    """(base, current, incoming, length) of every stretch that stands in all three texts."""
    i = j = 0
    while i < len(left) and j < len(right):
        (left_start, current, left_size), (right_start, incoming, right_size) = left[i], right[j]
        left_end, right_end = left_start + left_size, right_start + right_size
        start, end = max(left_start, right_start), min(left_end, right_end)
        if start < end:
            yield start, current + start - left_start, incoming + start - right_start, end - start
        if left_end < right_end:
            i += 1
        else:
            j += 1


def _diff3(
    tokens: Sequence[list[str]], common: Iterator[tuple[int, int, int, int]]
) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """The three texts cut into corresponding parts: what all have in common, and what lies between."""
    base, current, incoming = tokens
    at_base = at_current = at_incoming = 0
    for start, to_current, to_incoming, length in common:
        yield base[at_base:start], current[at_current:to_current], incoming[at_incoming:to_incoming]
        shared = base[start : start + length]
        yield shared, shared, shared
        at_base, at_current, at_incoming = start + length, to_current + length, to_incoming + length
    yield base[at_base:], current[at_current:], incoming[at_incoming:]
