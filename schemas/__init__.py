"""Every message once. What the server checks and what documents and client types are made from is the same thing.

``CLIENT_EVENTS``   event -> (what is sent, how it is answered)
``MESSAGE_TYPES``   message_type -> the ``data`` of its envelope
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from marshmallow import Schema

from schemas import acks, requests
from schemas.acks import Error, Refused
from schemas.broadcasts import EPHEMERAL, MESSAGE_TYPES
from schemas.envelopes import Envelope
from schemas.loading import loader
from schemas.reconciliation import RECONCILIATION_EVENTS
from schemas.requests import ConnectAuth, MessageForm

CLIENT_EVENTS: Final[Mapping[str, tuple[type[Schema], type[Schema]]]] = {
    "join": (requests.Join, acks.Joined),
    "leave": (requests.Leave, acks.Done),
    "edit": (requests.Edit, acks.Edited),
    "edit_batch": (requests.EditBatch, acks.BatchEdited),
    "lock": (requests.Lock, acks.Locked),
    "renew": (requests.Renew, acks.Locked),
    "unlock": (requests.Unlock, acks.Unlocked),
    "takeover": (requests.TakeOver, acks.Locked),
    "presence": (requests.Presence, acks.Done),
    "resolve": (requests.Resolve, acks.Resolved),
    "comment": (requests.Comment, acks.Commented),
    "resolve_comment": (requests.ResolveComment, acks.Commented),
    "undo": (requests.Undo, acks.Undone),
    "redo": (requests.Redo, acks.Undone),
    "sync": (requests.Sync, acks.Synced),
    "authenticate": (requests.Authenticate, acks.Authenticated),
    **RECONCILIATION_EVENTS,
}

__all__ = [
    "CLIENT_EVENTS",
    "EPHEMERAL",
    "MESSAGE_TYPES",
    "ConnectAuth",
    "Envelope",
    "Error",
    "MessageForm",
    "Refused",
    "loader",
]
