"""What to decide in a conflict, how sure that is, and why: computed from the session alone, by no outside service.

Each value that the field could get has clues that speak for it (`evidence`). A clue is worth so many units of log odds;
the worth of an option is the sum of its clues, and its probability its share among all options and the possibility that
it is none of them (a conditional logit: McFadden, "Conditional logit analysis of qualitative choice behavior", 1974).

The weights were fitted on simulated sessions, and measured on others (``python -m loadtest.simulate_conflicts``; the
figures are in docs/reconciliation.md). They are one table for everybody: what a session's own people decide comes in as
the clue ``precedent``.

A suggestion changes nothing by itself. It is computed when a conflict is opened, extended, shown or decided, so it
takes account of what was matched or decided since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any, Final

from realtime_server.core import limits
from realtime_server.core.evidence import Case, Clue, Option, agree, clues
from realtime_server.core.fields import check_amounts, check_new_value
from realtime_server.core.merging import NEVER_MERGED, keep_both
from realtime_server.core.money import format_minor_units, minor_unit_exponent
from realtime_server.core.names import spoken
from realtime_server.core.settled import refuse_settled
from realtime_server.core.state import Candidate, Conflict, FieldState, RecordState, SessionState
from realtime_server.core.values import FieldType, field_type, same

#: Log odds of each clue (natural logarithm), for all types of field or, after a colon, for one. Fitted and rounded, but
#: for six that the simulation has nothing to say of, set low by hand: dates and texts of the other side (a bank's are
#: other by nature), informed, precedent, keeps_both, filled.
WEIGHTS: Final[Mapping[str, float]] = {
    "counterpart": 4.5,
    "counterpart:date": 0.3,
    "counterpart:text": 0.3,
    "balances": 3.2,
    "document": 3.2,
    "as_imported": 1.8,
    "like_source": 1.5,
    "slip": 1.2,
    "agreed": 4.0,
    "own_later": 2.2,
    "informed": 0.2,
    "reasoned": 0.6,
    "role": 1.0,
    "precedent": 0.3,
    "keeps_both": 1.5,
    "same_words": 4.0,
    "fuller": 0.3,
    "filled": 1.5,
}
#: The same for what is no clue: the value stands; nobody has proposed it; it is none of the options.
STANDS: Final = 0.2
UNPROPOSED: Final = -3.8
NONE_OF_THEM: Final = -1.3

#: Fields of free type whose values are as exact as an amount: where nobody is right, a document may be.
_EXACT_NAMES: Final = frozenset({"reference"})
_MOST_SURE: Final = 99


@dataclass(frozen=True, slots=True)
class Suggestion:
    """``confidence``: percent, 1 to 99. ``against``: (clue, the candidate it speaks for or None for what stands)."""

    option: Option
    confidence: int
    evidence: tuple[Clue, ...]
    against: tuple[tuple[Clue, str | None], ...]

    def view(self, say: Callable[[Clue], dict[str, Any]]) -> dict[str, Any]:
        """Text, whole numbers and lists. ``say``: the code and the sentence of a clue."""
        view: dict[str, Any] = {
            "strategy": self.option.strategy,
            "value": self.option.value,
            "confidence": self.confidence,
            **say(self.evidence[0]),
            "evidence": [say(clue) for clue in self.evidence],
            "against": [
                {**say(clue), **({} if edit_id is None else {"edit_id": edit_id})} for clue, edit_id in self.against
            ],
        }
        if self.option.edit_id is not None:
            view["edit_id"] = self.option.edit_id
        return view

    def summary(self) -> dict[str, Any]:
        """What the commit of a resolution says of it."""
        return {"value": self.option.value, "confidence": self.confidence, "code": self.evidence[0].code}


def suggested_records(record: RecordState | None) -> tuple[str, ...]:
    """The records that a suggestion about a field of this one looks at, beside it."""
    if record is None or record.match is None or len(record.match.records) > limits.MAX_PEERS:
        return ()
    return record.match.records


def suggest(state: SessionState, conflict: Conflict, weights: Mapping[str, float] = WEIGHTS) -> Suggestion | None:
    """None where nothing speaks for any value, or where the likeliest one cannot be set as the record stands.

    The conflict's record must be loaded; records of its match count where they are (`suggested_records`).
    """
    case = case_of(state, conflict)
    found = clues(case)
    shares = probabilities(case, found, weights)
    best = max(range(len(shares)), key=lambda index: (shares[index], -index))
    mine = _ranked(case.kind, found[best], weights)
    if not mine or not _permitted(case, case.options[best]):
        return None
    confidence = min(_MOST_SURE, max(1, int(100 * shares[best])))
    return Suggestion(case.options[best], confidence, mine, _against(case, found, best, weights))


def suggestion_view(state: SessionState, conflict: Conflict) -> dict[str, Any] | None:
    """What is suggested as clients see it."""
    suggestion = suggest(state, conflict)
    return None if suggestion is None else suggestion.view(lambda clue: spoken(_sentence(state, clue), {}))


def suggestion_data(state: SessionState, conflict: Conflict) -> dict[str, Any] | None:
    """What is suggested as it goes into a commit: who is named stands apart from the text (`core.names`)."""
    suggestion = suggest(state, conflict)
    return None if suggestion is None else suggestion.view(lambda clue: _sentence(state, clue))


def _sentence(state: SessionState, clue: Clue) -> dict[str, Any]:
    sentence: dict[str, Any] = {"code": clue.code, "reason": clue.reason}
    if clue.by:
        known = ((user_id, state.participants.get(user_id)) for user_id in clue.by)
        sentence["by"] = [
            {"user_id": user_id, "name": (person.name if person is not None else "") or user_id}
            for user_id, person in known
        ]
    return sentence


def probabilities(case: Case, found: Sequence[Sequence[Clue]], weights: Mapping[str, float] = WEIGHTS) -> list[float]:
    """Of each option, that it is the right one; what is missing to 1 is that none is."""
    scores = [
        sum(weight_of(weights, clue.code, case.kind) * clue.strength for clue in mine) + _bias(option)
        for option, mine in zip(case.options, found, strict=True)
    ]
    highest = max(*scores, NONE_OF_THEM)
    shares = [exp(score - highest) for score in scores]
    total = sum(shares) + exp(NONE_OF_THEM - highest)
    return [share / total for share in shares]


def weight_of(weights: Mapping[str, float], code: str, kind: FieldType) -> float:
    return weights.get(f"{code}:{kind}", weights[code])


def _bias(option: Option) -> float:
    if option.strategy == "keep_current":
        return STANDS
    return UNPROPOSED if option.strategy == "custom" else 0.0


def _ranked(kind: FieldType, found: Sequence[Clue], weights: Mapping[str, float]) -> tuple[Clue, ...]:
    worth = [(weight_of(weights, clue.code, kind) * clue.strength, clue) for clue in found]
    ranked = sorted((item for item in worth if item[0] > 0), key=lambda item: -item[0])
    return tuple(clue for _, clue in ranked[: limits.MAX_CLUES])


def _against(
    case: Case, found: Sequence[Sequence[Clue]], best: int, weights: Mapping[str, float]
) -> tuple[tuple[Clue, str | None], ...]:
    others = [
        (weight_of(weights, clue.code, case.kind) * clue.strength, clue, option.edit_id)
        for index, (option, mine) in enumerate(zip(case.options, found, strict=True))
        if index != best and option.proposed
        for clue in mine
    ]
    ranked = sorted((item for item in others if item[0] > 0), key=lambda item: -item[0])
    return tuple((clue, edit_id) for _, clue, edit_id in ranked[: limits.MAX_CLUES])


def _permitted(case: Case, option: Option) -> bool:
    if option.strategy == "keep_current":
        return True
    if refuse_settled(case.record, case.name) is not None:
        return False
    try:
        check_amounts(case.record, {case.name: option.value})
    except ValueError:
        return False
    return True


# -- the options -------------------------------------------------------------------------------------------------------


def case_of(state: SessionState, conflict: Conflict) -> Case:
    """The conflict with its options: what stands, what was proposed, both together, and what the documents say."""
    record = state.records[conflict.record_id]
    field = record.field_state(conflict.field_name)
    others, own = _peers(state, record)
    options = _proposed(conflict, field)
    options += _merged(conflict, field, options)
    case = Case(state, record, field, conflict, tuple(options), others, own)
    documented = _documented(case)
    return case if not documented else Case(state, record, field, conflict, (*options, *documented), others, own)


def _peers(state: SessionState, record: RecordState) -> tuple[tuple[RecordState, ...], tuple[RecordState, ...]]:
    """(other side, own side) of the record's match; nothing where one of them is not loaded."""
    names = suggested_records(record)
    records = [state.records[name] for name in names if name in state.records]
    if len(records) < len(names):
        return (), ()
    others = tuple(item for item in records if item.source != record.source)
    return others, tuple(item for item in records if item.source == record.source and item is not record)


