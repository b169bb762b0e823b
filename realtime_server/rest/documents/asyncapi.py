"""The Socket.IO namespace as AsyncAPI 3, from the schemas of its events."""

from __future__ import annotations

from typing import Final

from marshmallow import Schema

from realtime_server.rest.documents.components import CONTRACT_VERSION, REFERENCE, Components, Json, envelope_name
from realtime_server.rest.documents.examples import example_of
from schemas import CLIENT_EVENTS, EPHEMERAL, MESSAGE_TYPES, ConnectAuth, Envelope, MessageForm, Refused

NAMESPACE: Final = "/collaboration"
_CHANNEL: Final = "collaboration"


def asyncapi() -> Json:
    components = Components()
    components.ref(Envelope)
    messages: dict[str, Json] = {}
    operations: dict[str, Json] = {}
    for event, (request, ack) in CLIENT_EVENTS.items():
        _client_event(event, request, ack, components, messages, operations)
    # The other form of the same: any event under the one name `message`.
    messages["message"] = _message("message", MessageForm, components)
    operations["receive_message"] = _receives("message", [f"{event}.ack" for event in CLIENT_EVENTS])
    messages["refused"] = _message("refused", Refused, components)
    _server_events(messages, operations)
    auth = components.ref(ConnectAuth)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Collaboration over Socket.IO",
            "version": CONTRACT_VERSION,
            "description": (
                "Socket.IO v5 on Engine.IO v4 (`socket.io-client` 4.x), WebSocket and long-polling. Every client event "
                "takes one object and is acknowledged: `{ok: true, …}`, or `{ok: false, error: {…}}`. What happens "
                "comes as envelopes, under the name of their family: the part of `message_type` before the dot."
            ),
        },
        "defaultContentType": "application/json",
        "servers": {
            "here": {
                "host": "{host}",
                "protocol": "wss",
                "pathname": "/socket.io/",
                "variables": {"host": {"default": "localhost:8080"}},
                "description": "Also under the path that the server is set up with (`/ws`).",
            }
        },
        "channels": {
            _CHANNEL: {
                "address": NAMESPACE,
                "title": "The namespace",
                "description": "Connect with `{auth: {token, envelope?}}`.",
                "messages": {name: {"$ref": f"#/components/messages/{_key(name)}"} for name in messages},
                "x-socketio-auth": auth,
            }
        },
        "operations": operations,
        "components": {
            "messages": {_key(name): message for name, message in messages.items()},
            "schemas": components.schemas(),
        },
    }


def _client_event(
    event: str,
    request: type[Schema],
    ack: type[Schema],
    components: Components,
    messages: dict[str, Json],
    operations: dict[str, Json],
) -> None:
    messages[event] = {**_message(event, request, components), "examples": [{"payload": example_of(request)}]}
    messages[f"{event}.ack"] = _message(f"{event}.ack", ack, components)
    operations[f"receive_{event}"] = {
        **_receives(event, [f"{event}.ack"]),
        "summary": messages[event]["summary"],
    }


def _message(name: str, schema: type[Schema], components: Components) -> Json:
    return {
        "name": name,
        "summary": " ".join((schema.__doc__ or "").replace("``", "`").split()),
        "payload": components.ref(schema),
    }


def _receives(event: str, acks: list[str]) -> Json:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{_CHANNEL}"},
        "messages": [_in_channel(event)],
        "reply": {
            "channel": {"$ref": f"#/channels/{_CHANNEL}"},
            "messages": [_in_channel(ack) for ack in (*acks, "refused")],
        },
    }


def _server_events(messages: dict[str, Json], operations: dict[str, Json]) -> None:
    families: dict[str, list[str]] = {}
    for message_type, data in MESSAGE_TYPES.items():
        family = message_type.partition(".")[0]
        families.setdefault(family, []).append(message_type)
        messages[message_type] = {
            "name": family,
            "title": message_type,
            "summary": (data.__doc__ or "").strip().partition("\n")[0],
            "payload": {"$ref": f"{REFERENCE}{envelope_name(message_type)}"},
        }
    for family, message_types in families.items():
        operations[f"send_{family}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{_CHANNEL}"},
            "summary": "Told as it is, never kept." if family in EPHEMERAL else "Commits, in the order of their `seq`.",
            "messages": [_in_channel(message_type) for message_type in message_types],
        }


def _key(name: str) -> str:
    """Names of components have no dot in them where tools write them as identifiers.

    Two underscores, because `match_split` is an event and `match.split` what it leads to.
    """
    return name.replace(".", "__")


def _in_channel(name: str) -> Json:
    return {"$ref": f"#/channels/{_CHANNEL}/messages/{name}"}
