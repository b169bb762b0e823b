"""Everything of a database as JSON lines, and back: verified when it is written, and again before it is restored.

Checkpoints are read first, then notifications and records, then commits: nothing that is written is newer than the log
beside it, so a backup of a database in use is one moment of each session. What a file said of a record is in no commit,
so records that were imported meanwhile follow at the end. The last line has the SHA-256 of all lines before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
import pymongo
from bson import json_util
from bson.int64 import Int64
from bson.objectid import ObjectId
from pymongo.errors import PyMongoError

from realtime_server.errors import ConfigurationError
from realtime_server.storage.audit import Auditor
from realtime_server.storage.documents import (
    Document,
    as_imported,
    checkpoint_from_document,
    suspect_commit,
    touched_records,
)
from realtime_server.storage.mongo import MongoStore
from realtime_server.storage.mongo_failures import reason

#: In the order in which they are read. What is left out is made anew by itself (`secrets`), or is of the moment: whose
#: turn it is, and how far an import has come.
_COLLECTIONS: Final = (
    ("import_mappings", "_id"),
    ("project_rules", "_id"),
    ("revocations", "_id"),
    ("sessions", "_id"),
    ("notifications", "_id"),
    ("records", "_id"),
    ("commits", None),
)
_LOG_ORDER: Final = [("session_id", 1), ("seq", 1)]
_BATCH: Final = 500
#: Seconds for the whole of one collection.
_PATIENCE: Final = 24 * 3_600.0
#: A record's ``_id`` has the time at which a process made it, by that machine's clock; none is wrong by more than this.
_CLOCKS_DIFFER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Copied:
    """``problem``: what is wrong with the first log that is not sound; None when all are."""

    sessions: int
    commits: int
    records: int
    problem: str | None


class _Checker:
    """Judges documents in the order in which a backup has them."""

    def __init__(self) -> None:
        self._checkpoints: dict[str, Document] = {}
        self._auditor: Auditor | None = None
        self._session_id: str | None = None
        self._counts = dict.fromkeys((name for name, _ in _COLLECTIONS), 0)
        self._sessions = 0
        self._problem: str | None = None

    def take(self, collection: str, document: Document) -> None:
        self._counts[collection] += 1
        if collection == "sessions":
            self._checkpoints[document["_id"]] = checkpoint_from_document(document)
        elif collection == "commits" and self._problem is None:
            self._commit(document)

    def _commit(self, document: Document) -> None:
        session_id = str(document.get("session_id"))
        if session_id != self._session_id:
            self._end()
            self._session_id, self._sessions = session_id, self._sessions + 1
            self._auditor = Auditor(session_id, self._checkpoints.pop(session_id, None))
        assert self._auditor is not None
        well_filed = document.get("records", []) == touched_records(document.get("data") or {})
        problem = self._auditor.check(suspect_commit(document), well_filed)
        if problem is not None:
            self._problem = f"{session_id}: broken at {problem.seq}: {problem.problem}"

    def _end(self) -> None:
        if self._auditor is not None and self._problem is None:
            verdict = self._auditor.finish()
            if verdict.problem is not None:
                self._problem = f"{verdict.session_id}: broken at {verdict.problem.seq}: {verdict.problem.problem}"
        self._auditor = None

    def done(self) -> Copied:
        self._end()
        if self._checkpoints and self._problem is None:
            self._problem = f"{next(iter(self._checkpoints))}: there is a checkpoint, and no log"
        return Copied(self._sessions, self._counts["commits"], self._counts["records"], self._problem)


async def write_backup(store: MongoStore, file: BinaryIO) -> Copied:
    """Write everything; a log that is not sound is written as it is, and told. ConfigurationError for no answer."""
    digest, checker = hashlib.sha256(), _Checker()
    try:
        with pymongo.timeout(_PATIENCE):
            async for name, document in _everything(store):
                checker.take(name, document)
                line = json_util.dumps([name, document], json_options=json_util.CANONICAL_JSON_OPTIONS).encode()
                digest.update(line + b"\n")
                file.write(line + b"\n")
    except PyMongoError as error:
        raise ConfigurationError(f"the database cannot be read: {reason(error)}") from error
    file.write(orjson.dumps(["end", digest.hexdigest()]) + b"\n")
    return checker.done()


async def _everything(store: MongoStore) -> AsyncIterator[tuple[str, Document]]:
    """(collection, document)"""
    recent = ObjectId.from_datetime(datetime.now(UTC) - _CLOCKS_DIFFER)
    written: set[ObjectId] = set()
    for name, order in _COLLECTIONS:
        async for document in store.database[name].find().sort(order or _LOG_ORDER):
            if name == "records" and document["_id"] >= recent:
                written.add(document["_id"])
            yield name, document
    async for document in store.database["records"].find({"_id": {"$gte": recent}}).sort("_id"):
        if document["_id"] not in written:
            # All that was ever done to it came after its session's checkpoint, and a replay does it again.
            yield "records", as_imported(document)


def check_backup(path: Path) -> Copied:
    """Judge a backup without a database. ConfigurationError for a file that is none, is cut short or was altered."""
    checker = _Checker()
    for name, document in _documents(path):
        checker.take(name, document)
    return checker.done()


async def restore_backup(store: MongoStore, path: Path, progress: Callable[[int], None] = lambda count: None) -> Copied:
    """Put a backup, which must be sound, into an empty database. Nothing is written otherwise."""
    checked = check_backup(path)
    if checked.problem is not None:
        raise ConfigurationError(f"the backup is not restored: {checked.problem}")
    try:
        for name, _ in _COLLECTIONS:
            if await store.database[name].find_one({}) is not None:
                raise ConfigurationError(f"the database has {name} already: restore into an empty one")
        waiting: list[Document] = []
        collection = ""
        for name, document in _documents(path):
            if waiting and (name != collection or len(waiting) >= _BATCH):
                await store.database[collection].insert_many(waiting)
                progress(len(waiting))
                waiting = []
            collection = name
            waiting.append(document)
        if waiting:
            await store.database[collection].insert_many(waiting)
    except PyMongoError as error:
        raise ConfigurationError(f"the database cannot be written: {reason(error)}") from error
    return checked


def _plain(value: Any) -> Any:
    """Integers as they were: the chain tells their types apart."""
    if isinstance(value, Int64):
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _documents(path: Path) -> Iterator[tuple[str, Any]]:
    names = {name for name, _ in _COLLECTIONS}
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for line in file:
                name, content = json_util.loads(line)
                if name == "end":
                    if content != digest.hexdigest() or file.read(1):
                        raise ConfigurationError(f"{path} was altered: its lines do not give its checksum")
                    return
                digest.update(line)
                if name not in names:
                    raise ValueError(name)
                yield name, _plain(content)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} is no backup: {type(error).__name__}") from None
    raise ConfigurationError(f"{path} is cut short: it has no end")
