"""Who a verified token stands for. Claims are data from outside even when their signature is good."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from realtime_server.core.commits import is_reserved
from realtime_server.core.roles import Role
from realtime_server.errors import CollaborationError, ErrorCode

MAX_USER_ID = 128
MAX_NAME = 128
MAX_PROJECT_ID = 128
MAX_PROJECTS = 1000


@dataclass(frozen=True, slots=True)
class Identity:
    """A person, their role in each project (no entry: no access), and until when we may believe it.

    ``expires_at`` and ``issued_at`` are in Unix seconds; a token that does not say when it was issued counts as old.
    """

    user_id: str
    name: str
    roles: Mapping[str, Role] = field(hash=False)
    expires_at: int
    issued_at: int = 0


def identity_from_claims(claims: Mapping[str, Any]) -> Identity:
    """The identity that verified claims (``sub``, ``name``?, ``exp``, ``iat``?, ``projects``?) describe.

    Raises `CollaborationError` ``unauthenticated`` that names the claim at fault, never its content.
    """
    user_id = _label("sub", claims.get("sub"), MAX_USER_ID)
    if is_reserved(user_id):
        raise _refused("The token's claim sub is a name that only the server itself may use")
    name = user_id if claims.get("name") is None else _label("name", claims["name"], MAX_NAME)
    return Identity(user_id, name, _roles(claims.get("projects")), _instant("exp", claims.get("exp")), _issued(claims))


def _refused(message: str) -> CollaborationError:
    return CollaborationError(ErrorCode.UNAUTHENTICATED, message)


def _label(claim: str, value: object, limit: int) -> str:
    if not isinstance(value, str) or not value.isprintable() or not value.strip() or len(value) > limit:
        raise _refused(f"The token's claim {claim} must be 1 to {limit} printable characters")
    if value != value.strip():
        raise _refused(f"The token's claim {claim} must not begin or end with a space")
    return value


def _roles(value: object) -> Mapping[str, Role]:
    if value is None:
        return MappingProxyType({})
    if not isinstance(value, dict) or len(value) > MAX_PROJECTS:
        raise _refused(f"The token's claim projects must map at most {MAX_PROJECTS} project ids to roles")
    try:
        roles = {_label("projects", project_id, MAX_PROJECT_ID): Role(role) for project_id, role in value.items()}
    except ValueError:
        raise _refused("The token's claim projects must give each project one of: " + ", ".join(Role)) from None
    return MappingProxyType(roles)


def _instant(claim: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _refused(f"The token's claim {claim} must be a number of seconds")
    return int(value)


def _issued(claims: Mapping[str, Any]) -> int:
    return 0 if claims.get("iat") is None else _instant("iat", claims["iat"])
