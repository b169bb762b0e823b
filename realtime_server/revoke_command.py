"""The command ``realtime-server revoke``: an operator's way to shut somebody out before their tokens expire."""

from __future__ import annotations

import asyncio
import os

import click

from realtime_server.auth.identity import MAX_PROJECT_ID, MAX_USER_ID
from realtime_server.auth.revocations import Revocations
from realtime_server.core.clock import to_iso
from realtime_server.core.commits import SYSTEM_USER
from realtime_server.errors import CollaborationError
from realtime_server.ports import Revocation
from realtime_server.settings import Settings
from realtime_server.storage.configured import existing_store


@click.command("revoke")
@click.option("--user", required=True, help="Id of the person (the claim sub).")
@click.option("--project", help="Only in this project; everywhere if not given.")
@click.option("--reason", help="Why; kept with the revocation.")
def revoke_command(user: str, project: str | None, reason: str | None) -> None:
    """Revoke the tokens that a person has now.

    Running servers learn of it within AUTH_REVOCATION_INTERVAL and close the person's connections.
    """
    if not 0 < len(user) <= MAX_USER_ID or not 0 < len(project or "all") <= MAX_PROJECT_ID:
        raise click.UsageError(f"ids have 1 to {MAX_USER_ID} characters")
    settings = Settings.from_environment(os.environ)

    async def revoke() -> Revocation:
        async with existing_store(settings) as store:
            return await Revocations(store.revocations, store.clock).revoke(user, project, SYSTEM_USER, reason)

    try:
        revocation = asyncio.run(revoke())
    except CollaborationError as error:
        raise click.ClickException(error.message) from error
    where = "every project" if project is None else f"project {project}"
    click.echo(f"{user}: tokens issued up to {to_iso(revocation.before * 1000)} are revoked in {where}")
