"""`Range: bytes=…` for bytes that are stored. Source: RFC 9110, section 14."""

import re
from collections.abc import AsyncIterator, Callable, Mapping

from starlette.responses import Response, StreamingResponse

from rota.protocol.problems import RangeNotSatisfiable

_DIGITS_MAX = 30  # no size has as many
_RANGE = re.compile(r"^bytes=([0-9]*)-([0-9]*)$")

Read = Callable[[int, int], AsyncIterator[bytes]]


def bytes_response(
    range_header: str | None, size_bytes: int, read: Read, headers: Mapping[str, str], media_type: str
) -> Response:
    """The bytes asked for: 200 whole, 206 a part. A malformed range is left out.

    Raises RangeNotSatisfiable where there is no such part.
    """
    common = {"Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff", **headers}
    found = _RANGE.match(range_header or "")
    first, last = (None, None) if found is None else (_number(found[1]), _number(found[2]))
    if (first is None and last is None) or (first is not None and last is not None and last < first):
        common["Content-Length"] = str(size_bytes)
        return StreamingResponse(read(0, size_bytes), 200, common, media_type=media_type)
    if first is None:
        start, end = max(0, size_bytes - (last or 0)), size_bytes
    else:
        start, end = first, size_bytes if last is None else min(size_bytes, last + 1)
    if start >= end:
        raise RangeNotSatisfiable(f"There are {size_bytes} bytes; the range begins behind them.", size_bytes)
    common |= {"Content-Range": f"bytes {start}-{end - 1}/{size_bytes}", "Content-Length": str(end - start)}
    return StreamingResponse(read(start, end), 206, common, media_type=media_type)


def _number(digits: str) -> int | None:
    """None where there are none; what is too long to be a size is as good as infinite."""
    digits = digits.lstrip("0") or digits[:1]
    return int(digits[:_DIGITS_MAX]) if digits else None
