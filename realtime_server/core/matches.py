"""Matches: found by a run, judged by people, made and undone by hand. Nothing is matched twice.

A match stands in every record it joins. Deciding looks at the records as they are now, so of two who want the same
record one is told `already_matched`, on whichever instances they are. Bulk actions do what can be done, in one commit,
and answer for each item; when nothing can be done nothing is stored.

Every commit of the family has the same shape: ``record_ids``, and ``matches``: for each match ``match_id``, ``ledger``,
``statement``, ``sums`` ([source, currency, amount]), ``was`` and ``status`` (suggested, confirmed, or null), for one
that stands ``rule_id``, ``score``, ``reasons``, and for one that was confirmed, and is undone, ``rule_id``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from realtime_server.core import limits
from realtime_server.core.commits import Commit, Draft
from realtime_server.core.edits import set_field
from realtime_server.core.locks import refuse_locked
from realtime_server.core.matching.rejections import signature
from realtime_server.core.money import format_minor_units, parse_minor_units
from realtime_server.core.numbers import plain_number
from realtime_server.core.outcomes import NoChange, Outcome, item_refused, reject
from realtime_server.core.reconciliation_commands import (
    ConfirmMatches,
    Found,
    MakeMatch,
    ProposeMatches,
    RejectMatches,
    RemoveMatches,
    SplitMatch,
)
from realtime_server.core.reconciling import Match, MatchStatus, RunStatus, anchor_of, match_id_of, plain
from realtime_server.core.state import Changes, RecordState, SessionState
from realtime_server.core.tallies import tally_matches
from realtime_server.core.values import RecordStatus, check_text
from realtime_server.errors import ErrorCode, Rejection

Sums = tuple[tuple[str, str, int], ...]

_FIELD_STATUS: Final[Mapping[str | None, str]] = {
    MatchStatus.SUGGESTED: RecordStatus.SUGGESTED.value,
    MatchStatus.CONFIRMED: RecordStatus.MATCHED.value,
    None: RecordStatus.UNMATCHED.value,
}


@dataclass(slots=True)
class _Bulk:
    """A bulk action on its way: ``after``, what its earlier items made of records; ``results``, one an item."""

    state: SessionState
    disputed: frozenset[str] = frozenset()
    after: dict[str, Match | None] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)

    def match_of(self, record_id: str) -> Match | None:
        if record_id in self.after:
            return self.after[record_id]
        record = self.state.records.get(record_id)
        return None if record is None else record.match

    def find(self, match_id: str) -> Match | Rejection:
        match = self.match_of(anchor_of(match_id))
        if match is None or match.match_id != match_id:
            return reject(ErrorCode.NOT_FOUND, f"there is no match {match_id}", match_id=match_id)
        return match

    def add(self, match: Match, was: MatchStatus | None, status: MatchStatus | None) -> None:
        self.entries.append(_entry(match, was, status))
        for record_id in match.records:
            self.after[record_id] = match if status is not None else None

    def refuse(self, name: str, value: Any, rejection: Rejection) -> None:
        self.results.append(item_refused(name, value, rejection))

    def done(self, name: str, value: Any, **more: Any) -> None:
        self.results.append({name: value, "ok": True, **more})

    def outcome(self, message_type: str, **more: Any) -> Outcome:
        if not self.entries:
            return NoChange({"seq": self.state.seq, "results": self.results})
        touched = dict.fromkeys(record for entry in self.entries for side in _SIDES for record in entry[side])
        data: dict[str, Any] = {"record_ids": list(touched), "matches": self.entries, "results": self.results}
        data.update((name, value) for name, value in more.items() if value is not None)
        return Draft(message_type, data)


_SIDES: Final = ("ledger", "statement")


def _entry(match: Match, was: MatchStatus | None, status: MatchStatus | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "match_id": match.match_id,
        "ledger": list(match.ledger),
        "statement": list(match.statement),
        "sums": [[source, currency, format_minor_units(minor, currency)] for source, currency, minor in match.sums],
        "was": None if was is None else was.value,
        "status": None if status is None else status.value,
    }
    if status is not None or was is MatchStatus.CONFIRMED:
        entry["rule_id"] = match.rule_id
        if match.reason is not None:
            entry["reason"] = match.reason
    if status is not None:
        entry |= {"score": _plain(match.score), "reasons": plain(match.reasons)}
    return entry


# -- what may be -------------------------------------------------------------------------------------------------------


def _free(bulk: _Bulk, user_id: str, records: Sequence[str], sides: tuple[int, int], now: int) -> Rejection | None:
    """Why these records cannot be matched by this person now. ``sides``: how many are of the ledger, and the rest."""
    if not 2 <= len(records) <= limits.MAX_MATCH_RECORDS or len(set(records)) < len(records):
        message = f"a match has 2 to {limits.MAX_MATCH_RECORDS} records, each once"
        return reject(ErrorCode.INVALID, message)
    for place, record_id in enumerate(records):
        record = bulk.state.records.get(record_id)
        if record is None:
            return reject(ErrorCode.NOT_FOUND, f"there is no record {record_id}", record_id=record_id)
        source = "ledger" if place < sides[0] else "statement"
        if record.source != source:
            return reject(ErrorCode.INVALID, f"{record_id} is not of the {source}", record_id=record_id)
        problem = _taken(bulk, record) or refuse_locked(bulk.state, record_id, user_id, None, now)
        if problem is not None:
            return problem
    return None


def _taken(bulk: _Bulk, record: RecordState) -> Rejection | None:
    match = bulk.match_of(record.record_id)
    if match is not None and match.status is MatchStatus.CONFIRMED:
        return reject(
            ErrorCode.ALREADY_MATCHED,
            f"{record.record_id} is matched already",
            record_id=record.record_id,
            match_id=match.match_id,
        )
    return None


def _held(bulk: _Bulk, user_id: str, match: Match, now: int) -> Rejection | None:
    """Somebody else's lock on a record of the match."""
    problems = (refuse_locked(bulk.state, record_id, user_id, None, now) for record_id in match.records)
    return next((problem for problem in problems if problem is not None), None)


