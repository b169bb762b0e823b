"""The secret a server makes for itself."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from realtime_server.auth.issue import load_or_create_secret, signing_secret
from realtime_server.errors import ConfigurationError
from realtime_server.settings import Settings


def test_a_secret_is_made_once_kept_private_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data_dir = tmp_path / "new" / "data"
    secret = load_or_create_secret(data_dir)
    assert len(secret) >= 32
    assert (data_dir / "jwt-secret").stat().st_mode & 0o777 == 0o600
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert str(data_dir / "jwt-secret") in caplog.text
    assert secret.decode() not in caplog.text
    caplog.clear()
    assert load_or_create_secret(data_dir) == secret
    assert not caplog.records
    assert [path.name for path in data_dir.iterdir()] == ["jwt-secret"]


def test_processes_that_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from realtime_server.auth.issue import load_or_create_secret\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(load_or_create_secret(Path(sys.argv[1])).decode())"
    )
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        for _ in range(6)
    ]  # fmt: skip
    for starter in starters:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "ready\n"
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("\n")
        starter.stdin.flush()
    assert len({starter.communicate()[0] for starter in starters}) == 1


def test_secrets_of_two_directories_differ(tmp_path: Path) -> None:
    assert load_or_create_secret(tmp_path / "a") != load_or_create_secret(tmp_path / "b")


def test_a_secret_others_can_read_is_refused(tmp_path: Path) -> None:
    load_or_create_secret(tmp_path)
    (tmp_path / "jwt-secret").chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_or_create_secret(tmp_path)


def test_a_secret_that_is_too_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jwt-secret"
    path.touch(mode=0o600)
    path.write_text("short\n")
    with pytest.raises(ConfigurationError, match="less than 32 bytes"):
        load_or_create_secret(tmp_path)


def test_a_place_that_cannot_hold_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="AUTH_JWT_SECRET"):
        load_or_create_secret(tmp_path / "file")


def test_a_given_secret_is_used_and_none_is_made(tmp_path: Path) -> None:
    settings = Settings.from_environment({"AUTH_JWT_SECRET": "s" * 32, "DATA_DIR": str(tmp_path)})
    assert signing_secret(settings) == b"s" * 32
    assert not list(tmp_path.iterdir())
