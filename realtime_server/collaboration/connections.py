"""One client's connection to the namespace: whose it is, how it wants its broadcasts, and which sessions it is in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from realtime_server.core.clock import to_iso
from realtime_server.core.commands import Actor
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.quotas import Bucket

if TYPE_CHECKING:
    from realtime_server.auth.identity import Identity
    from realtime_server.core.roles import Role


#: 9999-12-31T23:59:59Z: some issuers write "never" as a number beyond what a calendar holds.
_LAST_SECOND: Final = 253_402_300_799


@dataclass(slots=True, eq=False)
class Connection:
    """``sessions``: session -> project, of what was joined. ``pending``: commands that wait for the engine.

    ``allowance``: the events that it may still send. ``patience``: the refusals that it gets at once; further
    ones take a moment, in which nothing is read from it. ``barred``: why nothing is done for it any more: its
    token has expired (`token_expired`) or was revoked (`unauthenticated`), and it is being closed.
    """

    sid: str
    identity: Identity
    message_form: bool
    allowance: Bucket
    patience: Bucket
    sessions: dict[str, str] = field(default_factory=dict)
    open: bool = True
    pending: int = 0
    timers: list[asyncio.TimerHandle] = field(default_factory=list)
    barred: ErrorCode | None = None

    @property
    def user_id(self) -> str:
        return self.identity.user_id

    @property
    def expires_at(self) -> str:
        """When the token expires, as clients see it."""
        return to_iso(min(self.identity.expires_at, _LAST_SECOND) * 1000)

    def project_of(self, session_id: str) -> str:
        """The joined session's project. CollaborationError(NOT_JOINED) for any other session, existing or not."""
        project_id = self.sessions.get(session_id)
        if project_id is None:
            raise CollaborationError(ErrorCode.NOT_JOINED, f"join session {session_id} first")
        return project_id

    def actor_in(self, session_id: str, project_id: str) -> Actor:
        """The person in their present role. To whom the token gives none in the project, the session does not exist."""
        role: Role | None = self.identity.roles.get(project_id)
        if role is None:
            raise no_session(session_id)
        return Actor(self.identity.user_id, self.identity.name, role, self.identity.issued_at)


def no_session(session_id: str) -> CollaborationError:
    """The same for a session that does not exist and for one of somebody else's project: neither can be probed for."""
    return CollaborationError(ErrorCode.NOT_FOUND, f"there is no session {session_id}")
