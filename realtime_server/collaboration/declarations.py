"""How a handler is declared: event, schema and permission on the function, so that its body has no checks.

A *command* handler turns a request into a command for the engine, and awaits nothing: the commands of a client reach
the engine in the order in which it sent them, and are stored together. An *action* handler is about the connection
itself; the client's later events wait until it is done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

from marshmallow import Schema

from realtime_server.collaboration.config import CollaborationConfig
from realtime_server.collaboration.connections import Connection
from realtime_server.core.commands import Actor, Command, command_id_of, generated_command_id
from realtime_server.core.permissions import PERMISSIONS
from realtime_server.core.roles import Role
from schemas import loader

if TYPE_CHECKING:
    from realtime_server.collaboration.namespace import Collaboration

Request = dict[str, Any]
Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One command's circumstances: who asks, in which role, under which bounds."""

    actor: Actor
    config: CollaborationConfig

    def command_id(self, client_id: str | None) -> str:
        """What makes a retry recognisable: the client's own id, or one of ours for a client that does not retry."""
        if client_id is None:
            return generated_command_id(self.actor.user_id, uuid4().hex)
        return command_id_of(self.actor.user_id, client_id)


CommandHandler = Callable[[Call, Request], Command]
ActionHandler = Callable[["Collaboration", Connection, Request], Awaitable[Answer]]


Handler = TypeVar("Handler", CommandHandler, ActionHandler)


@dataclass(frozen=True, slots=True)
class Declared(Generic[Handler]):
    """``permitted``: roles that may send the event; None where no joined session, so no role, is concerned."""

    event: str
    schema: type[Schema]
    load: Callable[[Any], Request]
    permitted: Collection[Role] | None
    handle: Handler


class Registry(Generic[Handler]):
    """Declared handlers of one kind, by event."""

    def __init__(self) -> None:
        self.handlers: dict[str, Declared[Handler]] = {}

    def declare(
        self, event: str, schema: type[Schema], permitted: Collection[Role] | None
    ) -> Callable[[Handler], Handler]:
        def declare(function: Handler) -> Handler:
            if event in self.handlers:
                raise ValueError(f"{event} has a handler already")
            self.handlers[event] = Declared(event, schema, loader(schema()), permitted, function)
            return function

        return declare


def permission(command: type[Command]) -> Collection[Role]:
    """Who may send an event that leads to this command: its row of the core's table."""
    return PERMISSIONS[command]
