"""The projects' import mappings in MongoDB."""

from __future__ import annotations

import orjson
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from realtime_server.ports import SavedMapping
from realtime_server.storage.documents import Document
from realtime_server.storage.mongo_failures import bounded


class MongoMappingStore:
    """`ports.MappingStore` over the collection ``import_mappings``; ``_id`` is the project and the side.

    What a mapping says is stored as a text of JSON: the names of columns are anybody's, dots and dollar signs included.
    """

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._mappings = collection

    async def load(self, project_id: str, source: str) -> SavedMapping | None:
        with bounded():
            document = await self._mappings.find_one({"_id": _id(project_id, source)})
        if document is None:
            return None
        return SavedMapping(orjson.loads(document["reading"]), document["saved_by"], document["saved_at"])

    async def save(self, project_id: str, source: str, mapping: SavedMapping) -> None:
        document: Document = {
            "_id": _id(project_id, source),
            "reading": orjson.dumps(dict(mapping.reading)).decode(),
            "saved_by": mapping.saved_by,
            "saved_at": mapping.saved_at,
        }
        with bounded():
            try:
                await self._mappings.replace_one({"_id": document["_id"]}, document, upsert=True)
            except DuplicateKeyError:  # somebody else's first one came between; now it is there
                await self._mappings.replace_one({"_id": document["_id"]}, document)

    async def delete(self, project_id: str, source: str) -> bool:
        with bounded():
            deleted = await self._mappings.delete_one({"_id": _id(project_id, source)})
        return deleted.deleted_count > 0


def _id(project_id: str, source: str) -> Document:
    return {"project_id": project_id, "source": source}
