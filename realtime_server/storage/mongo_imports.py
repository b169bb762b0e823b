"""How far imports are, in MongoDB."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from realtime_server.ports import ImportStatus
from realtime_server.storage.documents import Document
from realtime_server.storage.mongo_failures import bounded

#: Seconds for which it is kept after it last moved.
KEPT: Final = 24 * 3600

IMPORT_INDEXES: Final = (
    IndexModel([("session_id", ASCENDING), ("started_at", DESCENDING)], name="newest_imports"),
    IndexModel([("moved", ASCENDING)], name="too_old", expireAfterSeconds=KEPT),
)

_MEMBERS: Final = tuple(field.name for field in fields(ImportStatus))


class MongoImportStatusStore:
    """`ports.ImportStatusStore` over the collection ``import_progress``; ``_id`` is the session and the import."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._imports = collection

    async def save(self, status: ImportStatus) -> None:
        document: Document = {
            "_id": _id(status.session_id, status.progress_id),
            **{name: getattr(status, name) for name in _MEMBERS},
            "moved": datetime.fromtimestamp(status.updated_at / 1000, UTC),
        }
        with bounded():
            try:
                await self._imports.replace_one({"_id": document["_id"]}, document, upsert=True)
            except DuplicateKeyError:  # somebody else's first one came between; now it is there
                await self._imports.replace_one({"_id": document["_id"]}, document)

    async def load(self, session_id: str, progress_id: str) -> ImportStatus | None:
        with bounded():
            document = await self._imports.find_one({"_id": _id(session_id, progress_id)})
        return None if document is None else _status(document)

    async def newest(self, session_id: str, limit: int = 100) -> list[ImportStatus]:
        if limit <= 0:
            return []
        with bounded():
            found = self._imports.find({"session_id": session_id}).sort("started_at", DESCENDING).limit(limit)
            return [_status(document) async for document in found]


def _id(session_id: str, progress_id: str) -> Document:
    return {"session_id": session_id, "progress_id": progress_id}


def _status(document: Document) -> ImportStatus:
    return ImportStatus(**{name: document[name] for name in _MEMBERS})
