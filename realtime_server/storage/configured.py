"""The database that the settings mean: a MongoDB by its URL, or the embedded one under ``DATA_DIR``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from realtime_server.errors import ConfigurationError
from realtime_server.settings import Settings
from realtime_server.storage.embedded import shared_mongod
from realtime_server.storage.mongo import MongoStore, open_store


@asynccontextmanager
async def configured_url(settings: Settings) -> AsyncIterator[str]:
    """Where the database is; for as long as this lasts, an embedded one runs, a server's own where there is one.

    ConfigurationError with one line when it cannot be had.
    """
    if settings.mongodb_url is not None:
        yield settings.mongodb_url
        return
    async with shared_mongod(settings.data_dir) as address:
        yield address.url


@asynccontextmanager
async def configured_store(settings: Settings, *, create_indexes: bool = True) -> AsyncIterator[MongoStore]:
    """The database itself, beside a running server or alone. ConfigurationError as in `configured_url`."""
    async with (
        configured_url(settings) as url,
        open_store(
            url,
            settings.mongodb_database,
            create_indexes=create_indexes,
            notices_days=settings.retention_notifications_days,
        ) as store,
    ):
        yield store


@asynccontextmanager
async def existing_store(settings: Settings, *, create_indexes: bool = True) -> AsyncIterator[MongoStore]:
    """`configured_store`, for commands that work on data which is there.

    ConfigurationError, too, when nothing was ever stored under ``DATA_DIR``.
    """
    if settings.mongodb_url is None and not (settings.data_dir / "mongodb").is_dir():
        raise ConfigurationError(f"there is no data under {settings.data_dir}: set DATA_DIR or MONGODB_URL")
    async with configured_store(settings, create_indexes=create_indexes) as store:
        yield store
