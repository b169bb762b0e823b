"""Revoked tokens in MongoDB."""

from __future__ import annotations

from typing import Final

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from realtime_server.ports import Revocation
from realtime_server.storage.documents import Document
from realtime_server.storage.mongo_failures import bounded

#: Milliseconds that are looked at again: ``changed_at`` is older than the moment from which the write can be seen, and
#: after a failover it is another machine's time.
_AGAIN: Final = 60_000


class MongoRevocationStore:
    """`ports.RevocationStore` over the collection ``revocations``; ``_id`` is the person and the project."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._revocations = collection

    async def add(self, revocation: Revocation) -> None:
        place = {"user_id": revocation.user_id, "project_id": revocation.project_id}
        # The database's own time, which all processes share. A name may begin with `$`: `$literal` keeps it a name.
        change = [
            {
                "$set": {
                    "before": {"$max": ["$before", revocation.before]},
                    "by": {"$literal": revocation.by},
                    "reason": {"$literal": revocation.reason},
                    "changed_at": {"$toLong": "$$NOW"},
                }
            }
        ]
        with bounded():
            try:
                await self._revocations.update_one({"_id": place}, change, upsert=True)
            except DuplicateKeyError:  # somebody else's first one came between; now it is there
                await self._revocations.update_one({"_id": place}, change)

    async def changed(self, mark: int) -> tuple[list[Revocation], int]:
        found = []
        with bounded():
            async for document in self._revocations.find({"changed_at": {"$gte": mark - _AGAIN}}):
                place = document["_id"]
                said = {name: document[name] for name in ("before", "by", "reason")}
                found.append(Revocation(place["user_id"], place["project_id"], **said))
                mark = max(mark, document["changed_at"])
        return found, mark

    async def count(self, project_id: str | None, limit: int) -> int:
        with bounded():
            return await self._revocations.count_documents({"_id.project_id": project_id}, limit=limit)
