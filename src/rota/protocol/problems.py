"""Everything that can go wrong, one class a slug: raised by a participant, sent as RFC 9457, raised again.

Source: protocol.md, "Errors".
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

TYPE_PREFIX = "https://rota.dev/problems/"


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field of a request, and what to send instead."""

    field: str
    message: str


class Problem(Exception):
    """An answer that says no. `detail` is for people: what is wrong and what to do. It never holds a secret."""

    slug: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]

    def __init__(self, detail: str, **extra: Any) -> None:  # noqa: ANN401  (RFC 9457 extension members)
        super().__init__(detail)
        self.detail = detail
        self.extra = extra

    @property
    def retry_after_s(self) -> int | None:
        """Seconds after which a repeat makes sense; sent as `Retry-After`."""
        return None

    def body(self) -> dict[str, Any]:
        """The members of the problem document."""
        return {
            "type": TYPE_PREFIX + self.slug,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }


class InvalidRequest(Problem):
    """The request was understood and is not acceptable; `errors` names each field."""

    slug, status, title = "invalid-request", 422, "The request is not valid"

    def __init__(self, detail: str, errors: list[FieldError] | None = None, **extra: Any) -> None:  # noqa: ANN401
        super().__init__(detail, errors=errors or [], **extra)

    @classmethod
    def of(cls, field: str, message: str) -> "InvalidRequest":
        """The problem of one field."""
        return cls(f"{field}: {message}", [FieldError(field, message)])


class Unparsable(InvalidRequest):
    """The body cannot be parsed at all."""

    status, title = 400, "The request cannot be parsed"  # the same slug


class Unauthenticated(Problem):
    """No credential, or none that is good. The words are the same for every cause."""

    slug, status, title = "unauthenticated", 401, "A valid credential is needed"

    def __init__(self, detail: str = "The credential is missing, unknown, expired or revoked.") -> None:
        super().__init__(detail)


class Forbidden(Problem):
    """The credential is good, but not for this."""

    slug, status, title = "forbidden", 403, "Not allowed"


class NotFound(Problem):
    """There is no such thing, or the caller may not know of it."""

    slug, status, title = "not-found", 404, "Not found"


class MethodNotAllowed(Problem):
    """The path exists, the method does not."""

    slug, status, title = "method-not-allowed", 405, "Method not allowed"


class Conflict(Problem):
    """The present state does not allow it."""

    slug, status, title = "conflict", 409, "Conflict with the present state"


class Gone(Problem):
    """What was asked for is no longer kept; `oldest` is the id of the first event that is."""

    slug, status, title = "gone", 410, "No longer kept"

    def __init__(self, detail: str, oldest: str = "") -> None:
        super().__init__(detail, oldest=oldest)
        self.oldest = oldest


class LeaseLost(Problem):
    """The attempt is no longer the job's present one; nothing was changed."""

    slug, status, title = "lease-lost", 409, "The lease is lost"

    def __init__(self, detail: str = "This attempt is no longer the job's present one. Stop it and forget it.") -> None:
        super().__init__(detail)


class OffsetMismatch(Problem):
    """Bytes were sent for another offset than the stored one; `offset` is the right one."""

    slug, status, title = "offset-mismatch", 409, "The offset does not match"

    def __init__(self, detail: str, offset: int = 0) -> None:
        super().__init__(detail, offset=offset)
        self.offset = offset


class RangeNotSatisfiable(Problem):
    """A `Range` asks for bytes behind the last one; `size_bytes` is how many there are."""

    slug, status, title = "range-not-satisfiable", 416, "There is no such part"

    def __init__(self, detail: str, size_bytes: int = 0) -> None:
        super().__init__(detail, size_bytes=size_bytes)
        self.size_bytes = size_bytes


class DigestMismatch(Problem):
    """The bytes are not those that the digest was made of."""

    slug, status, title = "digest-mismatch", 422, "The digest does not match"


class TooLarge(Problem):
    """A limit was passed; `limit_bytes` says which."""

    slug, status, title = "too-large", 413, "Too large"


class UpgradeRequired(Problem):
    """The protocol version is not spoken here; `oldest` and `newest` give the range that is."""

    slug, status, title = "upgrade-required", 426, "This protocol version is not spoken here"


class RateLimited(Problem):
    """Too many requests."""

    slug, status, title = "rate-limited", 429, "Too many requests"

    def __init__(self, detail: str, retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self._retry_after_s = retry_after_s

    @property
    def retry_after_s(self) -> int | None:
        return self._retry_after_s


class Unavailable(Problem):
    """Not now: a participant that is needed is down, or the disk is full. Nothing was changed."""

    slug, status, title = "unavailable", 503, "Not available now"

    def __init__(self, detail: str, retry_after_s: int = 5) -> None:
        super().__init__(detail)
        self._retry_after_s = retry_after_s

    @property
    def retry_after_s(self) -> int | None:
        return self._retry_after_s


class Internal(Problem):
    """A fault of Rota's own. The log has the rest; the answer does not."""

    slug, status, title = "internal", 500, "Internal error"

    def __init__(self, detail: str = "The server met an error of its own. Its log has the details.") -> None:
        super().__init__(detail)


class Damaged(Problem):
    """Stored bytes are missing, or not those that were recorded: they are not given out."""

    slug, status, title = "damaged", 500, "Stored bytes are damaged"


_BY_SLUG: dict[str, type[Problem]] = {
    problem.slug: problem
    for problem in (
        InvalidRequest, Unauthenticated, Forbidden, NotFound, MethodNotAllowed, Conflict, Gone, LeaseLost,
        OffsetMismatch, RangeNotSatisfiable, DigestMismatch, TooLarge, UpgradeRequired, RateLimited, Unavailable,
        Internal, Damaged,
    )
}  # fmt: skip


def raised_again(body: Mapping[str, Any], retry_after_s: int | None = None) -> Problem:
    """The problem that another participant sent, as an exception here. An unknown type becomes `Internal`."""
    known = _BY_SLUG.get(str(body.get("type", "")).removeprefix(TYPE_PREFIX))
    detail = str(body.get("detail") or body.get("title") or "No detail was given.")
    if known is OffsetMismatch:
        return OffsetMismatch(detail, int(body.get("offset", 0)))
    if known is Gone:
        return Gone(detail, str(body.get("oldest", "")))
    if known is InvalidRequest:
        errors = [FieldError(str(e.get("field", "")), str(e.get("message", ""))) for e in body.get("errors", [])]
        return (Unparsable if body.get("status") == Unparsable.status else InvalidRequest)(detail, errors)
    if known is RateLimited or known is Unavailable:
        return known(detail, retry_after_s or 1)
    return (known or Internal)(detail)
