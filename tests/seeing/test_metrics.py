"""What a scrape has: every stage of an edit; and the dashboard and the alerts ask for nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from prometheus_client.parser import text_string_to_metric_families

from realtime_server.app import create_rest_app
from realtime_server.client import connect
from realtime_server.core.roles import Role
from realtime_server.rest.routes import OPERATIONS
from realtime_server.serving import running
from realtime_server.settings import Settings
from tests.auth.test_key_sets import Issuer
from tests.redis_server import running_redis
from tests.rest.conftest import Person, Server, environment, token
from tests.seeing.commands import ROOT

RECORD = "ledger-000001"
STAGES = ("received", "decided", "appended", "published", "delivered")
Scrape = dict[str, list[tuple[dict[str, str], float]]]


async def scraped(port: int) -> Scrape:
    """Sample's name -> its labels and values."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        text = await answer.text()
    found: Scrape = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def stage_count(scrape: Scrape, stage: str) -> float:
    return next(value for labels, value in scrape["collaboration_stage_seconds_count"] if labels["stage"] == stage)


async def test_every_stage_of_an_edit_is_counted_and_timed(server: Server, pat: Person) -> None:
    session_id = await server.session(pat)
    before = await scraped(server.port)
    async with connect(server.url, token("pat", Role.PREPARER)) as client, client.join(session_id) as session:
        for number in range(5):
            await session.edit(RECORD, "notes", f"note {number}", base_version=session.seq)
    after = await scraped(server.port)
    for stage in STAGES:
        # The join is one more; batches may hold several edits, and these five come one after another.
        assert stage_count(after, stage) - stage_count(before, stage) >= 5, stage
    assert after["collaboration_commits_total"][0][1] - before["collaboration_commits_total"][0][1] == 6
    sums = {labels["stage"]: value for labels, value in after["collaboration_stage_seconds_sum"]}
    assert all(0 < sums[stage] < 60 for stage in STAGES)


async def test_the_buckets_of_a_stage_add_up(server: Server, pat: Person) -> None:
    await server.session(pat)
    scrape = await scraped(server.port)
    for stage in STAGES:
        buckets = [(float(labels["le"]), value) for labels, value in scrape["collaboration_stage_seconds_bucket"]
                   if labels["stage"] == stage]  # fmt: skip
        values = [value for _, value in sorted(buckets)]
        assert values == sorted(values)
        assert values[-1] == stage_count(scrape, stage)


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:collaboration|transport|process)_[a-z_]+\b", expression))


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "deploy/grafana/realtime-server.json").read_text())
    return loaded


def expressions() -> list[str]:
    panels = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())
    return panels + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


async def test_every_metric_of_the_dashboard_and_of_the_alerts_is_in_a_real_scrape(
    mongodb_url: str, database_name: str, tmp_path: Path
) -> None:
    issuer = Issuer()
    issuer.rotate("one")
    (tmp_path / "keys.json").write_bytes(issuer.document())
    async with running_redis() as redis:
        settings = Settings.from_environment(
            environment(mongodb_url, database_name, tmp_path)
            | {"REDIS_URL": redis.url, "AUTH_JWKS_FILE": str(tmp_path / "keys.json")}
        )
        async with (
            running(settings) as (_, port),
            connect(f"http://127.0.0.1:{port}", token("pat", Role.PREPARER)) as client,
        ):
            assert client.connected
            async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/api/openapi.json") as answer:
                assert answer.status == 200
            scrape = await scraped(port)
    # A counter with labels shows none before the first time, so of those it is the family that counts.
    families = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in scrape}
    labelled = {"transport_refused"}
    asked = {name for expression in expressions() for name in names_in(expression)}
    assert len(asked) > 15
    missing = {name for name in asked if name not in scrape}
    assert {re.sub(r"_(total|bucket)$", "", name) for name in missing} <= labelled, (missing, families)


