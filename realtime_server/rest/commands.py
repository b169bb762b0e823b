"""Sending commands to the engine: ids that make retries harmless, and the answer."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import uuid4

from realtime_server.core.commands import GENERATED, Command, generated_command_id
from realtime_server.rest.operations import Answer, Call
from realtime_server.tracing import COMMAND


def command_id(call: Call, verb: str) -> str:
    """An id for a write that has none of its own.

    With ``Idempotency-Key`` it is made of the key, of what is asked and of where, so that the same key elsewhere is
    something else; no client's own id can look like it. Without, the write is not recognised when it comes again.
    """
    if call.key is None:
        return generated_command_id(call.identity.user_id, uuid4().hex)
    where = hashlib.sha256("\0".join(call.path.values()).encode()).hexdigest()[:16]
    return f"{call.identity.user_id}/{verb}{GENERATED}{where}{GENERATED}{call.key}"


async def submit(call: Call, session_id: str, command: Command, status: int = 200) -> Answer:
    """One command, answered when its commit is durable and published."""
    call.request[COMMAND] = command.command_id
    answer: dict[str, Any] = dict(await call.services.engine.submit(session_id, command))
    return Answer(answer, status)
