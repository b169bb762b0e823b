"""What speaks for each value that a conflict could end with, in clues that a person can follow.

A clue is a code, a strength (mostly 1) and a sentence. Nothing here weighs them against each other: that is
`suggestions`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cached_property
from math import log
from typing import Any, Final

from rapidfuzz import fuzz

from realtime_server.core.matching.text import fold
from realtime_server.core.precedents import precedent
from realtime_server.core.roles import Role
from realtime_server.core.state import Candidate, Conflict, FieldState, RecordState, SessionState
from realtime_server.core.values import FIELD_TYPES, FieldType, field_type, same

#: Characters of a text that are compared, and of a value that a sentence quotes.
_COMPARED: Final = 300
_QUOTED: Final = 60
#: Points of 100 by which a text must be nearer to its source than every other, to count as near.
_NEARER: Final = 5.0


@dataclass(frozen=True, slots=True)
class Clue:
    """``reason``: a sentence; where ``by`` lists people (user ids), what follows their names in it."""

    code: str
    strength: float
    reason: str
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """A value that the field could get, and who wants it: nobody (no ``authors``) where it follows from the rest."""

    value: Any
    strategy: str
    edit_id: str | None = None
    authors: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()

    @property
    def proposed(self) -> bool:
        return self.strategy in ("keep_current", "take_candidate")


@dataclass(frozen=True)
class Case:
    """A conflict with all that is known of it. ``others``: the records of the other side that it is matched with;
    ``own``: those of its own side in the same match."""

    state: SessionState
    record: RecordState
    field: FieldState
    conflict: Conflict
    options: tuple[Option, ...]
    others: tuple[RecordState, ...]
    own: tuple[RecordState, ...]

    @property
    def name(self) -> str:
        return self.conflict.field_name

    @cached_property
    def kind(self) -> FieldType:
        return field_type(self.conflict.field_name)

    @cached_property
    def proposals(self) -> tuple[Option, ...]:
        return tuple(option for option in self.options if option.proposed)

    @cached_property
    def imported(self) -> Any:
        return self.record.base.get(self.name)

    @cached_property
    def counterpart(self) -> Any:
        """What the one record of the other side has in this field, in this record's sign; None without one."""
        if len(self.others) != 1 or self.own:
            return None
        value = self.others[0].value(self.name)
        run = self.state.reconciliation.run
        if self.name == "amount" and run is not None and run.statement_sign < 0 and isinstance(value, str):
            return value.removeprefix("-") if value.startswith("-") else f"-{value}"
        return value

    @cached_property
    def balance(self) -> Decimal | None:
        """The amount with which a group of several nets to zero; None where that cannot be said."""
        if self.name != "amount" or not self.others or len(self.others) + len(self.own) < 2:
            return None
        run = self.state.reconciliation.run
        sign = run.statement_sign if run is not None else 1
        across, beside = _sum(self.others), _sum(self.own)
        return None if across is None or beside is None else sign * across - beside

    @cached_property
    def documents(self) -> str:
        """The texts that were imported with the record, and stand on the other side, folded."""
        records = (self.record, *self.others)
        texts = [
            fold(str(value)[:_COMPARED])
            for record in records
            for name, value in (*record.base.items(), ("external_id", record.external_id))
            if isinstance(value, str)
            and FIELD_TYPES.get(name, FieldType.TEXT) is FieldType.TEXT
            and (name != self.name or record is not self.record)
        ]
        return f" {' | '.join(texts)} "


def _sum(records: tuple[RecordState, ...]) -> Decimal | None:
    total = Decimal(0)
    for record in records:
        amount = as_amount(record.value("amount"))
        if amount is None:
            return None
        total += amount
    return total


def as_amount(value: Any) -> Decimal | None:
    try:
        amount = Decimal(value) if isinstance(value, str) and value else None
    except InvalidOperation:
        return None
    return amount if amount is not None and amount.is_finite() else None


def quoted(value: Any) -> str:
    """A value inside a sentence."""
    text = "nothing" if value in (None, "", []) else ", ".join(value) if isinstance(value, list) else str(value)
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…"


def agree(kind: FieldType, left: Any, right: Any) -> bool:
    """Whether two values say the same: amounts by what they are worth, texts by their words."""
    if left in (None, "", []) or right in (None, "", []):
        return False
    if kind is FieldType.MONEY:
        return as_amount(left) is not None and as_amount(left) == as_amount(right)
    if isinstance(left, str) and isinstance(right, str) and kind in (FieldType.TEXT, FieldType.FREE):
        return fold(left[:_COMPARED]) == fold(right[:_COMPARED])
    return same(left, right)


def clues(case: Case) -> list[list[Clue]]:
    """What speaks for each option, in the order of the options."""
    return [[clue for find in _FINDERS for clue in find(case, option)] for option in case.options]


