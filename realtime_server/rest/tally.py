"""What a log says of the work in its session, counted commit by commit in bounded memory."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Any, Final

from realtime_server.core.clock import to_iso
from realtime_server.core.commits import Commit
from realtime_server.core.edits import fields_set
from realtime_server.core.values import field_type

#: Each bucket of a distribution is so much wider than the one before; values within are told by its middle.
_WIDTH: Final = 1.04
#: Records whose last lease is remembered, to tell a hand-over; the ones longest unused are forgotten.
_LEASES: Final = 10_000
#: Days and people that are told apart. Ten years, and all that a session can admit.
_GROUPS: Final = 4_000
_ACTIVITIES: Final = ("commits", "edits", "conflicts", "resolutions", "locks", "takeovers", "comments")


class Durations:
    """A distribution of milliseconds, in buckets, so that a million of them take no more room than a hundred."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._longest = 0

    def add(self, milliseconds: int) -> None:
        self._buckets[0 if milliseconds < 1 else 1 + int(math.log(milliseconds, _WIDTH))] += 1
        self._longest = max(self._longest, milliseconds)

    def _quantile(self, share: float) -> float | None:
        count = self._buckets.total()
        rank, seen = math.ceil(share * count), 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= rank:
                middle = 0.0 if bucket == 0 else _WIDTH ** (bucket - 0.5)
                return round(min(middle, self._longest) / 1000, 3)
        return None

    def view(self) -> dict[str, Any]:
        """Seconds; None where nothing was measured."""
        count = self._buckets.total()
        return {
            "count": count,
            "median": self._quantile(0.5),
            "p95": self._quantile(0.95),
            "longest": self._longest / 1000 if count else None,
        }


class Tally:
    """Counts of a log up to ``seq``; `add` takes the next commits."""

    def __init__(self) -> None:
        self.seq = 0
        self._types: Counter[str] = Counter()
        self._fields_set = self._undone = self._redone = self._candidates = 0
        self._by_type: Counter[str] = Counter()
        self._by_policy: Counter[str] = Counter()
        self._by_strategy: Counter[str] = Counter()
        self._opened: dict[str, int] = {}
        self._time_to_resolve = Durations()
        #: record -> (who holds or held its last lease, since when, is it over)
        self._leases: OrderedDict[str, tuple[str, int, bool]] = OrderedDict()
        self._held, self._waits = Durations(), Durations()
        self._by_user: dict[str, Counter[str]] = {}
        self._by_day: dict[str, Counter[str]] = {}

    def add(self, commits: Iterable[Commit]) -> None:
        for commit in commits:
            self.seq = commit.seq
            self._types[commit.message_type] += 1
            match commit.family:
                case "edit":
                    self._edit(commit)
                case "conflict":
                    self._conflict(commit)
                case "lock":
                    self._lock(commit)
            self._activities(commit)

    def _edit(self, commit: Commit) -> None:
        self._fields_set += len(fields_set(commit))
        self._undone += "undo_of" in commit.data
        self._redone += "redo_of" in commit.data

    def _conflict(self, commit: Commit) -> None:
        data = commit.data
        if commit.message_type == "conflict.resolved":
            self._by_strategy[data["strategy"]] += 1
            opened = self._opened.pop(data["conflict_id"], None)
            if opened is not None:
                self._time_to_resolve.add(commit.at - opened)
            return
        self._candidates += 1
        if commit.message_type == "conflict.detected":
            self._opened[data["conflict_id"]] = commit.at
            self._by_type[field_type(data["field_name"]).value] += 1
            self._by_policy[data["policy"]] += 1

    def _lock(self, commit: Commit) -> None:
        kind, record_id = commit.message_type.partition(".")[2], commit.data["record_id"]
        if kind == "renewed":
            return
        before = self._leases.pop(record_id, None)
        if before is not None and not before[2]:
            self._held.add(commit.at - before[1])
        if kind in ("released", "expired"):
            if before is not None:
                self._leases[record_id] = (before[0], before[1], True)
            return
        holder = commit.data["holder"]["user_id"]
        if before is not None and before[0] != holder:
            self._waits.add(commit.at - before[1])
        self._leases[record_id] = (holder, commit.at, False)
        if len(self._leases) > _LEASES:
            self._leases.popitem(last=False)

    def _activities(self, commit: Commit) -> None:
        done = ["commits"]
        kind = commit.message_type
        if commit.family == "edit":
            done.append("edits")
        elif kind in ("conflict.detected", "conflict.extended"):
            done.append("conflicts")
        elif kind == "conflict.resolved":
            done.append("resolutions")
        elif kind in ("lock.acquired", "lock.taken_over"):
            done.append("locks")
        elif kind == "comment.added":
            done.append("comments")
        if kind == "lock.taken_over":
            done.append("takeovers")
        for groups, name in ((self._by_user, commit.user_id), (self._by_day, _day(commit.at))):
            if name in groups or len(groups) < _GROUPS:
                groups.setdefault(name, Counter()).update(done)

    def view(self) -> dict[str, Any]:
        """As `schemas.rest_answers.Analytics` says."""
        return {
            "as_of": self.seq,
            "edits": self._edits_view(),
            "conflicts": self._conflicts_view(),
            "locks": {
                **{name: self._types[f"lock.{name}"] for name in ("acquired", "renewed", "released", "expired")},
                "taken_over": self._types["lock.taken_over"],
                "held": self._held.view(),
                "waits": self._waits.view(),
            },
            "by_user": {name: _counted(counts) for name, counts in sorted(self._by_user.items())},
            "by_day": {name: _counted(counts) for name, counts in sorted(self._by_day.items())},
        }

    def _edits_view(self) -> dict[str, int]:
        applied, merged = self._types["edit.applied"], self._types["edit.merged"]
        batches = self._types["edit.batch_applied"]
        return {
            "total": applied + merged + batches,
            "applied": applied,
            "merged": merged,
            "batches": batches,
            "fields_set": self._fields_set,
            "undone": self._undone,
            "redone": self._redone,
        }

    def _conflicts_view(self) -> dict[str, Any]:
        detected, resolved = self._types["conflict.detected"], self._types["conflict.resolved"]
        automatic = self._types["edit.merged"]
        clashes = detected + automatic
        return {
            "detected": detected,
            "candidates": self._candidates,
            "open": detected - resolved,
            "resolved": resolved,
            "by_type": dict(self._by_type),
            "by_policy": dict(self._by_policy),
            "automatic": automatic,
            "by_strategy": dict(self._by_strategy),
            "share_resolved": round((automatic + resolved) / clashes, 4) if clashes else None,
            "time_to_resolve": self._time_to_resolve.view(),
        }


def _counted(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in _ACTIVITIES}


def _day(at: int) -> str:
    """Of an instant in milliseconds: ``"2026-11-22"``, in UTC."""
    return to_iso(at - at % 86_400_000)[:10]
