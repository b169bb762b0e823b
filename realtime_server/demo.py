"""A demonstration: one project, one session of generated records, three people. Made once; a restart finds it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from realtime_server.auth.issue import issue_token, signing_secret
from realtime_server.core.commands import SYSTEM, CreateSession
from realtime_server.core.commits import SYSTEM_USER
from realtime_server.core.roles import Role
from realtime_server.errors import CollaborationError, ConfigurationError, ErrorCode
from realtime_server.reconciliation.csv_rows import ImportRow
from realtime_server.reconciliation.generated import Row
from realtime_server.reconciliation.generator import generate
from realtime_server.reconciliation.importing import Importer
from realtime_server.settings import Settings

if TYPE_CHECKING:
    from realtime_server.app import Services

PROJECT_ID: Final = "demo"
SESSION_ID: Final = "demo"
PEOPLE: Final = (
    ("alice", "Alice Adams", Role.PREPARER),
    ("bob", "Bob Brown", Role.PREPARER),
    ("carol", "Carol Clark", Role.REVIEWER),
    ("dana", "Dana Diaz", Role.APPROVER),
)
SIZE: Final = 2_000
TOKEN_TTL: Final = 8 * 3_600
_SEED: Final = 7


async def create_demo(services: Services) -> str:
    """Create the session and its records where they are not there yet; the id of one record. Can be repeated."""
    engine = services.engine
    try:
        await engine.state(SESSION_ID)
    except CollaborationError as error:
        if error.code is not ErrorCode.NOT_FOUND:
            raise
        await engine.submit(SESSION_ID, _create())
    if await services.store.records.count(SESSION_ID) < SIZE:
        await _import(services)
    return (await services.store.records.page(SESSION_ID, limit=1))[0].record_id


async def _import(services: Services) -> None:
    importer = Importer(services.engine, services.store.log, services.store.records)
    generated = generate(_SEED, SIZE)
    await importer.run(SESSION_ID, SYSTEM, "ledger", _rows(generated.ledger))
    await importer.run(SESSION_ID, SYSTEM, "statement", _rows(generated.statement))


def _create() -> CreateSession:
    return CreateSession(
        actor=SYSTEM,
        command_id=f"{SYSTEM_USER}/demo/create",
        session_id=SESSION_ID,
        project_id=PROJECT_ID,
        name="October close (demonstration)",
        expires_in=0,
    )


def _rows(rows: tuple[Row, ...]) -> list[ImportRow]:
    """As if they stood in a file: line 1 would be the header."""
    return [ImportRow(line, row.external_id, row.values()) for line, row in enumerate(rows, start=2)]


def demo_people(settings: Settings) -> list[dict[str, str]]:
    """``user_id``, ``name``, ``role`` and a fresh ``token`` of everybody, for the web client's sign-in page.

    Raises `ConfigurationError` where tokens are somebody else's to issue.
    """
    secret = signing_secret(settings)
    return [
        {
            "user_id": user,
            "name": name,
            "role": role.value,
            "token": issue_token(
                secret, user, name, {PROJECT_ID: role}, TOKEN_TTL, settings.auth_issuer, settings.auth_audience
            ),
        }
        for user, name, role in PEOPLE
    ]


def demo_text(settings: Settings, url: str, record_id: str) -> list[str]:
    """What to do next: tokens, and a client to copy and paste."""
    try:
        people = demo_people(settings)
    except ConfigurationError as error:
        return ["", f"The session {SESSION_ID} of project {PROJECT_ID} is there. No tokens: {error}"]
    lines = [
        "",
        f"Open {url}/sessions/{SESSION_ID} in two windows, and sign in as two people.",
        "",
        f"Session {SESSION_ID} of project {PROJECT_ID}, with {SIZE:,} records. Tokens for 8 hours:",
        "",
    ]
    for person in people:
        lines += [f"  {person['name']}, {person['role']}:", f"  {person['token']}", ""]
    tokens = {person["user_id"]: person["token"] for person in people}
    lines += [
        "Try it, in two more terminals, with two of the tokens (needs Node.js):",
        "",
        "  (cd examples && npm install)",
        f"  node examples/client.mjs {url} {SESSION_ID} {tokens['alice']}",
        "",
        f"  and type there: lock {record_id}",
        f"                  edit {record_id} description Invoice 4711, second half",
    ]
    return lines