# -- what the documents say --------------------------------------------------------------------------------------------


def _counterpart(case: Case, option: Option) -> Iterator[Clue]:
    if agree(case.kind, option.value, case.counterpart):
        yield Clue("counterpart", 1.0, f"The record it is matched with says {quoted(case.counterpart)}.")


def _balances(case: Case, option: Option) -> Iterator[Clue]:
    if case.balance is not None and as_amount(option.value) == case.balance:
        count = len(case.others) + len(case.own) + 1
        yield Clue("balances", 1.0, f"With {quoted(option.value)} the match of {count} records nets to zero.")


def _imported(case: Case, option: Option) -> Iterator[Clue]:
    if agree(case.kind, option.value, case.imported):
        yield Clue("as_imported", 1.0, f"It was imported as {quoted(case.imported)}.")


def _document(case: Case, option: Option) -> Iterator[Clue]:
    for form in _forms(case.kind, option.value):
        if f" {form} " in case.documents:
            yield Clue("document", 1.0, f"The imported texts name {quoted(option.value)}.")
            return


def _forms(kind: FieldType, value: Any) -> tuple[str, ...]:
    """How a value may stand in a folded text: words between single spaces."""
    if not isinstance(value, str) or not value:
        return ()
    if kind is FieldType.MONEY:
        return _money_forms(value)
    if kind is FieldType.DATE:
        return _date_forms(value)
    form = fold(value[:_COMPARED])
    return (form,) if len(form) >= 4 else ()


def _money_forms(value: str) -> tuple[str, ...]:
    whole, _, decimals = value.removeprefix("-").partition(".")
    grouped = re.sub(r"(?<=\d)(?=(\d{3})+$)", " ", whole)
    forms = [f"{whole} {decimals}", f"{grouped} {decimals}"] if decimals else [whole, grouped]
    if decimals and not decimals.strip("0") and len(whole) >= 3:
        forms += [whole, grouped]
    return tuple(forms)


def _date_forms(value: str) -> tuple[str, ...]:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return ()
    return tuple(f"{day:{form}}" for form in ("%Y %m %d", "%Y%m%d", "%d %m %Y", "%d%m%Y", "%d %m %y", "%d%m%y"))


def _like_source(case: Case, option: Option) -> Iterator[Clue]:
    """Nearer than all others to what the documents have in this field, and not the same."""
    for source, whose in ((case.counterpart, "the record it is matched with has"), (case.imported, "was imported")):
        if source in (None, "", []) or agree(case.kind, option.value, source):
            continue
        mine = _likeness(case.kind, option.value, source)
        best = max(
            (_likeness(case.kind, item.value, source) for item in case.proposals if item is not option), default=0
        )
        if option.proposed and mine >= best + _NEARER:
            yield Clue("like_source", 1.0, f"It is nearer than the others to what {whose}: {quoted(source)}.")
            return


def _likeness(kind: FieldType, value: Any, source: Any) -> float:
    """0 to 100."""
    if kind is FieldType.MONEY:
        mine, other = as_amount(value), as_amount(source)
        if mine is None or other is None or not mine or not other or (mine < 0) != (other < 0):
            return 0.0
        return max(0.0, 100 - 100 * abs(log(abs(mine)) - log(abs(other))))
    if kind is FieldType.DATE:
        try:
            return max(0.0, 100.0 - 2 * abs((date.fromisoformat(value) - date.fromisoformat(source)).days))
        except (TypeError, ValueError):
            return 0.0
    if isinstance(value, str) and isinstance(source, str):
        return fuzz.token_sort_ratio(fold(value[:_COMPARED]), fold(source[:_COMPARED]))
    return 0.0


def _slip(case: Case, option: Option) -> Iterator[Clue]:
    """Another proposal looks like this one, mistyped: only where a document stands behind this one, in part."""
    for other in case.proposals:
        if other is option or not isinstance(other.value, str) or not isinstance(option.value, str):
            continue
        if case.kind in (FieldType.MONEY, FieldType.DATE) and _is_slip(option.value, other.value):
            mine, theirs = (_likeness(case.kind, item.value, case.imported) for item in (option, other))
            if mine > theirs:
                yield Clue("slip", 1.0, f"{quoted(other.value)} looks like {quoted(option.value)}, mistyped.")
                return


def _is_slip(right: str, wrong: str) -> bool:
    """Digits changed places, a place shifted, a sign lost; or day and month of a date changed places."""
    left, other = (re.sub(r"\D", "", text) for text in (right, wrong))
    if left == other:
        return right != wrong
    if left.rstrip("0") == other.rstrip("0"):
        return True
    if len(left) == len(other) and sorted(left) == sorted(other):
        return sum(a != b for a, b in zip(left, other, strict=True)) <= 4
    return False


