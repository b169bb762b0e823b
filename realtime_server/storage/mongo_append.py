"""Appends of all sessions, combined: while one insert is under way, whatever comes waits, and goes together next.

Hot path, written for speed. A call to the driver costs about 400 µs of processor time whatever it carries, so many
sessions that append one or two commits each would spend it on calls. 20 sessions with one commit at a time: 415 µs per
commit with calls of their own, 23 to 46 µs so (``tests/storage/benchmark_appends.py``).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError, PyMongoError

from realtime_server.frequency import Frequency
from realtime_server.ports import Appended
from realtime_server.storage.documents import Document
from realtime_server.storage.mongo_failures import DUPLICATE_KEY, unavailable

#: Documents of one insert, unless one append alone has more: about 5 ms of encoding.
_DOCUMENTS_AT_MOST: Final = 500
#: Inserts under way at a time. With two, one is built and sent while the other waits for the journal.
_INSERTS_AT_MOST: Final = 2
#: Where so many documents a second come, inserts begin no closer together than so many seconds: nearly every document
#: would have a call of its own, and the calls would take a fifth of the processor. Where fewer come nothing waits.
_MANY: Final = 400.0
_INTERVAL: Final = 0.005


@dataclass(frozen=True, slots=True, eq=False)
class _Append:
    documents: Sequence[Document]
    outcome: asyncio.Future[Appended]

    def end(self, count: int) -> None:
        if not self.outcome.done():
            self.outcome.set_result(Appended(count))

    def fail(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


class _Pace:
    """When the next insert begins. Times are `perf_counter`'s."""

    def __init__(self) -> None:
        self._next = 0.0
        self.documents = Frequency(_MANY)

    def reserve(self, now: float) -> float:
        """Take the next place; the seconds until then."""
        begin = max(now, self._next)
        self._next = begin + _INTERVAL if self.documents.high else begin
        return begin - now


class CombinedAppends:
    """Ordered inserts into one collection, for many appenders at once.

    An insert stops at the first document that is refused. What stood before it is durable; the append it belongs to
    ends there; the appends behind it, which MongoDB never looked at, go with the next insert. So each append gets what
    an insert of its own would have given.
    """

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection
        self._waiting: deque[_Append] = deque()
        self._inserting = 0
        self._pace = _Pace()
        self._tasks: set[asyncio.Task[None]] = set()

    async def append(self, documents: Sequence[Document]) -> Appended:
        """Returns when the documents are durable, or as far as they are. Cancelled, the outcome is unknown."""
        mine = _Append(documents, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        if self._inserting < _INSERTS_AT_MOST:
            self._inserting += 1
            # It appends for many sessions: what is logged on the way belongs to none of them.
            task = asyncio.create_task(self._insert_waiting(), name="commit-append", context=Context())
            self._tasks.add(task)  # the event loop itself keeps only a weak reference
            task.add_done_callback(self._tasks.discard)
        return await mine.outcome

    async def _insert_waiting(self) -> None:
        try:
            await self._insert_all()
        finally:
            # In the same step as finding nothing more to take, so that whoever comes next starts an inserter.
            self._inserting -= 1

    async def _insert_all(self) -> None:
        while self._waiting:
            wait = self._pace.reserve(perf_counter())
            if wait:
                await asyncio.sleep(wait)
            taken = self._take()
            self._pace.documents.count(perf_counter(), sum(len(item.documents) for item in taken))
            try:
                await self._insert_or_fail(taken)
            except asyncio.CancelledError:
                for item in taken:
                    item.outcome.cancel()
                raise

    async def _insert_or_fail(self, taken: Sequence[_Append]) -> None:
        try:
            if taken:
                await self._insert(taken)
        except PyMongoError as error:
            for item in taken:
                item.fail(unavailable(error))
        except Exception as error:
            if len(taken) == 1:
                taken[0].fail(error)
                return
            # A document among them cannot be encoded. One by one, only its own append fails.
            for item in taken:
                await self._insert_or_fail([item])

    def _take(self) -> list[_Append]:
        taken: list[_Append] = []
        size = 0
        while self._waiting and (not taken or size + len(self._waiting[0].documents) <= _DOCUMENTS_AT_MOST):
            item = self._waiting.popleft()
            if not item.outcome.done():  # else it was cancelled while it waited
                taken.append(item)
                size += len(item.documents)
        return taken

    async def _insert(self, taken: Sequence[_Append]) -> None:
        documents = [document for item in taken for document in item.documents]
        count, refused = await self._durable(documents)
        for position, item in enumerate(taken):
            if count < len(item.documents):
                if refused is not None:
                    item.fail(refused)
                item.end(count)
                self._waiting.extendleft(reversed(taken[position + 1 :]))
                return
            item.end(len(item.documents))
            count -= len(item.documents)

    async def _durable(self, documents: Sequence[Document]) -> tuple[int, Exception | None]:
        """How many of them are durable, and why the next is not, unless it is a duplicate."""
        try:
            await self._collection.insert_many(documents, ordered=True)
        except BulkWriteError as error:
            failures = error.details["writeErrors"]
            if not failures or error.details["writeConcernErrors"]:
                raise
            first = failures[0]
            return first["index"], None if first["code"] == DUPLICATE_KEY else unavailable(error)
        return len(documents), None
