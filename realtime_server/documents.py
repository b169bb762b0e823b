"""``python -m realtime_server.documents``: write the contract's documents anew, or with ``--check`` see if they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import orjson

from realtime_server.rest.documents.asyncapi import asyncapi
from realtime_server.rest.documents.json_schema import json_schema
from realtime_server.rest.documents.openapi import openapi
from realtime_server.rest.documents.typescript import typescript
from realtime_server.rest.routes import OPERATIONS

DIRECTORY = Path("docs/contract")


def documents() -> Mapping[str, bytes]:
    """File name -> content, the same on every machine."""
    http, socket = openapi(OPERATIONS), asyncapi()
    schema = json_schema(http, socket)
    return {
        "openapi.json": _json(http),
        "asyncapi.json": _json(socket),
        "schema.json": _json(schema),
        "types.ts": typescript(schema).encode(),
    }


def _json(document: Mapping[str, object]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def outdated(directory: Path) -> list[str]:
    """The files that are not what the schemas give."""
    return [
        name
        for name, content in documents().items()
        if not (directory / name).is_file() or (directory / name).read_bytes() != content
    ]


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when a file is out of date.")
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path), default=DIRECTORY, show_default=True)
def main(check: bool, directory: Path) -> None:
    """Write OpenAPI, AsyncAPI, JSON Schema and TypeScript types from the schemas."""
    if check:
        old = outdated(directory)
        if old:
            raise click.ClickException(f"out of date: {', '.join(old)}; run python -m realtime_server.documents")
        return
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in documents().items():
        (directory / name).write_bytes(content)
        click.echo(directory / name)


if __name__ == "__main__":
    main()
