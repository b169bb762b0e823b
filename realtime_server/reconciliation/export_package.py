"""The package that an auditor is given: what was matched and what was not, what was said, who signed, and the log.

Everything is as of one commit, whatever happens meanwhile. Tables are CSV for people and JSON for programs; the log is
as `audit export` writes it, with its chain of hashes. ``manifest.json`` has the SHA-256 of every file and the head of
the chain, ``SHA256SUMS`` the manifest's too, for ``sha256sum --check``. `export_check` looks whether all of it holds.
"""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from realtime_server.core.clock import to_iso
from realtime_server.core.commits import ChainVerifier, Commit, named
from realtime_server.core.money import format_minor_units
from realtime_server.core.reconciling import Match, anchor_of, difference
from realtime_server.core.runs import counts, run_view
from realtime_server.core.state import RecordState, SessionState
from realtime_server.core.workflow import workflow_view
from realtime_server.engine.engine import Engine
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import CommitLog, RecordStore
from realtime_server.reconciliation.export_files import Table, join_json, sha256_of
from realtime_server.reconciliation.export_report import write_report
from realtime_server.reconciliation.loading import PAGE, Totals
from realtime_server.reconciliation.past import RecordsAsOf, commits_between
from realtime_server.storage.audit_export import CsvTable, JsonLines

MATCH_COLUMNS: Final = (
    "match_id", "status", "ledger", "statement", "sums", "difference", "rule_id", "score", "reasons", "reason",
    "user_id", "seq",
)  # fmt: skip
EXCEPTION_COLUMNS: Final = (
    "record_id", "source", "external_id", "date", "amount", "currency", "description", "reference", "status",
    "assignee", "reason", "user_id", "timestamp",
)  # fmt: skip
COMMENT_COLUMNS: Final = (
    "comment_id", "record_id", "parent_id", "timestamp", "user_id", "name", "text", "mentions", "resolved_at",
    "resolved_by",
)  # fmt: skip
SIGNOFF_COLUMNS: Final = (
    "seq", "timestamp", "event", "user_id", "name", "role", "final", "text", "suspended_by", "difference",
)  # fmt: skip
_TABLES: Final = ("matches", "exceptions", "comments", "signoffs")
_SIGNING: Final = frozenset(
    f"reconciliation.{kind}" for kind in ("submitted", "reviewed", "approved", "rejected", "reopened")
)
#: Commits written at a time, in a thread.
_COMMITS: Final = 250
_VALUES: Final = ("date", "amount", "currency", "description", "reference", "assignee")


@dataclass(slots=True)
class _Log:
    """What a pass over the log leaves to be known: why records were set aside, which comments were settled, and the ids
    of the imports."""

    reasons: dict[str, dict[str, Any]] = field(default_factory=dict)
    resolved: dict[str, dict[str, str]] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)


