"""The clients of each kind of server, by name; each loaded only where it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

_CLIENTS: Final = {
    "collaboration": "loadtest.client:Client",
    "sharedb": "loadtest.peers.sharedb_client:ShareDBClient",
    "hocuspocus": "loadtest.peers.hocuspocus_client:HocuspocusClient",
}


def client_class(dialect: str) -> Any:
    module, _, name = _CLIENTS[dialect].partition(":")
    return getattr(import_module(module), name)
