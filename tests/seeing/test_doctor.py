"""What the doctor says of a deployment, and what to mend."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from realtime_server import doctor_deployment as deployment
from realtime_server.finding import Finding, Verdict
from realtime_server.settings import Settings
from realtime_server.storage.mongo import open_store
from tests.auth.test_key_sets import Issuer
from tests.redis_server import running_redis
from tests.seeing.commands import command

SECRET = "r7Kq9Zt2Wx4Yb6Nc8Md1Lf3Hg5Js0Pa!"


def verdicts(found: Any) -> list[Verdict]:
    return [finding.verdict for finding in found]


@pytest.mark.parametrize(
    ("theirs", "verdict"),
    [(1000.0, "ok"), (1000.2, "ok"), (1002.0, "warn"), (998.0, "warn"), (4600.0, "fail"), (-2600.0, "fail")],
)
def test_a_clock_that_differs_is_told_by_how_much(theirs: float, verdict: str) -> None:
    found = deployment.clock("MongoDB", theirs, 1000.0, 1000.1)
    assert found.verdict == verdict
    assert verdict == "ok" or "NTP" in found.message


def test_a_slow_answer_is_no_skew() -> None:
    assert deployment.clock("Redis", 1003.0, 1000.0, 1006.0).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("hello", "verdict"),
    [({}, "warn"), ({"setName": "rs", "hosts": ["a", "b", "c"]}, "ok"), ({"setName": "rs", "hosts": ["a"]}, "warn"),
     ({"msg": "isdbgrid"}, "ok")],
)  # fmt: skip
def test_copies_of_the_log_are_counted(hello: dict[str, Any], verdict: str) -> None:
    assert deployment.replica_set(hello, embedded=False).verdict == verdict


def test_a_weak_write_concern_in_the_url_is_named() -> None:
    assert deployment.write_concern("mongodb://db/?w=1").verdict is Verdict.WARN
    assert deployment.write_concern("mongodb://db/?w=majority").verdict is Verdict.OK


def test_a_redis_that_would_lose_or_slow_things_down_is_named() -> None:
    settings = Settings.from_environment({"REDIS_URL": "redis://cache"})
    info = {"redis_version": "6.0.1", "role": "slave", "maxmemory": 1, "maxmemory_policy": "allkeys-lru",
            "aof_enabled": 1}  # fmt: skip
    assert sorted(verdicts(deployment.redis_server(info, settings))) == ["fail", "fail", "warn", "warn", "warn"]
    safe = Settings.from_environment({"REDIS_URL": "redis://:x@cache"})
    assert not list(deployment.redis_server({"redis_version": "7.2.0", "role": "master"}, safe))


def test_too_few_open_files_are_told_with_the_number_that_is_needed() -> None:
    settings = Settings.from_environment({"WS_MAX_CONNECTIONS": "1000000"})
    first = next(iter(deployment.limits(settings)))
    assert (first.verdict, "1000200" in first.message) == (Verdict.WARN, True)


def test_keys_are_judged_by_strength_number_and_expiry() -> None:
    def judged(environment: dict[str, str], document: bytes | None = None) -> list[Finding]:
        return list(deployment.token_keys(Settings.from_environment(environment), document))

    weak = judged({"AUTH_JWT_SECRET": "a" * 40})
    assert verdicts(weak) == [Verdict.FAIL]
    assert not judged({"AUTH_JWT_SECRET": SECRET})
    assert verdicts(judged({"AUTH_JWT_SECRET": SECRET, "AUTH_JWT_SECRET_PREVIOUS": SECRET})) == [Verdict.WARN]
    issuer = Issuer()
    issuer.rotate("one")
    named = {"AUTH_ISSUER": "us", "AUTH_AUDIENCE": "it", "AUTH_JWKS_FILE": "/keys"}
    assert verdicts(judged(named, issuer.document())) == [Verdict.WARN]
    issuer.rotate("one", "two")
    assert verdicts(judged(named, issuer.document())) == [Verdict.OK]
    same = json.loads(issuer.document())
    for entry in same["keys"]:
        entry["kid"] = "one"
    assert verdicts(judged(named, json.dumps(same).encode())) == [Verdict.FAIL]
    now = time.time()
    entries = [{"kid": "a", "exp": now - 90_000}, {"kid": "b", "exp": now + 90_000}, {"kid": "c", "exp": now + 9e9}]
    assert verdicts(deployment.expiries(json.dumps({"keys": entries}).encode())) == [Verdict.FAIL, Verdict.WARN]


async def test_a_missing_index_is_named_and_a_real_deployment_is_judged(
    mongodb_url: str, database_name: str, tmp_path: Path
) -> None:
    async with open_store(mongodb_url, database_name):
        pass
    with MongoClient(mongodb_url) as client:
        client[database_name]["commits"].drop_index("named")
    async with running_redis() as redis:
        done = await command(
            {"MONGODB_URL": mongodb_url, "MONGODB_DATABASE": database_name, "REDIS_URL": redis.url, "WS_PORT": "0",
             "AUTH_JWT_SECRET": SECRET, "DATA_DIR": str(tmp_path)}, "doctor",
        )  # fmt: skip
    assert done.returncode == 0, done
    assert "commits.named" in done.stdout
    assert "MongoDB's is this machine's" in done.stdout
    assert "Redis's is this machine's" in done.stdout
