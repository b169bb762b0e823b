"""Merging keeps what both did, or does not merge: by whole words, as sets, and within a bound of work."""

from __future__ import annotations

import bisect
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realtime_server.core import limits, merging
from realtime_server.core.merging import Policy, merge_tags, merge_text, merge_values, policy_of

WORDS = st.sampled_from(["pay", "the", "old", "bill", "12.50", "to", "a", "Müller,", "now.", "(x)", "नमस्ते"])
SPACES = st.sampled_from([" ", "  ", "\n"])
TEXT = st.lists(st.tuples(WORDS, SPACES), max_size=12).map(lambda parts: "".join(map("".join, parts))) | st.text(
    max_size=20
)
TAGS = st.lists(st.sampled_from("abcdef"), max_size=6, unique=True)


@given(base=TEXT, changed=TEXT)
def test_a_text_that_one_side_left_alone_becomes_the_other_sides(base: str, changed: str) -> None:
    assert merge_text(base, changed, base) == changed
    assert merge_text(base, base, changed) == changed
    assert merge_text(base, changed, changed) == changed


@given(base=TEXT, current=TEXT, incoming=TEXT)
def test_texts_are_merged_alike_whichever_came_first(base: str, current: str, incoming: str) -> None:
    assert merge_text(base, current, incoming) == merge_text(base, incoming, current)


@given(base=TEXT, current=TEXT, incoming=TEXT)
def test_a_merged_text_has_no_word_that_nobody_wrote(base: str, current: str, incoming: str) -> None:
    merged = merge_text(base, current, incoming)
    if merged is not None:
        written = {*merging._tokens(current), *merging._tokens(incoming)}
        assert {token for token in merging._tokens(merged) if token.strip()} <= written | _joined(written)


def _joined(tokens: set[str]) -> set[str]:
    """Two texts can meet without a space between them: "a" at the end of one stretch, "b" at the start of the next."""
    words = {token for token in tokens if token.strip()}
    return {left + right for left in words for right in words}


@given(data=st.data())
def test_what_both_sides_inserted_is_in_the_merged_text(data: st.DataObject) -> None:
    base = [f"word{number}" for number in range(data.draw(st.integers(1, 10)))]
    sides = []
    for side in ("mine", "yours"):
        places = data.draw(st.lists(st.integers(0, len(base)), max_size=3, unique=True))
        words = [[f"{side}{place}"] * (place in places) for place in range(len(base) + 1)]
        sides.append(" ".join(word for place, extra in enumerate(words) for word in [*extra, *base[place : place + 1]]))
    merged = merge_text(" ".join(base), *sides)
    if merged is not None:
        assert set(merged.split()) == {*sides[0].split(), *sides[1].split()}
        assert [word for word in merged.split() if word in base] == base


@given(text=st.text(max_size=60))
@example(text="12.50, (paid). नमस्ते — ok?!  ")
def test_the_words_and_spaces_of_a_text_joined_are_the_text(text: str) -> None:
    tokens = merging._tokens(text)
    assert "".join(tokens) == text
    assert all(tokens)


@pytest.mark.parametrize(
    ("base", "current", "incoming", "merged"),
    [
        ("a b c d", "a x c d", "a b c y", "a x c y"),
        ("a b c d", "a x c d", "a y c d", None),
        ("a b", "a b c", "a b d", None),
        ("a b", "a b c", "a b c", "a b c"),
        ("a b c", "a c", "a b c d", "a c d"),
        ("", "x", "y", None),
        ("Paid, thanks", "Paid today, thanks", "Paid, many thanks", "Paid today, many thanks"),
        ("fee 12.50 paid", "fee 13.50 paid", "fee 12.75 paid", None),
        ("due 2026-11-22 or so", "due 2026-12-22 or so", "due 2026-11-23 or so", None),
        ("ref INV-2026-001", "ref INV-2026-002", "ref INV-2025-001", None),
        ("owed (5.00) now", "owed 5.00 now", "owed (6.00) now", None),
        ("नमस्ते", "नमस्ता", "नमस्तू", None),
        ("cafe\u0301 au lait", "cafe au lait", "the\u0301 au lait", None),
    ],
)
def test_texts_are_merged_by_whole_words(base: str, current: str, incoming: str, merged: str | None) -> None:
    assert merge_text(base, current, incoming) == merged


