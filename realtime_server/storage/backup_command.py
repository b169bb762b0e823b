"""``realtime-server backup`` and ``restore``."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import BinaryIO

import click

from realtime_server.settings import Settings
from realtime_server.storage.backup import Copied, restore_backup, write_backup
from realtime_server.storage.configured import configured_store, existing_store

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("backup")
@click.option("--out", "target", required=True, type=_FILE, help="File to write; it must not be there yet.")
@click.pass_context
def backup_command(ctx: click.Context, target: Path) -> None:
    """Write every session, its log and its records to a file, verifying each log on the way.

    A server may go on meanwhile. Exit codes: 0 done, 1 written, but a log is not sound, 2 it could not be done.
    """
    settings = Settings.from_environment(os.environ)

    async def write(file: BinaryIO) -> Copied:
        async with existing_store(settings, create_indexes=False) as store:
            return await write_backup(store, file)

    try:
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            copied = asyncio.run(write(file))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise click.UsageError(f"cannot write {target}: {error.strerror}") from None
    click.echo(f"{copied.sessions} sessions, {copied.commits} commits, {copied.records} records: {target}")
    if copied.problem is not None:
        click.echo(copied.problem)
    ctx.exit(0 if copied.problem is None else 1)


@click.command("restore")
@click.argument("source", metavar="FILE", type=_FILE)
def restore_command(source: Path) -> None:
    """Put a backup into an empty database. All of it is verified before anything is written."""
    settings = Settings.from_environment(os.environ)

    async def restore() -> Copied:
        async with configured_store(settings) as store:
            return await restore_backup(store, source)

    copied = asyncio.run(restore())
    click.echo(f"{copied.sessions} sessions, {copied.commits} commits, {copied.records} records: restored and sound")
