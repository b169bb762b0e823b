"""Where an application joins in: override what interests you, pass the object as `hooks=` to the server.

Every method here is called on the event loop and must return quickly. An exception from a hook is logged and ignored.
"""

from __future__ import annotations


class Hooks:
    """Does nothing; a base to inherit from."""

    def opened(self, sid: str, address: str, transport: str) -> None:
        """An Engine.IO session `sid` opened on `transport` (`websocket` or `polling`) from `address`."""

    def upgraded(self, sid: str) -> None:
        """Session `sid` moved from long-polling to WebSocket."""

    def closed(self, sid: str, reason: str) -> None:
        """Session `sid` ended; its disconnect handlers have run."""

    def refused(self, reason: str, address: str) -> None:
        """Input from `address` was refused; `reason` is one of the words of the `refused` counter."""

    def slow_consumer(self, sid: str, address: str) -> None:
        """Session `sid` was aborted because its client did not read."""

    def handled(self, event: str, namespace: str, seconds: float) -> None:
        """A handler of `event` took `seconds`."""
