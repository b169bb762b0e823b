"""Whose turn it is to do what one process does for all, in MongoDB."""

from __future__ import annotations

import uuid
from typing import Final

from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from realtime_server.storage.documents import Document
from realtime_server.storage.mongo_failures import bounded

#: ``$$NOW`` is the database's own time.
_FREE: Final = {"$lte": [{"$ifNull": ["$free_at", "$$NOW"]}, "$$NOW"]}


class MongoTurns:
    """`ports.Turns` over the collection ``turns``; ``_id`` is the work, ``free_at`` when the next turn may be taken.

    ``turn`` is another word for each turn: whoever finds their own there has it.
    """

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._turns = collection

    async def take(self, work: str, lease: float) -> bool:
        mine = uuid.uuid4().hex
        change = {"turn": {"$cond": [_FREE, mine, "$turn"]}, "free_at": {"$cond": [_FREE, _in(lease), "$free_at"]}}
        with bounded():
            try:
                return await self._change(work, change) == mine
            except DuplicateKeyError:  # somebody else's first one came between; now it is there
                return await self._change(work, change) == mine

    async def _change(self, work: str, change: Document) -> str:
        found = await self._turns.find_one_and_update(
            {"_id": work}, [{"$set": change}], upsert=True, return_document=ReturnDocument.AFTER
        )
        assert found is not None, "it was made where it was not there"
        turn: str = found["turn"]
        return turn

    async def put_off(self, work: str, pause: float) -> None:
        with bounded():
            await self._turns.update_one({"_id": work}, [{"$set": {"free_at": _in(pause)}}])


def _in(seconds: float) -> Document:
    return {"$add": ["$$NOW", round(seconds * 1000)]}
