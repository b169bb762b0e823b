"""The command ``realtime-server rest``: the HTTP interface in a process of its own, on the same database."""

from __future__ import annotations

import os

import click
import uvloop
from aiohttp import web

from realtime_server.app import create_rest_app
from realtime_server.logs import configure_logging
from realtime_server.serving import address, serve_until_told
from realtime_server.settings import Settings


@click.command("rest")
def rest_command() -> None:
    """Run the REST interface alone. Settings come from the environment; Ctrl-C ends it."""
    settings = Settings.from_environment(os.environ)
    configure_logging(settings)

    async def greet(app: web.Application, port: int) -> str:
        return f"\nrealtime-server rest listens on {address(settings, port)}. Pages: {address(settings, port)}/api/docs"

    uvloop.run(serve_until_told(settings, create_rest_app, greet))
