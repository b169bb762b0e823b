"""``realtime-server doctor``: look at each thing the server needs, and say of each whether it is there.

It changes nothing but what a start would: with an embedded MongoDB it makes ``DATA_DIR`` and opens the data in it. One
document is written to the database's collection ``doctor`` and removed again.
"""

from __future__ import annotations

import asyncio
import errno
import os
import platform
import socket
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator
from datetime import UTC
from http.client import HTTPException
from urllib.parse import urlsplit

import click

from realtime_server import doctor_deployment as deployment
from realtime_server.errors import ConfigurationError
from realtime_server.finding import Finding, Verdict, fail, ok, warn
from realtime_server.settings import Settings

_PATIENCE = 5.0
"""Seconds a service that is set has to answer."""


def without_credentials(url: str) -> str:
    """`url` without user and password, for people to read."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """All findings, in the order in which a start would meet the things."""
    yield _python()
    yield _transport()
    yield _data_directory(settings)
    yield await _secret(settings)
    for finding in await _keys(settings):
        yield finding
    yield _port(settings)
    for finding in deployment.limits(settings):
        yield finding
    for finding in [*await _mongodb(settings), *await _redis(settings)]:
        yield finding


def _python() -> Finding:
    return ok("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _transport() -> Finding:
    from realtime_server.transport.outlets import IS_COMPILED

    if IS_COMPILED:
        return ok("transport", "compiled")
    return warn("transport", "plain Python: a delivery costs a fifth more; install again where a C compiler is")


def _data_directory(settings: Settings) -> Finding:
    probe = settings.data_dir / f".doctor-{uuid.uuid4().hex}"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        return fail("data dir", f"{settings.data_dir} is not writable: {error.strerror}")
    return ok("data dir", f"{settings.data_dir.resolve()} is writable")


async def _secret(settings: Settings) -> Finding:
    from realtime_server.auth.issue import SECRET_FILE, load_or_create_secret
    from realtime_server.auth.tokens import key_set_of

    try:
        keys = key_set_of(settings)
        if keys is not None:
            return ok("tokens", f"{await keys.load()} keys in the key set")
        if settings.auth_jwt_secret is not None:
            return ok("tokens", "AUTH_JWT_SECRET is set")
        if not (settings.data_dir / SECRET_FILE).exists():
            return warn("tokens", "no AUTH_JWT_SECRET and no key set: the server will make a secret")
        load_or_create_secret(settings.data_dir)
    except ConfigurationError as error:
        return fail("tokens", str(error))
    return ok("tokens", f"the secret in {settings.data_dir / SECRET_FILE}")


async def _keys(settings: Settings) -> list[Finding]:
    from realtime_server.auth.tokens import key_set_of

    keys = key_set_of(settings)
    try:
        document = None if keys is None else await keys.document()
        found = list(deployment.token_keys(settings, document))
        return found if document is None else [*found, *deployment.expiries(document)]
    except (ConfigurationError, ValueError):
        return []  # the line before has said so


def _port(settings: Settings) -> Finding:
    where = f"{settings.ws_host}:{settings.ws_port}"
    try:
        found = socket.getaddrinfo(settings.ws_host, settings.ws_port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and _is_a_server(settings.ws_port):
            return ok("port", f"{where} is held by a server that answers /healthz")
        return fail("port", f"{where} cannot be listened on: {error.strerror}; set WS_PORT or WS_HOST")
    return ok("port", f"{where} is free")


def _is_a_server(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=_PATIENCE) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException):
        return False


async def _mongodb(settings: Settings) -> list[Finding]:
    from realtime_server.storage.configured import configured_url

    given = settings.mongodb_url
    where = f"embedded, in {settings.data_dir}" if given is None else without_credentials(given)
    try:
        async with configured_url(settings) as url:
            return await _journaled_write(url, settings, where)
    except ConfigurationError as error:
        return [fail("mongodb", str(error))]


async def _journaled_write(url: str, settings: Settings, where: str) -> list[Finding]:
    from pymongo import AsyncMongoClient, WriteConcern
    from pymongo.errors import PyMongoError

    from realtime_server.storage.mongo_failures import reason
    from realtime_server.storage.mongo_indexes import INDEXES

    probe = {"_id": uuid.uuid4().hex}
    try:
        client: AsyncMongoClient[dict[str, str]] = AsyncMongoClient(url, serverSelectionTimeoutMS=int(_PATIENCE * 1000))
    except (PyMongoError, ValueError) as error:
        # The reason's first words only: what follows quotes the URL.
        return [fail("mongodb", f"{where}: {str(error).partition(':')[0]}")]
    try:
        version = (await client.server_info())["version"]
        durable = WriteConcern("majority", j=True, wtimeout=int(_PATIENCE * 1000))
        collection = client[settings.mongodb_database].get_collection("doctor", write_concern=durable)
        await collection.insert_one(probe)
        await collection.delete_one(probe)
        asked = time.time()
        hello = await client.admin.command("hello")
        answered = time.time()
        database = client[settings.mongodb_database]
        found = {name: set(await database[name].index_information()) for name in INDEXES}
    except PyMongoError as error:
        return [fail("mongodb", f"{where}: {reason(error)}")]
    finally:
        await client.close()
    wanted = {(name, str(index.document["name"])) for name, models in INDEXES.items() for index in models}
    missing = sorted(f"{name}.{index}" for name, index in wanted if index not in found[name])
    used = any(found.values())
    findings = [
        deployment.mongodb_version(version),
        ok("mongodb", f"{where}: version {version}, takes journaled writes"),
        deployment.write_concern(url),
        deployment.replica_set(hello, settings.mongodb_url is None),
        deployment.indexes(missing) if used else ok("indexes", "the database is new: the server makes them"),
        deployment.clock("MongoDB", hello["localTime"].replace(tzinfo=UTC).timestamp(), asked, answered),
    ]
    return [finding for finding in findings if finding is not None]


async def _redis(settings: Settings) -> list[Finding]:
    if settings.redis_url is None:
        return [ok("redis", "REDIS_URL is not set: one process serves all")]
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    where = without_credentials(settings.redis_url)
    key = f"{settings.redis_session_prefix}doctor:{uuid.uuid4().hex}"
    try:
        async with Redis.from_url(
            settings.redis_url, socket_connect_timeout=_PATIENCE, socket_timeout=_PATIENCE
        ) as redis:
            await redis.set(key, "1", ex=10)
            await redis.delete(key)
            info = await redis.info()
            asked = time.time()
            seconds, microseconds = await redis.time()
            answered = time.time()
    except (RedisError, OSError, ValueError) as error:
        return [fail("redis", f"{where}: {error}")]
    return [
        ok("redis", f"{where}: version {info['redis_version']}, takes writes"),
        *deployment.redis_server(info, settings),
        deployment.clock("Redis", seconds + microseconds / 1e6, asked, answered),
    ]


async def _report(settings: Settings) -> bool:
    healthy = True
    async for finding in examine(settings):
        _print(finding)
        healthy = healthy and finding.verdict is not Verdict.FAIL
    return healthy


def _print(finding: Finding) -> None:
    click.echo(f"{finding.verdict.value:<5} {finding.subject:<9} {finding.message}")


@click.command("doctor")
@click.pass_context
def doctor_command(ctx: click.Context) -> None:
    """Check what the server needs, one line each: ok, warn or fail. Exit code 1 if anything failed."""
    try:
        settings = Settings.from_environment(
            os.environ, warn=lambda line: _print(warn("settings", line))
        )
    except ConfigurationError as error:
        _print(fail("settings", str(error)))
        ctx.exit(1)
    _print(ok("settings", "all values are allowed"))
    ctx.exit(0 if asyncio.run(_report(settings)) else 1)
