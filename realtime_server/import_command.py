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
from realtime_server.command_engine import command_engine
from realtime_server.core.commands import Actor, CreateSession, command_id_of
from realtime_server.core.roles import Role
from realtime_server.engine.engine import Engine, wall_clock
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.import_options import SOURCES, read_kind, read_options
from realtime_server.import_report import Report, open_report, print_outcome, print_saved_mapping, print_session
from realtime_server.ports import MappingStore, RuleStore, SavedMapping
from realtime_server.reconciliation.import_files import FileKind, OpenedFile, open_file
from realtime_server.reconciliation.importing import Importer, ImportSummary, Source
from realtime_server.reconciliation.reading import ReadOptions
from realtime_server.settings import Settings
from realtime_server.storage.configured import configured_store

_JSON_LINES: Final = (".jsonl", ".ndjson")
_STOPPED: Final = 130
"""The exit code of a program that Ctrl-C ended: 128 and the signal's number, as shells have it."""
_AGAIN: Final = "importing the same again into the same session (--session) does the rest"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A file, and how it is to be read. ``kind``: as somebody said."""

    source: Source
    path: Path
    options: ReadOptions
    kind: FileKind | None


@dataclass(frozen=True, slots=True)
class _File:
    source: Source
    path: Path
    opened: OpenedFile


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be done."""

    files: Sequence[_Asked]
    project_id: str
    session_id: str | None
    session_name: str
    actor: Actor
    expires_in: int
    all_or_nothing: bool
    use_mapping: bool
    save_mapping: bool


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
@click.option("--ledger", type=click.Path(path_type=Path), help="The ledger: CSV, JSON lines, or a bank's format.")
@click.option("--statement", type=click.Path(path_type=Path), help="The bank's statement: CAMT.053, MT940, OFX, …")
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
    "--format",
    "kinds",
    multiple=True,
    metavar=f"{_SIDED}FORMAT",
    help=f"One of {', '.join(FileKind)}. [default: by what stands in the file]",
)
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
@click.option("--save-mapping", is_flag=True, help="Keep how the CSVs are read, for the project's next imports.")
@click.option("--no-saved-mapping", is_flag=True, help="Read the CSVs as if nothing had been kept.")
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
    return _Order(
        files=[_asked(source, given) for source in SOURCES if given[source] is not None],
        project_id=given["project_id"],
        session_id=given["session_id"],
        session_name=given["session_name"],
        actor=Actor(identity.user_id, identity.name, Role.PREPARER),
        expires_in=given["expires_in"] or settings.collaboration_session_timeout,
        all_or_nothing=given["all_or_nothing"],
        use_mapping=not given["no_saved_mapping"],
        save_mapping=given["save_mapping"],
    )


_READING: Final = (
    "mapping_file", "maps", "ignored", "renamed", "date_format", "decimal", "default_currency", "encoding", "delimiter",
)  # fmt: skip


def _asked(source: Source, given: Mapping[str, Any]) -> _Asked:
    """Everything about a file that can be wrong without a database."""
    path: Path = given[source]
    with path.open("rb"):
        options = read_options(source, **{name: given[name] for name in _READING})
        return _Asked(source, path, options, read_kind(source, given["kinds"]))


async def _open(order: _Order, mappings: MappingStore) -> list[_File]:
    """Look through the files before anything is written anywhere."""
    files = []
    for asked in order.files:
        saved = await mappings.load(order.project_id, asked.source) if order.use_mapping else None
        reading = None if saved is None else saved.reading
        # A name says what a file is where nothing in it does.
        otherwise = FileKind.JSON_LINES if asked.path.suffix.lower() in _JSON_LINES else FileKind.CSV
        try:
            opened = await asyncio.to_thread(
                open_file, asked.path, asked.options, kind=asked.kind, otherwise=otherwise, saved=reading
            )
        except CollaborationError as error:
            raise CollaborationError(error.code, f"{asked.path}: {error.message}", error.details) from None
        if saved is not None and opened.uses_saved:
            print_saved_mapping(asked.path, saved)
        files.append(_File(asked.source, asked.path, opened))
    return files


async def _save(order: _Order, files: Sequence[_File], mappings: MappingStore) -> None:
    for file in files:
        if order.save_mapping and file.opened.settled is not None:
            saved = SavedMapping(file.opened.settled, order.actor.user_id, wall_clock())
            await mappings.save(order.project_id, file.source, saved)


async def _import(settings: Settings, order: _Order, report: Report) -> list[tuple[Path, ImportSummary]]:
    """What became of each file. Without a refused row, or where that is no matter, the session's id is printed."""
    async with _engine(settings) as (engine, importer, mappings, rules):
        files = await _open(order, mappings)
        if order.all_or_nothing:
            # Both files before the first row of either, and before a session is made.
            checked = []
            for file in files:
                listeners = report.listeners(file.path, "checking", file.opened.records.rows)
                checked.append((file.path, await importer.check(file.source, file.opened.records, listeners)))
            if any(summary.refused for _, summary in checked):
                return checked
        session_id = await _session(engine, rules, order)
        await _save(order, files, mappings)
        print_session(session_id)
        summaries = []
        for file in files:
            listeners = report.listeners(file.path, "importing", file.opened.records.rows)
            run = importer.run(session_id, order.actor, file.source, file.opened.records, listeners=listeners)
            summaries.append((file.path, await run))
        return summaries


@asynccontextmanager
async def _engine(settings: Settings) -> AsyncIterator[tuple[Engine, Importer, MappingStore, RuleStore]]:
    """An instance of our own beside whichever servers use this database: the log keeps them all in one order."""
    async with configured_store(settings) as store, command_engine(store) as engine:
        yield engine, Importer(engine, store.log, store.records), store.mappings, store.rules


async def _session(engine: Engine, rules: RuleStore, order: _Order) -> str:
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
    saved = await rules.load(order.project_id)
    create = CreateSession(
        actor=order.actor,
        command_id=command_id_of(order.actor.user_id, session_id),
        session_id=session_id,
        project_id=order.project_id,
        name=order.session_name,
        expires_in=order.expires_in,
        rules=None if saved is None else (saved.version, saved.rules),
    )
    await engine.submit(session_id, create)
    return session_id