def sums_of(state: SessionState, ledger: Sequence[str], statement: Sequence[str]) -> Sums | Rejection:
    """What the records come to now, by source and currency."""
    totals: dict[tuple[str, str], int] = {}
    for source, records in (("ledger", ledger), ("statement", statement)):
        for record_id in records:
            record = state.records[record_id]
            try:
                minor = parse_minor_units(record.value("amount") or "", record.currency)
            except ValueError:
                return reject(ErrorCode.UNBALANCED, f"{record_id} has no amount", record_id=record_id)
            totals[source, record.currency] = totals.get((source, record.currency), 0) + minor
    return tuple((source, currency, minor) for (source, currency), minor in sorted(totals.items()))


def _balance(state: SessionState, sums: Sums, rule_id: str | None, reason: str | None) -> Rejection | None:
    """Nets to zero, or to what the match's rule allows; or somebody says why not."""
    if reason is not None and reason.strip():
        return None
    sign = state.reconciliation.run.statement_sign if state.reconciliation.run is not None else 1
    by_currency: dict[str, list[int]] = {}
    for source, currency, minor in sums:
        pair = by_currency.setdefault(currency, [0, 0])
        pair[source == "statement"] += minor if source == "ledger" else sign * minor
    rule = state.reconciliation.rules.rule(rule_id) if rule_id is not None else None
    off = {
        currency: ledger - statement
        for currency, (ledger, statement) in by_currency.items()
        if abs(ledger - statement) > (0 if rule is None else rule.tolerance(ledger, statement))
    }
    if not off:
        return None
    shown = {currency: format_minor_units(minor, currency) for currency, minor in off.items()}
    told = ", ".join(f"{amount} {currency}" for currency, amount in shown.items())
    message = f"the two sides differ by {told}: give a reason, or change the match"
    return reject(ErrorCode.UNBALANCED, message, difference=shown)


# -- decisions ---------------------------------------------------------------------------------------------------------


