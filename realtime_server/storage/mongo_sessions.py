"""The sessions' checkpoints in MongoDB."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from realtime_server.core.state import SessionStatus
from realtime_server.ports import SessionSummary
from realtime_server.storage.documents import (
    KEPT_UNTIL,
    SUMMARY_PROJECTION,
    Document,
    checkpoint_document,
    checkpoint_from_document,
    summary_from_document,
)
from realtime_server.storage.mongo_failures import bounded

#: Ids in one question.
_TOGETHER: Final = 1_000


class MongoSessionStore:
    """`ports.SessionStore` over the collection ``sessions``; ``_id`` is the session's id."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._sessions = collection

    async def ping(self) -> None:
        with bounded():
            await self._sessions.database.command("ping")

    async def load(self, session_id: str) -> Mapping[str, Any] | None:
        with bounded():
            document = await self._sessions.find_one({"_id": session_id})
        return None if document is None else checkpoint_from_document(document)

    async def save(self, checkpoint: Mapping[str, Any]) -> None:
        document = checkpoint_document(checkpoint)
        not_newer = {"_id": document["_id"], "seq": {"$lte": document["seq"]}}
        with bounded():
            try:
                await self._sessions.replace_one(not_newer, document, upsert=True)
            except DuplicateKeyError:
                # Either the stored one is newer, or another instance's first checkpoint, perhaps an older one, came
                # between. The document exists now, so the guard alone decides.
                await self._sessions.replace_one(not_newer, document)

    async def page(
        self, project_ids: Collection[str], *, after: str | None = None, limit: int = 100
    ) -> list[SessionSummary]:
        if limit <= 0 or not project_ids:
            return []
        query: Document = {"project_id": {"$in": list(project_ids)}}
        if after is not None:
            query["_id"] = {"$gt": after}
        with bounded():
            documents = await (
                self._sessions.find(query, SUMMARY_PROJECTION).sort("_id", ASCENDING).limit(limit).to_list()
            )
        return [summary_from_document(document) for document in documents]

    async def reconciling(self, limit: int) -> list[str]:
        if limit <= 0:
            return []
        query = {"reconciliation.run.active": True, "status": SessionStatus.ACTIVE.value}
        with bounded():
            found = self._sessions.find(query, {"_id": 1}).sort("_id", ASCENDING).limit(limit)
            return [document["_id"] async for document in found]

    async def expirable(self, now: int, limit: int) -> list[str]:
        if limit <= 0:
            return []
        query = {
            "status": SessionStatus.ACTIVE.value,
            "expires_at": {"$lte": now},
            KEPT_UNTIL: {"$not": {"$gt": now}},
        }
        with bounded():
            found = self._sessions.find(query, {"_id": 1}).sort("expires_at", ASCENDING).limit(limit)
            return [document["_id"] async for document in found]

    async def keep(self, session_ids: Collection[str], ending: int, until: int) -> None:
        names = list(session_ids)
        for first in range(0, len(names), _TOGETHER):
            wanted: Document = {
                "_id": {"$in": names[first : first + _TOGETHER]},
                "status": SessionStatus.ACTIVE.value,
                "expires_at": {"$lte": ending},
            }
            with bounded():
                await self._sessions.update_many(wanted, {"$max": {KEPT_UNTIL: until}})