def _proposed(conflict: Conflict, field: FieldState) -> list[Option]:
    """What stands, and the latest candidates that differ, each value once. Of each author the last word counts."""
    last = {} if field.user_id is None else {field.user_id: field.value}
    last |= {item.user_id: item.value for item in conflict.candidates}
    groups: list[tuple[Any, list[Candidate]]] = [(field.value, [])]
    for candidate in reversed(conflict.candidates[-limits.MAX_CANDIDATES :]):
        group = next((members for value, members in groups if same(value, candidate.value)), None)
        if group is not None:
            group.insert(0, candidate)
        elif len(groups) < limits.MAX_OPTIONS:
            groups.append((candidate.value, [candidate]))
    options = []
    for index, (value, members) in enumerate(groups):
        authors = tuple(user_id for user_id, said in last.items() if same(said, value))
        strategy, edit_id = ("keep_current", None) if index == 0 else ("take_candidate", members[-1].edit_id)
        options.append(Option(value, strategy, edit_id, authors, tuple(members)))
    return options


def _merged(conflict: Conflict, field: FieldState, options: list[Option]) -> list[Option]:
    """What stands and the newest candidate, both kept, where the field's type allows it and it can be done."""
    if field_type(conflict.field_name) in NEVER_MERGED or len(options) != 2:
        return []
    candidate = options[1].candidates[-1]
    known, base = conflict.base_for(candidate, field)
    done, value = keep_both(base, field.value, candidate.value) if known else (False, None)
    if not done or any(same(value, option.value) for option in options):
        return []
    return [Option(value, "merge", candidate.edit_id)]


def _documented(case: Case) -> list[Option]:
    """Exact values that a document has and nobody proposed."""
    if case.kind not in NEVER_MERGED and case.name not in _EXACT_NAMES:
        return []
    values = [case.imported]
    if case.kind is not FieldType.DATE:  # a bank's date is later by nature
        values = [case.counterpart, _balancing(case), case.imported]
    found: list[Option] = []
    for value in values:
        if value in (None, "", []) or any(agree(case.kind, value, item.value) for item in (*case.options, *found)):
            continue
        try:
            found.append(Option(check_new_value(case.record, case.name, value), "custom"))
        except ValueError:
            continue
    return found


def _balancing(case: Case) -> str | None:
    if case.balance is None:
        return None
    currency = case.record.currency
    try:
        return format_minor_units(int(case.balance.scaleb(minor_unit_exponent(currency))), currency)
    except ValueError:
        return None
