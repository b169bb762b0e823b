"""The records of every session in MongoDB."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from pymongo import ASCENDING, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from realtime_server.core.snapshot import record_document
from realtime_server.core.state import RecordState
from realtime_server.core.values import check_field_name
from realtime_server.ports import ImportedRecord, NewRecord
from realtime_server.storage.documents import (
    IMPORT_PROJECTION,
    RECORD_PROJECTION,
    Document,
    imported_from_document,
    new_record_document,
    stored_record,
)
from realtime_server.storage.mongo_failures import DUPLICATE_KEY, bounded, unavailable

#: Name of the index that puts a session's records in order.
RECORD_ORDER: Final = "record_order"
#: Documents sent at a time: about 5 ms of encoding, so that a large import lets the event loop breathe.
_WRITE_BATCH: Final = 1_000
#: The same for what people changed: with its history such a record takes ten times as long.
_FOLD_BATCH: Final = 100
#: Documents read at a time, and turned into records before the next: 2 to 5 ms that belong to nobody else.
_READ_BATCH: Final = 100


class MongoRecordStore:
    """`ports.RecordStore` over the collection ``records``."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._records = collection

    async def load(self, session_id: str, record_ids: Collection[str]) -> dict[str, RecordState]:
        documents = await self._of(session_id, record_ids, RECORD_PROJECTION)
        return {document["record_id"]: stored_record(document) for document in documents}

    async def imported(self, session_id: str, record_ids: Collection[str]) -> dict[str, ImportedRecord]:
        documents = await self._of(session_id, record_ids, IMPORT_PROJECTION)
        return {document["record_id"]: imported_from_document(document) for document in documents}

    async def _of(self, session_id: str, record_ids: Collection[str], projection: Mapping[str, int]) -> list[Document]:
        if not record_ids:
            return []
        query = {"session_id": session_id, "record_id": {"$in": list(record_ids)}}
        with bounded():
            return await self._records.find(query, projection).to_list()

    async def save(self, session_id: str, records: Sequence[RecordState]) -> None:
        for first in range(0, len(records), _FOLD_BATCH):
            updates = [_fold(session_id, record) for record in records[first : first + _FOLD_BATCH]]
            with bounded():
                await self._records.bulk_write(updates, ordered=False)

    async def insert(self, session_id: str, records: Sequence[NewRecord]) -> int:
        added = 0
        for first in range(0, len(records), _WRITE_BATCH):
            added += await self._insert(session_id, records[first : first + _WRITE_BATCH])
        return added

    async def _insert(self, session_id: str, records: Sequence[NewRecord]) -> int:
        # Asking first: having each of 100,000 known records refused one by one took 13 s, this takes 1 s.
        known = await self._known(session_id, [record.record_id for record in records])
        documents = [new_record_document(session_id, record) for record in records if record.record_id not in known]
        if not documents:
            return 0
        with bounded():
            try:
                await self._records.insert_many(documents, ordered=False)
            except BulkWriteError as error:
                details = error.details
                if details["writeConcernErrors"] or any(
                    failure["code"] != DUPLICATE_KEY for failure in details["writeErrors"]
                ):
                    raise unavailable(error) from error
                return int(details["nInserted"])
        return len(documents)

    async def _known(self, session_id: str, record_ids: Collection[str]) -> set[str]:
        documents = await self._of(session_id, record_ids, {"_id": 0, "record_id": 1})  # from the index alone
        return {document["record_id"] for document in documents}

    async def mark_imported(self, session_id: str, record_id: str, values: Mapping[str, tuple[Any, int]]) -> None:
        updates = [_mark(session_id, record_id, name, *said) for name, said in values.items()]
        if updates:
            with bounded():
                await self._records.bulk_write(updates, ordered=False)

    async def page(
        self, session_id: str, *, after: str | None = None, limit: int = 100, source: str | None = None
    ) -> list[RecordState]:
        if limit <= 0:
            return []
        query: Document = {"session_id": session_id}
        if after is not None:
            query["record_id"] = {"$gt": after}
        if source is not None:
            query["source"] = source
        cursor = self._records.find(query, RECORD_PROJECTION, batch_size=_READ_BATCH)
        cursor = cursor.sort("record_id", ASCENDING).limit(limit).hint(RECORD_ORDER)
        found: list[RecordState] = []
        with bounded():
            async with cursor:
                while documents := await cursor.to_list(_READ_BATCH):
                    found += [stored_record(document) for document in documents]
        return found

    async def count(self, session_id: str) -> int:
        with bounded():
            return await self._records.count_documents({"session_id": session_id}, hint=RECORD_ORDER)


#: Of a record's document: what an import says, and what is there only when it applies.
_IMPORTED: Final = frozenset({"record_id", "source", "external_id", "base"})
_OPTIONAL: Final = frozenset({"match", "disposition", "rejected"})


def _fold(session_id: str, record: RecordState) -> UpdateOne:
    """What was imported stays; what people changed is replaced as a whole, if it is newer."""
    older = {"session_id": session_id, "record_id": record.record_id, "seq": {"$lt": record.seq}}
    document = record_document(record)
    changed = {name: value for name, value in document.items() if name not in _IMPORTED}
    update: Document = {"$set": changed}
    absent = dict.fromkeys(_OPTIONAL - changed.keys(), "")
    if absent:
        update["$unset"] = absent
    return UpdateOne(older, update)


def _mark(session_id: str, record_id: str, name: str, value: Any, version: int) -> UpdateOne:
    # The name becomes part of a path, so it must be one that cannot lead anywhere else.
    place = f"imports.{check_field_name(name)}"
    not_newer = {
        "session_id": session_id,
        "record_id": record_id,
        f"{place}.version": {"$not": {"$gt": version}},
    }
    return UpdateOne(not_newer, {"$set": {place: {"value": value, "version": version}}})
