"""The README says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from realtime_server.errors import ErrorCode
from realtime_server.settings import settings_table
from schemas import CLIENT_EVENTS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_settings_table_is_the_one_of_the_settings() -> None:
    shown = re.search(r"<!-- settings -->\n(.*)<!-- /settings -->", README, re.DOTALL)
    assert shown is not None
    assert shown[1].strip() == settings_table().strip()


def test_every_client_event_and_every_document_named_is_there() -> None:
    for event in CLIENT_EVENTS:
        assert f"`{event}`" in README
    for link in re.findall(r"\]\((docs/[^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_every_code_in_the_readme_exists() -> None:
    table = README[README.index("| code | means") : README.index("Roles per project")]
    named = {
        code for row in table.splitlines()[2:] for code in re.findall(r"`([a-z_]+)`", row.split("|")[1] if row else "")
    }
    assert named
    assert named <= {code.value for code in ErrorCode}
