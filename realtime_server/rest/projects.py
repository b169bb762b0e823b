"""A project's rules of matching: with them its sessions begin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from realtime_server.core import reconciliation_commands as r
from realtime_server.core.clock import to_iso
from realtime_server.core.matching.rules import DEFAULT_RULES, document
from realtime_server.core.permissions import PERMISSIONS
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import SavedRules
from realtime_server.reconciliation.rule_documents import read_rules
from realtime_server.rest.operations import Answer, Call, Operation, operation
from schemas import reconciliation_rest as schemas

RULES: Final = "/collaboration/projects/{project_id}/rules"
_TAG: Final = "reconciliation"


def _project(call: Call, *, changes: bool = False) -> str:
    """The project in the path. `not_found` for one that the token does not name."""
    project_id = call.path["project_id"]
    role = call.identity.roles.get(project_id)
    if role is None:
        raise CollaborationError(ErrorCode.NOT_FOUND, f"there is no project {project_id}")
    if changes and role not in PERMISSIONS[r.SetRules]:
        message = f"the role {role} may not do this"
        raise CollaborationError(ErrorCode.FORBIDDEN, message, {"role": role.value})
    return project_id


@operation("GET", RULES, tag=_TAG, query=schemas.ProjectRulesQuery, answer=schemas.ProjectRules)
async def get_project_rules(call: Call) -> Answer:
    """Read a project's rules of matching.

    Sessions that are created from now on start with them. Version 0 are the defaults: nobody has saved any.
    """
    project_id, version = _project(call), call.query.get("version")
    saved = await call.services.rules.load(project_id, version)
    if saved is None and version is not None:
        raise CollaborationError(ErrorCode.NOT_FOUND, f"project {project_id} has no version {version} of its rules")
    return Answer(_defaults(project_id) if saved is None else _view(saved))


@operation(
    "PUT", RULES, tag=_TAG, body=schemas.ProjectRulesBody, answer=schemas.ProjectRules, command=r.SetRules,
    refusals=(ErrorCode.VERSION_STALE,),
)  # fmt: skip
async def put_project_rules(call: Call) -> Answer:
    """Save a project's rules of matching.

    All of them, in order. `base_version` is the version that the author saw: when somebody has saved another one
    meanwhile, nothing is saved (`version_stale`). Sent again by the same person, they are answered as the first time.
    Sessions that are there keep theirs.
    """
    project_id, body = _project(call, changes=True), call.body
    saved = SavedRules(
        project_id=project_id,
        version=body["base_version"] + 1,
        rules=read_rules(body["rules"]),
        saved_by=call.identity.user_id,
        saved_at=call.services.clock(),
        comment=body.get("comment"),
    )
    if not await call.services.rules.save(saved):
        stored = await call.services.rules.load(project_id, saved.version)
        if stored is not None and replace(stored, saved_at=saved.saved_at) == saved:
            return Answer(_view(stored))  # the same request, again after an answer that was lost
        newest = await call.services.rules.load(project_id)
        message = f"the rules were changed since version {body['base_version']}"
        details = {"version": 0 if newest is None else newest.version}
        raise CollaborationError(ErrorCode.VERSION_STALE, message, details)
    return Answer(_view(saved))


@operation("GET", f"{RULES}/versions", tag=_TAG, answer=schemas.ProjectRulesVersions)
async def list_project_rules_versions(call: Call) -> Answer:
    """List the versions of a project's rules, newest first."""
    versions = await call.services.rules.versions(_project(call))
    return Answer({"items": [{"version": item.version, **_saving(item)} for item in versions]})


def _saving(saved: SavedRules) -> dict[str, Any]:
    return {"saved_by": saved.saved_by, "saved_at": to_iso(saved.saved_at), "comment": saved.comment}


def _view(saved: SavedRules) -> dict[str, Any]:
    rules = [document(rule) for rule in saved.rules]
    return {"project_id": saved.project_id, "version": saved.version, "rules": rules, **_saving(saved)}


def _defaults(project_id: str) -> dict[str, Any]:
    rules = [document(rule) for rule in DEFAULT_RULES]
    nobody = {"saved_by": None, "saved_at": None, "comment": None}
    return {"project_id": project_id, "version": 0, "rules": rules, **nobody}


OPERATIONS: Final[tuple[Operation, ...]] = (get_project_rules, put_project_rules, list_project_rules_versions)
