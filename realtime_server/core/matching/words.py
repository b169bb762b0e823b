"""How much two texts have in common, in bits: what many share is worth little, what two alone share is worth much.

Shares are counted among all texts; where more of the open ones have something in common (what the bank did not know is
what remains), among those, less the one that is asked about.

Two readings of a text, for bank lines are cut and rewritten in two ways. As a beginning: the longest common prefix,
worth ``-log2`` of the share of the other side's texts that begin so too. As words: those in common, each worth
``-log2`` of the share that has it; a cut word counts by its first letters. The better reading of a pair counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from realtime_server.core.matching.table import Bools, Floats, Ints

#: Letters of a beginning that are compared. Banks cut at 15 to 35; what lies beyond 24 hardly ever decides.
PREFIX_LETTERS: Final = 24
#: Words of one text that are compared, rarest first.
MAX_WORDS: Final = 6
#: Letters by which a cut word is recognised.
STEM_LETTERS: Final = 5
#: Pairs worked on at a time: it bounds the memory of the intermediate columns.
CHUNK: Final = 100_000

Small = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Prefixes:
    """``ids[k]``: which beginning of k + 1 letters a text has; equal numbers, equal beginnings, on both sides alike."""

    ids: tuple[Small, ...]
    bits: tuple[Floats, ...]
    lengths: Ints
    letters: npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Words:
    """Both sides' texts as numbers. Columns of the left come first, those of the right after (``offset`` on)."""

    offset: int
    prefixes: _Prefixes
    words: Small
    stems: Small
    word_bits: Floats
    stem_bits: Floats
    total_bits: Floats


def read(left: Sequence[str], right: Sequence[str], opened: Bools) -> Words:
    """``opened``: which of the texts, those of the left first, are of open records."""
    texts = [*left, *right]
    offset = len(left)
    rows, ids, stem_of_word = _flatten(texts)
    word_bits = _bits(rows, ids, len(stem_of_word), offset, opened)
    stems = stem_of_word[ids]
    kinds = int(stem_of_word.max()) + 1
    once = np.unique(rows[stems > 0] * kinds + stems[stems > 0])
    stem_bits = _bits(once // kinds, once % kinds, kinds, offset, opened)
    other = (rows < offset).astype(np.int64)
    # What no text of the other side has tells nothing apart, however rare: it is worth nothing, and sorts last.
    worth = word_bits[ids, other]
    ordered = np.lexsort((ids, -worth, rows))
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = rank < MAX_WORDS
    place = rows[kept], rank[kept]
    chosen = ordered[kept]
    shape = (len(texts), MAX_WORDS)
    word_column, stem_column = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int32)
    word_column[place], stem_column[place] = ids[chosen], stems[chosen]
    word_worth, stem_worth = np.zeros(shape), np.zeros(shape)
    word_worth[place] = worth[chosen]
    stem_worth[place] = np.where(stems[chosen] > 0, stem_bits[stems[chosen], other[chosen]], 0.0)
    total = np.maximum(np.maximum(word_worth, stem_worth).sum(axis=1), 1.0)
    return Words(offset, _prefixes(texts, opened, offset), word_column, stem_column, word_worth, stem_worth, total)


def _flatten(texts: Sequence[str]) -> tuple[Ints, Ints, Ints]:
    """(row, word) of every different word of every text, and for each word its stem; numbers from 1."""
    vocabulary: dict[str, int] = {}
    ids: list[int] = []
    counts = np.zeros(len(texts), dtype=np.int64)
    for row, text in enumerate(texts):
        words = set(text.split())
        counts[row] = len(words)
        # A set's order is not the same from run to run.
        ids.extend(vocabulary.setdefault(word, len(vocabulary) + 1) for word in sorted(words))
    stems: dict[str, int] = {}
    stem_of_word = np.zeros(len(vocabulary) + 1, dtype=np.int64)
    for word, number in vocabulary.items():
        if len(word) >= STEM_LETTERS:
            stem_of_word[number] = stems.setdefault(word[:STEM_LETTERS], len(stems) + 1)
    return np.repeat(np.arange(len(texts)), counts), np.array(ids, dtype=np.int64), stem_of_word


def _bits(rows: Ints, ids: Ints, kinds: int, offset: int, opened: Bools) -> Floats:
    """Shape (kinds, 2): what a word is worth when the text of the left (0), the right (1) side has it too."""
    bits = np.zeros((kinds, 2))
    sides = (rows < offset, opened[:offset]), (rows >= offset, opened[offset:])
    for side, (mine, free) in enumerate(sides):
        counts = np.bincount(ids[mine], minlength=kinds)
        others = np.bincount(ids[mine & opened[rows]], minlength=kinds) - 1
        shares = np.maximum((counts + 0.5) / (max(len(free), 1) + 1), others / max(free.sum(), 1))
        bits[:, side] = np.where(counts > 0, -np.log2(shares), 0.0)
    return np.maximum(bits, 0.0)


