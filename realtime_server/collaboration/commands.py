"""Events that the engine decides: requests as commands, and nothing else."""

from __future__ import annotations

from typing import Final

from realtime_server.collaboration.declarations import Call, CommandHandler, Registry, Request, permission
from realtime_server.core import commands as c
from realtime_server.core.locks import lease_duration
from schemas import requests

COMMANDS: Final[Registry[CommandHandler]] = Registry()


@COMMANDS.declare("edit", requests.Edit, permission(c.Edit))
def edit(call: Call, request: Request) -> c.Command:
    return c.Edit(
        actor=call.actor,
        command_id=call.command_id(request["edit_id"]),
        edit_id=request["edit_id"],
        edit=_field_edit(request),
        reason=request.get("edit_reason"),
    )


@COMMANDS.declare("edit_batch", requests.EditBatch, permission(c.EditBatch))
def edit_batch(call: Call, request: Request) -> c.Command:
    return c.EditBatch(
        actor=call.actor,
        command_id=call.command_id(request["edit_id"]),
        edit_id=request["edit_id"],
        edits=tuple(_field_edit(item) for item in request["edits"]),
        reason=request.get("edit_reason"),
    )


def _field_edit(request: Request) -> c.FieldEdit:
    return c.FieldEdit(
        record_id=request["record_id"],
        field_name=request["field_name"],
        new_value=request["new_value"],
        base_version=request["base_version"],
        lock_token=request.get("lock_token"),
    )


@COMMANDS.declare("lock", requests.Lock, permission(c.AcquireLock))
def lock(call: Call, request: Request) -> c.Command:
    return c.AcquireLock(
        actor=call.actor,
        command_id=call.command_id(request.get("request_id")),
        record_id=request["record_id"],
        duration=_duration(call, request),
    )


@COMMANDS.declare("renew", requests.Renew, permission(c.RenewLock))
def renew(call: Call, request: Request) -> c.Command:
    return c.RenewLock(
        actor=call.actor,
        command_id=call.command_id(request.get("request_id")),
        record_id=request["record_id"],
        token=request["token"],
        duration=_duration(call, request),
    )


@COMMANDS.declare("unlock", requests.Unlock, permission(c.ReleaseLock))
def unlock(call: Call, request: Request) -> c.Command:
    return c.ReleaseLock(
        actor=call.actor,
        command_id=call.command_id(request.get("request_id")),
        record_id=request["record_id"],
        token=request["token"],
    )


@COMMANDS.declare("takeover", requests.TakeOver, permission(c.TakeOverLock))
def takeover(call: Call, request: Request) -> c.Command:
    return c.TakeOverLock(
        actor=call.actor,
        command_id=call.command_id(request.get("request_id")),
        record_id=request["record_id"],
        reason=request["reason"],
        duration=_duration(call, request),
    )


def _duration(call: Call, request: Request) -> int:
    return lease_duration(request.get("ttl"), call.config.lock_timeout)


@COMMANDS.declare("resolve", requests.Resolve, permission(c.Resolve))
def resolve(call: Call, request: Request) -> c.Command:
    return c.Resolve(
        actor=call.actor,
        command_id=call.command_id(request.get("request_id")),
        conflict_id=request["conflict_id"],
        strategy=request["strategy"],
        edit_id=request.get("edit_id"),
        value=request.get("value"),
        reason=request.get("reason"),
    )


@COMMANDS.declare("comment", requests.Comment, permission(c.AddComment))
def comment(call: Call, request: Request) -> c.Command:
    return c.AddComment(
        actor=call.actor,
        command_id=call.command_id(request.get("request_id")),
        text=request["text"],
        record_id=request.get("record_id"),
        parent_id=request.get("parent_id"),
        mentions=tuple(request.get("mentions", ())),
    )


@COMMANDS.declare("resolve_comment", requests.ResolveComment, permission(c.ResolveComment))
def resolve_comment(call: Call, request: Request) -> c.Command:
    return c.ResolveComment(
        actor=call.actor, command_id=call.command_id(request.get("request_id")), comment_id=request["comment_id"]
    )


@COMMANDS.declare("undo", requests.Undo, permission(c.Undo))
def undo(call: Call, request: Request) -> c.Command:
    return c.Undo(actor=call.actor, command_id=call.command_id(request.get("request_id")), seq=request.get("seq"))


@COMMANDS.declare("redo", requests.Redo, permission(c.Redo))
def redo(call: Call, request: Request) -> c.Command:
    return c.Redo(actor=call.actor, command_id=call.command_id(request.get("request_id")), seq=request.get("seq"))
