"""``realtime-server retention``: people's names out of sessions that have been over for long enough."""

from __future__ import annotations

import asyncio
import os

import click

from realtime_server.command_engine import command_engine, failed_alone
from realtime_server.engine.retention import NameRetention
from realtime_server.errors import CollaborationError
from realtime_server.settings import MAX_RETENTION, Settings
from realtime_server.storage.audit import soundness
from realtime_server.storage.configured import existing_store


@click.command("retention")
@click.option(
    "--names-days", type=click.IntRange(1, MAX_RETENTION), metavar="DAYS",
    help="Keep names so long after a session's end. [default: RETENTION_NAMES_DAYS]",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_context
def retention_command(ctx: click.Context, names_days: int | None, dry_run: bool) -> None:
    """Erase people's names from sessions that ended longer ago than they are kept, and verify each log afterwards.

    Servers do it by themselves where RETENTION_NAMES_DAYS is set; this is for doing it at a time of one's own, and for
    looking first. Exit codes: 0 done, 1 a log is not sound, 2 it could not be done; doing it again does the rest.
    """
    settings = Settings.from_environment(os.environ)
    days = names_days or settings.retention_names_days
    if not days:
        raise click.UsageError("names are kept for ever: set RETENTION_NAMES_DAYS, or give --names-days")
    try:
        sound = asyncio.run(_run(settings, days, dry_run=dry_run))
    except CollaborationError as error:
        raise click.UsageError(error.message) from None
    ctx.exit(0 if sound else 1)


async def _run(settings: Settings, days: int, *, dry_run: bool) -> bool:
    sound, sessions = True, 0
    async with existing_store(settings) as store, command_engine(store) as engine:
        retention = NameRetention(engine, store.log, store.notices, store.clock, days)
        async for due in retention.due():
            about = f"{due.session_id}: ended at {due.ended_at}, {len(due.people)} people named"
            if dry_run:
                click.echo(about)
                sessions += 1
                continue
            try:
                commits = await retention.erase(due)
            except CollaborationError as error:
                click.echo(f"{about}; not erased: {failed_alone(error)}")
                sound = False
                continue
            is_sound, state = await soundness(store, due.session_id)
            click.echo(f"{about}; erased from {commits} commits; {state}")
            sessions += 1
            sound = sound and is_sound
    what = "would be erased" if dry_run else "are erased"
    click.echo(f"names are kept for {days} days: they {what} from {sessions} sessions")
    return sound
