"""``realtime-server import``: files into a session, with or without a server running on the same database."""

from __future__ import annotations

import asyncio
import getpass
import os
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from realtime_server.auth.identity import identity_from_claims
from realtime_server.cli import duration
from realtime_server.core.commands import Actor, CreateSession, command_id_of
from realtime_server.core.commits import Commit
from realtime_server.core.roles import Role
from realtime_server.engine.engine import Engine
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.import_options import SOURCES, read_options
from realtime_server.import_report import Report, open_report, print_outcome, print_session
from realtime_server.reconciliation.importing import Importer, ImportSummary, Rows, Source
from realtime_server.reconciliation.json_lines import open_json_lines
from realtime_server.reconciliation.reading import ReadOptions, open_csv
from realtime_server.settings import Settings
from realtime_server.storage.configured import configured_store

_JSON_LINES: Final = (".jsonl", ".ndjson")
_STOPPED: Final = 130
"""The exit code of a program that Ctrl-C ended: 128 and the signal's number, as shells have it."""
_AGAIN: Final = "importing the same again into the same session (--session) does the rest"


@dataclass(frozen=True, slots=True)
class _File:
    source: Source
    path: Path
    rows: Rows
    count: int


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be done."""

    files: Sequence[_File]
    project_id: str
    session_id: str | None
    session_name: str
    actor: Actor
    expires_in: int
    all_or_nothing: bool


class _Failure(click.ClickException):
    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo("realtime-server: " + " ".join(self.message.split()), err=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user, as in some containers
        return "operator"


_SIDED = "[SIDE:]"


@click.command("import")
@click.option("--project", "project_id", required=True, help="Project whose members may enter the session.")
@click.option("--ledger", type=click.Path(path_type=Path), help="The ledger: CSV, or JSON lines (.jsonl, .ndjson).")
@click.option("--statement", type=click.Path(path_type=Path), help="The bank's statement, likewise.")
@click.option("--session", "session_id", help="Session to import into; without it a new one is made.")
@click.option("--session-name", default="", help="Name of the new session.")
@click.option(
    "--expires-in",
    type=duration,
    metavar="DURATION",
    help="The new session ends after so long without activity. [default: COLLABORATION_SESSION_TIMEOUT]",
)
@click.option("--user", default=_user, help="Id of the person in whose name this is done. [default: the login name]")
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar=f"{_SIDED}MEANING=COLUMN",
    help="Which column is the date, amount, …; an empty COLUMN: there is none. SIDE is ledger or statement.",
)
@click.option("--ignore", "ignored", multiple=True, metavar=f"{_SIDED}COLUMN", help="A column to leave out.")
@click.option("--rename", "renamed", multiple=True, metavar=f"{_SIDED}COLUMN=FIELD", help="Another name for a field.")
@click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="The same from a file, to keep for the next month.",
)
@click.option("--date-format", multiple=True, metavar=f"{_SIDED}FORMAT", help="Such as DD/MM/YYYY.")
@click.option("--decimal", multiple=True, metavar=f"{_SIDED}MARK", help="Decimal mark: a point or a comma.")
@click.option("--currency", "default_currency", multiple=True, metavar=f"{_SIDED}CODE", help="Where none is given.")
@click.option("--encoding", multiple=True, metavar=f"{_SIDED}NAME", help="Such as cp1250.")
@click.option("--delimiter", multiple=True, metavar=f"{_SIDED}CHARACTER", help="Such as ';'.")
@click.option("--all-or-nothing", is_flag=True, help="Import nothing where a row is refused.")
@click.option(
    "--errors",
    "errors_path",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Write every refused row's line, field and reason there.",
)
@click.pass_context
def import_command(ctx: click.Context, /, **given: Any) -> None:  # fmt: skip
    """Import record sets into a session. Importing a file again adds and changes only what is new in it.

    Exit codes: 0 all rows are in, 1 some were refused, 2 it could not be done.
    """
    settings = Settings.from_environment(os.environ)
    try:
        order = _order(settings, given)
        with open_report(given["errors_path"]) as report:
            try:
                summaries = asyncio.run(_import(settings, order, report))
            finally:
                report.end()
        print_outcome(summaries)
    except CollaborationError as error:
        raise _Failure(_advice(error)) from None
    except OSError as error:
        raise _Failure(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from None
    except KeyboardInterrupt:
        click.echo(f"realtime-server: stopped; {_AGAIN}", err=True)
        ctx.exit(_STOPPED)
    ctx.exit(1 if any(summary.refused for _, summary in summaries) else 0)


def _advice(error: CollaborationError) -> str:
    return f"{error.message}; {_AGAIN}" if error.retryable else error.message


def _order(settings: Settings, given: Mapping[str, Any]) -> _Order:
    if given["ledger"] is None and given["statement"] is None:
        raise click.UsageError("name at least one file: --ledger FILE or --statement FILE")
    try:  # what no token could say would be nobody's project
        claims = {"sub": given["user"], "exp": 0, "projects": {given["project_id"]: Role.PREPARER}}
        identity = identity_from_claims(claims)
    except CollaborationError as error:
        raise click.UsageError(error.message.replace("The token's claim sub", "--user")) from None
    files = [_open(source, given) for source in SOURCES if given[source] is not None]
    return _Order(
        files=files,
        project_id=given["project_id"],
        session_id=given["session_id"],
        session_name=given["session_name"],
        actor=Actor(identity.user_id, identity.name, Role.PREPARER),
        expires_in=given["expires_in"] or settings.collaboration_session_timeout,
        all_or_nothing=given["all_or_nothing"],
    )


_READING: Final = (
    "mapping_file", "maps", "ignored", "renamed", "date_format", "decimal", "default_currency", "encoding", "delimiter",
)  # fmt: skip


def _open(source: Source, given: Mapping[str, Any]) -> _File:
    """Look through a file before anything is written anywhere."""
    path: Path = given[source]
    options: ReadOptions = read_options(source, **{name: given[name] for name in _READING})
    try:
        if path.suffix.lower() in _JSON_LINES:
            lines = open_json_lines(path, default_currency=options.default_currency)
            return _File(source, path, lines, lines.rows)
        table = open_csv(path, options)
        return _File(source, path, table, table.format.rows)
    except CollaborationError as error:
        raise CollaborationError(error.code, f"{path}: {error.message}", error.details) from None


async def _import(settings: Settings, order: _Order, report: Report) -> list[tuple[Path, ImportSummary]]:
    """What became of each file. Without a refused row, or where that is no matter, the session's id is printed."""
    async with _engine(settings) as (engine, importer):
        if order.all_or_nothing:
            # Both files before the first row of either, and before a session is made.
            checked = []
            for file in order.files:
                listeners = report.listeners(file.path, "checking", file.count)
                checked.append((file.path, await importer.check(file.source, file.rows, listeners)))
            if any(summary.refused for _, summary in checked):
                return checked
        session_id = await _session(engine, order)
        print_session(session_id)
        summaries = []
        for file in order.files:
            listeners = report.listeners(file.path, "importing", file.count)
            run = importer.run(session_id, order.actor, file.source, file.rows, listeners=listeners)
            summaries.append((file.path, await run))
        return summaries


