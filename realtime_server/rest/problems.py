"""Refusals as problem+json (RFC 9457), in one place, and the headers that every answer has."""

from __future__ import annotations

import logging
import math
import re
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from aiohttp import hdrs, web

from realtime_server.errors import ERROR_TABLE, CollaborationError, ErrorCode
from realtime_server.rest.bodies import json_response
from realtime_server.rest.operations import PREFIX
from realtime_server.rest.refusals import HttpRefusal

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
REQUEST_ID: Final = "X-Request-ID"
#: Longest wait that is advised; what may take longer is asked for again and again.
_MAX_RETRY_AFTER: Final = 3_600


def of_http_error(error: web.HTTPException, request: web.Request) -> CollaborationError:
    """What the router refuses, in our words."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        # HEAD and OPTIONS are answered wherever there is anything.
        allowed = sorted({*error.allowed_methods, hdrs.METH_OPTIONS})
        message = f"{request.method} is not possible here; {', '.join(allowed)} are"
        details = {"allowed": allowed}
        return HttpRefusal(405, ErrorCode.INVALID, message, details, {hdrs.ALLOW: ", ".join(allowed)})
    if error.status == 404:
        return CollaborationError(ErrorCode.NOT_FOUND, "there is nothing at this path")
    if error.status == 413:
        return CollaborationError(ErrorCode.PAYLOAD_TOO_LARGE, "the body is too large")
    return HttpRefusal(error.status, ErrorCode.INVALID if error.status < 500 else ErrorCode.INTERNAL, error.reason)


def malformed(detail: str) -> web.Response:
    """The answer to what could not be read as HTTP: nothing is known of it, not even its path."""
    request_id = uuid4().hex
    body = {**_body(HttpRefusal(400, ErrorCode.INVALID, detail), request_id), "instance": "/"}
    response = json_response(body, 400, MEDIA_TYPE)
    response.headers[REQUEST_ID] = request_id
    return response


def _body(error: CollaborationError, request_id: str) -> dict[str, Any]:
    return {
        "type": f"{PREFIX}/docs#error-{error.code.value}",
        "title": ERROR_TABLE[error.code].title,
        "status": error.http_status,
        "detail": error.message[:4_000],
        "code": error.code.value,
        "retryable": error.retryable,
        "request_id": request_id,
    }


def problem(request: web.Request, error: CollaborationError, request_id: str, now: int) -> web.Response:
    body = {**_body(error, request_id), "instance": request.rel_url.raw_path[:8_192]}
    if error.details:
        body["details"] = error.details
    response = json_response(body, error.http_status, MEDIA_TYPE)
    response.headers.update(getattr(error, "headers", {}))
    if error.http_status == 401:
        response.headers[hdrs.WWW_AUTHENTICATE] = _challenge(error, request)
    if error.retryable:
        response.headers[hdrs.RETRY_AFTER] = str(_retry_after(error, now))
    return response


def _challenge(error: CollaborationError, request: web.Request) -> str:
    """RFC 6750, 3: no error where no token came."""
    if hdrs.AUTHORIZATION not in request.headers:
        return 'Bearer realm="realtime-server"'
    return 'Bearer realm="realtime-server", error="invalid_token"'


def _retry_after(error: CollaborationError, now: int) -> int:
    """Whole seconds until trying again can help: the end of somebody's lease, as far as one knows, else one."""
    wait = error.details.get("retry_after")
    if isinstance(wait, int | float):
        return max(1, math.ceil(wait))
    expires_at = error.details.get("expires_at")
    if error.code is not ErrorCode.LOCKED or expires_at is None:
        return 1
    left = datetime.fromisoformat(expires_at).astimezone(UTC).timestamp() - now / 1000
    return max(1, min(math.ceil(left), _MAX_RETRY_AFTER))


_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def request_id_of(request: web.Request) -> str:
    """The id that a proxy or client gave the request, where it can stand in a log; else a new one."""
    given = request.headers.get(REQUEST_ID, "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def error_statuses() -> dict[int, list[str]]:
    """HTTP status -> the codes it comes with, for the documents."""
    found: dict[int, list[str]] = {}
    for code, row in ERROR_TABLE.items():
        found.setdefault(row.http_status, []).append(code.value)
    return found
