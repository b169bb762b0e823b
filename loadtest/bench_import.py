"""How long a large import takes, and in how much memory: ``python -m loadtest.bench_import [ROWS [FORMAT]]``.

Generates a ledger and a statement of ROWS records together (100,000 if not said), and imports them into a new session
on an embedded mongod three times: all new, all unchanged, and with every hundredth amount of both files changed. Prints
the seconds of each, those that this process computed, rows per second, and the peak resident memory of this process
(mongod's own is in neither). FORMAT is csv, or ofx, camt053 or mt940: then both files are written in that format.
"""

from __future__ import annotations

import asyncio
import csv
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time

from loadtest.bank_files import rewrite
from realtime_server.core.commands import Actor, CreateSession
from realtime_server.core.commits import Commit
from realtime_server.core.roles import Role
from realtime_server.engine.engine import Engine
from realtime_server.reconciliation.generated_files import WrittenSet, write_files
from realtime_server.reconciliation.generator import generate_groups
from realtime_server.reconciliation.import_files import open_records
from realtime_server.reconciliation.importing import Importer, Source
from realtime_server.reconciliation.reading import ReadOptions
from realtime_server.storage.embedded import embedded_mongod
from realtime_server.storage.mongo import open_store

SESSION = "large"
ADA = Actor("ada", "Ada", Role.ADMIN)
_EVERY = 100


def _ignore(commits: Sequence[Commit]) -> None:
    pass


def _change_some(path: Path) -> None:
    """Turn the sign of every hundredth amount."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    amount = header.index("amount")
    for cells in rows[::_EVERY]:
        cells[amount] = cells[amount].removeprefix("-") if cells[amount].startswith("-") else f"-{cells[amount]}"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _peak() -> float:
    """Peak resident memory of this process so far, in MiB (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _files(written: WrittenSet, kind: str) -> tuple[tuple[Source, Path], ...]:
    """Both sides, in the format that is measured."""
    sides: tuple[tuple[Source, Path], ...] = (("ledger", written.ledger), ("statement", written.statement))
    return sides if kind == "csv" else tuple((source, rewrite(path, kind)) for source, path in sides)


async def _import(importer: Importer, files: tuple[tuple[Source, Path], ...], what: str) -> None:
    """Looking through the files is part of it: whoever imports waits for that as well."""
    began, busy = perf_counter(), process_time()
    counts: dict[str, int] = {}
    for source, path in files:
        options = ReadOptions(money_in="debit" if source == "ledger" else "credit")
        rows = await asyncio.to_thread(open_records, path, options)
        summary = await importer.run(SESSION, ADA, source, rows)
        for name in ("rows", "new", "unchanged", "changed", "refused"):
            counts[name] = counts.get(name, 0) + getattr(summary, name)
    seconds, busy = perf_counter() - began, process_time() - busy
    speed = f"{seconds:6.2f} s ({busy:5.2f} s of CPU)  {counts['rows'] / seconds:7,.0f} rows/s"
    print(f"{what:<12} {speed}  peak {_peak():4.0f} MiB  {counts}")


async def _bench(folder: Path, written: WrittenSet, kind: str) -> None:
    async with embedded_mongod(folder / "data") as address, open_store(address.url, "bench") as store:
        engine = Engine(store.log, store.sessions, store.records, publish=_ignore)
        create = CreateSession(
            actor=ADA, command_id="ada/create", session_id=SESSION, project_id="p", name="Large", expires_in=86_400
        )
        await engine.submit(SESSION, create)
        importer = Importer(engine, store.log, store.records)
        files = await asyncio.to_thread(_files, written, kind)
        await _import(importer, files, "new")
        await _import(importer, files, "unchanged")
        await asyncio.to_thread(_change_some, written.ledger)
        await asyncio.to_thread(_change_some, written.statement)
        await _import(importer, await asyncio.to_thread(_files, written, kind), "1 % changed")
        await engine.close()


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = write_files(folder, generate_groups(1, size))
        kind = sys.argv[2] if len(sys.argv) > 2 else "csv"
        print(f"{written.ledger_rows:,} + {written.statement_rows:,} rows; peak before {_peak():.0f} MiB")
        asyncio.run(_bench(folder, written, kind))


if __name__ == "__main__":
    main()