class PackageWriter:
    """Writes packages into folders of their own. ``clock``: milliseconds since 1970."""

    def __init__(self, engine: Engine, log: CommitLog, records: RecordStore, clock: Callable[[], int]) -> None:
        self._engine, self._log, self._records, self._clock = engine, log, records, clock

    async def write(self, session_id: str, folder: Path, exported_by: str) -> Mapping[str, Any]:
        """All files into an empty folder; the manifest. `internal` where the log does not hold: `audit verify` says
        where."""
        state = await self._engine.inspect(session_id)
        known, head, rows = await self._write_log(state, folder)
        more, totals = await self._write_records(state, folder, known)
        rows |= more
        summary = self._summary(state, head, totals, {**rows}, exported_by)
        return await asyncio.to_thread(_finish, folder, summary)

    async def _write_log(self, state: SessionState, folder: Path) -> tuple[_Log, str, dict[str, int]]:
        verifier = ChainVerifier(state.session_id)
        known = _Log()
        suspended = {item.seq: item.suspended_by for item in state.reconciliation.workflow.signoffs}
        with ExitStack() as stack:
            lines = stack.enter_context((folder / "audit.jsonl").open("w", encoding="utf-8", newline="\n"))
            cells = stack.enter_context((folder / "audit.csv").open("w", encoding="utf-8-sig", newline=""))
            signoffs = stack.enter_context(Table(folder, "signoffs", SIGNOFF_COLUMNS))
            writers = (JsonLines(lines), CsvTable(cells))
            batch: list[Commit] = []

            def write(commits: Sequence[Commit]) -> None:
                for commit in commits:
                    problem = verifier.check(commit)
                    if problem is not None:
                        raise CollaborationError(ErrorCode.INTERNAL, f"the log does not hold: {problem.problem}")
                    for writer in writers:
                        writer.write(commit)
                    _note(known, commit)
                    if commit.message_type in _SIGNING:
                        signoffs.add(_signing_row(commit, suspended.get(commit.seq)))

            async for commit in commits_between(self._log, state.session_id, 0, state.seq):
                batch.append(commit)
                if len(batch) == _COMMITS:
                    await asyncio.to_thread(write, batch)
                    batch = []
            await asyncio.to_thread(write, batch)
            rows = {"signoffs": signoffs.rows}
        if (verifier.seq, verifier.head) != (state.seq, state.hash):
            raise CollaborationError(ErrorCode.INTERNAL, "the log does not lead to the session as it is")
        return known, verifier.head, {**rows, "comments": await self._write_comments(state, folder, known)}

    async def _write_comments(self, state: SessionState, folder: Path, known: _Log) -> int:
        """A second pass: what became of a comment stands further on in the log."""
        with Table(folder, "comments", COMMENT_COLUMNS) as table:
            async for commit in commits_between(self._log, state.session_id, 0, state.seq):
                if commit.message_type == "comment.added":
                    table.add(_comment_row(commit, known.resolved.get(commit.data["comment_id"], {})))
            return table.rows

    async def _write_records(self, state: SessionState, folder: Path, known: _Log) -> tuple[dict[str, int], Totals]:
        past = RecordsAsOf(self._log, self._records, state, state.seq, known.imports)
        totals, sign = Totals(state.seq), _sign(state)
        with (
            Table(folder, "matches", MATCH_COLUMNS) as matches,
            Table(folder, "exceptions", EXCEPTION_COLUMNS) as exceptions,
        ):

            def write(records: Sequence[RecordState]) -> None:
                for record in records:
                    totals.add(record)
                    match = record.match
                    if match is None or record.disposition is not None or match.status.value == "suggested":
                        exceptions.add(_exception_row(record, known.reasons.get(record.record_id, {})))
                    # Every record of a match holds it.
                    if match is not None and anchor_of(match.match_id) == record.record_id:
                        matches.add(match_row(match, sign))

            after: str | None = None
            while page := await self._records.page(state.session_id, after=after, limit=PAGE):
                after = page[-1].record_id
                await asyncio.to_thread(write, await past.of(page))
            return {"matches": matches.rows, "exceptions": exceptions.rows}, totals

    def _summary(
        self, state: SessionState, head: str, totals: Totals, rows: Mapping[str, int], exported_by: str
    ) -> dict[str, Any]:
        reconciliation = state.reconciliation
        unexplained = difference(totals.sums, reconciliation.tally.settled, _sign(state))
        counted = counts(reconciliation)
        settled = counted["matched"] + counted["exceptions"] + counted["excluded"]
        return {
            "session_id": state.session_id,
            "session_name": state.name,
            "project_id": state.project_id,
            "exported_at": to_iso(self._clock()),
            "exported_by": exported_by,
            "as_of": state.seq,
            "head": head,
            "signed": any(item.final for item in reconciliation.workflow.standing),
            "workflow": workflow_view(reconciliation),
            "run": run_view(reconciliation),
            "records": totals.records,
            "open_records": totals.records - settled,
            "counts": counted,
            "difference": {name: format_minor_units(minor, name) for name, minor in unexplained.items()},
            "people": [
                {"user_id": item.user_id, "name": item.name, "role": item.role.value}
                for item in state.participants.values()
            ],
            "rows": dict(rows),
        }


