"""A client for Python programs: join a session, edit, lock, and follow what happens, over interruptions too.

::

    async with connect("http://127.0.0.1:8080", token) as client, client.join("demo") as session:
        async with session.lock("ledger:A-17", ttl=60) as lock:
            await session.edit("ledger:A-17", "notes", "asked the bank", base_version=0, lock=lock)
        async for envelope in session.envelopes():
            print(envelope.seq, envelope.message_type, envelope.data)

``connection``  `connect`, `Client`: one connection that comes back by itself
``session``     `Session`: what one does in a session, and its envelopes in order
``locks``       `HeldLock`: a lease that is renewed while it is needed
``messages``    what comes back, as frozen data

Refusals are `CollaborationError`, with the code that the server gave.
"""

from realtime_server.client.connection import Client, connect
from realtime_server.client.locks import HeldLock
from realtime_server.client.messages import Edited, Envelope, Reset
from realtime_server.client.session import Session
from realtime_server.errors import CollaborationError, ErrorCode

__all__ = [
    "Client",
    "CollaborationError",
    "Edited",
    "Envelope",
    "ErrorCode",
    "HeldLock",
    "Reset",
    "Session",
    "connect",
]
