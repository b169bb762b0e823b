"""``realtime-server erase-person``: a person's name out of the sessions, with or without a server running beside."""

from __future__ import annotations

import asyncio
import getpass
import os
import uuid
from collections.abc import AsyncIterator, Collection

import click

from realtime_server.auth.revocations import Revocations
from realtime_server.command_engine import command_engine, failed_alone
from realtime_server.core.commands import Actor, EraseName, generated_command_id
from realtime_server.core.roles import Role
from realtime_server.engine.erasing import erase
from realtime_server.errors import CollaborationError
from realtime_server.ports import CommitLog
from realtime_server.settings import Settings
from realtime_server.storage.audit import soundness
from realtime_server.storage.configured import existing_store

_PAGE = 100


@click.command("erase-person")
@click.option("--user", "user_id", required=True, help="Id of the person whose name goes (the token's claim sub).")
@click.option("--project", "projects", multiple=True, help="In this project alone; can be given several times.")
@click.option("--session", "sessions", multiple=True, help="In this session alone; can be given several times.")
@click.option("--by", default=getpass.getuser, help="Id of whoever does it, for the log. [default: the login name]")
@click.option("--revoke", is_flag=True, help="First revoke the tokens that they have, in these projects or everywhere.")
@click.pass_context
def erase_command(
    ctx: click.Context, user_id: str, projects: tuple[str, ...], sessions: tuple[str, ...], by: str, revoke: bool
) -> None:
    """Erase a person's display name from every session that names them, and verify each log afterwards.

    Their user id stays: it is what the hash chain holds. What people wrote by hand (comments, reasons, values) stays
    too. A token from before names them no more there, but in other sessions it does, until it is revoked. Exit codes:
    0 done, 1 a log is not sound, or could not be opened, 2 it could not be done; doing it again does the rest.
    """
    if revoke and sessions:
        raise click.UsageError("tokens are revoked in projects or everywhere: leave out --session, or --revoke")
    settings = Settings.from_environment(os.environ)
    try:
        sound = asyncio.run(_erase(settings, user_id, projects, sessions, by, revoke=revoke))
    except CollaborationError as error:
        raise click.UsageError(error.message) from None
    ctx.exit(0 if sound else 1)


async def _erase(
    settings: Settings, user_id: str, projects: Collection[str], sessions: Collection[str], by: str, *, revoke: bool
) -> bool:
    actor = Actor(by, by, Role.ADMIN)
    sound, count = True, 0
    async with existing_store(settings) as store:
        if revoke:
            revocations = Revocations(store.revocations, store.clock)
            for project_id in projects or (None,):
                await revocations.revoke(user_id, project_id, by, "the name is erased")
        async with command_engine(store) as engine:
            async for session_id in _naming(store.log, user_id):
                if sessions and session_id not in sessions:
                    continue
                command = EraseName(
                    actor=actor, command_id=generated_command_id(by, uuid.uuid4().hex), user_id=user_id
                )
                try:
                    if projects and (await engine.inspect(session_id)).project_id not in projects:
                        continue
                    erased = await erase(engine, store.log, store.notices, session_id, [command])
                except CollaborationError as error:
                    click.echo(f"{session_id}: not erased: {failed_alone(error)}")
                    sound = False
                    continue
                is_sound, state = await soundness(store, session_id)
                click.echo(f"{session_id}: erased from {erased.commits} commits by commit {erased.seq}; {state}")
                sound, count = sound and is_sound, count + 1
    click.echo(f"{user_id}: the name is erased from {count} sessions")
    return sound


async def _naming(log: CommitLog, user_id: str) -> AsyncIterator[str]:
    after: str | None = None
    while found := await log.naming(user_id, after, _PAGE):
        for session_id in found:
            yield session_id
        after = found[-1]
