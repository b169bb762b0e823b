"""Every private part of upstream that the transport leans on is still as it was found.

When one of these fails after an upgrade, the named package moved something: adapt the transport's `upstream.py` (or the
module the test names) before widening the version range.
"""

from __future__ import annotations

import asyncio
import configparser
import importlib
import inspect
import operator
from importlib.metadata import version
from pathlib import Path

import pytest
import socketio
from aiohttp import web
from bidict import bidict

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


@pytest.mark.parametrize("name", upstream.METHODS)
def test_a_method_has_the_arguments_it_had(name: str) -> None:
    module, path = name.split(":")
    found = operator.attrgetter(path)(importlib.import_module(module))
    package = {"socketio": "python-socketio", "engineio": "python-engineio"}.get(module.split(".")[0], "aiohttp")
    assert tuple(inspect.signature(found).parameters) == upstream.METHODS[name], f"{package} {version(package)}"


def test_a_room_is_a_bidict_with_its_forward_mapping() -> None:
    room = bidict({"sid": "eio_sid"})
    assert room._fwdm == {"sid": "eio_sid"}, f"bidict {version('bidict')}"


def test_aiohttp_takes_a_mask_off_in_place() -> None:
    data = bytearray(b"\x11\x22\x33\x44\x55")
    upstream.mask_in_place(b"\x10\x20\x30\x40", data)
    assert data == b"\x01\x02\x03\x04\x45", f"aiohttp {version('aiohttp')}"


@pytest.mark.parametrize("name", upstream.HANDLER_ATTRIBUTES)
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
