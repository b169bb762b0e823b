"""What the operations need of the rest of the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from aiohttp import web

from realtime_server.auth.identity import Identity
from realtime_server.auth.revocations import Revocations
from realtime_server.engine.engine import Engine, wall_clock
from realtime_server.ports import (
    CommitLog,
    ImportStatusStore,
    MappingStore,
    NoticeStore,
    Overviews,
    RecordStore,
    RuleStore,
    SessionStore,
)
from realtime_server.presence.ports import Presence
from realtime_server.quotas import Quotas
from realtime_server.reconciliation.run import RunService


class Verifier(Protocol):
    async def verify(self, token: object) -> Identity:
        """Who the token stands for; raises `CollaborationError`."""


@dataclass(frozen=True, slots=True)
class RestConfig:
    """Bounds and intervals of the HTTP interface. Times in seconds, sizes in bytes.

    ``session_timeout``  after which a session expires whose creator said nothing
    ``lock_timeout``     longest lease
    ``max_users``        people in one session
    ``max_body``         largest body of a request; an import has its own bound
    ``body_timeout``     in which a body must be there
    ``max_import``, ``import_timeout``  the same for a file of records
    ``heavy``            requests at a time that read whole logs; further ones are `overloaded`
    ``uploads``          imports at a time, the same
    ``activity_lease``   so long after its last request somebody who only speaks HTTP is shown as present
    ``origins``          sites whose pages may call; ``*`` is every site
    """

    session_timeout: int = 3600
    lock_timeout: float = 1800.0
    max_users: int = 50
    max_body: int = 1024 * 1024
    body_timeout: float = 30.0
    max_import: int = 256 * 1024 * 1024
    import_timeout: float = 600.0
    heavy: int = 4
    uploads: int = 4
    activity_lease: float = 60.0
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Handed to every operation. ``revocations``, ``presence`` and ``runs`` are None where there are none.

    ``clock`` gives milliseconds since 1970.
    """

    engine: Engine
    log: CommitLog
    sessions: SessionStore
    records: RecordStore
    mappings: MappingStore
    rules: RuleStore
    notices: NoticeStore
    imports: ImportStatusStore
    verifier: Verifier
    revocations: Revocations | None = None
    presence: Presence | None = None
    runs: RunService | None = None
    clock: Callable[[], int] = wall_clock
    quotas: Quotas = field(default_factory=Quotas)
    overviews: Overviews | None = None


#: In the application, or in the one that it is part of, once that has started.
SERVICES: Final = web.AppKey("services", Services)
CONFIG: Final = web.AppKey("config", RestConfig)
