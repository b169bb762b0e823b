"""OpenTelemetry traces, where ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set; nothing of it is imported otherwise.

A span for each event that a client sends and each request over HTTP (with the caller's ``traceparent``), and under the
span of a command what the engine did for it: ``decide``, ``append``, ``publish``. Spans are made when all is done, from
times that are taken anyway. What is sampled, how it is sent and under which name is OpenTelemetry's own to read from
the environment (``OTEL_TRACES_SAMPLER``, ``OTEL_EXPORTER_OTLP_HEADERS``, ``OTEL_SERVICE_NAME``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import hdrs, web

from realtime_server.core.commits import Commit
from realtime_server.errors import ConfigurationError
from realtime_server.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

#: What the HTTP interface notes on a request for its span: who asks, the command that it led to, the refusal's code.
USER: Final = web.RequestKey("user", str)
COMMAND: Final = web.RequestKey("command", str)
OUTCOME: Final = web.RequestKey("outcome", str)

#: Commands whose stages are kept until their span is made; for the system's own there is none.
_KEPT: Final = 4_096
_SERVICE: Final = "realtime-server"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class _Stages:
    """Of one commit's batch, in seconds of `time.perf_counter`."""

    seq: int
    size: int
    decided: float
    appended: float
    published: float


class Tracing:
    """Takes times from the hot path and makes spans of them."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._stages: dict[tuple[str, str], _Stages] = {}

    def batch(self, commits: Sequence[Commit], decided: float, appended: float, published: float) -> None:
        """What `Engine` tells of each batch."""
        if len(self._stages) + len(commits) > _KEPT:
            self._stages.clear()
        for commit in commits:
            stages = _Stages(commit.seq, len(commits), decided, appended, published)
            self._stages[commit.session_id, commit.command_id] = stages

    def event(
        self, event: str, outcome: str, began: float, *, session_id: str | None, user_id: str, command_id: str | None
    ) -> None:
        """An event was answered just now."""
        from opentelemetry import trace
        from opentelemetry.context import Context

        stages = self._stages.pop((session_id or "", command_id or ""), None)
        ids = {"session.id": session_id, "enduser.id": user_id, "outcome": outcome}
        attributes: dict[str, Any] = {name: value for name, value in ids.items() if value is not None}
        if stages is not None:
            attributes |= {"commit.seq": stages.seq, "batch.size": stages.size}
        at = _epoch()
        span = self._tracer.start_span(
            event, kind=trace.SpanKind.SERVER, attributes=attributes, start_time=at(began), context=Context()
        )
        _judge(span, outcome)
        if stages is not None:
            self._parts(span, stages, began, at)
        span.end(at(time.perf_counter()))

    def _parts(self, span: Any, stages: _Stages, began: float, at: Callable[[float], int]) -> None:
        """What the engine did for a command, under its span."""
        from opentelemetry import trace
        from opentelemetry.context import Context

        inside = trace.set_span_in_context(span, Context())
        parts = (
            ("decide", began, stages.decided),
            ("append", stages.decided, stages.appended),
            ("publish", stages.appended, stages.published),
        )
        for name, start, end in parts:
            self._tracer.start_span(name, context=inside, start_time=at(start)).end(at(end))

    def middleware(self, prefix: str) -> Any:
        """For the requests below a path."""
        from opentelemetry import propagate, trace
        from opentelemetry.context import Context

        @web.middleware
        async def traced(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not request.path.startswith(f"{prefix}/"):
                return await handler(request)
            name, attributes = _described(request)
            began = time.perf_counter()
            with self._tracer.start_as_current_span(
                name,
                context=propagate.extract(dict(request.headers), Context()),
                kind=trace.SpanKind.SERVER,
                attributes=attributes,
            ) as span:
                response = await handler(request)
                span.set_attribute("http.response.status_code", response.status)
                if response.status >= 500:
                    span.set_status(trace.StatusCode.ERROR)
                self._noted(span, request, began)
                return response

        return traced

    def _noted(self, span: Any, request: web.Request, began: float) -> None:
        """What has come to be known of a request: the same as of an event."""
        session_id = request.match_info.get("session_id")
        outcome = request.get(OUTCOME, "ok")
        noted = {"session.id": session_id, "enduser.id": request.get(USER), "outcome": outcome}
        stages = self._stages.pop((session_id or "", request.get(COMMAND, "")), None)
        if stages is not None:
            noted |= {"commit.seq": stages.seq, "batch.size": stages.size}
            self._parts(span, stages, began, _epoch())
        span.set_attributes({key: value for key, value in noted.items() if value is not None})


def _described(request: web.Request) -> tuple[str, dict[str, str]]:
    """A request's span: its name and what is known from the first. Never the path itself, which anybody makes up.

    https://opentelemetry.io/docs/specs/semconv/http/http-spans/: a method that nobody knows is ``_OTHER``.
    """
    method = request.method if request.method in hdrs.METH_ALL else "_OTHER"
    attributes = {"http.request.method": method}
    resource = request.match_info.route.resource
    if resource is None:
        return "HTTP" if method == "_OTHER" else method, attributes
    return f"{method} {resource.canonical}", attributes | {"http.route": resource.canonical}


def _epoch() -> Callable[[float], int]:
    """From seconds of `time.perf_counter` to nanoseconds since 1970."""
    now, counter = time.time_ns(), time.perf_counter()
    return lambda moment: now - int((counter - moment) * 1e9)


def _judge(span: Any, outcome: str) -> None:
    from opentelemetry.trace import StatusCode

    if outcome in ("internal", "unavailable", "overloaded"):
        span.set_status(StatusCode.ERROR, outcome)


def tracing_of(settings: Settings) -> tuple[Tracing, Any] | None:
    """The tracing that the settings ask for, and what must be shut down at the end; None where they do not.

    ConfigurationError where OpenTelemetry is not installed.
    """
    if settings.otlp_endpoint is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        message = "OTEL_EXPORTER_OTLP_ENDPOINT is set: install realtime-server[telemetry], or leave it out"
        raise ConfigurationError(message) from None
    named = OTELResourceDetector().detect()
    provider = TracerProvider(resource=Resource({SERVICE_NAME: _SERVICE}).merge(named))
    endpoint = f"{settings.otlp_endpoint.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return Tracing(provider.get_tracer(_SERVICE)), provider


@asynccontextmanager
async def shut_down(provider: Any) -> AsyncIterator[None]:
    """Sends what is left at the end, beside the event loop."""
    try:
        yield
    finally:
        await asyncio.to_thread(provider.shutdown)

