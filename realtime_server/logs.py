"""How the process writes its log: text for people, JSON lines for collectors, both on stderr."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from realtime_server.settings import Settings


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time`` (ISO 8601), ``level``, ``logger``, ``message``, ``exception``?."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure_logging(settings: Settings) -> None:
    """Set up the root logger. Libraries speak from `warning` on: what they say below is not about this service."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter()
        if settings.log_format == "json"
        else logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("realtime_server").setLevel(settings.log_level.upper())
