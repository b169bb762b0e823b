"""The command line: as an operator uses it, in a process of its own where start-up itself is the matter."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import jwt
import pytest
from click.testing import CliRunner

from realtime_server import cli, doctor
from realtime_server.auth.tokens import verifier_of
from realtime_server.core.roles import Role
from realtime_server.doctor import doctor_command
from realtime_server.errors import ConfigurationError
from realtime_server.settings import Settings
from realtime_server.storage import mongod_host
from realtime_server.transport.outlets import IS_COMPILED

SECRET = "a secret of more than thirty-two bytes"
OWN = ("WS_", "COLLABORATION_", "AUTH_", "REDIS_", "MONGODB_", "DATA_DIR", "LOG_", "CORS_")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(OWN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WS_PORT", "0")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "realtime_server", *arguments], capture_output=True, text=True, check=False
    )


async def test_token_prints_a_token_the_server_accepts_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_JWT_SECRET", SECRET)
    monkeypatch.setenv("AUTH_ISSUER", "books")
    monkeypatch.setenv("AUTH_AUDIENCE", "live")
    arguments = [
        "token",
        "--user",
        "alice",
        "--name",
        "Alice",
        "--project",
        "demo",
        "--project",
        "other",
        "--role",
        "reviewer",
        "--ttl",
        "30m",
    ]
    done = await asyncio.to_thread(run, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    token = done.stdout.removesuffix("\n")
    identity = await verifier_of(Settings.from_environment(os.environ)).verify(token)
    assert (identity.user_id, identity.name) == ("alice", "Alice")
    assert dict(identity.roles) == {"demo": Role.REVIEWER, "other": Role.REVIEWER}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 30 * 60


async def test_token_and_server_share_the_secret_under_the_data_directory() -> None:
    first = await asyncio.to_thread(run, "token", "--user", "alice", "--project", "demo")
    again = await asyncio.to_thread(run, "token", "--user", "bob", "--project", "demo")
    assert "made a secret and kept it in" in first.stderr
    assert again.stderr == ""
    verifier = verifier_of(Settings.from_environment(os.environ))
    assert (await verifier.verify(first.stdout.strip())).user_id == "alice"
    assert (await verifier.verify(again.stdout.strip())).user_id == "bob"


def test_a_bad_setting_is_one_line_on_stderr_and_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WS_PORT", "eighty")
    done = run("token", "--user", "alice", "--project", "demo")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "realtime-server: WS_PORT='eighty': must be a whole number from 0 to 65535\n"


def test_where_keys_come_from_an_issuer_token_says_who_makes_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_JWKS_URL", "https://keys.test/jwks.json")
    done = CliRunner().invoke(cli.cli, ["token", "--user", "alice", "--project", "demo"])
    assert done.exit_code == 2
    assert "issuer of the key set" in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["--user", "", "--project", "demo"],
        ["--user", "a\nb", "--project", "demo"],
        ["--user", "system", "--project", "demo"],
        ["--user", "system/import", "--project", "demo"],
        ["--user", "alice"],
        ["--user", "alice", "--project", "x" * 129],
        ["--user", "alice", "--project", "demo", "--role", "owner"],
        ["--user", "alice", "--project", "demo", "--ttl", "0"],
        ["--user", "alice", "--project", "demo", "--ttl", "-5"],
        ["--user", "alice", "--project", "demo", "--ttl", "366d"],
        ["--user", "alice", "--project", "demo", "--ttl", "soon"],
    ],
)
def test_token_does_not_print_what_the_server_would_refuse(arguments: list[str]) -> None:
    done = CliRunner().invoke(cli.cli, ["token", *arguments])
    assert done.exit_code == 2
    assert done.stdout == ""


def test_help_and_token_load_no_part_of_the_server() -> None:
    heavy = ("aiohttp", "socketio", "pymongo", "redis", "realtime_server.app")
    code = (
        "import sys; from realtime_server.cli import main\n"
        "try: main()\n"
        f"except SystemExit: print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    for arguments in (["--help"], ["token", "--user", "alice", "--project", "demo"]):
        env = {**os.environ, "AUTH_JWT_SECRET": SECRET}
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], env=env, capture_output=True, text=True, check=False
        )
        assert done.stderr == "[]\n"


def test_help_names_every_command() -> None:
    done = CliRunner().invoke(cli.cli, ["--help"])
    assert done.exit_code == 0
    for name in ("serve", "rest", "token", "import", "generate", "audit", "doctor"):
        assert f"  {name} " in done.output


def test_an_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(cli.cli, ["sreve"]).exit_code == 2


def test_a_configuration_error_of_any_command_never_shows_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def failing() -> None:
        raise ConfigurationError("no\ndatabase")

    monkeypatch.setattr(cli, "failing", failing, raising=False)
    monkeypatch.setattr(cli, "COMMANDS", {"fail": cli.LazyCommand("realtime_server.cli:failing", "")})
    done = CliRunner().invoke(cli.cli, ["fail"])
    assert (done.exit_code, done.output) == (2, "realtime-server: no database\n")


def examined(expected_exit: int) -> dict[str, tuple[str, str]]:
    """The doctor's report as {subject: (verdict, message)}."""
    done = CliRunner().invoke(doctor_command)
    assert done.exit_code == expected_exit, done.output
    lines = [line.split(maxsplit=1) for line in done.output.splitlines()]
    return {rest[:9].strip(): (verdict, rest[10:]) for verdict, rest in lines}


