"""How messages look on the wire: JSON, times, digests. Strict in what a server takes, tolerant in what a client reads.

A struct that only servers read is a `Request` (an unknown field is refused); one that clients read is an `Answer`
(an unknown field is ignored). Source: protocol.md, opening.
"""

import base64
import binascii
import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, NewType, TypeVar

import msgspec

from rota.protocol.problems import InvalidRequest, Unparsable
from rota.protocol.wording import invalid, unparsable

T = TypeVar("T")

Timestamp = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$(?!\n)",
        description="a moment such as 2026-11-23T12:00:00.000000Z (RFC 3339)",
        extra_json_schema={"format": "date-time"},
    ),
]
"""RFC 3339; what Rota itself writes is UTC with microseconds, so that it sorts as text."""

Sha256 = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)", description="64 hexadecimal digits in lower case")
]
Size = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Base64 = NewType("Base64", str)

INLINE_SIZE_BYTES_MAX = 64 * 1024
"""What is at most this long may travel inside jobFinished. Source: protocol.md, "jobFinished"."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a server reads: an unknown field is refused with 422."""


class Answer(msgspec.Struct, frozen=True):
    """What a client reads: an unknown field is ignored."""


_encode = msgspec.json.Encoder().encode


def encode(message: object) -> bytes:
    """JSON in UTF-8."""
    return _encode(message)


# Any type that msgspec can decode; a decoder is made once for each.
_decoder: Callable[[Any], msgspec.json.Decoder[Any]] = functools.lru_cache(maxsize=256)(msgspec.json.Decoder)


def read_answer(body: bytes, kind: type[T]) -> T:
    """What another participant answered.

    Raises msgspec.DecodeError where it is not such a message (garbage, a proxy's page, a cut body).
    """
    answer: T = _decoder(kind).decode(body)
    return answer


def unknown_word(error: msgspec.DecodeError) -> str | None:
    """The word of a newer peer that is none of those known here, and where it stands; None: it is something else.

    It is never guessed what such a word may mean. Source: guarantees.md, G14.
    """
    found = _UNKNOWN_WORD.match(str(error))
    return None if found is None else f"`{found[2]}` as {(found[3] or 'the answer').removeprefix('$.')}"


def read_request(body: bytes, kind: type[T], later: dict[str, str] | None = None) -> T:
    """What a caller sent, checked. `later` names fields that are known but not built yet, with what to do instead.

    Raises Unparsable (400) where it is no JSON, InvalidRequest (422) with the field's name where it does not fit.
    """
    try:
        request: T = _decoder(kind).decode(body)
    except msgspec.ValidationError as error:
        raise invalid(str(error), kind, later or {}, body) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unparsable(f"The body is not JSON in UTF-8: {unparsable(error, body)}") from None
    except RecursionError:
        raise Unparsable("The body is nested too deeply.") from None
    return request


_OFFSET = re.compile(r"^[0-9]{1,18}$")
_UNKNOWN_WORD = re.compile(r"Invalid enum value (['\"]?)(.*?)\1(?: - at `(.*)`)?$", re.DOTALL)


def parse_offset(text: str | None, field: str) -> int:
    """A byte offset out of a header. Raises InvalidRequest naming `field`."""
    if text is None or _OFFSET.match(text) is None:
        raise InvalidRequest.of(field, "is a header with a byte offset, such as 0")
    return int(text)


def timestamp(at: datetime) -> str:
    """`2026-11-23T12:00:00.000000Z`."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def parse_timestamp(text: str) -> datetime:
    """The moment that an RFC 3339 text names. Raises ValueError where there is no such moment."""
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


def to_base64(content: bytes) -> Base64:
    """RFC 4648, section 4."""
    return Base64(base64.b64encode(content).decode("ascii"))


def from_base64(text: str, field: str) -> bytes:
    """The bytes. Raises InvalidRequest naming `field` where the text is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest.of(field, "is not base64 (RFC 4648)") from None
