"""What many messages share: the strict base, identifiers, people, instants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from marshmallow import RAISE, Schema, fields

from schemas.strict import Choice, Integer, JsonValue, Listed, Text, metadata

SESSION_ID: Final = "[A-Za-z0-9_-]{1,64}"
CLIENT_ID: Final = "[A-Za-z0-9_.:-]{1,64}"
INSTANT: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"

MAX_RECORD_ID: Final = 200
MAX_FIELD_NAME: Final = 64
MAX_USER_ID: Final = 200
MAX_NAME: Final = 200
MAX_REASON: Final = 1_000
MAX_COMMENT_TEXT: Final = 4_000
MAX_MENTIONS: Final = 50
MAX_BATCH: Final = 100
MAX_ACTIVITY: Final = 100
MAX_TOKEN: Final = 8_192

ROLES: Final = ("auditor", "preparer", "reviewer", "approver", "admin")
MAX_DRAFTS: Final = 20
STRATEGIES: Final = ("keep_current", "take_candidate", "merge", "custom")
POLICIES: Final = ("manual", "three_way", "union", "last_writer_wins", "first_writer_wins")


class Message(Schema):
    """Unknown fields are refused: a misspelt optional field must not be lost silently."""

    class Meta:
        unknown = RAISE

    error_messages = {  # noqa: RUF012 - marshmallow's own way to say it
        "unknown": "Unknown field.",
        "type": "Not an object.",
    }


def session_id(**options: Any) -> Text:
    return Text("The session.", "demo", maximum=64, pattern=SESSION_ID, **{"required": True, **options})


def record_id(**options: Any) -> Text:
    return Text("The record.", "ledger-000017", maximum=MAX_RECORD_ID, line=True, **{"required": True, **options})


def field_name(**options: Any) -> Text:
    return Text("The record's field.", "amount", maximum=MAX_FIELD_NAME, line=True, **{"required": True, **options})


def edit_id(description: str = "Chosen by the client; sending it again is harmless.", **options: Any) -> Text:
    return Text(description, "5f0c7b1e", maximum=64, pattern=CLIENT_ID, **{"required": True, **options})


def request_id(**options: Any) -> Text:
    description = "Chosen by the client: a request sent again with the same id gets the first one's answer."
    return Text(description, "9d2e41aa", maximum=64, pattern=CLIENT_ID, **options)


def seq(description: str = "Place in the session's log: 1, 2, 3, …", **options: Any) -> Integer:
    return Integer(description, 42, **{"required": True, **options})


def lock_token(description: str = "The lock's fencing token.", **options: Any) -> Integer:
    return Integer(description, 41, minimum=1, **{"required": True, **options})


def instant(description: str, **options: Any) -> Text:
    return Text(description, "2026-11-22T10:00:00.123Z", maximum=24, pattern=INSTANT, **{"required": True, **options})


def user_id(description: str = "The person.", **options: Any) -> Text:
    return Text(description, "alice", maximum=MAX_USER_ID, line=True, **{"required": True, **options})


def person_name(**options: Any) -> Text:
    return Text("The person's name.", "Alice Adams", maximum=MAX_NAME, minimum=0, **{"required": True, **options})


def reason(description: str, **options: Any) -> Text:
    return Text(description, "Confirmed with the bank", maximum=MAX_REASON, **options)


def comment_id(description: str = "The comment.", **options: Any) -> Text:
    return Text(description, "comment-44", maximum=64, pattern=CLIENT_ID, **{"required": True, **options})


def conflict_id(**options: Any) -> Text:
    return Text("The conflict.", "conflict-43", maximum=64, pattern=CLIENT_ID, **{"required": True, **options})


def value(description: str, example: Any = "10.50", **options: Any) -> JsonValue:
    return JsonValue(description, example, **{"required": True, **options})


def role(**options: Any) -> Choice:
    return Choice("The person's role in the project.", ROLES, **{"required": True, **options})


def nested(schema: type[Schema] | Callable[[], Schema], description: str, **options: Any) -> fields.Nested:
    return fields.Nested(schema, metadata={"description": description}, **options)


def mapping(keys: fields.Field[Any], values: fields.Field[Any], description: str, example: Any) -> fields.Dict:
    return fields.Dict(keys=keys, values=values, required=True, metadata=metadata(description, example))


class Person(Message):
    """Who, with the name to show."""

    user_id = user_id()
    name = person_name()


class Focus(Message):
    """What a person is looking at."""

    record_id = record_id()
    field_name = field_name(required=False)


class Place(Message):
    """A field of a record."""

    record_id = record_id()
    field_name = field_name()


def mentions(**options: Any) -> Listed:
    return Listed(
        user_id("A person mentioned.", required=False), "People mentioned.", ["bob"], maximum=MAX_MENTIONS, **options
    )
