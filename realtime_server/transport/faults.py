"""What happens when a handler of the application raises: counted, answered by the application or logged."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from .calling import resolved
from .limits import TokenBucket

if TYPE_CHECKING:
    from .socket_server import SocketServer

logger = logging.getLogger("realtime_server.transport")

DEFAULT_ERROR_ACK: Final = {
    "ok": False,
    "error": {"code": "internal", "message": "Internal error", "retryable": False},
}
"""What the client of a handler that raised is told when no `on_handler_error` is given."""


class HandlerFaults:
    """The faults of one server's handlers."""

    def __init__(self, server: SocketServer) -> None:
        self._server = server
        self._bucket: TokenBucket | None = None

    async def answer(self, event: str, sid: str, namespace: str, error: BaseException) -> Any:
        """The acknowledgement of an event whose handler raised `error`."""
        server = self._server
        server.stats.handler_errors += 1
        if server.on_handler_error is not None:
            try:
                return await resolved(server.on_handler_error(event, sid, namespace, error))
            except Exception:
                self.log("on_handler_error failed")
                return DEFAULT_ERROR_ACK
        self.log("an event handler failed", error)
        return DEFAULT_ERROR_ACK

    async def refusal(self, sid: str, namespace: str, error: Exception) -> dict[str, Any]:
        """The payload of CONNECT_ERROR for a connect handler that raised `error`, which is no refusal of its own."""
        server = self._server
        server.stats.handler_errors += 1
        if server.on_handler_error is None:
            self.log("a connect handler failed")
            return {"message": "Internal error"}
        told = await resolved(server.on_handler_error("connect", sid, namespace, error))
        return {"message": "Internal error", "data": told}

    def log(self, message: str, error: BaseException | None = None) -> None:
        """A traceback, but not more than ten at once and one a second: clients decide how often handlers fail."""
        now = self._server.eio.loop.time()
        if self._bucket is None:
            self._bucket = TokenBucket(1.0, 10, now)
        if self._bucket.take(now):
            logger.error(message, exc_info=error or True)
