"""What changes records: edits, locks, comments. Each is the command that the socket sends, with the same answer."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

from aiohttp import hdrs

from realtime_server.core import commands as c
from realtime_server.core.locks import lease_duration
from realtime_server.core.state import RecordState, SessionState
from realtime_server.errors import ErrorCode
from realtime_server.rest.commands import command_id, submit
from realtime_server.rest.operations import Answer, Call, Operation, operation
from realtime_server.rest.records import RECORD, load_record
from realtime_server.rest.refusals import HttpRefusal, invalid
from realtime_server.rest.sessions import SESSION
from schemas import rest_answers as answers
from schemas import rest_requests as requests

_LOCK_REFUSALS: Final = (ErrorCode.SESSION_ENDED, ErrorCode.LOCKED, ErrorCode.LOCK_LOST, ErrorCode.LOCK_NOT_HELD)
_EDIT_REFUSALS: Final = (
    ErrorCode.SESSION_ENDED,
    ErrorCode.LOCKED,
    ErrorCode.LOCK_LOST,
    ErrorCode.VERSION_UNKNOWN,
    ErrorCode.VERSION_STALE,
    ErrorCode.FROZEN,
)


@operation(
    "POST",
    f"{RECORD}/edit",
    tag="edits",
    body=requests.EditBody,
    answer=answers.EditDone,
    command=c.Edit,
    keyed=True,
    conditional=True,
    refusals=_EDIT_REFUSALS,
)
async def edit_record(call: Call) -> Answer:
    """Set one field of a record.

    `base_version` is the version of the field that the author saw. When the field has moved on since, its policy says
    what becomes of the edit, as over the socket: `applied`, `merged`, `unchanged`, or kept as the candidate of a
    `conflict`. With `If-Match` the edit is refused (412) when the record has changed at all, and `base_version` may be
    left out. `Idempotency-Key` is the `edit_id`: sent again, the edit is answered as it was the first time.
    """
    body = call.body
    edit_id = _edit_id(call)
    state = await call.session()
    base_version = body.get("base_version")
    if hdrs.IF_MATCH in call.request.headers:
        matched = await _matched(call, c.command_id_of(call.identity.user_id, edit_id))
        base_version = matched if base_version is None else base_version
    if base_version is None:
        raise invalid({"base_version": ["Missing data for required field."]}, "the body is not valid")
    command = c.Edit(
        actor=call.actor(state.project_id),
        command_id=c.command_id_of(call.identity.user_id, edit_id),
        edit_id=edit_id,
        edit=c.FieldEdit(
            record_id=call.path["record_id"],
            field_name=body["field_name"],
            new_value=body["new_value"],
            base_version=base_version,
            lock_token=body.get("lock_token"),
        ),
        reason=body.get("edit_reason"),
    )
    return await submit(call, state.session_id, command)


def _edit_id(call: Call) -> str:
    named: str | None = call.body.get("edit_id")
    if named is not None and call.key is not None and named != call.key:
        raise invalid({"edit_id": ["Is not the same as the header Idempotency-Key."]}, "the edit has two ids")
    return named or call.key or uuid4().hex


async def _matched(call: Call, command_id: str) -> int:
    """The record's version, which ``If-Match`` names: 412 otherwise. An edit that was done already is not held up."""
    state, record = await load_record(call)
    wanted = {etag.value for etag in call.request.if_match or () if not etag.is_weak}
    if "*" in wanted or str(record.seq) in wanted:
        return record.seq
    if await call.services.log.find(state.session_id, {command_id}):
        return 0
    raise _precondition_failed(state, record)


def _precondition_failed(state: SessionState, record: RecordState) -> HttpRefusal:
    return HttpRefusal(
        412,
        ErrorCode.VERSION_STALE,
        f"record {record.record_id} is at version {record.seq}",
        {"record_id": record.record_id, "version": record.seq, "seq": state.seq},
        {hdrs.ETAG: f'"{record.seq}"'},
    )


