"""Who visits: the token that they logged in with, in a cookie that no script can read; and forms that only we can make.

The cookie is sent to this server alone (`HttpOnly`, `SameSite=Strict`, `Secure` behind TLS). Nothing of a session is
kept on the server: a token that is revoked ends it at once.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from rota.http.routes import SESSION_COOKIE
from rota.protocol.problems import Forbidden, TooLarge

CSRF_FIELD = "csrf"
Form = Mapping[str, Sequence[str]]
"""A form's fields, each with all values that it was given."""
FORM_SIZE_BYTES_MAX = 256 * 1024
_FIELDS_MAX = 2000
_KEPT_S = 30 * 86400


def token_of(request: Request) -> str | None:
    """The visitor's token; None for one who has not logged in."""
    return request.cookies.get(SESSION_COOKIE) or None


def csrf_of(token: str | None) -> str:
    """What a form of this visitor's carries. Nobody who does not know the token can make it."""
    return hmac.new((token or "").encode(), b"rota: a form of this visitor's", hashlib.sha256).hexdigest()


def keep(response: Response, request: Request, token: str) -> None:
    """Log in."""
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=_KEPT_S,
        path="/",
        secure=is_behind_tls(request),
        httponly=True,
        samesite="strict",
    )


def forget(response: Response, request: Request) -> None:
    """Log out."""
    response.delete_cookie(SESSION_COOKIE, path="/", secure=is_behind_tls(request), httponly=True, samesite="strict")


def is_behind_tls(request: Request) -> bool:
    """Whether the visitor's browser speaks TLS, to us or to the proxy before us."""
    return "https" in {request.url.scheme, request.headers.get("x-forwarded-proto", "")}


async def form_of(request: Request) -> Form:
    """A form that one of our pages made for this visitor.

    Raises Forbidden where another site, or nobody knows who, made it; TooLarge.
    """
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden("This form was sent from another site.")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > FORM_SIZE_BYTES_MAX:
            raise TooLarge(f"The form is larger than {FORM_SIZE_BYTES_MAX} bytes.", limit_bytes=FORM_SIZE_BYTES_MAX)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise Forbidden("This form cannot be read.") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    given = fields.pop(CSRF_FIELD, [""])[0]
    if not hmac.compare_digest(given.encode(), csrf_of(token_of(request)).encode()):
        raise Forbidden("This form is from before you logged in. Load the page again, then send it.")
    return fields