@asynccontextmanager
async def _engine(settings: Settings) -> AsyncIterator[tuple[Engine, Importer]]:
    """An instance of our own beside whichever servers use this database: the log keeps them all in one order."""
    async with configured_store(settings) as store:
        engine = Engine(store.log, store.sessions, store.records, publish=_published_by_the_log)
        try:
            yield engine, Importer(engine, store.log, store.records)
        finally:
            await engine.close()


def _published_by_the_log(commits: Sequence[Commit]) -> None:
    """Servers find these commits in the log; nobody is connected to this process."""


async def _session(engine: Engine, order: _Order) -> str:
    """The session's id: the one named, if it is this project's, or a new one's."""
    if order.session_id is not None:
        state = await engine.state(order.session_id)
        if state.project_id != order.project_id:
            # As for a session that is not there: whoever does not know the project learns nothing of it.
            raise CollaborationError(
                ErrorCode.NOT_FOUND, f"project {order.project_id} has no session {order.session_id}"
            )
        return order.session_id
    session_id = uuid.uuid4().hex
    create = CreateSession(
        actor=order.actor,
        command_id=command_id_of(order.actor.user_id, session_id),
        session_id=session_id,
        project_id=order.project_id,
        name=order.session_name,
        expires_in=order.expires_in,
    )
    await engine.submit(session_id, create)
    return session_id
