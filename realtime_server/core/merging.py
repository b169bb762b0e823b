"""Field policies: what becomes of an edit whose author had not seen the field's latest value.

Money, dates and choices are never merged. Text is merged word by word against what both started from, and only where
they changed different words; tags are merged as sets.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any, Final

from realtime_server.core import limits
from realtime_server.core.values import FieldType, check_field_name, field_type


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
        if wanted not in set(Policy):
            raise ValueError(f"{wanted!r} is no policy; there are {', '.join(Policy)}")
        types = _MERGEABLE.get(Policy(wanted))
        if types is not None and field_type(name) not in types:
            raise ValueError(f"{name} holds {field_type(name)}, which is never merged by itself")


def merge_values(policy: Policy, base: Any, current: Any, incoming: Any) -> tuple[bool, Any]:
    """(merged, value): the value that keeps both changes, where the policy can find one."""
    if policy is Policy.UNION and isinstance(current, list | None) and isinstance(incoming, list | None):
        return True, merge_tags(base if isinstance(base, list) else [], current or [], incoming or [])
    if policy is Policy.THREE_WAY and all(isinstance(text, str) for text in (base, current, incoming)):
        text = merge_text(base, current, incoming)
        return text is not None, text
    return False, None


def merge_tags(base: Sequence[str], current: Sequence[str], incoming: Sequence[str]) -> list[str]:
    """What is there now, with what the edit added and without what it took away, in a stable order."""
    removed = set(base) - set(incoming)
    known = set(base)
    kept = [tag for tag in current if tag not in removed]
    added = [tag for tag in incoming if tag not in known and tag not in kept]
    return [*kept, *dict.fromkeys(added)]


_TOKENS: Final = re.compile(r"\s+|\w+|[^\w\s]")


def merge_text(base: str, current: str, incoming: str) -> str | None:
    """Three-way merge by words (diff3). None where both changed the same words, or where it would cost too much."""
    tokens = [_TOKENS.findall(text) for text in (base, current, incoming)]
    if _work(tokens[0], tokens[1]) + _work(tokens[0], tokens[2]) > limits.MAX_MERGE_WORK:
        return None
    merged: list[str] = []
    for base_part, current_part, incoming_part in _diff3(*tokens):
        if current_part == incoming_part or incoming_part == base_part:
            merged += current_part
        elif current_part == base_part:
            merged += incoming_part
        else:
            return None
    text = "".join(merged)
    return text if len(text) <= limits.MAX_TEXT else None


def _work(left: Sequence[str], right: Sequence[str]) -> int:
    """Pairs of equal tokens, which is what the matcher's running time follows."""
    counts = Counter(right)
    return sum(number * counts[token] for token, number in Counter(left).items()) + len(left) + len(right)


def _diff3(
    base: list[str], current: list[str], incoming: list[str]
) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """The three texts cut into corresponding parts, at the tokens that all three have in common."""
    at_base = at_current = at_incoming = 0
    for start, to_current, to_incoming, length in _common(base, current, incoming):
        yield base[at_base:start], current[at_current:to_current], incoming[at_incoming:to_incoming]
        common = base[start : start + length]
        yield common, common, common
        at_base, at_current, at_incoming = start + length, to_current + length, to_incoming + length


def _common(base: list[str], current: list[str], incoming: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """(base, current, incoming, length) of every stretch that stands in all three; the last, empty, is at the ends."""
    left = SequenceMatcher(None, base, current, autojunk=False).get_matching_blocks()
    right = SequenceMatcher(None, base, incoming, autojunk=False).get_matching_blocks()
    i = j = 0
    while i < len(left) and j < len(right):
        start = max(left[i].a, right[j].a)
        left_end, right_end = left[i].a + left[i].size, right[j].a + right[j].size
        if start < min(left_end, right_end):
            shift_left, shift_right = left[i].b - left[i].a, right[j].b - right[j].a
            yield start, start + shift_left, start + shift_right, min(left_end, right_end) - start
        if left_end < right_end:
            i += 1
        else:
            j += 1
    yield len(base), len(current), len(incoming), 0