def decide_propose(state: SessionState, command: ProposeMatches, now: int) -> Outcome:
    run = state.reconciliation.run
    if run is None or run.run_id != command.run_id or run.status is not RunStatus.RUNNING:
        return reject(ErrorCode.INVALID, f"run {command.run_id} is not running", run_id=command.run_id)
    if run.runner != command.runner:
        return reject(ErrorCode.LOCK_LOST, "another instance works on this run", run_id=command.run_id)
    if len(command.items) > limits.MAX_BULK:
        return reject(ErrorCode.INVALID, f"a chunk has at most {limits.MAX_BULK} matches")
    bulk = _Bulk(state, frozenset(record_id for record_id, _ in state.conflicts.values()))
    for position, item in enumerate(command.items):
        problem = _propose(bulk, command.actor.user_id, item, position, now)
        if problem is None:
            bulk.done("index", position)
        else:
            bulk.refuse("index", position, problem)
    return bulk.outcome("match.suggested", run_id=command.run_id)


def _propose(bulk: _Bulk, user_id: str, item: Found, position: int, now: int) -> Rejection | None:
    state, records = bulk.state, item.ledger + item.statement
    problem = _free(bulk, user_id, records, (len(item.ledger), len(item.statement)), now)
    if problem is not None:
        return problem
    for record_id in records:
        record = state.records[record_id]
        if bulk.match_of(record_id) is not None or record.disposition is not None:
            return reject(ErrorCode.ALREADY_MATCHED, f"{record_id} is spoken for", record_id=record_id)
        if record_id in bulk.disputed:
            # People disagree on it: what it will be is not known yet.
            return reject(ErrorCode.LOCKED, f"{record_id} has an open conflict", record_id=record_id)
    if signature(records) in state.records[records[0]].rejected:
        return reject(ErrorCode.ALREADY_RESOLVED, "this was suggested before, and rejected")
    sums = sums_of(state, item.ledger, item.statement)
    if isinstance(sums, Rejection):
        return sums
    problem = _balance(state, sums, item.rule_id, None)
    if problem is not None:
        return problem
    undone = any(_was_unmatched(state.records[record_id]) for record_id in records)
    status = MatchStatus.CONFIRMED if item.confirmed and not undone else MatchStatus.SUGGESTED
    match = _new(bulk, position, item.ledger, item.statement, sums, status, user_id)
    said = ("a match of it was undone", *item.reasons) if undone else item.reasons
    reasons = tuple(reason[: limits.MAX_REASON_TEXT] for reason in said[: limits.MAX_REASONS])
    bulk.add(replace(match, rule_id=item.rule_id, score=_plain(item.score), reasons=reasons), None, status)
    return None


def _was_unmatched(record: RecordState) -> bool:
    """Whether the last that became of the record is that a match of it was undone: a person judges the next one."""
    history = record.field_state("status").history
    return bool(history) and history[-1][1] == RecordStatus.MATCHED.value


def _new(
    bulk: _Bulk,
    position: int,
    ledger: tuple[str, ...],
    statement: tuple[str, ...],
    sums: Sums,
    status: MatchStatus,
    user_id: str,
) -> Match:
    seq = bulk.state.seq + 1
    match_id = match_id_of(seq, position, (ledger or statement)[0])
    return Match(match_id, status, ledger, statement, sums, None, None, (), user_id, seq)


def _each(
    state: SessionState, match_ids: Sequence[str], act: Callable[[_Bulk, Match], Rejection | None]
) -> _Bulk | Rejection:
    """A bulk action on matches."""
    if not 1 <= len(match_ids) <= limits.MAX_BULK:
        return reject(ErrorCode.INVALID, f"name 1 to {limits.MAX_BULK} matches")
    bulk = _Bulk(state)
    for match_id in dict.fromkeys(match_ids):
        match = bulk.find(match_id)
        problem = match if isinstance(match, Rejection) else act(bulk, match)
        if problem is None:
            bulk.done("match_id", match_id)
        else:
            bulk.refuse("match_id", match_id, problem)
    return bulk


