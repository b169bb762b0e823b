"""What a simulated person does, by name: each takes the client and the moment it was due (µs)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from loadtest.recorder import now

if TYPE_CHECKING:
    from loadtest.client import Client

Action = Callable[["Client", int], None]

_FIELDS: Final = ("description", "reference", "notes")
#: The first records of a session are everybody's: five for `contend`, five for `lock`. The rest are shared out.
_HOT: Final = 5
SHARED: Final = 2 * _HOT


def record_id(number: int) -> str:
    """The id that the import gives to the row with this number (`setup.rows`)."""
    return f"ledger:{number:06d}"


def edit(client: Client, due: int) -> None:
    """One of one's own records gets a new text: nobody else is there, so it is applied."""
    worker, turn = client.worker, client.sent
    own = worker.spec.own_records
    record = SHARED + client.seat * own + turn % own
    body = b'{"session_id":"%s","edit_id":"%d-%d.%d","record_id":"ledger:%06d","field_name":"%s","new_value":"%s %d",' \
           b'"base_version":%d}' % (
        client.session_id.encode(), client.index, turn, due, record, _FIELDS[turn % 3].encode(),
        b"Paid by the customer in November, second half, invoice", turn, client.seq,
    )  # fmt: skip
    client.emit("edit", body, due)


def contend(client: Client, due: int) -> None:
    """Everybody sets the same amount, from the version each knew when last at it: conflicts."""
    request = {
        "session_id": client.session_id,
        "edit_id": f"{client.index}-{client.sent}.{due}",
        "record_id": record_id(client.sent % _HOT),
        "field_name": "amount",
        "new_value": f"{client.sent}.{client.index % 100:02d}",
        "base_version": client.base,
    }
    client.base = client.seq
    client.emit("edit", orjson.dumps(request), due)


def presence(client: Client, due: int) -> None:
    """The cursor moves."""
    request = {
        "session_id": client.session_id,
        "activity": f"editing.{due}",
        "focus": {"record_id": record_id(client.sent % 10), "field_name": "amount"},
    }
    client.emit("presence", orjson.dumps(request), due)


def comment(client: Client, due: int) -> None:
    request = {
        "session_id": client.session_id,
        "record_id": record_id(client.sent % 10),
        "text": f"Is this the March invoice? .{due}",
        "request_id": f"{client.index}-{client.sent}",
    }
    client.emit("comment", orjson.dumps(request), due)


def sync(client: Client, due: int) -> None:
    request = {"session_id": client.session_id, "since": max(0, client.seq - 5)}
    client.emit("sync", orjson.dumps(request), due)


def lock(client: Client, due: int) -> None:
    """Take one of a few records, edit it under the lock, give it back."""
    record = record_id(_HOT + client.sent % _HOT)

    def locked(answer: dict[str, Any], at: int) -> None:
        if answer["ok"]:
            _edit_locked(client, record, answer["token"])

    request = {"session_id": client.session_id, "record_id": record, "ttl": 30}
    client.emit("lock", orjson.dumps(request), due, locked)


def _edit_locked(client: Client, record: str, token: int) -> None:
    def edited(answer: dict[str, Any], at: int) -> None:
        unlock = {"session_id": client.session_id, "record_id": record, "token": token}
        client.emit("unlock", orjson.dumps(unlock), now())

    due = now()
    request = {
        "session_id": client.session_id,
        "edit_id": f"{client.index}-{client.sent}.{due}",
        "record_id": record,
        "field_name": "reference",
        "new_value": f"PO-{client.sent}",
        "base_version": client.seq,
        "lock_token": token,
    }
    client.emit("edit", orjson.dumps(request), due, edited)


def resolve(client: Client, conflict_id: str, edit_id: str, due: int) -> None:
    """What a reviewer does with a conflict: takes the first candidate."""
    request = {
        "session_id": client.session_id,
        "conflict_id": conflict_id,
        "strategy": "take_candidate",
        "edit_id": edit_id,
        "request_id": f"r{client.index}-{client.sent}",
    }
    client.emit("resolve", orjson.dumps(request), due)


ACTIONS: Final[Mapping[str, Action]] = {
    "edit": edit,
    "contend": contend,
    "presence": presence,
    "comment": comment,
    "sync": sync,
    "lock": lock,
}
