"""The HTTP interface as OpenAPI 3.1, from the declared operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from realtime_server.errors import ERROR_TABLE, ErrorCode
from realtime_server.rest.documents.components import CONTRACT_VERSION, OPENAPI_VERSION, Components, Json
from realtime_server.rest.documents.examples import example_of
from realtime_server.rest.operations import PREFIX, Operation
from realtime_server.rest.problems import MEDIA_TYPE
from schemas.common import CLIENT_ID
from schemas.rest_answers import Problem

TAGS: Final = {
    "sessions": "A session: one log in which a team works on one set of records.",
    "people": "Who is there.",
    "records": "What is worked on.",
    "imports": "How files are read.",
    "edits": "Setting fields.",
    "locks": "Leases on records.",
    "conflicts": "Fields on which people disagree.",
    "comments": "What people say about records.",
    "history": "The log: audit trail, earlier states, figures.",
    "reconciliation": "The matching run.",
    "notifications": "What concerns one, kept until one comes back.",
    "export": "The package that an auditor is given.",
}

_PATH_EXAMPLES: Final = {
    "session_id": "demo",
    "project_id": "demo",
    "source": "statement",
    "record_id": "ledger-000017",
    "user_id": "alice",
    "conflict_id": "conflict-43",
    "match_id": "match-57-0@ledger-000017",
    "progress_id": "upload-1",
}

#: Refusals that every operation can answer.
_ALWAYS: Final = (
    ErrorCode.UNAUTHENTICATED,
    ErrorCode.TOKEN_EXPIRED,
    ErrorCode.INVALID,
    ErrorCode.RATE_LIMITED,
    ErrorCode.INTERNAL,
    ErrorCode.OVERLOADED,
    ErrorCode.UNAVAILABLE,
)


_JSON_LINE: Final = (
    '{"external_id": "INV-17", "date": "2026-11-01", "amount": "10.50", "currency": "GBP", "description": "Rent"}\n'
)
_CSV: Final = "external_id,date,amount,currency,description\nINV-17,2026-11-01,10.50,GBP,Rent\n"
_OFX: Final = (
    "<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>GBP<BANKTRANLIST><STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20261101"
    "<TRNAMT>10.50<FITID>17<NAME>Rent</STMTTRN></BANKTRANLIST></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\n"
)
_CAMT: Final = (
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt><Ntry><Amt Ccy="GBP">10.50'
    "</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-01</Dt></BookgDt><AcctSvcrRef>17"
    "</AcctSvcrRef></Ntry></Stmt></BkToCstmrStmt></Document>\n"
)
_FILES: Final = {
    **dict.fromkeys(("text/csv", "text/plain", "application/octet-stream"), _CSV),
    **dict.fromkeys(("application/xml", "text/xml"), _CAMT),
    **dict.fromkeys(("application/x-ofx", "application/vnd.intu.qfx"), _OFX),
    "application/x-ndjson": _JSON_LINE,
    "application/jsonl": _JSON_LINE,
}


def openapi(operations: Sequence[Operation]) -> Json:
    components = Components()
    problem = components.ref(Problem)
    paths: dict[str, Json] = {}
    for operation in operations:
        described = _operation(operation, components)
        paths.setdefault(f"{PREFIX}{operation.path}", {})[operation.method.lower()] = described
    used = dict.fromkeys(operation.tag for operation in operations)
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": "Collaboration over HTTP",
            "version": CONTRACT_VERSION,
            "description": "The same commands, permissions and codes as the Socket.IO namespace, for services that "
            "speak HTTP. Every refusal is a problem (RFC 9457) with a stable `code`.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": name, "description": TAGS[name]} for name in used],
        "paths": paths,
        "x-errors": [
            {"code": code.value, "title": row.title, "status": row.http_status, "retryable": row.retryable}
            for code, row in ERROR_TABLE.items()
        ],
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A JSON Web Token that names the projects of its bearer, and the role in each.",
                }
            },
            "responses": {
                "Problem": {"description": "A refusal.", "content": {MEDIA_TYPE: {"schema": problem}}},
            },
            "schemas": components.schemas(),
        },
    }


def _operation(operation: Operation, components: Components) -> Json:
    described: Json = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _description(operation),
        "parameters": _parameters(operation, components),
        "responses": _responses(operation, components),
    }
    if operation.media != ("application/json",):
        content: Json = {media: {"schema": {"type": "string"}, "example": _FILES[media]} for media in operation.media}
        described["requestBody"] = {"required": True, "content": content}
    if operation.body is not None:
        schema = components.ref(operation.body)
        example = example_of(operation.body)
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {media: {"schema": schema, "example": example} for media in operation.media},
        }
    return described


def _description(operation: Operation) -> str:
    if operation.roles is None:
        who = "Every member of the project may."
    else:
        who = f"Roles that may: {', '.join(sorted(operation.roles))}."
    return f"{operation.description} {who}".strip()


def _parameters(operation: Operation, components: Components) -> list[Json]:
    found: list[Json] = [
        {
            "in": "path",
            "name": name,
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": 200},
            "example": _PATH_EXAMPLES[name],
        }
        for name in operation.parameters
    ]
    if operation.query is not None:
        found += components.parameters(operation.query)
    if operation.keyed:
        found.append(
            _header(
                "Idempotency-Key",
                "Chosen by the client: the same request again, with the same key, is answered as it was the first "
                "time, and done once.",
                {"type": "string", "pattern": f"^(?:{CLIENT_ID})$"},
            )
        )
    if operation.conditional:
        name, text = ("If-None-Match", "304 when the version is still this one.")
        if operation.method != "GET":
            name, text = ("If-Match", "412 when the record has another version.")
        found.append(_header(name, text, {"type": "string"}))
    return found


def _header(name: str, description: str, schema: Json) -> Json:
    return {"in": "header", "name": name, "required": False, "description": description, "schema": schema}


def _responses(operation: Operation, components: Components) -> Json:
    headers: Json = {"X-Request-ID": {"schema": {"type": "string"}, "description": "Names the request in the log."}}
    if operation.conditional and operation.method == "GET":
        headers["ETag"] = {"schema": {"type": "string"}, "description": "The version."}
    if operation.status == 201 and operation.method == "POST" and operation.name == "create_session":
        headers["Location"] = {"schema": {"type": "string"}, "description": "Where the new session is."}
    found: Json = {
        str(operation.status): {
            "description": "Done.",
            "headers": headers,
            "content": _content(operation, components),
        }
    }
    if "ETag" in headers:
        found["304"] = {"description": "The version is still the one in `If-None-Match`."}
    for status, reasons in sorted(_refusals(operation).items()):
        found[str(status)] = {
            "description": " ".join(f"`{code.value}`: {text}." for code, text in reasons),
            "content": {MEDIA_TYPE: {"schema": components.ref(Problem)}},
        }
        if any(ERROR_TABLE[code].retryable for code, _ in reasons):
            found[str(status)]["headers"] = {
                "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds until trying again can help."}
            }
    return found


def _content(operation: Operation, components: Components) -> Json:
    files: Json = {media: {"schema": {"type": "string"}} for media in operation.produces if media != "application/json"}
    if operation.produces and "application/json" not in operation.produces:
        return files
    return {"application/json": {"schema": components.ref(operation.answer)}, **files}


def _refusals(operation: Operation) -> dict[int, list[tuple[ErrorCode, str]]]:
    codes = [*_ALWAYS, *operation.refusals]
    if operation.parameters or operation.name == "create_session":
        codes.append(ErrorCode.NOT_FOUND)
    if operation.roles is not None:
        codes.append(ErrorCode.FORBIDDEN)
    if operation.takes_body:
        codes.append(ErrorCode.PAYLOAD_TOO_LARGE)
    found: dict[int, list[tuple[ErrorCode, str]]] = {}
    for code in dict.fromkeys(codes):
        found.setdefault(ERROR_TABLE[code].http_status, []).append((code, ERROR_TABLE[code].title))
    if operation.takes_body:
        found[400] = [(ErrorCode.INVALID, "The body is not JSON")]
        found[408] = [(ErrorCode.INVALID, "The body did not come in time")]
        found[415] = [(ErrorCode.INVALID, f"The body is not {' or '.join(operation.media)}")]
    if operation.conditional and operation.method != "GET":
        found[412] = [(ErrorCode.VERSION_STALE, "The record has another version than `If-Match` names")]
    return found
