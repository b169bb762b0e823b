"""Rows in bounded portions, read off the event loop; what names a portion, and what vouches for it in the log.

A *chunk* is the rows of one file that are stored and committed together. Its id follows from what the rows say, so that
the same file imported again after a crash finds what it had begun.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, Literal

import orjson

from realtime_server.core.commits import SYSTEM_USER
from realtime_server.core.values import RecordStatus
from realtime_server.reconciliation.csv_rows import ImportRow, RowError

Source = Literal["ledger", "statement"]
Rows = Iterable[ImportRow | RowError]

#: Rows of one chunk: what a crash can leave half done, and what memory holds twice (one chunk is read ahead).
CHUNK_ROWS: Final = 1_000


def record_id_of(source: Source, external_id: str) -> str:
    """The record's id in the session: ``"ledger:A-17"``. In a URL it is one quoted segment, never ``.`` or ``..``."""
    return f"{source}:{external_id}"


def base_values(row: ImportRow) -> dict[str, Any]:
    """What a new record starts with. A file without a column for the description or the reference leaves them empty."""
    return {"description": "", "reference": "", **row.values, "status": RecordStatus.UNMATCHED.value}


def _canonical(record_id: str, values: Mapping[str, Any]) -> bytes:
    return orjson.dumps([record_id, values], option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def chunk_id_of(records: Mapping[str, Mapping[str, Any]]) -> str:
    """32 hexadecimal digits that follow from the records' ids and values, in their order."""
    content = hashlib.sha256(b"chunk\n")
    for record_id, values in records.items():
        content.update(_canonical(record_id, values))
    return content.hexdigest()[:32]


def import_command_id(chunk_id: str) -> str:
    """The command of a chunk's commit: one for everybody who imports this chunk, and no person's own."""
    return f"{SYSTEM_USER}/import/{chunk_id}"


def base_digest(records: Mapping[str, Mapping[str, Any]]) -> str:
    """What a ``record.imported`` commit says of the records it added: SHA-256 in hexadecimal.

    Over one line of JSON for each record, ``[record_id, values]`` with sorted keys and no white space, in UTF-8, each
    ended by a line feed, ordered by ``record_id``. The records are those that are stored with the commit's
    ``import_id`` as their ``chunk_id``, and ``values`` is their base: anybody can compute it again from the database.
    """
    content = hashlib.sha256()
    for record_id in sorted(records):
        content.update(_canonical(record_id, records[record_id]))
    return content.hexdigest()


async def read_chunks(rows: Rows, size: int) -> AsyncGenerator[list[ImportRow | RowError], None]:
    """The rows in lists of ``size``, each read in a thread while the one before it is worked on.

    Close it (`contextlib.aclosing`): a read that is under way is waited for, since a thread cannot be stopped. Raises
    what reading raises.
    """
    iterator = iter(rows)
    reading = asyncio.create_task(asyncio.to_thread(_take, iterator, size))
    try:
        while chunk := await asyncio.shield(reading):
            reading = asyncio.create_task(asyncio.to_thread(_take, iterator, size))
            yield chunk
    finally:
        await asyncio.gather(reading, return_exceptions=True)
        close = getattr(iterator, "close", None)  # a generator holds a file open
        if close is not None:
            close()


def _take(iterator: Iterator[ImportRow | RowError], size: int) -> list[ImportRow | RowError]:
    return list(islice(iterator, size))
