"""A secret that all processes on one database share, and nobody else has."""

from __future__ import annotations

import secrets
from typing import Final

from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from realtime_server.storage.documents import Document
from realtime_server.storage.mongo_failures import bounded

_NAME: Final = "messages between processes"
_BYTES: Final = 32


async def shared_secret(collection: AsyncCollection[Document]) -> bytes:
    """32 random bytes, made by the first process that asks. CollaborationError(UNAVAILABLE) without an answer."""
    change = {"$setOnInsert": {"secret": secrets.token_hex(_BYTES)}}
    with bounded():
        try:
            found = await _upsert(collection, change)
        except DuplicateKeyError:  # another process was faster by less than the database can tell apart
            found = await _upsert(collection, change)
    return bytes.fromhex(found["secret"])


async def _upsert(collection: AsyncCollection[Document], change: Document) -> Document:
    found = await collection.find_one_and_update(
        {"_id": _NAME}, change, upsert=True, return_document=ReturnDocument.AFTER
    )
    assert found is not None, "an upsert finds what it makes"
    return found