@operation(
    "POST",
    f"{SESSION}/edits",
    tag="edits",
    body=requests.EditBatchBody,
    answer=answers.EditBatchDone,
    command=c.EditBatch,
    keyed=True,
    refusals=_EDIT_REFUSALS,
)
async def edit_records(call: Call) -> Answer:
    """Set several fields, all or none.

    One commit. An edit that would open a conflict refuses the whole; `details.index` says which.
    """
    state = await call.session()
    edit_id = _edit_id(call)
    command = c.EditBatch(
        actor=call.actor(state.project_id),
        command_id=c.command_id_of(call.identity.user_id, edit_id),
        edit_id=edit_id,
        edits=tuple(
            c.FieldEdit(
                record_id=item["record_id"],
                field_name=item["field_name"],
                new_value=item["new_value"],
                base_version=item["base_version"],
                lock_token=item.get("lock_token"),
            )
            for item in call.body["edits"]
        ),
        reason=call.body.get("edit_reason"),
    )
    return await submit(call, state.session_id, command)


def _lease(call: Call) -> int:
    return lease_duration(call.body.get("ttl"), call.config.lock_timeout)


async def _send(call: Call, kind: type[c.Command], verb: str, **members: Any) -> Answer:
    """A command about the record in the path."""
    state = await call.session()
    command = kind(
        actor=call.actor(state.project_id),
        command_id=command_id(call, verb),
        **members,
    )
    return await submit(call, state.session_id, command)


@operation(
    "POST",
    f"{RECORD}/lock",
    tag="locks",
    body=requests.LockBody,
    body_required=False,
    answer=answers.LockGranted,
    command=c.AcquireLock,
    keyed=True,
    refusals=_LOCK_REFUSALS,
)
async def lock_record(call: Call) -> Answer:
    """Take a lease on a record.

    Everybody in the session sees it at once. `token` is a fencing token: an edit that names it is refused once the
    lease is gone. Whoever holds the lock already renews it.
    """
    return await _send(call, c.AcquireLock, "lock", record_id=call.path["record_id"], duration=_lease(call))


@operation(
    "POST",
    f"{RECORD}/renew",
    tag="locks",
    body=requests.RenewBody,
    answer=answers.LockGranted,
    command=c.RenewLock,
    keyed=True,
    refusals=_LOCK_REFUSALS,
)
async def renew_lock(call: Call) -> Answer:
    """Prolong one's own lease."""
    return await _send(
        call, c.RenewLock, "renew", record_id=call.path["record_id"], token=call.body["token"], duration=_lease(call)
    )


@operation(
    "POST",
    f"{RECORD}/unlock",
    tag="locks",
    body=requests.UnlockBody,
    answer=answers.LockReturned,
    command=c.ReleaseLock,
    keyed=True,
    refusals=_LOCK_REFUSALS,
)
async def unlock_record(call: Call) -> Answer:
    """Give a lease back."""
    return await _send(call, c.ReleaseLock, "unlock", record_id=call.path["record_id"], token=call.body["token"])


@operation(
    "POST",
    f"{RECORD}/takeover",
    tag="locks",
    body=requests.TakeOverBody,
    answer=answers.LockGranted,
    command=c.TakeOverLock,
    keyed=True,
    refusals=(*_LOCK_REFUSALS, ErrorCode.REASON_REQUIRED),
)
async def take_over_lock(call: Call) -> Answer:
    """Take somebody else's lock.

    The reason goes into the audit trail, and everybody in the session sees it.
    """
    return await _send(
        call,
        c.TakeOverLock,
        "takeover",
        record_id=call.path["record_id"],
        reason=call.body["reason"],
        duration=lease_duration(None, call.config.lock_timeout),
    )


@operation(
    "POST",
    f"{SESSION}/comments",
    tag="comments",
    body=requests.CommentBody,
    answer=answers.CommentMade,
    status=201,
    command=c.AddComment,
    keyed=True,
    refusals=(ErrorCode.SESSION_ENDED,),
)
async def add_comment(call: Call) -> Answer:
    """Comment on the session, on a record, or on a comment."""
    state = await call.session()
    command = c.AddComment(
        actor=call.actor(state.project_id),
        command_id=command_id(call, "comment"),
        text=call.body["text"],
        record_id=call.body.get("record_id"),
        parent_id=call.body.get("parent_id"),
        mentions=tuple(call.body.get("mentions", ())),
    )
    return await submit(call, state.session_id, command, 201)


OPERATIONS: Final[tuple[Operation, ...]] = (
    edit_record,
    edit_records,
    lock_record,
    renew_lock,
    unlock_record,
    take_over_lock,
    add_comment,
)
