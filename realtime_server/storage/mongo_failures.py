"""The one place where MongoDB's failures become ours."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pymongo.errors import PyMongoError

from realtime_server.errors import CollaborationError, ErrorCode

log = logging.getLogger(__name__)

DUPLICATE_KEY: Final = 11000
#: Seconds between two log lines about a database that does not answer: every waiting command meets the same failure.
_SILENCE: Final = 1.0

_last_report = float("-inf")


@contextmanager
def bounded() -> Iterator[None]:
    """Turn any failure of MongoDB into CollaborationError(UNAVAILABLE); the reason goes to the log, not to clients."""
    try:
        yield
    except PyMongoError as error:
        raise unavailable(error) from error


def reason(error: PyMongoError) -> str:
    """What went wrong, in a few words: the driver goes on with its settings and all it knows of every server."""
    first = re.split(r" \(configured timeouts|, Timeout: |, full error", str(error), maxsplit=1)[0]
    return " ".join(first.split())[:300]


def unavailable(error: PyMongoError) -> CollaborationError:
    global _last_report
    now = time.monotonic()
    if now - _last_report >= _SILENCE:
        _last_report = now
        log.warning("MongoDB: %s", reason(error))
    return CollaborationError(ErrorCode.UNAVAILABLE, "the database did not answer in time")
