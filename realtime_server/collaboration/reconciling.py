"""Events of the reconciliation. All but two are commands of the engine like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from realtime_server.collaboration.actions import ACTIONS
from realtime_server.collaboration.commands import COMMANDS
from realtime_server.collaboration.connections import Connection
from realtime_server.collaboration.declarations import Answer, Call, Request, permission
from realtime_server.core import commands as c
from realtime_server.core import reconciliation_commands as r
from realtime_server.core.permissions import EVERYBODY
from realtime_server.reconciliation.rule_documents import read_rules
from schemas import reconciliation as schemas

if TYPE_CHECKING:
    from realtime_server.collaboration.namespace import Collaboration


def _common(call: Call, request: Request) -> dict[str, Any]:
    return {"actor": call.actor, "command_id": call.command_id(request.get("request_id"))}


@COMMANDS.declare("match_confirm", schemas.ConfirmMatches, permission(r.ConfirmMatches))
def match_confirm(call: Call, request: Request) -> c.Command:
    return r.ConfirmMatches(
        **_common(call, request), match_ids=tuple(request["match_ids"]), reason=request.get("reason")
    )


@COMMANDS.declare("match_reject", schemas.RejectMatches, permission(r.RejectMatches))
def match_reject(call: Call, request: Request) -> c.Command:
    return r.RejectMatches(
        **_common(call, request), match_ids=tuple(request["match_ids"]), reason=request.get("reason")
    )


@COMMANDS.declare("match_remove", schemas.RemoveMatches, permission(r.RemoveMatches))
def match_remove(call: Call, request: Request) -> c.Command:
    return r.RemoveMatches(
        **_common(call, request), match_ids=tuple(request["match_ids"]), reason=request.get("reason")
    )


@COMMANDS.declare("match_create", schemas.MakeMatch, permission(r.MakeMatch))
def match_create(call: Call, request: Request) -> c.Command:
    ledger, statement = _sides(request)
    return r.MakeMatch(**_common(call, request), ledger=ledger, statement=statement, reason=request.get("reason"))


@COMMANDS.declare("match_split", schemas.SplitMatch, permission(r.SplitMatch))
def match_split(call: Call, request: Request) -> c.Command:
    return r.SplitMatch(
        **_common(call, request),
        match_id=request["match_id"],
        parts=tuple(_sides(part) for part in request["parts"]),
        reason=request.get("reason"),
    )


def _sides(request: Request) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(request["ledger"]), tuple(request["statement"])


@COMMANDS.declare("record_status", schemas.SetRecordStatus, permission(r.SetRecordStatus))
def record_status(call: Call, request: Request) -> c.Command:
    return r.SetRecordStatus(
        **_common(call, request),
        record_ids=tuple(request["record_ids"]),
        status=request["status"],
        reason=request.get("reason"),
    )


@COMMANDS.declare("record_assign", schemas.AssignRecords, permission(r.AssignRecords))
def record_assign(call: Call, request: Request) -> c.Command:
    return r.AssignRecords(
        **_common(call, request), record_ids=tuple(request["record_ids"]), assignee=request["assignee"]
    )


@COMMANDS.declare("rules_set", schemas.SetRules, permission(r.SetRules))
def rules_set(call: Call, request: Request) -> c.Command:
    return r.SetRules(
        **_common(call, request), rules=read_rules(request["rules"]), base_version=request["base_version"]
    )


@COMMANDS.declare("reconciliation_start", schemas.StartRun, permission(r.StartRun))
def reconciliation_start(call: Call, request: Request) -> c.Command:
    # The run service hears of it as everybody does, and begins.
    return r.StartRun(**_common(call, request), run_id=f"run-{uuid4().hex[:12]}")


@COMMANDS.declare("reconciliation_pause", schemas.PauseRun, permission(r.PauseRun))
def reconciliation_pause(call: Call, request: Request) -> c.Command:
    return r.PauseRun(**_common(call, request))


@COMMANDS.declare("reconciliation_resume", schemas.ResumeRun, permission(r.ResumeRun))
def reconciliation_resume(call: Call, request: Request) -> c.Command:
    return r.ResumeRun(**_common(call, request))


@COMMANDS.declare("reconciliation_cancel", schemas.CancelRun, permission(r.CancelRun))
def reconciliation_cancel(call: Call, request: Request) -> c.Command:
    return r.CancelRun(**_common(call, request), reason=request.get("reason"))


@COMMANDS.declare("reconciliation_configure", schemas.Configure, permission(r.Configure))
def reconciliation_configure(call: Call, request: Request) -> c.Command:
    return r.Configure(**_common(call, request), settings=request["settings"])


@COMMANDS.declare("reconciliation_approve", schemas.Approve, permission(r.Approve))
def reconciliation_approve(call: Call, request: Request) -> c.Command:
    return r.Approve(**_common(call, request), comment=request.get("comment"))


@COMMANDS.declare("reconciliation_reject", schemas.RejectSubmission, permission(r.RejectSubmission))
def reconciliation_reject(call: Call, request: Request) -> c.Command:
    return r.RejectSubmission(**_common(call, request), reason=request["reason"])


@COMMANDS.declare("reconciliation_reopen", schemas.Reopen, permission(r.Reopen))
def reconciliation_reopen(call: Call, request: Request) -> c.Command:
    return r.Reopen(**_common(call, request), reason=request["reason"])


@ACTIONS.declare("reconciliation_submit", schemas.Submit, permission(r.Submit))
async def reconciliation_submit(collaboration: Collaboration, connection: Connection, request: Request) -> Answer:
    session_id = request["session_id"]
    actor = connection.actor_in(session_id, connection.project_of(session_id))
    command_id = c.command_id_of(actor.user_id, request.get("request_id") or uuid4().hex)
    return await collaboration.runs.submit(session_id, actor, command_id, request.get("comment"))


@ACTIONS.declare("reconciliation_status", schemas.RunStatus, EVERYBODY)
async def reconciliation_status(collaboration: Collaboration, connection: Connection, request: Request) -> Answer:
    return await collaboration.runs.status(request["session_id"])