def test_a_long_text_with_small_changes_at_its_ends_is_merged() -> None:
    base = " ".join(f"word{number % 7}" for number in range(550))
    assert merge_text(base, f"Note: {base}", f"{base} (seen)") == f"Note: {base} (seen)"


def test_a_merged_text_is_no_longer_than_a_text_may_be() -> None:
    base = "middle"
    side = "x " * (limits.MAX_TEXT // 3)
    assert merge_text(base, side + base, f"{base} {side}") is None


@pytest.mark.parametrize(
    "texts",
    [
        ("a " * 2_000, "b " * 2_000, "c " * 2_000),
        ("a " * 2_000, "x" + "a " * 1_999, "a " * 1_999 + "x"),
        tuple(" ".join(f"{side}{number}" for number in range(700)) for side in "abc"),
        tuple(" ".join(f"{side}{number}" for number in range(157)) for side in "abc"),
        ("x" + "a b " * 60 + "x", "y" + "b a " * 60 + "y", "z" + "a a b " * 40 + "z"),
        ("." * 4_000, ",." * 2_000, "?" * 4_000),
        ("a\n" * 2_000, "\na" * 2_000, " a" * 2_000),
    ],
    ids=["unlike-words", "one-word", "long-unlike", "unlike-within-the-bound", "periodic", "punctuation", "shifted"],
)
def test_the_work_of_a_merge_is_bounded_whatever_the_texts(
    texts: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    searches = 0
    search = bisect.bisect_left

    def counted(places: Any, place: Any) -> int:
        nonlocal searches
        searches += 1
        return search(places, place)

    monkeypatch.setattr(merging, "bisect_left", counted)
    merge_text(*texts)
    assert searches <= 2 * limits.MAX_MERGE_WORK


def test_texts_that_would_cost_too_much_are_not_merged() -> None:
    words = " ".join(f"old{number}" for number in range(300))
    assert merge_text(words, words.replace("old", "new"), f"{words} end") is None


@given(base=TAGS, changed=TAGS)
def test_tags_that_one_side_left_alone_become_the_other_sides(base: list[str], changed: list[str]) -> None:
    assert merge_tags(base, changed, base) == changed
    assert set(merge_tags(base, base, changed)) == set(changed)
    assert merge_tags(base, changed, changed) == changed


@given(base=TAGS, current=TAGS, incoming=TAGS)
def test_tags_keep_what_either_added_and_lose_what_either_removed(
    base: list[str], current: list[str], incoming: list[str]
) -> None:
    merged = merge_tags(base, current, incoming)
    before, mine, yours = set(base), set(current), set(incoming)
    assert set(merged) == (before & mine & yours) | (mine - before) | (yours - before)
    assert set(merged) == set(merge_tags(base, incoming, current))
    assert len(set(merged)) == len(merged)
    assert [tag for tag in merged if tag in current] == [tag for tag in current if tag in merged]


@pytest.mark.parametrize(
    ("policy", "base", "current", "incoming", "expected"),
    [
        (Policy.MANUAL, "a", "a", "b", (False, None)),
        (Policy.MANUAL, "a", "b", "b", (False, None)),
        (Policy.THREE_WAY, 1, 1, 2, (True, 2)),
        (Policy.THREE_WAY, 1, 2, 1, (True, 2)),
        (Policy.THREE_WAY, 1, 2, 3, (False, None)),
        (Policy.THREE_WAY, None, "a", "b", (False, None)),
        (Policy.UNION, None, ["a"], ["b"], (True, ["a", "b"])),
        (Policy.UNION, ["a"], None, ["a", "b"], (True, ["b"])),
        (Policy.UNION, ["a", "b"], ["a", "b", "c"], None, (True, ["c"])),
        (Policy.UNION, "a", "b", ["c"], (False, None)),
    ],
)
def test_values_are_merged_as_their_policy_says(
    policy: Policy, base: Any, current: Any, incoming: Any, expected: tuple[bool, Any]
) -> None:
    assert merge_values(policy, base, current, incoming) == expected


def test_a_field_has_the_policy_of_its_type_unless_the_session_asks_for_another() -> None:
    assert policy_of("amount", {}) is Policy.MANUAL
    assert policy_of("notes", {}) is Policy.THREE_WAY
    assert policy_of("tags", {}) is Policy.UNION
    assert policy_of("anything", {}) is Policy.MANUAL
    assert policy_of("amount", {"amount": "last_writer_wins"}) is Policy.LAST_WRITER_WINS
