"""How the process writes its log: text for people, JSON lines for collectors, both on stderr.

Every entry says whose work it belongs to (`log_context`). Nothing here logs a token or a password; what somebody else's
message may quote of them, a library's or an exception's, is blotted out before it is written.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any, Final

from realtime_server.log_context import current
from realtime_server.settings import Settings

#: A JSON Web Token (RFC 7519: three parts, the first two begin with an encoded ``{"``), a URL's password (RFC 3986,
#: 3.2.1), and what follows ``Bearer``.
_SECRETS: Final = (
    (re.compile(r"eyJ[\w-]{5,}\.eyJ[\w-]{5,}\.[\w-]*"), "[token]"),
    (re.compile(r"(://[^/\s:@'\"]*):[^/\s@'\"]+@"), r"\1:[password]@"),
    (re.compile(r"(?i)(\bbearer\s+)[\w.~+/=-]{8,}"), r"\1[token]"),
)


def redacted(text: str) -> str:
    """The text without tokens, and without passwords in URLs."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class TextFormatter(logging.Formatter):
    """One line for people: time, level, logger, message, and the ids in brackets; a traceback below it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s%(ids)s")

    def format(self, record: logging.LogRecord) -> str:
        ids = " ".join(f"{name}={value}" for name, value in current().items())
        record.ids = f" [{ids}]" if ids else ""
        return redacted(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time`` (ISO 8601), ``level``, ``logger``, ``message``, the ids, ``exception``?."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
            **current(),
        }
        if record.exc_info:
            entry["exception"] = redacted(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def configure_logging(settings: Settings) -> None:
    """Set up the root logger. Libraries speak from `warning` on: what they say below is not about this service."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("realtime_server").setLevel(settings.log_level.upper())
