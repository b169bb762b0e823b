"""The whole server as operators have it, with people who speak HTTP (`tests.rest.conftest`)."""

from tests.rest.conftest import ada, pat, rae, server, settings

__all__ = ["ada", "pat", "rae", "server", "settings"]
