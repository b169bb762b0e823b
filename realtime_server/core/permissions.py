"""Which role may send which command. Checked on every command, with the role held at that moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from realtime_server.core import commands as c
from realtime_server.core import reconciliation_commands as r
from realtime_server.core.roles import Role

EVERYBODY: Final = frozenset(Role)
WORKERS: Final = frozenset({Role.PREPARER, Role.REVIEWER, Role.APPROVER, Role.ADMIN})
PREPARERS: Final = frozenset({Role.PREPARER, Role.ADMIN})
REVIEWERS: Final = frozenset({Role.REVIEWER, Role.APPROVER, Role.ADMIN})
#: Who decides how the sign-off goes: not those who prepare.
SIGNERS_ABOVE: Final = frozenset({Role.APPROVER, Role.ADMIN})
ADMINS: Final = frozenset({Role.ADMIN})
#: Who takes everything along at once: those who judge, and those who audit.
EXPORTERS: Final = frozenset({Role.AUDITOR, Role.REVIEWER, Role.APPROVER, Role.ADMIN})

#: Preparers change records; reviewers and approvers judge, and so never edit what they will sign.
PERMISSIONS: Final[Mapping[type[c.Command], frozenset[Role]]] = {
    c.CreateSession: frozenset({Role.PREPARER, Role.ADMIN}),
    c.Join: EVERYBODY,
    c.Edit: PREPARERS,
    c.EditBatch: PREPARERS,
    c.AcquireLock: WORKERS,
    c.RenewLock: WORKERS,
    c.ReleaseLock: WORKERS,
    c.TakeOverLock: REVIEWERS,
    c.ExpireLock: ADMINS,
    c.Resolve: REVIEWERS,
    c.AddComment: WORKERS,
    c.ResolveComment: WORKERS,
    c.Undo: PREPARERS,
    c.Redo: PREPARERS,
    c.RecordImport: PREPARERS,
    c.EraseName: ADMINS,
    c.EndSession: ADMINS,
    c.ExpireSession: ADMINS,
    r.ProposeMatches: ADMINS,
    r.ConfirmMatches: PREPARERS,
    r.RejectMatches: PREPARERS,
    r.MakeMatch: PREPARERS,
    r.RemoveMatches: PREPARERS,
    r.SplitMatch: PREPARERS,
    r.SetRecordStatus: PREPARERS,
    r.AssignRecords: WORKERS,
    r.SetRules: PREPARERS,
    r.StartRun: PREPARERS,
    r.PauseRun: WORKERS,
    r.ResumeRun: PREPARERS,
    r.CancelRun: PREPARERS,
    r.ReportProgress: ADMINS,
    r.CompleteRun: ADMINS,
    r.FailRun: ADMINS,
    r.Configure: SIGNERS_ABOVE,
    r.Submit: PREPARERS,
    r.Approve: REVIEWERS,
    r.RejectSubmission: REVIEWERS,
    r.Reopen: REVIEWERS,
    r.Certify: ADMINS,
}


def allowed(role: Role, command: type[c.Command]) -> bool:
    """Whether a role may send a command; a command without a row is nobody's."""
    return role in PERMISSIONS.get(command, frozenset())