def decide_confirm(state: SessionState, command: ConfirmMatches, now: int) -> Outcome:
    def act(bulk: _Bulk, match: Match) -> Rejection | None:
        if match.status is MatchStatus.CONFIRMED:
            return reject(ErrorCode.ALREADY_MATCHED, "this match is confirmed already", match_id=match.match_id)
        sums = sums_of(state, match.ledger, match.statement)
        if isinstance(sums, Rejection):
            return sums
        problem = _held(bulk, command.actor.user_id, match, now)
        problem = problem or _balance(state, sums, match.rule_id, command.reason)
        if problem is None:
            bulk.add(replace(match, sums=sums, reason=command.reason), match.status, MatchStatus.CONFIRMED)
        return problem

    bulk = _each(state, command.match_ids, act)
    return bulk if isinstance(bulk, Rejection) else bulk.outcome("match.confirmed", reason=command.reason)


def decide_reject(state: SessionState, command: RejectMatches, now: int) -> Outcome:
    def act(bulk: _Bulk, match: Match) -> Rejection | None:
        if match.status is MatchStatus.CONFIRMED:
            return reject(ErrorCode.ALREADY_MATCHED, "this match is confirmed: unmatch it", match_id=match.match_id)
        problem = _held(bulk, command.actor.user_id, match, now)
        if problem is None:
            bulk.add(match, match.status, None)
        return problem

    bulk = _each(state, command.match_ids, act)
    return bulk if isinstance(bulk, Rejection) else bulk.outcome("match.rejected", reason=command.reason)


def decide_remove(state: SessionState, command: RemoveMatches, now: int) -> Outcome:
    def act(bulk: _Bulk, match: Match) -> Rejection | None:
        if match.status is not MatchStatus.CONFIRMED:
            return reject(ErrorCode.INVALID, "this is a suggestion: reject it", match_id=match.match_id)
        problem = _held(bulk, command.actor.user_id, match, now)
        if problem is None:
            bulk.add(match, match.status, None)
        return problem

    bulk = _each(state, command.match_ids, act)
    return bulk if isinstance(bulk, Rejection) else bulk.outcome("match.removed", reason=command.reason)


def decide_make(state: SessionState, command: MakeMatch, now: int) -> Outcome:
    """By hand: suggestions that its records had are dissolved by it, for a person knows better than a run."""
    bulk = _Bulk(state)
    problem = _make(bulk, command.actor.user_id, (command.ledger, command.statement), 0, command.reason, now)
    if problem is not None:
        return problem
    return bulk.outcome("match.created", reason=command.reason)


def _make(
    bulk: _Bulk,
    user_id: str,
    sides: tuple[tuple[str, ...], tuple[str, ...]],
    position: int,
    reason: str | None,
    now: int,
) -> Rejection | None:
    ledger, statement = sides
    problem = _free(bulk, user_id, ledger + statement, (len(ledger), len(statement)), now)
    if problem is not None:
        return problem
    for record_id in ledger + statement:
        if bulk.state.records[record_id].disposition is not None:
            message = f"{record_id} is set aside: take that back first"
            return reject(ErrorCode.INVALID, message, record_id=record_id)
    sums = sums_of(bulk.state, ledger, statement)
    if isinstance(sums, Rejection):
        return sums
    problem = _balance(bulk.state, sums, None, reason)
    if problem is not None:
        return problem
    for record_id in ledger + statement:
        suggested = bulk.match_of(record_id)
        if suggested is not None:
            bulk.add(suggested, suggested.status, None)
    match = _new(bulk, position, ledger, statement, sums, MatchStatus.CONFIRMED, user_id)
    bulk.add(replace(match, reason=reason), None, MatchStatus.CONFIRMED)
    bulk.done("match_id", match.match_id)
    return None


