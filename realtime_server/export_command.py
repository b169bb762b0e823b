"""``realtime-server export`` and ``verify-export``: the auditor's package, written and checked."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

import click

from realtime_server.command_engine import command_engine
from realtime_server.errors import CollaborationError
from realtime_server.reconciliation.export_check import manifest_of, problems_of
from realtime_server.reconciliation.export_package import PackageWriter, zip_folder
from realtime_server.settings import Settings
from realtime_server.storage.configured import existing_store


@click.command("export")
@click.argument("session_id", metavar="SESSION")
@click.option("--out", "target", required=True, type=click.Path(dir_okay=False, path_type=Path), help="ZIP to write.")
@click.option("--by", "exported_by", default="operator", show_default=True, help="Who exports, for the package.")
def export_command(session_id: str, target: Path, exported_by: str) -> None:
    """Write SESSION as a package for its auditors: tables, report, audit trail, and a manifest with hashes."""
    settings = Settings.from_environment(os.environ)
    try:
        click.echo(asyncio.run(_export(settings, session_id, target, exported_by)))
    except CollaborationError as error:
        raise click.ClickException(f"{session_id}: {error.message}") from error
    except OSError as error:
        raise click.ClickException(f"cannot write {target}: {error.strerror or error}") from error


async def _export(settings: Settings, session_id: str, target: Path, exported_by: str) -> str:
    """The package beside the target first, so that half of one never bears its name."""
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as name:
        folder, packed = Path(name) / "package", Path(name) / "packed"
        folder.mkdir()
        async with existing_store(settings) as store, command_engine(store) as engine:
            writer = PackageWriter(engine, store.log, store.records, store.clock)
            manifest = await writer.write(session_id, folder, exported_by)
        await asyncio.to_thread(zip_folder, folder, packed)
        packed.replace(target)
    signed = "signed off" if manifest["signed"] else "not signed off"
    return f"{session_id}: {signed}, {manifest['as_of']} commits, head {manifest['head']}"


@click.command("verify-export")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def verify_export_command(path: Path) -> None:
    """Check a package: the hash of every file, and the chain of the audit trail to its head.

    Exit codes: 0 the package is as it was written, 1 it is not.
    """
    problems = problems_of(path)
    for problem in problems:
        click.echo(f"{path}: {problem}")
    if problems:
        raise click.exceptions.Exit(1)
    manifest = manifest_of(path)
    signed = "signed off" if manifest["signed"] else "not signed off"
    what = f"{manifest['session_id']} is {signed}, {manifest['as_of']} commits, head {manifest['head']}"
    click.echo(f"{path}: sound; {what}")
