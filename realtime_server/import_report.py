"""What ``realtime-server import`` shows: progress and errors on stderr, the outcome on stdout."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from realtime_server.core.clock import to_iso
from realtime_server.ports import SavedMapping
from realtime_server.reconciliation.csv_rows import RowError
from realtime_server.reconciliation.importing import ImportSummary, Listeners
from realtime_server.spreadsheets import cell

SHOWN_ERRORS: Final = 20
_COLUMNS: Final = ("rows", "new", "unchanged", "changed", "conflicting", "kept", "refused")


class Report:
    """Listens to the imports of some files. Use `open_report`."""

    def __init__(self, progress: Progress, errors: Any, errors_path: Path | None) -> None:
        self._progress = progress
        self._errors = errors
        self._errors_path = errors_path
        self._refused = 0

    def listeners(self, path: Path, what: str, rows: int) -> Listeners:
        """For one pass over a file: ``what`` is done to its ``rows``."""
        task = self._progress.add_task(f"{what} {path.name}", total=rows)
        return Listeners(
            on_progress=lambda summary: self._advance(task, summary), on_error=lambda error: self._note(path, error)
        )

    def _advance(self, task: TaskID, summary: ImportSummary) -> None:
        self._progress.update(task, completed=summary.rows)

    def _note(self, path: Path, error: RowError) -> None:
        self._refused += 1
        if self._errors is not None:
            row = (str(path), error.line, error.field, error.message)
            self._errors.writerow([cell(value) for value in row])
        if self._refused <= SHOWN_ERRORS:
            place = f"{path}, line {error.line}" + (f", {error.field}" if error.field else "")
            # Above the bar where there is one; text from files is no markup.
            self._progress.console.print(f"{place}: {error.message}", markup=False, highlight=False, soft_wrap=True)

    def end(self) -> None:
        more = self._refused - SHOWN_ERRORS
        if self._errors_path is not None and self._refused:
            click.echo(f"all {self._refused:,} refused rows are listed in {self._errors_path}", err=True)
        elif more > 0:
            click.echo(f"and {more:,} more: --errors FILE.csv lists all of them", err=True)


@contextmanager
def open_report(errors_path: Path | None) -> Iterator[Report]:
    """A progress bar where stderr is a terminal, and the list of errors where one is asked for. Raises OSError."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ExitStack() as stack:
        errors = None
        if errors_path is not None:
            errors = csv.writer(stack.enter_context(errors_path.open("w", encoding="utf-8", newline="")))
            errors.writerow(("file", "line", "field", "message"))
        progress = stack.enter_context(Progress(*columns, console=console, disable=not console.is_terminal))
        yield Report(progress, errors, errors_path)


def print_session(session_id: str) -> None:
    """On a line of its own, as soon as it is known: whoever is interrupted goes on in this session."""
    click.echo(f"session {session_id}")


def print_saved_mapping(path: Path, saved: SavedMapping) -> None:
    """So that nobody wonders why a file is read as it is."""
    day = to_iso(saved.saved_at)[:10]
    note = f"{path}: columns as {saved.saved_by} saved them for the project on {day} (--no-saved-mapping: as found)"
    click.echo(note, err=True)


def print_outcome(summaries: Sequence[tuple[Path, ImportSummary]]) -> None:
    """A table of counts with one line for each file."""
    table = Table(box=None, pad_edge=False)
    table.add_column("file")
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for path, summary in summaries:
        table.add_row(path.name, *(f"{getattr(summary, name):,}" for name in _COLUMNS))
    width = 100 + max(len(path.name) for path, _ in summaries)
    Console(markup=False, highlight=False, width=width).print(table)
    if not all(summary.written for _, summary in summaries):
        click.echo("nothing was imported: rows were refused, and it was to be all or nothing", err=True)
