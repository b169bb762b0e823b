"""How a project's CSVs are read: shown, settled, forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from realtime_server.core import commands as c
from realtime_server.core.clock import to_iso
from realtime_server.core.permissions import PERMISSIONS
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import SavedMapping
from realtime_server.reconciliation.saved_mappings import check_reading
from realtime_server.rest.operations import Answer, Call, Operation, operation
from schemas import rest_answers as answers
from schemas import rest_requests as requests

MAPPING: Final = "/collaboration/projects/{project_id}/import-mappings/{source}"


def _place(call: Call, *, changes: bool) -> tuple[str, str]:
    """The project and the side in the path. `not_found` for a project that the token does not name."""
    project_id, source = call.path["project_id"], call.path["source"]
    role = call.identity.roles.get(project_id)
    if role is None:
        raise CollaborationError(ErrorCode.NOT_FOUND, f"there is no project {project_id}")
    if source not in requests.SOURCES:
        raise CollaborationError(ErrorCode.NOT_FOUND, f"a side is one of {', '.join(requests.SOURCES)}")
    if changes and role not in PERMISSIONS[c.RecordImport]:
        raise CollaborationError(ErrorCode.FORBIDDEN, "whoever may import settles how files are read")
    return project_id, source


@operation("GET", MAPPING, tag="imports", answer=answers.ImportMapping)
async def get_import_mapping(call: Call) -> Answer:
    """Show how a project's CSVs of one side are read."""
    project_id, source = _place(call, changes=False)
    saved = await call.services.mappings.load(project_id, source)
    if saved is None:
        raise CollaborationError(ErrorCode.NOT_FOUND, f"project {project_id} has no mapping for its {source}")
    return Answer(_view(project_id, source, saved))


@operation("PUT", MAPPING, tag="imports", body=requests.ReadAs, answer=answers.ImportMapping, command=c.RecordImport)
async def put_import_mapping(call: Call) -> Answer:
    """Settle how a project's CSVs of one side are read.

    From now on imports read so every CSV that has all the columns which this names; other files are read as if there
    were no mapping. What an import says itself goes before it.
    """
    project_id, source = _place(call, changes=True)
    saved = await save_mapping(call, project_id, source, checked_reading(call.body))
    return Answer(_view(project_id, source, saved))


@operation("DELETE", MAPPING, tag="imports", answer=answers.ImportMappingForgotten, command=c.RecordImport)
async def delete_import_mapping(call: Call) -> Answer:
    """Forget how a project's CSVs of one side are read."""
    project_id, source = _place(call, changes=True)
    return Answer({"forgotten": await call.services.mappings.delete(project_id, source)})


async def save_mapping(call: Call, project_id: str, source: str, reading: Mapping[str, Any]) -> SavedMapping:
    """Keep it, in the name of whoever asks."""
    saved = SavedMapping(reading, call.identity.user_id, call.services.clock())
    await call.services.mappings.save(project_id, source, saved)
    return saved


def checked_reading(reading: Mapping[str, Any]) -> Mapping[str, Any]:
    """A mapping that can be saved; `invalid` otherwise."""
    try:
        return check_reading(reading)
    except ValueError as error:
        raise CollaborationError(ErrorCode.INVALID, str(error)) from None


def _view(project_id: str, source: str, saved: SavedMapping) -> dict[str, Any]:
    return {
        **saved.reading,
        "project_id": project_id,
        "source": source,
        "saved_by": saved.saved_by,
        "saved_at": to_iso(saved.saved_at),
    }


OPERATIONS: Final[tuple[Operation, ...]] = (get_import_mapping, put_import_mapping, delete_import_mapping)
