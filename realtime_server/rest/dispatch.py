"""The way of one request: token, limits, path, query, body, handler, answer. Operations begin where all is checked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any, Final

import orjson
from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from marshmallow import Schema, ValidationError, fields

from realtime_server.auth.identity import Identity
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.log_context import bind
from realtime_server.rest.bodies import json_response, read_body
from realtime_server.rest.limits import Turnstile
from realtime_server.rest.operations import Answer, Call, Download, Operation
from realtime_server.rest.refusals import HttpRefusal, invalid
from realtime_server.rest.services import CONFIG, SERVICES, Verifier
from realtime_server.tracing import USER
from realtime_server.turns import Turns
from schemas import loader
from schemas.common import CLIENT_ID

REQUEST_ID_KEY: Final = web.RequestKey("request_id", str)
HEAVY: Final = web.AppKey("heavy", Turnstile)
UPLOADS: Final = web.AppKey("uploads", Turnstile)
TURNS: Final = web.AppKey("turns", Turns)
#: Requests of one person that are handled at a time.
EACH: Final = 4

#: Bytes of an answer that cost a person one request.
_BYTES_A_TOKEN: Final = 4_096

_BEARER: Final = re.compile(r"bearer +([!-~]+)", re.IGNORECASE)
_KEY: Final = re.compile(CLIENT_ID)
#: What may stand in a path as an id. A longer one, or one with control characters, names nothing.
_PATH_PART: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,200}")
_WHOLE: Final = re.compile(r"-?[0-9]{1,16}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,16})?")

Load = Callable[[Any], dict[str, Any]]


def handler_of(operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of a declared operation."""
    load_query = None if operation.query is None else operation.query()
    load_body = None if operation.body is None else loader(operation.body())

    async def handle(request: web.Request) -> web.StreamResponse:
        services = request.config_dict[SERVICES]
        identity = await authenticate(request, services.verifier)
        bind(user_id=identity.user_id)
        request[USER] = identity.user_id
        services.quotas.of_user(identity.user_id, perf_counter())
        call = Call(
            request=request,
            services=services,
            config=request.config_dict[CONFIG],
            identity=identity,
            path=_path(request),
            query=_query(request, load_query),
            body=await _body(request, operation, load_body),
            key=_key(request) if operation.keyed else None,
            request_id=request[REQUEST_ID_KEY],
        )
        if operation.takes_body and operation.body is None:  # a file, which comes as long as it takes
            answer = await operation.handler(call)
        elif operation.heavy:
            with request.config_dict[HEAVY].turn():
                answer = await operation.handler(call)
        else:
            answer = await _in_turn(request.config_dict[TURNS], call, operation)
        response = _respond(request, answer)
        # A page of a thousand records costs as much as a hundred small answers.
        services.quotas.charge_user(identity.user_id, _size(response) // _BYTES_A_TOKEN, perf_counter())
        return response

    return handle


async def _in_turn(turns: Turns, call: Call, operation: Operation) -> Answer:
    """A person's requests are handled a few at a time; heavy ones and files have turnstiles of their own."""
    user_id = call.identity.user_id
    if not turns.take(user_id):
        await turns.wait(user_id)
    try:
        return await operation.handler(call)
    finally:
        turns.give_back(user_id)


def _size(response: web.StreamResponse) -> int:
    return len(response.body) if isinstance(response, web.Response) and isinstance(response.body, bytes) else 0


async def authenticate(request: web.Request, verifier: Verifier) -> Identity:
    """Who asks: `unauthenticated` or `token_expired` without a good token in ``Authorization: Bearer``."""
    match = _BEARER.fullmatch(request.headers.get(hdrs.AUTHORIZATION, ""))
    if match is None:
        raise CollaborationError(ErrorCode.UNAUTHENTICATED, "send a token as `Authorization: Bearer …`")
    return await verifier.verify(match[1])


def _path(request: web.Request) -> Mapping[str, str]:
    for name, value in request.match_info.items():
        if not _PATH_PART.fullmatch(value):
            thing = name.removesuffix("_id").replace("_", " ")
            raise CollaborationError(ErrorCode.NOT_FOUND, f"there is no such {thing}")
    return request.match_info


def _query(request: web.Request, schema: Schema | None) -> dict[str, Any]:
    given = request.query
    if schema is None:
        if given:
            raise invalid({name: ["Unknown field."] for name in given}, "wrong query parameters")
        return {}
    by_key = {field.data_key or name: field for name, field in schema.load_fields.items()}
    repeated = {name: ["Given more than once."] for name in given if len(given.getall(name)) > 1}
    if repeated:
        raise invalid(repeated, "wrong query parameters")
    data = {name: _parsed(by_key.get(name), value) for name, value in given.items()}
    try:
        loaded: dict[str, Any] = schema.load(data)
    except ValidationError as error:
        raise invalid(error.messages, "wrong query parameters") from None
    return loaded


def _parsed(field: fields.Field[Any] | None, text: str) -> Any:
    """A parameter as the schema wants it: in a query everything is text."""
    if isinstance(field, fields.Boolean):
        return {"true": True, "false": False}.get(text, text)
    if isinstance(field, fields.Integer):
        return int(text) if _WHOLE.fullmatch(text) else text
    return float(text) if isinstance(field, fields.Float) and _DECIMAL.fullmatch(text) else text


async def _body(request: web.Request, operation: Operation, load: Load | None) -> dict[str, Any]:
    if operation.takes_body and load is None:
        _check_media(request, operation)
    if load is None:
        return {}
    config = request.config_dict[CONFIG]
    raw = await read_body(request, config.max_body, config.body_timeout)
    if not raw.strip() and not operation.body_required:
        data: Any = {}
    else:
        _check_media(request, operation)
        data = _json(raw)
    try:
        return load(data)
    except ValidationError as error:
        raise invalid(error.messages, "the body is not valid") from None


def _check_media(request: web.Request, operation: Operation) -> None:
    """415 for a body of another kind; JSON is UTF-8, while other files say by themselves how they are written."""
    in_utf8 = "json" not in request.content_type or (request.charset or "utf-8").lower() == "utf-8"
    if request.content_type not in operation.media or not in_utf8:
        media = ", ".join(operation.media)
        fields = {"Content-Type": [f"Not one of: {media}."]}
        raise HttpRefusal(
            415, ErrorCode.INVALID, f"send the body as {media} in UTF-8", {"fields": fields}, {hdrs.ACCEPT: media}
        )


def _json(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        message = f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise HttpRefusal(400, ErrorCode.INVALID, message) from None


def _key(request: web.Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    # The header's draft writes it as a quoted string; most people write it bare.
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise invalid({"Idempotency-Key": [f"Does not have the form {CLIENT_ID}."]}, "wrong header")
    return key


def _respond(request: web.Request, answer: Answer) -> web.StreamResponse:
    headers = dict(answer.headers)
    if answer.etag is not None:
        headers[hdrs.ETAG] = f'"{answer.etag}"'
        headers.setdefault(hdrs.CACHE_CONTROL, "private, no-cache")
        if request.method in ("GET", "HEAD") and etag_matches(request, answer.etag):
            return web.Response(status=304, headers=headers)
    headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    if isinstance(answer.body, Download):
        return _MadeFile(answer.body, headers)
    response = json_response(answer.body, answer.status)
    response.headers.update(headers)
    return response


class _MadeFile(web.FileResponse):
    """Sent from disk, by the kernel where it can; then it goes."""

    def __init__(self, made: Download, headers: Mapping[str, str]) -> None:
        how = "inline" if made.inline else "attachment"
        disposition = f'{how}; filename="{made.path.name}"'
        about = {
            hdrs.CONTENT_TYPE: made.media_type,
            hdrs.CONTENT_DISPOSITION: disposition,
            "Content-Security-Policy": made.policy,
        }
        super().__init__(made.path, headers={**headers, **about})
        self._made = made

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        try:
            return await super().prepare(request)
        finally:
            await asyncio.to_thread(self._made.directory.cleanup)


def etag_matches(request: web.Request, etag: str) -> bool:
    """``If-None-Match`` names this version (RFC 9110, 13.1.2: weak comparison)."""
    return any(given.value in (etag, "*") for given in request.if_none_match or ())
