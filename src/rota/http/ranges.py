"""`Range: bytes=…` for bytes that are stored. Source: RFC 9110, section 14."""

import re
from collections.abc import AsyncIterator, Callable, Mapping

from starlette.responses import Response, StreamingResponse

_RANGE = re.compile(r"^bytes=([0-9]{0,18})-([0-9]{0,18})$")

Read = Callable[[int, int], AsyncIterator[bytes]]


def bytes_response(
    range_header: str | None, size_bytes: int, read: Read, headers: Mapping[str, str], media_type: str
) -> Response:
    """The bytes asked for: 200 whole, 206 a part, 416 where there is no such part. A malformed range is left out."""
    common = {"Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff", **headers}
    found = _RANGE.match(range_header or "")
    if found is None or found[1] == found[2] == "":
        common["Content-Length"] = str(size_bytes)
        return StreamingResponse(read(0, size_bytes), 200, common, media_type=media_type)
    if found[1] == "":
        start, end = max(0, size_bytes - int(found[2])), size_bytes
    else:
        start, end = int(found[1]), size_bytes if found[2] == "" else min(size_bytes, int(found[2]) + 1)
    if start >= end or (found[1] == "" and found[2] == "0"):
        return Response(status_code=416, headers={**common, "Content-Range": f"bytes */{size_bytes}"})
    common |= {"Content-Range": f"bytes {start}-{end - 1}/{size_bytes}", "Content-Length": str(end - start)}
    return StreamingResponse(read(start, end), 206, common, media_type=media_type)
