"""Commands of this package for the command line: ``realtime-server audit verify`` and ``audit export``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TextIO

import click

from realtime_server.errors import CollaborationError
from realtime_server.settings import Settings
from realtime_server.storage.audit import Verdict, verify_session
from realtime_server.storage.audit_export import CsvTable, JsonLines, Writer
from realtime_server.storage.configured import existing_store

_WRITERS: Final[Mapping[str, Callable[[TextIO], Writer]]] = {"jsonl": JsonLines, "csv": CsvTable}


class NotChecked(click.ClickException):
    """The log was not judged. Exit code 2, so that a script does not take it for a broken one, which is 1."""

    exit_code = 2


@click.group("audit")
def audit_command() -> None:
    """Verify a session's log, or export it.

    Exit codes: 0 the log is sound, 1 it is not, 2 it could not be looked at.
    """


@audit_command.command("verify")
@click.argument("session_id", metavar="SESSION")
def verify_command(session_id: str) -> None:
    """Check every commit of SESSION against the chain; name the first that was altered, removed or inserted."""
    _conclude(_look(session_id, None))


@audit_command.command("export")
@click.argument("session_id", metavar="SESSION")
@click.option("--format", "kind", type=click.Choice(list(_WRITERS)), default="jsonl", show_default=True)
@click.option(
    "--out",
    "target",
    required=True,
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="File to write, whole or not at all; - for standard output.",
)
def export_command(session_id: str, kind: str, target: Path) -> None:
    """Write the log of SESSION to a file, verifying it on the way."""
    with _replaced(target) as file:
        verdict = _look(session_id, _WRITERS[kind](file))
    _conclude(verdict, err=True)


def _look(session_id: str, writer: Writer | None) -> Verdict:
    settings = Settings.from_environment(os.environ)

    async def look() -> Verdict | None:
        # Without the indexes: a damaged log must be looked at as it is, and nothing written to it.
        async with existing_store(settings, create_indexes=False) as store:
            return await verify_session(store, session_id, each=None if writer is None else writer.write)

    try:
        verdict = asyncio.run(look())
    except CollaborationError as error:
        raise NotChecked(f"{session_id}: {error.message}") from error
    if verdict is None:
        raise NotChecked(f"there is no session {session_id}")
    return verdict


def _conclude(verdict: Verdict, **where: Any) -> None:
    if verdict.problem is None:
        click.echo(f"{verdict.session_id}: sound, {verdict.count} commits, head {verdict.head}", **where)
        return
    click.echo(f"{verdict.session_id}: broken at {verdict.problem.seq}: {verdict.problem.problem}", **where)
    raise click.exceptions.Exit(1)


@contextlib.contextmanager
def _replaced(target: Path) -> Iterator[TextIO]:
    """A file, readable by its owner only, that takes the target's place when all is written, and not otherwise."""
    if str(target) == "-":
        yield sys.stdout
        return
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise NotChecked(f"cannot write {target}: {error.strerror or error}") from error
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException as error:
        os.unlink(name)
        if isinstance(error, OSError):
            raise NotChecked(f"cannot write {target}: {error.strerror or error}") from error
        raise
