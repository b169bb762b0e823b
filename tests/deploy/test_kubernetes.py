"""The example for Kubernetes fits the server: its probes, its settings, and the time that its end takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from realtime_server.app import create_app
from realtime_server.settings import Settings

MANIFEST = Path(__file__).parents[2] / "deploy" / "kubernetes" / "realtime-server.yaml"
#: Seconds after the drain in which an instance writes its checkpoints and closes.
_CLOSING = 10


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    return {item["kind"]: item for item in yaml.safe_load_all(MANIFEST.read_text())}


@pytest.fixture(scope="module")
def pod(objects: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return found


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod["containers"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def settings(container: dict[str, Any]) -> Settings:
    """What the server makes of the container's environment."""
    secret = {"AUTH_JWT_SECRET": "s" * 48, "MONGODB_URL": "mongodb://db", "REDIS_URL": "redis://redis"}
    return Settings.from_environment(secret | {item["name"]: item["value"] for item in container["env"]})


def test_the_server_understands_every_setting(container: dict[str, Any], settings: Settings) -> None:
    known = {name.upper() for name in vars(type(settings))["__dataclass_fields__"]}
    assert {item["name"] for item in container["env"]} <= known


def test_the_probes_ask_for_paths_that_there_are(container: dict[str, Any], settings: Settings) -> None:
    app: web.Application = create_app(settings)
    paths = {resource.canonical for resource in app.router.resources()}
    (port,) = container["ports"]
    assert port["containerPort"] == settings.ws_port
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] in paths
        assert asked["port"] == port["name"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_an_instance_has_the_time_that_its_end_takes(
    pod: dict[str, Any], container: dict[str, Any], settings: Settings
) -> None:
    command, pause = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    readiness = container["readinessProbe"]
    # Whoever routes knows that the instance is going before it sends its clients away.
    assert int(pause) >= readiness["periodSeconds"] * readiness["failureThreshold"]
    assert pod["terminationGracePeriodSeconds"] >= int(pause) + settings.ws_drain_time + _CLOSING


def test_the_ingress_waits_longer_than_a_silent_client_may_be(objects: dict[str, Any], settings: Settings) -> None:
    annotations = objects["Ingress"]["metadata"]["annotations"]
    for name in ("read", "send"):
        timeout = int(annotations[f"nginx.ingress.kubernetes.io/proxy-{name}-timeout"])
        assert timeout > settings.ws_ping_interval + settings.ws_ping_timeout


def test_everything_speaks_of_the_same_pods(objects: dict[str, Any]) -> None:
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert objects["Service"]["spec"]["selector"] == labels
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    (rule,) = objects["Ingress"]["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"]["name"] == objects["Service"]["metadata"]["name"]
