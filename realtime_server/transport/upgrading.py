"""The upgrade from long-polling to a WebSocket: the second transport, while it proves itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .frames import text_frame
from .websocket import WebSocketLink

if TYPE_CHECKING:
    from .engine_socket import EngineSocket


class Probe:
    """A WebSocket that asks to take over a long-polling session: `2probe`, `3probe`, `5`, and nothing else."""

    __slots__ = ("_probed", "link", "socket")

    def __init__(self, socket: EngineSocket) -> None:
        self.socket = socket
        self.link = WebSocketLink(self, socket.server.limits)
        self._probed = False

    def receive_text(self, payload: bytes) -> None:
        socket = self.socket
        if socket.probe is not self:
            self.link.close()
        elif not self._probed and payload == b"2probe":
            self._probed = True
            self.link.write(text_frame(b"3probe"))
            socket.upgrade_probed()
        elif self._probed and payload == b"5":
            socket.server.probes.cancel(self)
            socket.upgrade_completed(self.link)
        else:
            socket.server.refused("malformed_probe", socket.address)
            self.fail()

    def receive_binary(self, payload: bytes) -> None:
        self.fail()

    def control_received(self) -> None:
        """WebSocket pings are answered during a probe too; `upgrade_timeout` bounds how many there can be."""

    def link_failed(self, code: int, reason: str) -> None:
        self.socket.server.refused(reason, self.socket.address)
        self.fail(code)

    def link_closed(self) -> None:
        self.fail()

    def writing_paused(self) -> None:
        self.link.abort()
        self.fail()

    def writing_resumed(self) -> None:
        """Nothing waits."""

    def writing_ended(self) -> None:
        """There is nobody to tell: the session goes on with the first transport."""

    def fail(self, code: int = 1000) -> None:
        """Close this WebSocket and leave the session as it was."""
        self.socket.server.probes.cancel(self)
        self.link.close(code)
        if self.socket.probe is self:
            self.socket.upgrade_failed()