def decide_split(state: SessionState, command: SplitMatch, now: int) -> Outcome:
    bulk = _Bulk(state)
    match = bulk.find(command.match_id)
    if isinstance(match, Rejection):
        return match
    named = [record_id for ledger, statement in command.parts for record_id in ledger + statement]
    if not set(named) <= set(match.records) or len(set(named)) < len(named) or not command.parts:
        return reject(ErrorCode.INVALID, "the parts hold records of the match, each once", match_id=match.match_id)
    problem = _held(bulk, command.actor.user_id, match, now)
    if problem is not None:
        return problem
    bulk.add(match, match.status, None)
    for position, part in enumerate(command.parts):
        problem = _make(bulk, command.actor.user_id, part, position, command.reason, now)
        if problem is not None:
            return replace(problem, details={**problem.details, "index": position})
    return bulk.outcome("match.split", reason=command.reason)


def records_of_matches(state: SessionState, match_ids: Iterable[str]) -> frozenset[str]:
    """The records of these matches, so far as the records they are found in are loaded; those at least."""
    needed: set[str] = set()
    for match_id in match_ids:
        anchor = anchor_of(match_id)
        needed.add(anchor)
        record = state.records.get(anchor)
        if record is not None and record.match is not None and record.match.match_id == match_id:
            needed.update(record.match.records)
    return frozenset(needed)


def records_with_matches(state: SessionState, record_ids: Iterable[str]) -> frozenset[str]:
    """These records and, so far as they are loaded, all records of the suggestions they are in."""
    needed = set(record_ids)
    for record_id in tuple(needed):
        record = state.records.get(record_id)
        if record is not None and record.match is not None:
            needed.update(record.match.records)
    return frozenset(needed)


# -- what it makes of the state ----------------------------------------------------------------------------------------


def evolve_match(state: SessionState, commit: Commit) -> Changes:
    records = state.records
    refused = commit.message_type == "match.rejected"
    after: dict[str, Match | None] = {}
    marks: dict[str, str] = {}
    for entry in commit.data["matches"]:
        match = _match_from(entry, commit)
        members = (*entry["ledger"], *entry["statement"])
        after.update(dict.fromkeys(members, match))
        if refused:
            marks.update(dict.fromkeys(members, signature(members)))
    mutation = records.mutate()
    for record_id, match in after.items():
        record = records[record_id]
        if record.seq < commit.seq:
            mutation[record_id] = _joined(record, match, marks.get(record_id), commit)
    return Changes(records=mutation.finish(), reconciliation=tally_matches(state.reconciliation, commit))


def _joined(record: RecordState, match: Match | None, mark: str | None, commit: Commit) -> RecordState:
    status = _FIELD_STATUS[None if match is None else match.status]
    rejected = record.rejected if mark is None else (*record.rejected, mark)[-limits.MAX_REJECTED :]
    changed = replace(record, match=match, disposition=None, rejected=rejected, seq=commit.seq)
    return changed if record.value("status") == status else set_field(changed, "status", status, commit)


def _match_from(entry: Mapping[str, Any], commit: Commit) -> Match | None:
    if entry["status"] is None:
        return None
    return Match(
        match_id=entry["match_id"],
        status=MatchStatus(entry["status"]),
        ledger=tuple(entry["ledger"]),
        statement=tuple(entry["statement"]),
        sums=tuple((source, currency, parse_minor_units(text, currency)) for source, currency, text in entry["sums"]),
        rule_id=entry["rule_id"],
        score=entry["score"],
        reasons=tuple(entry["reasons"]),
        user_id=commit.user_id,
        seq=commit.seq,
        reason=entry.get("reason"),
    )


def match_answer(commit: Commit) -> Mapping[str, Any]:
    """``seq`` and ``results``; for a match by hand ``match_id`` too."""
    answer: dict[str, Any] = {"seq": commit.seq, "results": commit.data["results"]}
    if commit.message_type == "match.created":
        answer["match_id"] = commit.data["results"][0]["match_id"]
    return answer


def check_names(*names: str | None) -> str | None:
    """A sentence when one of these texts cannot be an id or a name."""
    for name in names:
        if name is not None:
            try:
                check_text(name, limits.MAX_NAME)
            except ValueError as error:
                return str(error)
    return None


def _plain(score: float | None) -> float | None:
    return None if score is None else plain_number(score)
