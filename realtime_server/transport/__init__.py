"""A Socket.IO server for Python that is correct, bounded and fast: python-socketio's API on our own transports.

`SocketServer` is a `socketio.AsyncServer`, `EngineServer` an `engineio.AsyncServer`; both run on aiohttp (and uvloop).
The package knows nothing of the application around it and imports nothing else of this project.

    deadlines     one timer for thousands of timeouts        frames, packets, jsoncodec, codec   the wire, as data
    lane          one client's jobs in order                 websocket, polling, upgrading, http the transports
    outbox        what waits for one client                  engine_socket, engine_server        Engine.IO v4
    outlets       how it is queued and written               endings                             how sessions end
    flushing      when it leaves
    limits        every bound                                receiving, peer, socket_server      Socket.IO v5
    addresses     who, and how many                          handling, membership, faults        handlers
    headguard     slow request heads                         emitting, manager                   emitting, rooms
    upstream      every private part of upstream we use      metrics, hooks, badinput            seen from outside
"""

from .engine_server import EngineServer
from .faults import DEFAULT_ERROR_ACK
from .headguard import guarded_runner
from .hooks import Hooks
from .limits import Limits
from .manager import LocalManager
from .metrics import TransportCollector, TransportStats
from .socket_server import SocketServer

__all__ = [
    "DEFAULT_ERROR_ACK",
    "EngineServer",
    "Hooks",
    "Limits",
    "LocalManager",
    "SocketServer",
    "TransportCollector",
    "TransportStats",
    "guarded_runner",
]
