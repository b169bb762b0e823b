"""Commands of this package for the command line; `cli.py` registers them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from realtime_server.reconciliation.generated_files import write_files
from realtime_server.reconciliation.generator import DEFAULT_START, MAX_SIZE, generate_groups


@click.command("generate")
@click.option(
    "--out",
    "directory",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for ledger.csv, statement.csv and truth.csv; made where it is missing.",
)
@click.option(
    "--size",
    type=click.IntRange(1, MAX_SIZE),
    default=2_000,
    show_default=True,
    help="How many records, both sides together.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="The same seed gives the same files on every machine.",
)
@click.option(
    "--start-date",
    type=click.DateTime(["%Y-%m-%d"]),
    default=DEFAULT_START.isoformat(),
    show_default=True,
    help="First day of the period, which has 30 days.",
)
@click.option("--currency", default="EUR", show_default=True, help="Three-letter code; sets the number of decimals.")
def generate_command(directory: Path, size: int, seed: int, start_date: datetime, currency: str) -> None:
    """Write a ledger, a bank statement and the truth between them."""
    try:
        groups = generate_groups(seed, size, start_date=start_date.date(), currency=currency)
        written = write_files(directory, groups)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot write to {directory}: {error.strerror or error}") from error
    click.echo(f"{written.ledger}: {written.ledger_rows:,} rows")
    click.echo(f"{written.statement}: {written.statement_rows:,} rows")
    click.echo(f"{written.truth}: {written.groups:,} groups")
