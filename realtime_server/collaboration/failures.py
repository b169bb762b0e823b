"""Every exception as the one error family. What is nobody's business leaves the server as `internal`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from marshmallow import ValidationError

from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.log_context import current

log = logging.getLogger(__name__)

#: Problems listed in one answer, and characters of a field's name in it: the client chose both.
MAX_PROBLEMS = 20
MAX_PATH = 100
#: Characters of a session's id in the log (`schemas.common`).
_MAX_ID = 128


def is_fault(error: BaseException) -> bool:
    """Whether the exception is a fault of ours, and no refusal."""
    return not isinstance(error, CollaborationError | ValidationError | TimeoutError)


def session_of(arguments: Sequence[Any]) -> str | None:
    """The session that an event as it came names, for the log."""
    request = arguments[0] if len(arguments) == 1 else None
    session_id = request.get("session_id") if isinstance(request, dict) else None
    return session_id[:_MAX_ID] if isinstance(session_id, str) and session_id.isprintable() else None


def as_error(error: BaseException) -> CollaborationError:
    """The refusal that an exception stands for. A fault of ours is logged here, with its traceback."""
    if isinstance(error, CollaborationError):
        return _with_paths(error)
    if isinstance(error, ValidationError):
        return invalid(error)
    if isinstance(error, TimeoutError):
        return CollaborationError(ErrorCode.UNAVAILABLE, "it took too long; try again")
    log.error("a request failed", exc_info=error)
    request_id = current().get("request_id")
    details = None if request_id is None else {"request_id": request_id}
    return CollaborationError(ErrorCode.INTERNAL, "the server failed; it has been noted", details)


def invalid(error: ValidationError) -> CollaborationError:
    """`invalid` with ``fields``: path of the field -> what is wrong there."""
    fields = _by_path(error.messages)
    first = next(iter(fields), "")
    message = f"{first}: {fields[first][0]}" if first else "the request is not valid"
    return CollaborationError(ErrorCode.INVALID, message, {"fields": fields})


def _with_paths(error: CollaborationError) -> CollaborationError:
    """The refusal, with its ``fields`` under paths as well where they are nested."""
    fields = error.details.get("fields")
    if not isinstance(fields, dict) or not any(isinstance(below, dict) for below in fields.values()):
        return error
    return CollaborationError(error.code, error.message, {**error.details, "fields": _by_path(fields)})


def _by_path(messages: Any) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for path, problem in _problems(messages, ()):
        if len(fields) >= MAX_PROBLEMS and path not in fields:
            break
        fields.setdefault(path, []).append(problem)
    return fields


def _problems(messages: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(messages, dict):
        for key, below in messages.items():
            yield from _problems(below, path if key == "_schema" else (*path, _printable(str(key))))
    elif isinstance(messages, list):
        for item in messages:
            yield from _problems(item, path)
    else:
        yield ".".join(path)[:MAX_PATH] or "request", str(messages)


def _printable(key: str) -> str:
    """A name that any JSON writer can write: it is the client's own text."""
    return key[:MAX_PATH].encode("utf-8", "replace").decode()


def refusal(error: BaseException) -> dict[str, Any]:
    """The acknowledgement of a request that failed."""
    return {"ok": False, "error": as_error(error).to_wire()}
