"""What the Socket.IO Admin UI (https://socket.io/docs/v4/admin-ui/) shows of this server: read-only, by password.

The UI's protocol, in its production form: after connecting to the namespace `/admin`, ``config`` once and
``server_stats`` every two seconds. python-socketio's own ``instrument()`` replaces parts of Engine.IO that our
transport does not have, and lets an admin emit and join: what people see here comes from the log alone, so nothing of
that is offered, and payloads are not shown.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
import time
from collections.abc import Mapping
from typing import Any, Final

from socketio.exceptions import ConnectionRefusedError as ConnectRefused

from realtime_server.transport import SocketServer, TransportStats

NAMESPACE: Final = "/admin"
#: Seconds between two reports, as the UI expects them.
INTERVAL: Final = 2.0
#: Seconds for which somebody with a wrong password waits for the refusal: nobody guesses quickly.
_PENALTY: Final = 1.0


class AdminUi:
    """Serves the namespace until `close`. ``shown``: the namespaces whose clients are counted."""

    def __init__(self, sockets: SocketServer, user: str, password: str, shown: tuple[str, ...]) -> None:
        self._sockets = sockets
        self._credentials = (user.encode(), password.encode())
        self._shown = shown
        self._began = time.monotonic()
        self._before: dict[str, int] = {}
        self._server_id = f"{socket.gethostname()}-{os.getpid()}"
        sockets.on("connect", self._connect, namespace=NAMESPACE)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._before = _counts(self._sockets.stats)
        self._task = asyncio.get_running_loop().create_task(self._report(), name="admin-ui")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _connect(self, sid: str, environ: Mapping[str, Any], auth: Any = None) -> None:
        if not self._knows(auth):
            await asyncio.sleep(_PENALTY)
            raise ConnectRefused("invalid credentials")
        asyncio.get_running_loop().call_soon(
            lambda: self._sockets.broadcast(
                "config", {"supportedFeatures": ["AGGREGATED_EVENTS"]}, room=sid, namespace=NAMESPACE
            )
        )

    def _knows(self, auth: Any) -> bool:
        given = auth if isinstance(auth, dict) else {}
        texts = [given.get(name) for name in ("username", "password")]
        if not all(isinstance(text, str) for text in texts):
            return False
        # Both are compared, whatever the first comes to: the time it takes tells nothing.
        same = [
            hmac.compare_digest(str(text).encode("utf-8", "replace"), known)
            for text, known in zip(texts, self._credentials, strict=True)
        ]
        return all(same)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            # Through the manager: with Redis every instance's report reaches whoever looks, at any of them.
            await self._sockets.emit("server_stats", self.stats(), namespace=NAMESPACE)

    def stats(self) -> dict[str, Any]:
        """``server_stats`` of the UI's protocol; the aggregated events are those since the last report."""
        now = _counts(self._sockets.stats)
        at = int(time.time()) * 1000
        events = [
            {"timestamp": at, "type": name, "count": count - self._before.get(name, 0)}
            for name, count in now.items()
            if count > self._before.get(name, 0)
        ]
        self._before = now
        sockets = self._sockets.eio.sockets
        return {
            "serverId": self._server_id,
            "hostname": socket.gethostname(),
            "pid": os.getpid(),
            "uptime": time.monotonic() - self._began,
            "clientsCount": len(sockets),
            "pollingClientsCount": sum(not item.upgraded for item in sockets.values()),
            "aggregatedEvents": events,
            "namespaces": [{"name": name, "socketsCount": self._count(name)} for name in (*self._shown, NAMESPACE)],
        }

    def _count(self, namespace: str) -> int:
        return sum(1 for _ in self._sockets.manager.get_participants(namespace, None))


def _counts(stats: TransportStats) -> dict[str, int]:
    return {
        "rawConnection": sum(stats.connections_opened.values()),
        "rawDisconnection": sum(stats.connections_closed.values()),
        "packetsIn": stats.frames_received,
        "packetsOut": stats.frames_sent,
        "bytesIn": stats.bytes_received,
        "bytesOut": stats.bytes_sent,
    }
