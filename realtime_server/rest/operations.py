"""How a route is declared: method, path, schemas and refusals on the function; routing and documents both read this."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from inspect import cleandoc
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

from aiohttp import web
from marshmallow import Schema

from realtime_server.auth.identity import Identity
from realtime_server.core.commands import Actor, Command
from realtime_server.core.permissions import PERMISSIONS
from realtime_server.core.roles import Role
from realtime_server.core.state import SessionState
from realtime_server.engine.actor import Needs
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.rest.services import RestConfig, Services

#: Under which all operations stand.
PREFIX: Final = "/api"
_SESSION_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _no_records(state: SessionState) -> tuple[str, ...]:
    return ()


@dataclass(slots=True)
class Call:
    """One request that has passed every check of its declaration."""

    request: web.Request
    services: Services
    config: RestConfig
    identity: Identity
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: dict[str, Any]
    #: The header ``Idempotency-Key``.
    key: str | None
    request_id: str
    #: Whether the request was counted as one about its session.
    counted: bool = False

    async def session(self, needs: Needs = _no_records) -> SessionState:
        """The session in the path, with everything that any instance has stored until now.

        `not_found` where there is none, and in just the same words where it belongs to a project that the token does
        not name: nobody learns from here what exists. `rate_limited` when the session has had its share.
        """
        session_id = self.path["session_id"]
        missing = CollaborationError(ErrorCode.NOT_FOUND, f"there is no session {session_id}")
        if not _SESSION_ID.fullmatch(session_id):
            raise missing
        try:
            state = await self.services.engine.inspect(session_id, needs)
        except CollaborationError as error:
            raise missing if error.code is ErrorCode.NOT_FOUND else error from None
        if state.project_id not in self.identity.roles:
            raise missing
        if not self.counted:
            self.counted = True
            self.services.quotas.of_session(session_id, state.project_id, perf_counter())
        return state

    def actor(self, project_id: str) -> Actor:
        """Who asks, in the role they have in this project now."""
        identity = self.identity
        return Actor(identity.user_id, identity.name, identity.roles[project_id], identity.issued_at)


@dataclass(frozen=True, slots=True)
class Download:
    """A file that was made to be sent, in a directory that goes when it has been.

    ``inline``: shown, not saved; then ``policy`` is the Content-Security-Policy that it is shown under.
    """

    path: Path
    directory: TemporaryDirectory[str]
    media_type: str
    inline: bool = False
    policy: str = "default-src 'none'; sandbox"


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` becomes JSON, unless it is a `Download`. ``etag``: the version of what is shown."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path (below `PREFIX`).

    ``command``: what it asks of the session, so which roles may. ``keyed``: takes ``Idempotency-Key``.
    ``conditional``: ``If-None-Match`` for a read, ``If-Match`` for a write. ``heavy``: reads whole logs, so only a few
    run at a time. ``refusals``: codes beyond those that every operation can answer. ``media``: what a body may be.
    ``permitted``: roles that may, where no command says so. ``produces``: what the answer may be, where not JSON.
    """

    method: str
    path: str
    name: str
    summary: str
    description: str
    tag: str
    handler: Handler
    answer: type[Schema]
    query: type[Schema] | None = None
    body: type[Schema] | None = None
    body_required: bool = True
    status: int = 200
    command: type[Command] | None = None
    keyed: bool = False
    conditional: bool = False
    heavy: bool = False
    refusals: tuple[ErrorCode, ...] = ()
    media: tuple[str, ...] = ("application/json",)
    permitted: frozenset[Role] | None = None
    produces: tuple[str, ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names in the path."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    @property
    def takes_body(self) -> bool:
        return self.body is not None or self.media != ("application/json",)

    @property
    def roles(self) -> frozenset[str] | None:
        """Roles that may; None: every member of the project."""
        permitted = self.permitted if self.command is None else PERMISSIONS[self.command]
        return None if permitted is None else frozenset(role.value for role in permitted)


def operation(
    method: str, path: str, *, tag: str, answer: type[Schema], **options: Any
) -> Callable[[Handler], Operation]:
    """Declare a route on its handler. The docstring's first line is the summary, the rest the description."""

    def declare(handler: Handler) -> Operation:
        summary, _, description = cleandoc(handler.__doc__ or "").partition("\n")
        return Operation(
            method=method,
            path=path,
            name=getattr(handler, "__name__", ""),
            summary=summary.rstrip("."),
            description=" ".join(description.split()),
            tag=tag,
            handler=handler,
            answer=answer,
            **options,
        )

    return declare
