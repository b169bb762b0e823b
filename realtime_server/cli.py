"""The command ``realtime-server``: what an operator can do, each command loaded only when it is used.

Exit codes: 0 done, 1 failed, 2 wrongly called or wrongly configured (one line on stderr says what to do).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from realtime_server.core.roles import Role
from realtime_server.errors import ConfigurationError

_MAX_TTL = 365 * 86_400
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command lives (``module:attribute``) and its line in the help, so that help loads nothing."""

    target: str
    summary: str

    def load(self) -> click.Command:
        module, _, attribute = self.target.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.target} is not a command")
        return command


COMMANDS: Mapping[str, LazyCommand] = {
    "serve": LazyCommand("realtime_server.serving:serve_command", "Run the server."),
    "rest": LazyCommand("realtime_server.rest_command:rest_command", "Run the REST interface alone."),
    "token": LazyCommand("realtime_server.cli:token_command", "Print a token for development."),
    "revoke": LazyCommand("realtime_server.revoke_command:revoke_command", "Revoke a person's tokens."),
    "import": LazyCommand("realtime_server.import_command:import_command", "Import record sets."),
    "generate": LazyCommand("realtime_server.reconciliation.commands:generate_command", "Write example record sets."),
    "audit": LazyCommand("realtime_server.storage.commands:audit_command", "Verify or export a session's log."),
    "erase-person": LazyCommand("realtime_server.erase_command:erase_command", "Erase a person's name."),
    "retention": LazyCommand(
        "realtime_server.retention_command:retention_command", "Erase names from sessions long ended."
    ),
    "backup": LazyCommand("realtime_server.storage.backup_command:backup_command", "Write everything to a file."),
    "restore": LazyCommand("realtime_server.storage.backup_command:restore_command", "Put a backup back."),
    "export": LazyCommand(
        "realtime_server.export_command:export_command", "Write a session as a package for auditors."
    ),
    "verify-export": LazyCommand("realtime_server.export_command:verify_export_command", "Check such a package."),
    "doctor": LazyCommand("realtime_server.doctor:doctor_command", "Check what the server needs."),
}


class _ConfigurationFailure(click.ClickException):
    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo("realtime-server: " + " ".join(self.message.split()), err=True)


class LazyGroup(click.Group):
    """Loads a command when it is called, and ends a `ConfigurationError` as one line and exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        lazy = COMMANDS.get(cmd_name)
        return lazy.load() if lazy is not None else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise _ConfigurationFailure(str(error)) from None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="realtime-server")
def cli() -> None:
    """Accounting teams reconcile records together, live. Settings come from the environment; see the README."""


def duration(value: str) -> int:
    match = re.fullmatch(r"([0-9]{1,9})([smhd]?)", value)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 1 <= seconds <= _MAX_TTL:
        raise click.BadParameter(f"{value!r} is no duration such as 30m, 8h or 7d, at most 365d")
    return seconds


@click.command("token")
@click.option("--user", required=True, help="Id of the person (the claim sub).")
@click.option("--project", "projects", multiple=True, required=True, help="Project id; can be given several times.")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default=Role.PREPARER.value, show_default=True,
    help="Role in these projects.",
)  # fmt: skip
@click.option("--name", help="Name that others see; the user's id if not given.")
@click.option(
    "--ttl", type=duration, default="8h", show_default=True, metavar="DURATION", help="How long the token is good."
)
def token_command(user: str, projects: tuple[str, ...], role: str, name: str | None, ttl: int) -> None:
    """Print a token for development and nothing else.

    Signed with AUTH_JWT_SECRET, or with the secret the server keeps under DATA_DIR.
    """
    from realtime_server.auth.identity import identity_from_claims
    from realtime_server.auth.issue import issue_token, signing_secret
    from realtime_server.errors import CollaborationError
    from realtime_server.settings import Settings

    settings = Settings.from_environment(os.environ)
    roles = dict.fromkeys(projects, Role(role))
    try:  # what the server would refuse is not printed
        identity_from_claims({"sub": user, "name": name, "exp": ttl, "projects": roles})
    except CollaborationError as error:
        raise click.UsageError(error.message) from None
    secret = signing_secret(settings)
    click.echo(issue_token(secret, user, name, roles, ttl, settings.auth_issuer, settings.auth_audience))


def main() -> None:
    """Entry point of the console script."""
    cli(prog_name="realtime-server")
