"""Every private part of upstream that the transport leans on is still as it was found.

When one of these fails after an upgrade, the named package moved something: adapt the transport's `upstream.py` (or the
module the test names) before widening the version range.
"""

from __future__ import annotations

import asyncio
import configparser
import inspect
from importlib.metadata import version
from pathlib import Path

import engineio
import pytest
import socketio
from aiohttp import web
from bidict import bidict
from socketio.base_manager import BaseManager
from socketio.base_server import BaseServer

from realtime_server.transport import upstream


@pytest.mark.parametrize("package", upstream.TESTED_VERSIONS)
def test_the_installed_series_is_the_one_that_was_examined(package: str) -> None:
    found = version(package)
    series = upstream.TESTED_VERSIONS[package]
    assert found == series or found.startswith(series + "."), f"{package} {found} was not examined; {series} was"


@pytest.mark.parametrize("package", ["python-socketio", "python-engineio"])
def test_the_version_range_is_pinned_to_the_series(package: str) -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    (line,) = [line for line in setup["options"]["install_requires"].split() if line.startswith(package)]
    major, minor = upstream.TESTED_VERSIONS[package].split(".")
    assert line.endswith(f",<{major}.{int(minor) + 1}"), line


@pytest.mark.parametrize(
    "name", ["rooms", "pending_connect", "pending_disconnect", "callbacks"], ids=lambda name: f"BaseManager.{name}"
)
def test_the_managers_tables_are_dictionaries(name: str) -> None:
    assert getattr(socketio.AsyncManager(), name) == {}, f"python-socketio {version('python-socketio')}"


@pytest.mark.parametrize(
    ("owner", "name", "arguments"),
    [
        (BaseManager, "basic_enter_room", ["self", "sid", "namespace", "room", "eio_sid"]),
        (BaseManager, "basic_leave_room", ["self", "sid", "namespace", "room"]),
        (BaseManager, "basic_disconnect", ["self", "sid", "namespace", "kwargs"]),
        (BaseManager, "pre_connect", ["self", "eio_sid", "namespace"]),
        (BaseManager, "pre_disconnect", ["self", "sid", "namespace"]),
        (BaseManager, "_generate_ack_id", ["self", "sid", "callback"]),
        (BaseServer, "_get_event_handler", ["self", "event", "namespace", "args"]),
        (BaseServer, "_get_namespace_handler", ["self", "namespace", "args"]),
        (BaseServer, "_engineio_server_class", ["self"]),
        (socketio.AsyncServer, "_handle_eio_connect", ["self", "eio_sid", "environ"]),
        (socketio.AsyncServer, "_handle_eio_disconnect", ["self", "eio_sid", "reason"]),
        (socketio.AsyncServer, "_trigger_event", ["self", "event", "namespace", "args"]),
        (socketio.AsyncServer, "_send_packet", ["self", "eio_sid", "pkt"]),
        (engineio.AsyncServer, "_trigger_event", ["self", "event", "args", "kwargs"]),
        (engineio.AsyncServer, "_upgrades", ["self", "sid", "transport"]),
        (engineio.AsyncServer, "_get_socket", ["self", "sid"]),
        (engineio.AsyncServer, "_cors_allowed_origins", ["self", "environ"]),
        (engineio.AsyncServer, "_cors_headers", ["self", "environ"]),
        (engineio.AsyncServer, "_generate_sid_cookie", ["self", "sid", "attributes"]),
        (web.RequestHandler, "connection_lost", ["self", "exc"]),
        (web.RequestHandler, "data_received", ["self", "data"]),
        (web.RequestHandler, "force_close", ["self"]),
        (web.AppRunner, "_make_server", ["self"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_method_has_the_arguments_it_had(owner: type, name: str, arguments: list[str]) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == arguments


def test_a_room_is_a_bidict_with_its_forward_mapping() -> None:
    room = bidict({"sid": "eio_sid"})
    assert room._fwdm == {"sid": "eio_sid"}, f"bidict {version('bidict')}"


@pytest.mark.parametrize(
    "name",
    ["_message_tail", "_request_count", "_upgraded", "_payload_parser", "_waiter", "_manager", "transport"],
)
def test_aiohttps_protocol_has_the_attribute(name: str) -> None:
    async def find() -> bool:
        handler = web.Server(lambda request: web.Response())()  # type: ignore[arg-type,return-value]
        return hasattr(handler, name)

    assert asyncio.run(find()), f"aiohttp {version('aiohttp')} has no RequestHandler.{name}"


def test_asyncio_has_the_extension_points_for_tasks() -> None:
    async def enter() -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(asyncio.sleep(0))
        seen: list[object] = []

        def step() -> None:
            asyncio._enter_task(loop, task)
            seen.append(asyncio.current_task())
            asyncio._leave_task(loop, task)

        loop.call_soon(step)
        await task
        assert seen == [task]

    asyncio.run(enter())
