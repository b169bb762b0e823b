"""How far imports over HTTP are, for whoever asks any instance while the file is sent to one of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from realtime_server.core.clock import to_iso
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import ImportStatus, ImportStatusStore
from realtime_server.reconciliation.import_summary import ImportSummary
from realtime_server.rest.operations import Answer, Call, Operation, operation
from realtime_server.rest.sessions import SESSION
from schemas import reconciliation_rest as schemas

log = logging.getLogger(__name__)

#: Seconds between two times that it is written down how far an import is.
_EVERY: Final = 0.5

IMPORTS: Final = f"{SESSION}/imports"


class Progress:
    """Writes down how far one import is, now and then and beside it: the import never waits for that."""

    def __init__(self, store: ImportStatusStore, clock: Callable[[], int], status: ImportStatus) -> None:
        self._store, self._clock = store, clock
        self._status = status
        self._saved_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def moved(self, **changes: Any) -> None:
        """Members of `ImportStatus` that are different now."""
        phase = self._status.status
        self._status = replace(self._status, **changes)
        now = asyncio.get_running_loop().time()
        due = now - self._saved_at >= _EVERY or phase != self._status.status
        if due and (self._task is None or self._task.done()):
            self._saved_at = now
            self._task = asyncio.create_task(self._save(), name="import progress")

    def received(self, size: int) -> None:
        self.moved(bytes_received=self._status.bytes_received + size)

    def counted(self, summary: ImportSummary) -> None:
        counts = {name: getattr(summary, name) for name in ("rows", "new", "changed", "refused")}
        self.moved(status="importing", **counts)

    async def ended(self, **changes: Any) -> None:
        """The last word."""
        if self._task is not None:
            await asyncio.wait([self._task])
        self._status = replace(self._status, **changes)
        await self._save()

    async def _save(self) -> None:
        try:
            await self._store.save(replace(self._status, updated_at=self._clock()))
        except CollaborationError as error:
            # Nobody's import fails because it cannot be watched.
            log.warning("progress of an import was not written down: %s", error.message)


@asynccontextmanager
async def watched(store: ImportStatusStore, clock: Callable[[], int], status: ImportStatus) -> AsyncIterator[Progress]:
    """An import's progress while it runs, and how it ended."""
    progress = Progress(store, clock, status)
    progress.moved()
    try:
        yield progress
    except BaseException as error:
        # A server that is stopped cancels it; whatever it was, nobody works on it any more.
        message = error.message if isinstance(error, CollaborationError) else "the import broke off; send it again"
        await progress.ended(status="failed", message=message)
        raise
    await progress.ended(status="completed")


@operation("GET", IMPORTS, tag="imports", answer=schemas.ImportsInProgress)
async def list_imports(call: Call) -> Answer:
    """List the session's imports over HTTP, of the last day.

    The newest first, with how far each is.
    """
    state = await call.session()
    found = await call.services.imports.newest(state.session_id)
    return Answer({"items": [_view(status) for status in found]})


@operation("GET", f"{IMPORTS}/{{progress_id}}", tag="imports", answer=schemas.ImportProgress)
async def get_import(call: Call) -> Answer:
    """Show how far an import over HTTP is.

    Under the `progress_id` that its sender chose. It moves at most twice a second.
    """
    state = await call.session()
    progress_id = call.path["progress_id"]
    status = await call.services.imports.load(state.session_id, progress_id)
    if status is None:
        raise CollaborationError(ErrorCode.NOT_FOUND, f"there is no import {progress_id}")
    return Answer(_view(status))


def _view(status: ImportStatus) -> dict[str, Any]:
    view: dict[str, Any] = {
        "progress_id": status.progress_id,
        "source": status.source,
        "status": status.status,
        "user_id": status.user_id,
        "started_at": to_iso(status.started_at),
        "updated_at": to_iso(status.updated_at),
        "bytes_received": status.bytes_received,
        "bytes_total": status.bytes_total,
        "rows": status.rows,
        "rows_total": status.rows_total,
        "new": status.new,
        "changed": status.changed,
        "refused": status.refused,
    }
    return view if status.message is None else {**view, "message": status.message}


OPERATIONS: Final[tuple[Operation, ...]] = (list_imports, get_import)
