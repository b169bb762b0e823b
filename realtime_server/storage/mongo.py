"""MongoDB behind the ports: opened here, with the indexes, the write concern and the time limits that they promise.

Every write waits until it is journaled on a majority; every read of the log sees only what a majority has, so nobody
is shown a commit that a failover could take back. Both are set on the collections, where a URL cannot weaken them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import pymongo
from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern

from realtime_server.ending import end_tasks
from realtime_server.errors import ConfigurationError
from realtime_server.storage.documents import CODEC, Document
from realtime_server.storage.mongo_clock import DatabaseClock
from realtime_server.storage.mongo_failures import reason
from realtime_server.storage.mongo_imports import MongoImportStatusStore
from realtime_server.storage.mongo_indexes import INDEXES
from realtime_server.storage.mongo_log import MongoCommitLog
from realtime_server.storage.mongo_mappings import MongoMappingStore
from realtime_server.storage.mongo_notices import KEPT_DAYS, MongoNoticeStore
from realtime_server.storage.mongo_records import MongoRecordStore
from realtime_server.storage.mongo_revocations import MongoRevocationStore
from realtime_server.storage.mongo_rules import MongoRuleStore
from realtime_server.storage.mongo_secret import shared_secret
from realtime_server.storage.mongo_sessions import MongoSessionStore
from realtime_server.storage.mongo_turns import MongoTurns

DEFAULT_TIMEOUT: Final = 5.0
#: Seconds in which the indexes must be there: building a new one over a large collection takes its time.
INDEX_TIMEOUT: Final = 600.0

@dataclass(frozen=True, slots=True)
class MongoStore:
    """The stores of one database."""

    log: MongoCommitLog
    sessions: MongoSessionStore
    records: MongoRecordStore
    mappings: MongoMappingStore
    revocations: MongoRevocationStore
    rules: MongoRuleStore
    notices: MongoNoticeStore
    imports: MongoImportStatusStore
    turns: MongoTurns
    database: AsyncDatabase[Document]
    clock: DatabaseClock

    async def ping(self) -> None:
        """Returns when the database answers. CollaborationError(UNAVAILABLE) when it does not."""
        await self.sessions.ping()

    async def shared_secret(self) -> bytes:
        """32 bytes that only processes with access to this database have."""
        return await shared_secret(self.database["secrets"])


@asynccontextmanager
async def open_store(
    url: str,
    database: str,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    create_indexes: bool = True,
    notices_days: int = KEPT_DAYS,
) -> AsyncIterator[MongoStore]:
    """The stores of one database, connected, with their indexes; closed at the end.

    ``notices_days``: how long notifications that are added are kept.

    ``timeout``: seconds that any one operation may take, finding the server and retrying included. Without
    ``create_indexes`` nothing is written, so that a damaged log can be looked at. ConfigurationError with one line
    when there is no such database to be had.
    """
    client = _client(url, timeout)
    try:
        store = _store(client.get_database(database, codec_options=CODEC), notices_days)
        try:
            await client.admin.command("ping")
            await store.clock.look(first=True)
            if create_indexes:
                await _create_indexes(store.database)
        except DuplicateKeyError as error:
            # Somebody dropped the index and added entries by hand; `audit verify` looks without making it.
            raise ConfigurationError(f"MongoDB holds two entries where there can be one: {error}") from error
        except PyMongoError as error:
            raise ConfigurationError(f"MongoDB cannot be used: {reason(error)}; MONGODB_URL says which") from error
        following = asyncio.create_task(store.clock.follow(), name="database clock")
        try:
            yield store
        finally:
            await end_tasks(following)
    finally:
        await client.close()


def _client(url: str, timeout: float) -> AsyncMongoClient[Document]:
    milliseconds = int(timeout * 1000)
    try:
        return AsyncMongoClient(
            url,
            timeoutMS=milliseconds,
            serverSelectionTimeoutMS=milliseconds,
            connectTimeoutMS=milliseconds,
            retryWrites=True,
            appname="realtime-server",
        )
    except (PyMongoError, ValueError) as error:
        # The reason's first words only: what follows quotes the URL, and the URL has a password in it.
        reason = str(error).partition(":")[0]
        raise ConfigurationError(f"MONGODB_URL is not usable: {reason}") from None


def _store(database: AsyncDatabase[Document], notices_days: int) -> MongoStore:
    durable = database.with_options(
        codec_options=CODEC,
        read_preference=ReadPreference.PRIMARY,
        write_concern=WriteConcern(w="majority", j=True),
        read_concern=ReadConcern("majority"),
    )
    return MongoStore(
        log=MongoCommitLog(durable["commits"]),
        sessions=MongoSessionStore(durable["sessions"]),
        records=MongoRecordStore(durable["records"]),
        mappings=MongoMappingStore(durable["import_mappings"]),
        revocations=MongoRevocationStore(durable["revocations"]),
        rules=MongoRuleStore(durable["project_rules"]),
        notices=MongoNoticeStore(durable["notifications"], days=notices_days),
        imports=MongoImportStatusStore(durable["import_progress"]),
        turns=MongoTurns(durable["turns"]),
        database=durable,
        clock=DatabaseClock(database),
    )


async def _create_indexes(database: AsyncDatabase[Document]) -> None:
    """Harmless when they exist: MongoDB compares and does nothing."""
    with pymongo.timeout(INDEX_TIMEOUT):
        for name, indexes in INDEXES.items():
            await database[name].create_indexes(list(indexes))
