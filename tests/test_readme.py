"""The README says what is so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from marshmallow import Schema

from realtime_server.errors import ERROR_TABLE, ErrorCode
from realtime_server.settings import settings_table
from schemas import CLIENT_EVENTS, EPHEMERAL, MESSAGE_TYPES, Envelope
from schemas.acks import Error

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def _rows(head: str) -> Iterator[list[str]]:
    """The cells of each row of the table whose head begins so."""
    table = README[README.index(head) :].split("\n\n", 1)[0]
    for row in table.splitlines()[2:]:
        # A bar inside of code does not part cells; none of ours has one.
        yield [cell.strip() for cell in row.strip().strip("|").split("|")]


def _names(cell: str) -> dict[str, bool]:
    """name -> whether it is always there, of what a cell lists: `name`, `name?`, `name?: {…}`. Not what stands in
    brackets, which are values and remarks."""
    found = re.findall(r"`([a-z_]+)(\??)[^`]*`", re.sub(r"\([^)]*\)", "", cell))
    return {name: not optional for name, optional in found}


def test_the_settings_table_is_the_one_of_the_settings() -> None:
    shown = re.search(r"<!-- settings -->\n(.*)<!-- /settings -->", README, re.DOTALL)
    assert shown is not None
    assert shown[1].strip() == settings_table().strip()


def _anchors(document: Path) -> set[str]:
    """What a link may have behind its `#`: the headings, as they are named on a page."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


DOCUMENTS = [
    path for path in ROOT.rglob("*.md") if not {"node_modules", ".venv", "build"} & set(path.relative_to(ROOT).parts)
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


EVENTS = {event: cells for cells in _rows("| event | fields") for event in _names(cells[0])}


def test_the_table_of_events_has_every_event() -> None:
    assert EVENTS.keys() == CLIENT_EVENTS.keys()


@pytest.mark.parametrize("event", CLIENT_EVENTS)
def test_the_table_of_events_has_every_field_of_an_event_and_of_its_answer(event: str) -> None:
    request, answer = (schema() for schema in CLIENT_EVENTS[event])
    asked, told = _names(EVENTS[event][1]), _names(EVENTS[event][2])
    expected = _expected(request, "session_id", "request_id")
    if event == "takeover":
        expected["reason"] = True  # left out it is refused too, under a code of its own
    assert asked == expected
    assert told == _expected(answer, "ok")
    has_session = "session_id" in request.fields
    assert has_session is ("no `session_id`" not in EVENTS[event][1])


def _expected(schema: Schema, *apart: str) -> dict[str, bool]:
    return {name: field.required for name, field in schema.fields.items() if name not in apart}


def test_events_without_an_edit_id_that_make_commits_take_a_request_id() -> None:
    with_request_id = {event for event, (request, _) in CLIENT_EVENTS.items() if "request_id" in request().fields}
    with_edit_id = {"edit", "edit_batch"}
    of_the_connection = {"join", "leave", "sync", "presence", "authenticate"}
    assert with_request_id == CLIENT_EVENTS.keys() - with_edit_id - of_the_connection


def test_the_table_of_broadcasts_has_every_message_type_under_its_event() -> None:
    shown = {
        message_type: (event, "no `seq`" in cells[1])
        for cells in _rows("| event from the server")
        for event in _names(cells[0])
        for message_type in re.findall(r"`([a-z]+\.[a-z_]+)`", cells[1])
    }
    families = {message_type: message_type.partition(".")[0] for message_type in MESSAGE_TYPES}
    assert shown == {message_type: (family, family in EPHEMERAL) for message_type, family in families.items()}


def test_the_envelope_is_the_one_of_the_schemas() -> None:
    shown = re.search(r"one envelope, `\{([^}]*)\}`", README)
    assert shown is not None
    assert {name.strip() for name in shown[1].split(",")} == Envelope().fields.keys()


def test_the_table_of_codes_has_every_code_and_says_which_may_be_tried_again() -> None:
    shown: dict[str, bool] = {}
    for codes, _, retry in _rows("| code | means"):
        for code in _names(codes):
            # "full: yes": one of the row's codes, by a word of its name.
            word = retry.partition(":")[0]
            shown[code] = retry == "yes" or (":" in retry and word in code)
    assert shown.keys() == {code.value for code in ErrorCode}
    assert shown == {code.value: row.retryable for code, row in ERROR_TABLE.items()}
    assert set(Error().fields["code"].choices) == {code.value for code in ErrorCode}
