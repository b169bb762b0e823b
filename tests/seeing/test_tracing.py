"""Traces go to a real OTLP receiver where one is configured, and no exporter is imported where none is."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from realtime_server.app import SERVICES
from realtime_server.client import CollaborationError, connect
from realtime_server.core.roles import Role
from realtime_server.serving import running
from realtime_server.settings import Settings
from tests.rest.conftest import Server, environment, token

RECORD = "ledger-000001"
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Receiver:
    """An OTLP/HTTP collector that keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.service = ""
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        message = ExportTraceServiceRequest.FromString(body)
        for resource in message.resource_spans:
            self.service = {item.key: item.value.string_value for item in resource.resource.attributes}["service.name"]
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return web.Response(content_type="application/x-protobuf")

    def named(self, name: str) -> Span:
        (found,) = (span for span in self.spans if span.name == name)
        return found


def attributes(span: Span) -> dict[str, object]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/v1/traces", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def test_an_edit_and_a_request_are_traced_with_their_stages(
    receiver: Receiver, mongodb_url: str, database_name: str, tmp_path: Path
) -> None:
    given = environment(mongodb_url, database_name, tmp_path) | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
    async with AsyncExitStack() as stack, running(Settings.from_environment(given)) as (app, port):
        server = Server(app[SERVICES], port, stack)
        pat = await server.person("pat", Role.PREPARER)
        session_id = await server.session(pat)
        async with connect(server.url, token("pat", Role.PREPARER)) as client, client.join(session_id) as session:
            await session.edit(RECORD, "notes", "traced", base_version=0)
            with pytest.raises(CollaborationError):
                await session.edit("no such record", "notes", "x", base_version=0)
        await pat.ask("GET", f"/sessions/{session_id}", headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
        lock = await pat.post(f"/sessions/{session_id}/records/{RECORD}/lock", {})
        assert (lock.status, lock.body["seq"]) == (200, 4)
        assert (await pat.ask("PROPFIND", "/made/up/by/a/client")).status == 404
        await stack.aclose()
    # What was left has been sent with the server's end.
    assert receiver.service == "realtime-server"
    edit, refused = (span for span in receiver.spans if span.name == "edit")
    assert attributes(edit) == {
        "session.id": session_id, "enduser.id": "pat", "outcome": "ok", "commit.seq": 3, "batch.size": 1,
    }  # fmt: skip
    stages = [span for span in receiver.spans if span.parent_span_id == edit.span_id]
    assert [span.name for span in stages] == ["decide", "append", "publish"]
    assert all(span.trace_id == edit.trace_id for span in stages)
    times = [edit.start_time_unix_nano, *(span.end_time_unix_nano for span in stages), edit.end_time_unix_nano]
    assert times == sorted(times)
    assert (attributes(refused)["outcome"], refused.status.code) == ("not_found", Status.STATUS_CODE_UNSET)
    assert refused.trace_id != edit.trace_id
    assert attributes(receiver.named("join"))["session.id"] == session_id
    shown = receiver.named("GET /api/collaboration/sessions/{session_id}")
    assert (shown.trace_id.hex(), shown.parent_span_id.hex()) == (TRACE, CALLER)
    assert attributes(shown) == {
        "http.request.method": "GET", "http.route": "/api/collaboration/sessions/{session_id}",
        "http.response.status_code": 200, "session.id": session_id, "enduser.id": "pat", "outcome": "ok",
    }  # fmt: skip
    locked = receiver.named("POST /api/collaboration/sessions/{session_id}/records/{record_id}/lock")
    assert attributes(locked)["commit.seq"] == 4
    stages = [span for span in receiver.spans if span.parent_span_id == locked.span_id]
    assert [span.name for span in stages] == ["decide", "append", "publish"]
    assert attributes(receiver.named("HTTP")) == {
        "http.request.method": "_OTHER", "http.response.status_code": 404, "outcome": "not_found",
    }  # fmt: skip


async def test_a_receiver_that_is_away_is_nobodys_trouble(
    mongodb_url: str, database_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    given = environment(mongodb_url, database_name, tmp_path) | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    async with AsyncExitStack() as stack, running(Settings.from_environment(given)) as (app, port):
        server = Server(app[SERVICES], port, stack)
        session_id = await server.session(await server.person("pat", Role.PREPARER))
        async with connect(server.url, token("pat", Role.PREPARER)) as client, client.join(session_id) as session:
            await session.edit(RECORD, "notes", "untold", base_version=0)
        await stack.aclose()


_LOADED = """
import sys, realtime_server.app as a
from realtime_server.settings import Settings
a.create_app(Settings.from_environment({}))
print([m for m in sys.modules if m.startswith(("opentelemetry.exporter", "opentelemetry.proto"))])
"""


async def test_no_exporter_is_imported_where_none_is_configured() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _LOADED, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert output == b"[]\n"


async def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "opentelemetry.py").write_text("raise ImportError\n")
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "DATA_DIR": str(tmp_path / "data"), "WS_PORT": "0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c",
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from realtime_server.cli import main; "
        "sys.argv = ['realtime-server', 'serve']; main()",
        env={"PATH": "/usr/bin:/bin", **settings, "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, error = await process.communicate()
    assert process.returncode == 2
    assert error.decode().startswith("realtime-server: OTEL_EXPORTER_OTLP_ENDPOINT is set: install ")
    assert error.count(b"\n") == 1


