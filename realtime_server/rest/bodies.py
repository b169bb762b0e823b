"""Bodies: read within their bounds, written as JSON, compressed where that pays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.rest.refusals import HttpRefusal

#: Bytes below which compression costs more than it saves: about what fits into one packet.
_COMPRESS_FROM: Final = 1_024
#: Bytes above which it is done beside the event loop: about a millisecond's worth.
_COMPRESS_BESIDE: Final = 32_768


def json_response(body: Any, status: int = 200, media_type: str = "application/json") -> web.Response:
    return web.Response(body=to_json(body), status=status, content_type=media_type, zlib_executor_size=_COMPRESS_BESIDE)


def to_json(body: Any) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:
        # Half of a surrogate pair: the one thing that text may hold and UTF-8 cannot. Only a refusal quotes such text.
        return orjson.dumps(_printable(body))


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_printable(key): _printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(item) for item in value]
    return value


def compress(request: web.Request, response: web.StreamResponse) -> None:
    """Gzip for whoever takes it, for texts worth it."""
    response.headers.add(hdrs.VARY, hdrs.ACCEPT_ENCODING)
    body = getattr(response, "body", None)
    if not isinstance(body, bytes | bytearray) or len(body) < _COMPRESS_FROM:
        return
    if _takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")):
        response.enable_compression(web.ContentCoding.gzip)


def _takes_gzip(header: str) -> bool:
    """RFC 9110, 12.5.3: named, or meant by ``*``, and not with weight zero."""
    weights: dict[str, str] = {}
    for part in header.lower().split(","):
        coding, _, parameter = part.partition(";")
        weights[coding.strip()] = parameter.strip().removeprefix("q=").strip()
    weight = weights.get("gzip", weights.get("*", "0"))
    return weight.strip("0.") != "" or weight == ""


def too_large(limit: int) -> CollaborationError:
    return CollaborationError(ErrorCode.PAYLOAD_TOO_LARGE, f"the body is larger than {limit} bytes", {"maximum": limit})


async def read_body(request: web.Request, limit: int, timeout: float) -> bytes:
    """The whole body. Refused as `body_chunks` says."""
    return b"".join([chunk async for chunk in body_chunks(request, limit, timeout)])


async def body_chunks(request: web.Request, limit: int, timeout: float) -> AsyncIterator[bytes]:
    """The body as it comes. `payload_too_large` as soon as it is clear that it is.

    408 where it has not all come after ``timeout`` seconds: whoever sends a byte a minute must not hold a place.
    """
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        # aiohttp unpacks gzip without seeing whether the end is there: half a file would pass for a whole one.
        message = "send the body as it is, not compressed"
        raise HttpRefusal(415, ErrorCode.INVALID, message, None, {hdrs.ACCEPT_ENCODING: "identity"})
    if request.content_length is not None and request.content_length > limit:
        raise too_large(limit)
    deadline = asyncio.get_running_loop().time() + timeout
    size = 0
    try:
        while True:
            async with asyncio.timeout_at(deadline):
                chunk = await request.content.readany()
            if not chunk:
                return
            size += len(chunk)
            if size > limit:
                raise too_large(limit)
            yield chunk
    except TimeoutError:
        raise HttpRefusal(408, ErrorCode.INVALID, f"the body did not come within {timeout:g} seconds") from None
    except ConnectionResetError:
        # Nobody reads this answer; whoever asks how far an import is does.
        raise HttpRefusal(400, ErrorCode.INVALID, "the connection ended before the body did; send it again") from None
    except (HttpProcessingError, web.RequestPayloadError):
        raise HttpRefusal(400, ErrorCode.INVALID, "the body is not what its headers say") from None