# -- who wants it ------------------------------------------------------------------------------------------------------


def _agreed(case: Case, option: Option) -> Iterator[Clue]:
    others = len(option.authors) - 1
    if others > 0:
        yield Clue("agreed", float(min(others, 3)), "set the same, each by themselves.", option.authors[:3])


def _own_later(case: Case, option: Option) -> Iterator[Clue]:
    """The author had another value in before, and this is the last that they sent."""
    for candidate in option.candidates:
        earlier = [item for item in case.conflict.candidates if item.seq < candidate.seq]
        before = [(item.user_id, item.value) for item in earlier] + [(case.field.user_id, case.field.value)]
        if any(user_id == candidate.user_id and not same(value, candidate.value) for user_id, value in before):
            yield Clue("own_later", 1.0, "corrected themselves to it.", (candidate.user_id,))
            return


def _informed(case: Case, option: Option) -> Iterator[Clue]:
    for candidate in option.candidates:
        seen = candidate.base_version >= case.field.version and case.field.user_id != candidate.user_id
        if seen and not same(candidate.value, case.field.value):
            reason = f"had seen {quoted(case.field.value)} and changed it all the same."
            yield Clue("informed", 1.0, reason, (candidate.user_id,))
            return


def _reasoned(case: Case, option: Option) -> Iterator[Clue]:
    for candidate in option.candidates:
        if candidate.reason:
            yield Clue("reasoned", 1.0, f"gave a reason: {quoted(candidate.reason)}", (candidate.user_id,))
            return


def _role(case: Case, option: Option) -> Iterator[Clue]:
    def rank(item: Option) -> int:
        people = (case.state.participants.get(user_id) for user_id in item.authors)
        return max((int(person.role is Role.ADMIN) for person in people if person is not None), default=0)

    if option.proposed and rank(option) > max((rank(item) for item in case.proposals if item is not option), default=1):
        yield Clue("role", 1.0, "An administrator set it.")


def _precedent(case: Case, option: Option) -> Iterator[Clue]:
    counts = precedent(case.state, case.conflict, case.field)
    if not option.proposed or not sum(counts):
        return
    current = option.strategy == "keep_current"
    if not current and (not option.candidates or case.conflict.candidates[-1] not in option.candidates):
        return
    mine, theirs = (counts.current, counts.candidate) if current else (counts.candidate, counts.current)
    strength = log((mine + 1) / (theirs + 1))
    if strength > 0:
        what = "the value that stood was kept" if current else "the later change was taken"
        yield Clue("precedent", min(strength, 3.0), f"In {mine} of {sum(counts)} conflicts like this one {what}.")


# -- what the values are -----------------------------------------------------------------------------------------------


def _keeps_both(case: Case, option: Option) -> Iterator[Clue]:
    if option.strategy == "merge":
        yield Clue("keeps_both", 1.0, "It keeps what both of them changed.")


def _same_words(case: Case, option: Option) -> Iterator[Clue]:
    if option.strategy != "keep_current" or len(case.proposals) < 2:
        return
    if all(agree(case.kind, option.value, item.value) for item in case.proposals):
        yield Clue("same_words", 1.0, "The others differ from it in case, spaces or punctuation alone.")


def _fuller(case: Case, option: Option) -> Iterator[Clue]:
    mine = _words(option.value)
    others = [_words(item.value) for item in case.proposals if item is not option]
    if option.proposed and others and all(words and words < mine for words in others):
        yield Clue("fuller", 1.0, "It says all that the others say, and more.")


def _words(value: Any) -> frozenset[str]:
    if isinstance(value, list):
        return frozenset(value)
    return frozenset(fold(value[:_COMPARED]).split()) if isinstance(value, str) else frozenset()


def _filled(case: Case, option: Option) -> Iterator[Clue]:
    others = [item for item in case.proposals if item is not option]
    empty: tuple[Any, ...] = (None, "", [])
    if option.proposed and option.value not in empty and others and all(item.value in empty for item in others):
        yield Clue("filled", 1.0, "The others would leave the field empty.")


_FINDERS: Final[tuple[Callable[[Case, Option], Iterator[Clue]], ...]] = (
    _counterpart,
    _balances,
    _imported,
    _document,
    _like_source,
    _slip,
    _agreed,
    _own_later,
    _informed,
    _reasoned,
    _role,
    _precedent,
    _keeps_both,
    _same_words,
    _fuller,
    _filled,
)

#: Every code that a clue can have.
CODES: Final = frozenset(
    {
        "counterpart", "balances", "document", "as_imported", "agreed", "own_later", "informed", "slip", "keeps_both",
        "same_words", "fuller", "like_source", "role", "precedent", "filled", "reasoned",
    }
)  # fmt: skip