def test_the_doctor_finds_a_fresh_machine_ready() -> None:
    report = examined(0)
    assert {subject: verdict for subject, (verdict, _) in report.items()} == {
        "settings": "ok", "python": "ok", "transport": "ok" if IS_COMPILED else "warn", "data dir": "ok",
        "tokens": "warn", "port": "ok", "mongodb": "ok",
        "redis": "ok", "limits": "ok", "durable": "ok", "replicas": "ok", "indexes": "ok", "clock": "ok",
    }  # fmt: skip
    assert "takes journaled writes" in report["mongodb"][1]


def test_the_doctor_uses_the_services_that_are_set(
    monkeypatch: pytest.MonkeyPatch, mongodb_url: str, database_name: str, redis_socket: Path
) -> None:
    monkeypatch.setenv("MONGODB_URL", mongodb_url)
    monkeypatch.setenv("MONGODB_DATABASE", database_name)
    monkeypatch.setenv("REDIS_URL", f"unix://{redis_socket}")
    monkeypatch.setenv("AUTH_JWT_SECRET", SECRET)
    report = examined(0)
    assert report["mongodb"][0] == "ok"
    assert report["redis"][0] == "ok"
    assert "takes writes" in report["redis"][1]
    assert report["tokens"] == ("ok", "AUTH_JWT_SECRET is set")


def test_the_doctor_names_what_is_missing_and_shows_no_password(
    monkeypatch: pytest.MonkeyPatch, taken_port: int
) -> None:
    monkeypatch.setattr(doctor, "_PATIENCE", 0.2)
    monkeypatch.setenv("MONGODB_URL", "mongodb://user:hunter2@%2Fnowhere%2Fmongodb.sock/")
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@127.0.0.1:1")
    monkeypatch.setenv("WS_HOST", "127.0.0.1")
    monkeypatch.setenv("WS_PORT", str(taken_port))
    monkeypatch.setenv("AUTH_JWKS_FILE", "/nowhere/keys.json")
    report = examined(1)
    assert {subject for subject, (verdict, _) in report.items() if verdict == "fail"} == {
        "mongodb", "redis", "port", "tokens",
    }  # fmt: skip
    assert "hunter2" not in str(report)


def test_the_doctor_says_what_to_do_without_any_mongod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert examined(1)["mongodb"] == ("fail", mongod_host.NO_MONGOD)


def test_the_doctor_stops_at_a_bad_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "loud")
    assert examined(1)["settings"][0] == "fail"


def test_the_doctor_warns_of_a_misspelt_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WS_PROT", "1")
    monkeypatch.setenv("AUTH_JWT_SECRET", SECRET)
    done = CliRunner().invoke(doctor_command)
    assert done.output.startswith("warn  settings  WS_PROT is not a setting")
    assert done.exit_code == 0


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which something listens that is no server of ours: it never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def redis_socket(tmp_path: Path) -> Iterator[Path]:
    """A real redis-server of this test's own."""
    path = tmp_path / "redis.sock"
    binary = shutil.which("redis-server", path=f"{os.environ['PATH']}:{Path(sys.executable).parent}")
    assert binary is not None
    command = [binary, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "ready to accept connections" in line:
                break
        try:
            yield path
        finally:
            process.terminate()
            process.stdout.read()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mongodb://user:pw@a,b:27018/db?tls=true&authSource=x", "mongodb://a,b:27018/db"),
        ("redis://:p@ss@cache:6379/1", "redis://cache:6379/1"),
        ("unix:///run/redis.sock?password=pw", "unix:///run/redis.sock"),
    ],
)
def test_an_address_is_shown_without_its_credentials(url: str, shown: str) -> None:
    assert doctor.without_credentials(url) == shown


def test_the_doctor_takes_a_server_of_ours_on_the_port_for_well(monkeypatch: pytest.MonkeyPatch) -> None:
    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("WS_HOST", "127.0.0.1")
        monkeypatch.setenv("WS_PORT", str(server.server_port))
        monkeypatch.setenv("AUTH_JWT_SECRET", SECRET)
        assert examined(0)["port"] == (
            "ok",
            f"127.0.0.1:{server.server_port} is held by a server that answers /healthz",
        )
        server.shutdown()