def _sign(state: SessionState) -> int:
    run = state.reconciliation.run
    return 1 if run is None else run.statement_sign


def match_row(match: Match, sign: int) -> dict[str, Any]:
    """A match as clients see it. ``sign``: -1 where the statement counts the other way."""
    apart: dict[str, int] = {}
    for source, currency, minor in match.sums:
        apart[currency] = apart.get(currency, 0) + (minor if source == "ledger" else -sign * minor)
    return {
        "match_id": match.match_id,
        "status": match.status.value,
        "ledger": list(match.ledger),
        "statement": list(match.statement),
        "sums": [
            {"source": source, "currency": currency, "amount": format_minor_units(minor, currency)}
            for source, currency, minor in match.sums
        ],
        "difference": {currency: format_minor_units(minor, currency) for currency, minor in apart.items()},
        "rule_id": match.rule_id,
        "score": match.score,
        "reasons": list(match.reasons),
        "reason": match.reason,
        "user_id": match.user_id,
        "seq": match.seq,
    }


def _exception_row(record: RecordState, aside: Mapping[str, Any]) -> dict[str, Any]:
    row = {"record_id": record.record_id, "source": record.source, "external_id": record.external_id}
    row |= {name: record.value(name) for name in _VALUES}
    return {**row, "status": record.value("status"), **(aside if record.disposition is not None else {})}


def _comment_row(commit: Commit, resolved: Mapping[str, str]) -> dict[str, Any]:
    data = named(commit)
    names = ("comment_id", "record_id", "parent_id", "name", "text", "mentions")
    about = {name: data[name] for name in names}
    return {**about, "timestamp": to_iso(commit.at), "user_id": commit.user_id, **resolved}


def _signing_row(commit: Commit, suspended_by: int | None) -> dict[str, Any]:
    data = named(commit)
    return {
        "seq": commit.seq,
        "timestamp": to_iso(commit.at),
        "event": commit.message_type.partition(".")[2],
        "user_id": commit.user_id,
        "name": data.get("name"),
        "role": data.get("role"),
        "final": data.get("final"),
        "text": data.get("reason") or data.get("comment"),
        "suspended_by": suspended_by,
        "difference": data.get("difference"),
    }


def _note(known: _Log, commit: Commit) -> None:
    who = {"user_id": commit.user_id, "timestamp": to_iso(commit.at)}
    if commit.message_type == "record.status_changed":
        for item in commit.data["changes"]:
            known.reasons[item["record_id"]] = {**who, "reason": commit.data.get("reason")}
    elif commit.message_type == "comment.resolved":
        settled = {"resolved_at": who["timestamp"], "resolved_by": commit.user_id}
        known.resolved[commit.data["comment_id"]] = settled
    elif commit.message_type == "record.imported":
        known.imports.add(commit.data["import_id"])


def _finish(folder: Path, summary: Mapping[str, Any]) -> dict[str, Any]:
    (folder / "summary.json").write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2))
    write_report(folder, summary)
    files = {path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size} for path in sorted(folder.iterdir())}
    kept = ("session_id", "session_name", "project_id", "exported_at", "exported_by", "as_of", "head", "signed")
    manifest = {"package": 1, **{name: summary[name] for name in kept}, "files": files}
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    hashes = {name: item["sha256"] for name, item in files.items()}
    hashes["manifest.json"] = sha256_of(folder / "manifest.json")
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in hashes.items()))
    return manifest


def zip_folder(folder: Path, target: Path) -> None:
    """The folder's files as one ZIP. Blocking: call it in a thread."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)


def whole_json(folder: Path, target: Path) -> None:
    """The summary and the tables as one JSON object. Blocking."""
    join_json(folder, target, ("summary", *_TABLES))
