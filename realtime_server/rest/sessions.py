"""Sessions: made, listed, shown, ended."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final
from uuid import uuid4

from realtime_server.core import commands as c
from realtime_server.engine.overviews import overview_of, stored_overview
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import SessionOverview, SessionSummary
from realtime_server.rest import cursors
from realtime_server.rest.commands import command_id, submit
from realtime_server.rest.counts import COUNTS
from realtime_server.rest.operations import PREFIX, Answer, Call, Operation, operation
from realtime_server.rest.views import session_view, summary_view
from schemas import rest_answers as answers
from schemas import rest_requests as requests

SESSIONS: Final = "/collaboration/sessions"
SESSION: Final = f"{SESSIONS}/{{session_id}}"


@operation(
    "POST",
    SESSIONS,
    tag="sessions",
    body=requests.CreateSession,
    answer=answers.SessionDetail,
    status=201,
    command=c.CreateSession,
    keyed=True,
)
async def create_session(call: Call) -> Answer:
    """Create a session.

    In a project that your token names; any other is answered as if there were none. It starts with the project's rules
    of matching. With `Idempotency-Key` the same request again answers with the same session.
    """
    project_id = call.body["project_id"]
    if project_id not in call.identity.roles:
        raise CollaborationError(ErrorCode.NOT_FOUND, f"there is no project {project_id}")
    session_id = _new_id(call, project_id)
    saved = await call.services.rules.load(project_id)
    command = c.CreateSession(
        actor=call.actor(project_id),
        command_id=command_id(call, "create"),
        session_id=session_id,
        project_id=project_id,
        name=call.body["session_name"],
        expires_in=call.body.get("expires_in", call.config.session_timeout),
        field_policies=call.body["field_policies"],
        rules=None if saved is None else (saved.version, saved.rules),
    )
    await submit(call, session_id, command)
    # Lists read checkpoints, which are a few seconds behind: whoever makes or ends a session sees it at once.
    answer = await _detail(call, overview_of(await call.services.engine.checkpoint(session_id)))
    return Answer(answer, 201, {"Location": f"{PREFIX}{SESSIONS}/{session_id}"})


def _new_id(call: Call, project_id: str) -> str:
    """22 characters, 128 bits: random, or the same for the same person, project and key."""
    if call.key is None:
        random = uuid4().bytes
    else:
        random = hashlib.sha256("\0".join((call.identity.user_id, project_id, call.key)).encode()).digest()[:16]
    text = urlsafe_b64encode(random).rstrip(b"=").decode()
    # On a command line, what begins with a dash would be an option.
    return f"A{text[1:]}" if text.startswith("-") else text


async def _detail(call: Call, state: SessionOverview) -> dict[str, object]:
    counts = call.request.config_dict[COUNTS]
    records = await counts.of(call.services.records, state.session_id)
    role = call.identity.roles[state.project_id]
    return session_view(state, role, records, call.services.clock())


@operation("GET", SESSIONS, tag="sessions", query=requests.SessionsQuery, answer=answers.SessionsPage)
async def list_sessions(call: Call) -> Answer:
    """List the sessions of your projects.

    By id. A project that your token does not name has no sessions, as far as you can see.
    """
    place = cursors.decode(call.query.get("cursor"), str)
    asked = call.query.get("project_id")
    projects = [name for name in call.identity.roles if asked is None or name == asked]
    limit = call.query["limit"]
    found = await call.services.sessions.page(projects, after=None if place is None else place[0], limit=limit + 1)
    following = cursors.encode(found[limit - 1].session_id) if len(found) > limit else None
    items = await _as_live(call, found[:limit])
    return Answer({"items": [summary_view(item) for item in items], "next_cursor": following})


async def _as_live(call: Call, found: Sequence[SessionSummary]) -> list[SessionSummary]:
    """Checkpoints are behind while people work; open sessions are shown as they are, by the process that knows more."""
    engine, overviews = call.services.engine, call.services.overviews
    elsewhere: Mapping[str, SessionOverview] = {}
    if overviews is not None:
        with suppress(CollaborationError):  # then as far as this process knows
            elsewhere = await overviews.of([item.session_id for item in found if not engine.watched(item.session_id)])
    items = []
    for item in found:
        state = engine.live(item.session_id)
        known = [elsewhere.get(item.session_id), None if state is None else overview_of(state)]
        items.append(max([item, *(view for view in known if view is not None)], key=lambda view: view.seq))
    return items


@operation("GET", SESSION, tag="sessions", answer=answers.SessionDetail)
async def get_session(call: Call) -> Answer:
    """Show a session."""
    found = await _without_opening(call)
    return Answer(await _detail(call, found or overview_of(await call.session())))


async def _without_opening(call: Call) -> SessionOverview | None:
    """A session that this process has not open, if another one shows it, or its checkpoint is how it stands."""
    session_id, services = call.path["session_id"], call.services
    if services.engine.is_open(session_id):
        return None
    found = None
    if services.overviews is not None:
        with suppress(CollaborationError):
            found = (await services.overviews.of([session_id])).get(session_id)
    found = found or await stored_overview(session_id, services.log, services.sessions)
    # Whatever is not to be seen is refused where everything is.
    return found if found is not None and found.project_id in call.identity.roles else None


@operation(
    "DELETE",
    SESSION,
    tag="sessions",
    query=requests.EndQuery,
    answer=answers.CommitDone,
    command=c.EndSession,
    keyed=True,
    refusals=(ErrorCode.SESSION_ENDED,),
)
async def end_session(call: Call) -> Answer:
    """End a session.

    It can still be read; nothing in it changes any more, and its log is kept.
    """
    state = await call.session()
    command = c.EndSession(
        actor=call.actor(state.project_id),
        command_id=command_id(call, "end"),
        reason=call.query.get("reason"),
    )
    answer = await submit(call, state.session_id, command)
    await call.services.engine.checkpoint(state.session_id)
    return answer


OPERATIONS: Final[tuple[Operation, ...]] = (create_session, list_sessions, get_session, end_session)
