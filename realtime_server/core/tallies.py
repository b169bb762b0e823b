"""How the tallies follow the log: from the commits alone, never from the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from immutables import Map

from realtime_server.core.commits import Commit
from realtime_server.core.money import parse_minor_units
from realtime_server.core.reconciling import Reconciliation, Tally

_RECORD_STATUS: Final[Mapping[str, str]] = {"suggested": "suggested", "confirmed": "matched"}


def _added(counts: Map[Any, int], changes: Iterable[tuple[Any, int]]) -> Map[Any, int]:
    """Counts with changes added; what comes to zero is left out."""
    totals: dict[Any, int] = {}
    for name, change in changes:
        totals[name] = totals.get(name, 0) + change
    mutation = counts.mutate()
    for name, change in totals.items():
        value = mutation.get(name, 0) + change
        if value:
            mutation[name] = value
        elif name in mutation:
            del mutation[name]
    return mutation.finish()


#: (source, currency), 1 or -1 for what comes or goes, minor units.
_Moved = tuple[tuple[str, str], int, int]


def _with(tally: Tally, records: Iterable[tuple[str, int]], moved: Sequence[_Moved]) -> Tally:
    """The tally with these steps of records and amounts."""
    return replace(
        tally,
        records=_added(tally.records, records),
        settled=_added(tally.settled, [(place, step * minor) for place, step, minor in moved]),
        gross=_added(tally.gross, [(place, step * abs(minor)) for place, step, minor in moved]),
    )


def tally_matches(before: Reconciliation, commit: Commit) -> Reconciliation:
    records: list[tuple[str, int]] = []
    matches: list[tuple[str, int]] = []
    moved: list[_Moved] = []
    by_hand = before.tally.by_hand
    for entry in commit.data["matches"]:
        size = len(entry["ledger"]) + len(entry["statement"])
        for status, step in ((entry["was"], -1), (entry["status"], 1)):
            if status is None:
                continue
            records.append((_RECORD_STATUS[status], step * size))
            matches.append((status, step))
            if status == "confirmed":
                by_hand += step * _by_hand(entry)
                moved += [
                    ((source, currency), step, parse_minor_units(amount, currency))
                    for source, currency, amount in entry["sums"]
                ]
    counted = _added(before.tally.matches, matches)
    tally = replace(before.tally, matches=counted, by_hand=min(by_hand, counted.get("confirmed", 0)))
    return replace(before, tally=_with(tally, records, moved))


def _by_hand(entry: Mapping[str, Any]) -> bool:
    """Whether a person made the match, or gave a reason for it. Older logs do not say it of one that is undone."""
    return "rule_id" in entry and (entry["rule_id"] is None or bool(entry.get("reason", "").strip()))


def tally_statuses(before: Reconciliation, commit: Commit) -> Reconciliation:
    """Records set aside, or taken back: ``changes``: {record_id, source, was, status, currency, amount}."""
    records: list[tuple[str, int]] = []
    moved: list[_Moved] = []
    for item in commit.data["changes"]:
        for status, step in ((item["was"], -1), (item["status"], 1)):
            if status == "unmatched":
                continue
            records.append((status, step))
            if item["amount"] is not None:
                minor = parse_minor_units(item["amount"], item["currency"])
                moved.append(((item["source"], item["currency"]), step, minor))
    return replace(before, tally=_with(before.tally, records, moved))
