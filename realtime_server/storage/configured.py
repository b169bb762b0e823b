"""The database that the settings mean: a MongoDB by its URL, or the embedded one under ``DATA_DIR``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from realtime_server.errors import ConfigurationError
from realtime_server.settings import Settings
from realtime_server.storage.embedded import shared_mongod
from realtime_server.storage.mongo import MongoStore, open_store


@asynccontextmanager
async def existing_store(settings: Settings, *, create_indexes: bool = True) -> AsyncIterator[MongoStore]:
    """For commands that work on data which is there: open it beside a running server, or alone.

    ConfigurationError with one line when it cannot be had, or when nothing was ever stored under ``DATA_DIR``.
    """
    name = settings.mongodb_database
    if settings.mongodb_url is not None:
        async with open_store(settings.mongodb_url, name, create_indexes=create_indexes) as store:
            yield store
        return
    if not (settings.data_dir / "mongodb").is_dir():
        raise ConfigurationError(f"there is no data under {settings.data_dir}: set DATA_DIR or MONGODB_URL")
    async with (
        shared_mongod(settings.data_dir) as address,
        open_store(address.url, name, create_indexes=create_indexes) as store,
    ):
        yield store
