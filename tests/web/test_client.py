"""The web client's own tests: its core and components, and people in real browsers on the real server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "web"
CHROMIUM = os.environ.get("CHROMIUM") or next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="the web client's tests need Node 20 or newer"),
    pytest.mark.skipif(not (WEB / "node_modules").is_dir(), reason="the web client's packages: cd web && npm ci"),
]


#: The lines by which vitest and Node's runner say how many tests they ran.
_CLOSING = re.compile(r"^ *(?:Test Files|Tests) .*|^# (?:tests|pass|fail|skipped) \d+", re.MULTILINE)


def _run(capsys: pytest.CaptureFixture[str], *command: str, timeout: float) -> None:
    environment = {**os.environ, "PYTHON": sys.executable, "CHROMIUM": CHROMIUM or "", "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=WEB, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout
    )
    with capsys.disabled():  # how much is in one of these tests is not seen otherwise
        print(f"\n{' '.join(command)}: {', '.join(line.strip('# ') for line in _CLOSING.findall(done.stdout))}")
    assert done.returncode == 0, done.stdout[-20_000:]


def test_the_core_and_the_components_pass_their_tests(capsys: pytest.CaptureFixture[str]) -> None:
    _run(capsys, "npm", "test", timeout=300)


@pytest.mark.skipif(CHROMIUM is None, reason="tests in the browser need chromium (Debian: apt-get install chromium)")
@pytest.mark.skipif(not (WEB / "dist" / "index.html").is_file(), reason="not built: cd web && npm run build")
@pytest.mark.parametrize("part", ["together", "reconciling", "steering", "accessible", "sign-in"])
def test_people_in_real_browsers(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    _run(capsys, "node", "--test", f"tests/browser/{part}.test.mjs", timeout=600)