async def test_every_label_that_is_asked_for_is_one_that_a_scrape_has(server: Server, pat: Person) -> None:
    session_id = await server.session(pat)
    async with connect(server.url, token("pat", Role.PREPARER)) as client, client.join(session_id) as session:
        await session.edit(RECORD, "notes", "x", base_version=0)
    scrape = await scraped(server.port)
    stages = {labels["stage"] for labels, _ in scrape["collaboration_stage_seconds_bucket"]}
    events = {labels["event"] for labels, _ in scrape["collaboration_events_total"]}
    for expression in expressions():
        assert set(re.findall(r'stage="(\w+)"', expression)) <= stages
        assert set(re.findall(r'event="(\w+)"', expression)) <= events
        for named in re.findall(r'operation!?~?"([\w|]+)"', expression):
            assert set(named.split("|")) <= {operation.name for operation in OPERATIONS}


def counted(scrape: Scrape) -> dict[tuple[str, str, str], float]:
    """(operation, method, status) -> how often."""
    samples = scrape.get("collaboration_requests_total", [])
    return {(item["operation"], item["method"], item["status"]): value for item, value in samples}


async def test_requests_are_counted_by_operation_and_timed_whatever_becomes_of_them(
    server: Server, pat: Person
) -> None:
    session_id = await server.session(pat)
    for _ in range(3):
        assert (await pat.get(f"/sessions/{session_id}")).status == 200
    await pat.ask("HEAD", f"/sessions/{session_id}")
    assert (await pat.get("/sessions/no-such-session")).status == 404
    assert (await pat.get(f"/sessions/{session_id}", made="up")).status == 422
    await pat.ask("OPTIONS", f"/sessions/{session_id}")
    scrape = await scraped(server.port)
    assert counted(scrape) == {
        ("create_session", "POST", "2xx"): 1,
        ("get_session", "GET", "2xx"): 3,
        ("get_session", "HEAD", "2xx"): 1,
        ("get_session", "GET", "4xx"): 2,
        ("options", "OPTIONS", "2xx"): 1,
    }
    timed = {labels["operation"]: value for labels, value in scrape["collaboration_request_seconds_count"]}
    assert timed == {"create_session": 1, "get_session": 6, "options": 1}


async def test_nothing_that_a_client_makes_up_becomes_a_label(server: Server, pat: Person) -> None:
    for number in range(20):
        assert (await pat.get(f"/made/up/{number}")).status == 404
        assert (await pat.get(f"/sessions/{number}/records/{number}")).status == 404
    for method in ("PROPFIND", "DELETE", "TRACE"):
        await pat.ask(method, "/sessions")
    found = counted(await scraped(server.port))
    assert set(found) == {
        ("unknown", "GET", "4xx"), ("get_record", "GET", "4xx"),
        ("unknown", "other", "4xx"), ("unknown", "DELETE", "4xx"),
    }  # fmt: skip
    assert found["unknown", "other", "4xx"] == 2


async def test_a_fault_of_ours_is_told_from_the_callers(server: Server, pat: Person) -> None:
    session_id = await server.session(pat)

    async def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("a defect")

    server.services.engine.inspect = broken  # type: ignore[method-assign,assignment]
    assert (await pat.get(f"/sessions/{session_id}")).status == 500
    assert counted(await scraped(server.port))["get_session", "GET", "5xx"] == 1


async def test_the_sidecar_has_the_engines_metrics_too(settings: Settings) -> None:
    async with running(settings, create_rest_app) as (_, port):
        scrape = await scraped(port)
    assert {labels["stage"] for labels, _ in scrape["collaboration_stage_seconds_count"]} == {
        "decided", "appended", "published",
    }  # fmt: skip
    assert "process_resident_memory_bytes" in scrape


async def test_the_event_loop_is_looked_at(server: Server) -> None:
    counts: list[float] = []

    async def look() -> None:
        counts.append((await scraped(server.port))["collaboration_loop_lag_seconds_count"][0][1])

    await look()
    while counts[-1] < counts[0] + 1:
        await look()


def test_every_alert_has_its_place_in_the_document_with_its_threshold() -> None:
    document = (ROOT / "docs/operations.md").read_text()
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert re.search(rf"^\| `{rule['alert']}` \|", document, re.MULTILINE), rule["alert"]

