"""The package for auditors while an import is under way: it has the records of its commit, and no others."""

from __future__ import annotations

import csv
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson

from realtime_server.core.reconciliation_commands import SetRecordStatus
from realtime_server.ports import NewRecord
from realtime_server.reconciliation.export_package import PackageWriter
from realtime_server.reconciliation.import_chunks import base_values
from tests.reconciliation.imports import ALICE, SESSION, Desk, row, rows


class Meanwhile:
    """A record store to which something happens before its first page is read."""

    def __init__(self, records: Any, happens: Callable[[], Awaitable[Any]]) -> None:
        self._records, self._happens = records, [happens]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    async def page(self, *arguments: Any, **more: Any) -> Any:
        while self._happens:
            await self._happens.pop()()
        return await self._records.page(*arguments, **more)


async def stored_only(desk: Desk, *numbers: int) -> None:
    """What an import leaves that has not come to its commit."""
    new = [
        NewRecord(f"ledger:A-{number}", "ledger", f"A-{number}", base_values(row(number)), "unfinished")
        for number in numbers
    ]
    await desk.store.records.insert(SESSION, new)


async def package(desk: Desk, folder: Path, happens: Callable[[], Awaitable[Any]]) -> tuple[dict[str, Any], list[str]]:
    """(the summary, the external ids of exceptions.csv)."""
    writer = PackageWriter(desk.engine, desk.store.log, Meanwhile(desk.store.records, happens), lambda: 0)
    await writer.write(SESSION, folder, "audrey")
    with (folder / "exceptions.csv").open(encoding="utf-8-sig", newline="") as lines:
        listed = [line["external_id"] for line in csv.DictReader(lines)]
    return orjson.loads((folder / "summary.json").read_bytes()), listed


async def test_what_is_imported_while_a_package_is_written_is_not_in_it(desk: Desk, tmp_path: Path) -> None:
    await desk.take(rows(1, 3))

    async def importing() -> None:
        await desk.take(rows(4, 6))
        await desk.edit(ALICE, 5, "description", "later")
        await stored_only(desk, 7)

    summary, listed = await package(desk, tmp_path, importing)
    assert listed == ["A-1", "A-2", "A-3"]
    assert (summary["records"], summary["open_records"], summary["difference"]) == (3, 3, {"GBP": "6.00"})


async def test_of_an_import_that_broke_off_a_package_has_what_the_log_speaks_of(desk: Desk, tmp_path: Path) -> None:
    await desk.take(rows(1, 2))
    await stored_only(desk, 8, 9)
    aside = SetRecordStatus(
        actor=ALICE, command_id="alice/aside", record_ids=("ledger:A-8",), status="exception", reason="asked"
    )
    await desk.engine.submit(SESSION, aside)

    async def edited_later() -> None:
        await desk.edit(ALICE, 9, "description", "later")

    summary, listed = await package(desk, tmp_path, edited_later)
    assert listed == ["A-1", "A-2", "A-8"]
    assert summary["records"] == 3
