"""Tokens that a project's admin does not want to be believed any more."""

from __future__ import annotations

from typing import Final

from realtime_server.auth.identity import MAX_USER_ID
from realtime_server.core.clock import to_iso
from realtime_server.core.roles import Role
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.rest.operations import Answer, Call, Operation, operation
from schemas import rest_answers as answers
from schemas import rest_requests as requests

REVOKE: Final = "/collaboration/projects/{project_id}/users/{user_id}/revoke"


@operation(
    "POST",
    REVOKE,
    tag="people",
    body=requests.Revoke,
    body_required=False,
    answer=answers.Revoked,
    refusals=(ErrorCode.FORBIDDEN,),
)
async def revoke_tokens(call: Call) -> Answer:
    """Revoke a person's tokens in a project.

    For an admin of the project. Every token that the person has at this moment gives no role in the project any more:
    requests are refused, and open connections leave its sessions within a second at this process and within seconds at
    the others. A token that is issued more than five seconds later counts again, so the issuer has to know first that
    the person is out. Tokens without the claim `iat` stay revoked.
    """
    project_id, user_id = call.path["project_id"], call.path["user_id"]
    role = call.identity.roles.get(project_id)
    if role is None:
        raise CollaborationError(ErrorCode.NOT_FOUND, f"there is no project {project_id}")
    if role is not Role.ADMIN:
        raise CollaborationError(ErrorCode.FORBIDDEN, "only an admin of the project revokes tokens")
    if len(user_id) > MAX_USER_ID:
        raise CollaborationError(ErrorCode.NOT_FOUND, "there is no such user")
    revocations = call.services.revocations
    if revocations is None:
        raise CollaborationError(ErrorCode.UNAVAILABLE, "this process keeps no revocations")
    revocation = await revocations.revoke(user_id, project_id, call.identity.user_id, call.body.get("reason"))
    return Answer(
        {"user_id": user_id, "project_id": project_id, "issued_before": to_iso(revocation.before * 1000)}
    )


OPERATIONS: Final[tuple[Operation, ...]] = (revoke_tokens,)