def _prefixes(texts: Sequence[str], opened: Bools, offset: int) -> _Prefixes:
    cut = np.array([text[:PREFIX_LETTERS] for text in texts], dtype=f"<U{PREFIX_LETTERS}")
    letters = cut.view(np.uint32).reshape(len(texts), PREFIX_LETTERS)
    lengths = np.array([min(len(text), PREFIX_LETTERS) for text in texts], dtype=np.int64)
    ids: list[Small] = []
    bits: list[Floats] = []
    current = np.zeros(len(texts), dtype=np.int64)
    sides = slice(None, offset), slice(offset, None)
    for k in range(PREFIX_LETTERS):
        _, current = np.unique(current << 32 | letters[:, k].astype(np.int64), return_inverse=True)
        kinds = int(current.max()) + 1 if len(texts) else 1
        on_left, on_right = (_shares(current[side], opened[side], kinds) for side in sides)
        shares = np.concatenate((on_right[current[:offset]], on_left[current[offset:]]))
        bits.append(-np.log2(np.maximum(shares, 0.5 / max(offset, len(texts) - offset, 1))))
        ids.append(current.astype(np.int32))
    return _Prefixes(tuple(ids), tuple(bits), lengths, letters)


def _shares(ids: Ints, opened: Bools, kinds: int) -> Floats:
    """The share of one side's texts that each beginning has."""
    counts, others = np.bincount(ids, minlength=kinds), np.bincount(ids[opened], minlength=kinds) - 1
    return np.asarray(np.maximum(counts / max(len(ids), 1), others / max(opened.sum(), 1)))


#: How two texts are alike; the model learns what each is worth beyond the bits in common.
LEVELS: Final = (
    "descriptions differ",
    "descriptions begin alike, then part within a word",
    "descriptions begin with the same words",
    "one description is cut short, and begins the other",
    "one description is the beginning of the other",
    "same description",
    "some words in common",
    "many words in common",
    "nearly all words in common",
)
DIFFER, PART, SAME_WORDS, CUT, BEGINS, EQUAL, SOME, MANY, ALL = range(len(LEVELS))

#: Below so many bits a likeness is what any two lines have.
_LEAST_BITS: Final = 1.5


#: What a further word in common is worth beside the rarest, of its own bits.
_COMPANY: Final = 0.5


def compare(words: Words, left: Ints, right: Ints) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """(level, bits in common) of pairs of rows; ``right`` counts from the first row of the right side."""
    levels = np.zeros(len(left), dtype=np.int8)
    bits = np.zeros(len(left), dtype=np.float32)
    most = np.log2(2.0 * max(words.offset, 1))
    for part in _chunks(len(left)):
        a, b = left[part], right[part] + words.offset
        prefix_level, prefix_bits = _compare_prefixes(words.prefixes, a, b)
        word_level, word_bits = _compare_words(words, a, b)
        better = (word_bits > prefix_bits * 1.15) & (prefix_level < BEGINS)
        levels[part] = np.where(better, word_level, prefix_level)
        bits[part] = np.minimum(np.maximum(word_bits, prefix_bits), most)
    return levels, bits


def _chunks(length: int) -> Iterator[slice]:
    for start in range(0, length, CHUNK):
        yield slice(start, start + CHUNK)


def _compare_prefixes(prefixes: _Prefixes, a: Ints, b: Ints) -> tuple[Ints, Floats]:
    shorter = np.minimum(prefixes.lengths[a], prefixes.lengths[b])
    longer = np.maximum(prefixes.lengths[a], prefixes.lengths[b])
    common = np.zeros(len(a), dtype=np.int64)
    bits = np.zeros(len(a))
    for k in range(PREFIX_LETTERS):
        alike = (prefixes.ids[k][a] == prefixes.ids[k][b]) & (k < shorter)
        if not alike.any():
            break
        common += alike
        # The rarer side's count: a beginning that is common on either side tells little.
        bits = np.where(alike, np.minimum(prefixes.bits[k][a], prefixes.bits[k][b]), bits)
    at_word = _word_ends(prefixes, a, common) & _word_ends(prefixes, b, common)
    whole = (common == shorter) & (shorter > 0)
    levels = np.select(
        [whole & (shorter == longer), whole & at_word, whole, at_word],
        [EQUAL, BEGINS, CUT, SAME_WORDS],
        PART,
    )
    return np.where((common == 0) | ((bits < _LEAST_BITS) & ~whole), DIFFER, levels), bits


def _word_ends(prefixes: _Prefixes, rows: Ints, common: Ints) -> Bools:
    """Whether the text has a word's end at this place."""
    inside = common < PREFIX_LETTERS
    letter = prefixes.letters[rows, np.minimum(common, PREFIX_LETTERS - 1)]
    before = prefixes.letters[rows, np.maximum(common - 1, 0)]
    return np.asarray(~inside | (letter == 0) | (letter == 32) | (before == 32))


def _compare_words(words: Words, a: Ints, b: Ints) -> tuple[Ints, Floats]:
    bits, rarest = np.zeros(len(a)), np.zeros(len(a))
    a_words, b_words = words.words[a], words.words[b]
    a_stems, b_stems = words.stems[a], words.stems[b]
    for place in range(MAX_WORDS):
        word, stem = a_words[:, place : place + 1], a_stems[:, place : place + 1]
        same_word = ((word == b_words) & (word > 0)).any(axis=1)
        same_stem = ((stem == b_stems) & (stem > 0)).any(axis=1)
        worth = np.where(same_word, words.word_bits[a, place], np.where(same_stem, words.stem_bits[a, place], 0.0))
        bits += worth
        rarest = np.maximum(rarest, worth)
    share = bits / np.minimum(words.total_bits[a], words.total_bits[b])
    levels = np.select([bits < _LEAST_BITS, share < 0.4, share < 0.8], [DIFFER, SOME, MANY], ALL)
    # Words of one name come together: only the rarest counts in full.
    return levels, rarest + _COMPANY * (bits - rarest)
