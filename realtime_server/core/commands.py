"""What can be asked of a session. Shells build these from validated input; the core decides them.

Every command carries who asks (`Actor`, with the role held at this moment) and a ``command_id`` that is unique in the
session: a command that comes twice is answered as it was the first time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from realtime_server.core.commits import SYSTEM_USER, is_reserved
from realtime_server.core.matching.rules import Rule
from realtime_server.core.roles import Role


@dataclass(frozen=True, slots=True)
class Actor:
    """``issued_at``: since when (Unix seconds) their token calls them so; 0 where it does not say, as long ago."""

    user_id: str
    name: str
    role: Role
    issued_at: int = 0


#: Who asks for what nobody asked for. It passes every permission.
SYSTEM: Final = Actor(SYSTEM_USER, "System", Role.ADMIN)


def command_id_of(user_id: str, client_id: str) -> str:
    """A client's own id (``edit_id``) as a command id: nobody can claim, or probe for, somebody else's edit.

    ``client_id`` has no slash (the schemas see to it), so the last slash always divides the two.
    """
    return f"{user_id}/{client_id}"


#: Begins the part of a command id that no client chose. A client's own id cannot contain it.
GENERATED: Final = "~"


def generated_command_id(user_id: str, unique: str) -> str:
    """The id of a command that its client will not send again: nobody needs to look for an earlier one."""
    return f"{user_id}/{GENERATED}{unique}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    actor: Actor
    command_id: str

    @property
    def repeatable(self) -> bool:
        """Whether the same command may come again: only where a client chose its id."""
        user_id, _, own = self.command_id.rpartition("/")
        return not own.startswith(GENERATED) and not is_reserved(user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSession(Command):
    """``expires_in``: seconds without activity after which the session expires. ``rules``: the project's rules of
    matching, and which version; None, the defaults."""

    session_id: str
    project_id: str
    name: str
    expires_in: int
    field_policies: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[int, tuple[Rule, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Join(Command):
    """Admission to the session. A commit only when the log does not know the person in this role yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldEdit:
    """One field's new value, as its author saw the field at ``base_version``."""

    record_id: str
    field_name: str
    new_value: Any
    base_version: int
    lock_token: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit(Command):
    edit_id: str
    edit: FieldEdit
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditBatch(Command):
    """All or nothing: an edit in it that would open a conflict refuses the whole."""

    edit_id: str
    edits: tuple[FieldEdit, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquireLock(Command):
    """``duration``: milliseconds of the lease."""

    record_id: str
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewLock(Command):
    record_id: str
    token: int
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLock(Command):
    record_id: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOverLock(Command):
    record_id: str
    reason: str
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireLock(Command):
    """``holder_gone``: end the lease early, because its holder's last connection has been gone for the grace time."""

    record_id: str
    token: int
    holder_gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve(Command):
    """``strategy``: keep_current | take_candidate (``edit_id``) | merge (``edit_id``) | custom (``value``)."""

    conflict_id: str
    strategy: str
    edit_id: str | None = None
    value: Any = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddComment(Command):
    text: str
    record_id: str | None = None
    parent_id: str | None = None
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveComment(Command):
    comment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo(Command):
    """``seq``: which of one's own edits; without it, the last one."""

    seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redo(Command):
    seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordImport(Command):
    """Records were added to the base. ``digest``: SHA-256 over what was imported: it ties the base to the log."""

    import_id: str
    source: str
    counts: Mapping[str, int]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseName(Command):
    """Nobody is to be told any more what the person was called: only their id stays. Of a session that ended, too."""

    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession(Command):
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireSession(Command):
    pass
