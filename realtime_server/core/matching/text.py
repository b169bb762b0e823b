"""Texts of bank lines and ledgers, made comparable: folded, cut into words, and the references found in them."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_NOT_WORD = re.compile(r"[^0-9A-Z]+")
_REFERENCE = re.compile(r"(?:[A-Z]{1,6}[-/ ]?)?[0-9][0-9A-Z/-]{3,}")
_PLAIN_REFERENCE = re.compile(r"[^0-9A-Z]+")

#: Digits that make a word a reference rather than a house number or a date's part.
_REFERENCE_DIGITS = 4
#: Words that say a line takes an earlier one back, or repeats it (English, German, French, Dutch banking usage).
REVERSAL_WORDS = frozenset(
    [
        "VOID",
        "VOIDED",
        "RETURN",
        "RETURNED",
        "REVERSAL",
        "REVERSED",
        "REVERSE",
        "CANCEL",
        "CANCELLED",
        "CANCELED",
        "CANCELLATION",
        "CHARGEBACK",
        "REFUND",
        "REFUNDED",
        "UNPAID",
        "BOUNCED",
        "REJECTED",
        "RECALLED",
        "STORNO",
        "RUECKLASTSCHRIFT",
        "RETOURE",
        "ANNULATION",
        "REJET",
        "STORNERING",
    ]
)

#: Words that say a line repeats an earlier one.
REPETITION_WORDS = frozenset(
    [
        "RETRY",
        "REISSUE",
        "REISSUED",
        "REPLACES",
        "REPLACED",
        "REPLACEMENT",
        "REPRESENTED",
        "REPRESENTMENT",
        "AGAIN",
        "DUPLICATE",
    ]
)


@lru_cache(maxsize=65_536)
def fold(text: str) -> str:
    """Capitals, no accents, words divided by single spaces: ``"Müller & Söhne  GmbH"`` is ``"MULLER SOHNE GMBH"``."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
        text = "".join(letter for letter in text if not unicodedata.combining(letter))
        if not text.isascii():
            # Scripts without capitals keep their letters; only white space and punctuation divide them.
            return " ".join("".join(c if c.isalnum() else " " for c in text.upper()).split())
    return _NOT_WORD.sub(" ", text.upper()).strip()


def plain_reference(text: str) -> str:
    """A reference as it compares: ``"INV-00 12"`` and ``"inv0012"`` are the same; empty for one without any letter."""
    return _PLAIN_REFERENCE.sub("", text.upper())


def references_in(text: str) -> tuple[str, ...]:
    """What looks like a reference in a text, in plain form: at least four digits, with the letters before them."""
    found = (plain_reference(item) for item in _REFERENCE.findall(text.upper()))
    return tuple(item for item in found if sum(letter.isdigit() for letter in item) >= _REFERENCE_DIGITS)


def has_reversal_word(folded: str) -> bool:
    return not REVERSAL_WORDS.isdisjoint(folded.split())
