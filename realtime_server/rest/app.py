"""The HTTP interface as one aiohttp application, to be put under `PREFIX` of whatever serves it."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final

from aiohttp import hdrs, web

from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.log_context import log_context
from realtime_server.rest import pages
from realtime_server.rest.bodies import compress
from realtime_server.rest.counts import COUNTS, RecordCounts
from realtime_server.rest.dispatch import EACH, HEAVY, REQUEST_ID_KEY, TURNS, UPLOADS, handler_of
from realtime_server.rest.limits import Turnstile
from realtime_server.rest.operations import PREFIX
from realtime_server.rest.problems import REQUEST_ID, of_http_error, problem, request_id_of
from realtime_server.rest.routes import OPERATIONS
from realtime_server.rest.services import CONFIG, SERVICES, RestConfig, Services
from realtime_server.rest.tallies import TALLIES, Tallies
from realtime_server.settings import Settings
from realtime_server.tracing import OUTCOME
from realtime_server.turns import Turns

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: Told of every request when its answer is ready: operation, method, status, seconds.
Observe = Callable[[str, str, int, float], None]

_OBSERVE: Final[web.AppKey[Observe]] = web.AppKey("observe")
#: Handlers as metrics call them.
_NAMES: Final = web.AppKey("names", dict[Any, str])

#: Answers that pages of other sites may read (the rest of the CORS-safelisted ones they may anyway).
_EXPOSED: Final = "ETag, Location, Retry-After, X-Request-ID"
_ALLOWED_HEADERS: Final = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-ID"
#: Seconds for which a browser need not ask again; browsers cap it at two hours at most.
_PREFLIGHT_AGE: Final = "7200"


def config_of(settings: Settings) -> RestConfig:
    return RestConfig(
        session_timeout=settings.collaboration_session_timeout,
        lock_timeout=settings.collaboration_lock_timeout,
        max_users=settings.collaboration_max_users,
        origins=settings.cors_allowed_origins,
    )


def _nobody(operation: str, method: str, status: int, seconds: float) -> None:
    """Nobody counts."""


def create_rest(config: RestConfig, observe: Observe = _nobody) -> web.Application:
    """All operations and pages: ``app.add_subapp(PREFIX, create_rest(…))``, and ``app[SERVICES]`` when it starts."""
    app = web.Application(middlewares=[_observed, _finish, _refuse])
    app[CONFIG] = config
    app[_OBSERVE] = observe
    names = app[_NAMES] = {_options: "options"}
    app[HEAVY], app[UPLOADS] = Turnstile(config.heavy), Turnstile(config.uploads)
    app[TURNS] = Turns(EACH)
    app[TALLIES] = Tallies()
    app[COUNTS] = RecordCounts(time.monotonic)
    for path in dict.fromkeys(operation.path for operation in OPERATIONS):
        # The router's own pattern for a part knows no braces, and an id may have them.
        resource = app.router.add_resource(path.replace("}", ":[^/]+}"))
        for operation in OPERATIONS:
            if operation.path == path:
                handler = handler_of(operation)
                names[handler] = operation.name
                resource.add_route(operation.method, handler)
                if operation.method == "GET":
                    resource.add_route("HEAD", handler)
        resource.add_route("OPTIONS", _options)
    pages.add_routes(app)
    for route in app.router.routes():
        names.setdefault(route.handler, "page")
    return app


@web.middleware
async def _observed(request: web.Request, handler: Handler) -> web.StreamResponse:
    # What has no route is one operation to the metrics, whatever its path: a client chose it.
    operation = request.config_dict[_NAMES].get(request.match_info.handler, "unknown")
    began = perf_counter()
    response = await handler(request)
    request.config_dict[_OBSERVE](operation, request.method, response.status, perf_counter() - began)
    return response


async def _options(request: web.Request) -> web.StreamResponse:
    resource = request.match_info.route.resource
    methods = sorted(route.method for route in resource or ())
    return web.Response(status=204, headers={hdrs.ALLOW: ", ".join(methods)})


@web.middleware
async def _finish(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What every answer has: the request's id, leave for other sites' pages, compression."""
    request[REQUEST_ID_KEY] = request_id_of(request)
    with log_context(request_id=request[REQUEST_ID_KEY], session_id=_session_of(request)):
        response = await handler(request)
    response.headers[REQUEST_ID] = request[REQUEST_ID_KEY]
    response.headers["X-Content-Type-Options"] = "nosniff"
    _allow_origin(request, response)
    compress(request, response)
    return response


def _session_of(request: web.Request) -> str | None:
    session_id = request.match_info.get("session_id")
    return session_id if session_id is not None and session_id.isprintable() else None


def _allow_origin(request: web.Request, response: web.StreamResponse) -> None:
    origins = request.config_dict[CONFIG].origins
    origin = request.headers.get(hdrs.ORIGIN)
    if not origins:
        return
    response.headers.add(hdrs.VARY, hdrs.ORIGIN)
    if origin is None or not ("*" in origins or origin in origins):
        return
    # Tokens come in a header, never in cookies: so no credentials, and `*` does no harm.
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*" if "*" in origins else origin
    response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED
    if request.method == "OPTIONS" and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = response.headers.get(hdrs.ALLOW, "")
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = _ALLOWED_HEADERS
        response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = _PREFLIGHT_AGE


@web.middleware
async def _refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The one place where what was raised becomes a problem."""
    request_id = request[REQUEST_ID_KEY]
    try:
        return await handler(request)
    except CollaborationError as error:
        refusal = error
    except web.HTTPException as error:
        refusal = of_http_error(error, request)
    except Exception:
        log.exception("%s %s failed", request.method, request.rel_url.raw_path)
        refusal = CollaborationError(ErrorCode.INTERNAL, "the server failed; its log knows more under this request id")
    request[OUTCOME] = refusal.code.value
    return problem(request, refusal, request_id, request.config_dict[SERVICES].clock())


__all__ = ["PREFIX", "SERVICES", "RestConfig", "Services", "config_of", "create_rest"]
