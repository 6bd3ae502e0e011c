"""A participant's routes: each says who may call it, what it takes and what it gives; `/openapi.json` says the same."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from rota.protocol.enrol import PROTOCOL_VERSION
from rota.protocol.environment import Caller, CallerKind
from rota.protocol.ids import Incarnation
from rota.protocol.placement import WorkerFacts
from rota.protocol.problems import (
    Forbidden,
    InvalidRequest,
    MethodNotAllowed,
    Problem,
    RangeNotSatisfiable,
    TooLarge,
    Unauthenticated,
    UpgradeRequired,
)  # fmt: skip
from rota.protocol.wire import encode, read_request

T = TypeVar("T")

BODY_SIZE_BYTES_MAX = 64 * 1024 * 1024
"""The largest JSON body; bytes of logs and artifacts have limits of their own."""
_NOTHING = frozenset({b"", b"{}"})
_NOTHING_SIZE_BYTES_MAX = 64 * 1024
LATEST_INCARNATION = Incarnation("")
"""The incarnation of a worker that names none: one for ever. Source: protocol.md, "Worker's side"."""

_INCARNATION_LENGTH_MAX = 200

Recognise = Callable[[str | None], Awaitable[Caller]]

PEOPLE = frozenset({CallerKind.ADMIN, CallerKind.SUBMIT, CallerKind.VIEW})
SUBMITTERS = frozenset({CallerKind.ADMIN, CallerKind.SUBMIT})
ADMINS = frozenset({CallerKind.ADMIN})
WORKERS = frozenset({CallerKind.WORKER})
SERVICES = frozenset({CallerKind.SERVICE})
ANYBODY: frozenset[CallerKind] = frozenset()

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
"""Those that are looked at; which of them a path has, its endpoints say."""


class Call:
    """One request: its caller recognised, its parts read on demand, each checked when it is read."""

    def __init__(self, request: Request, caller: Caller | None) -> None:
        self.request = request
        self._caller = caller

    @property
    def caller(self) -> Caller:
        """Who calls. Raises Unauthenticated where the route is open to anybody."""
        if self._caller is None:
            raise Unauthenticated
        return self._caller

    @property
    def worker(self) -> WorkerFacts:
        """The worker that calls. Raises Forbidden where it is not one."""
        if self.caller.worker is None:
            raise Forbidden("Only a worker may do this.")
        return self.caller.worker

    @property
    def incarnation(self) -> Incarnation:
        """Which start of the worker this is. Raises InvalidRequest where it is longer than a name may be."""
        given = self.request.headers.get("rota-incarnation", LATEST_INCARNATION)
        if len(given) > _INCARNATION_LENGTH_MAX:
            raise InvalidRequest.of("Rota-Incarnation", f"has at most {_INCARNATION_LENGTH_MAX} characters")
        return Incarnation(given)

    def part(self, name: str) -> str:
        """A variable part of the path."""
        return str(self.request.path_params[name])

    def query(self, *names: str) -> dict[str, str]:
        """The query's parameters. Raises InvalidRequest for one that is not in `names`, or given twice."""
        if not self.request.scope["query_string"]:
            return {}
        given = self.request.query_params
        for name, _ in given.multi_items():
            if name not in names:
                known = f"; known: {', '.join(names)}" if names else ""
                raise InvalidRequest.of(name, f"is not a parameter of this call{known}")
            if len(given.getlist(name)) > 1 and name != "tag":
                raise InvalidRequest.of(name, "is given twice")
        return dict(given)

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """A parameter of the query as a number. Raises InvalidRequest outside of the limits."""
        text = self.request.query_params.get(name)
        try:
            value = default if text is None else float(text)
        except ValueError:
            raise InvalidRequest.of(name, f"`{text}` is not a number") from None
        if not least <= value <= most:
            raise InvalidRequest.of(name, f"must be from {least:g} to {most:g}")
        return value

    def count(self, name: str, default: int, least: int, most: int) -> int:
        """A parameter of the query as a whole number. Raises InvalidRequest outside of the limits."""
        text = self.request.query_params.get(name)
        if text is None:
            return default
        if _WHOLE.match(text) is None:
            raise InvalidRequest.of(name, f"`{text[:50]}` is not a whole number")
        if not least <= int(text) <= most:
            raise InvalidRequest.of(name, f"must be from {least} to {most}")
        return int(text)

    async def bytes(self, size_bytes_max: int = BODY_SIZE_BYTES_MAX) -> bytes:
        """The whole body. Raises TooLarge before it is held in memory."""
        if int(self.request.headers.get("content-length") or 0) > size_bytes_max:
            raise _too_large(size_bytes_max)
        pieces: list[bytes] = []
        size = 0
        async for piece in self.request.stream():
            size += len(piece)
            if size > size_bytes_max:
                raise _too_large(size_bytes_max)
            pieces.append(piece)
        return b"".join(pieces)

    async def body(self, kind: type[T], later: dict[str, str] | None = None) -> T:
        """The body as a message. Raises Unparsable, InvalidRequest, TooLarge."""
        return read_request(await self.bytes(), kind, later)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes.", limit_bytes=limit)


Answered = msgspec.Struct | Response | None
Handler = Callable[[Call], Awaitable[Answered]]


@dataclass(frozen=True)
class Endpoint:
    """One method of one path. An `answer` of None is 204; `who` empty is open to anybody."""

    method: str
    path: str
    handler: Handler
    summary: str
    who: frozenset[CallerKind] = ANYBODY
    takes: Any = None
    gives: Any = None
    status: int = 200
    queries: Mapping[str, str] = field(default_factory=dict)


class _AnyPath(PathConvertor):
    """A file's name may hold a line break; Starlette's own `.*` stops there."""

    regex = "(?s:.*)"


register_url_convertor("path", _AnyPath())


def routes(endpoints: Iterable[Endpoint], recognise: Recognise) -> list[Route]:
    """Starlette's routes; a path's methods together, so that another method is answered with 405."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return [Route(path, _dispatcher(methods, recognise), methods=METHODS) for path, methods in by_path.items()]


def _dispatcher(methods: dict[str, Endpoint], recognise: Recognise) -> Callable[[Request], Awaitable[Response]]:
    async def dispatch(request: Request) -> Response:
        endpoint = methods.get(request.method) or (methods.get("GET") if request.method == "HEAD" else None)
        try:
            if endpoint is None:
                allowed = ", ".join(sorted(methods))
                raise MethodNotAllowed(f"{request.method} is not possible here; possible: {allowed}.", allow=allowed)
            return await _answer(endpoint, request, recognise)
        except Problem as problem:
            return problem_response(problem)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody is there to read it

    return dispatch


async def _answer(endpoint: Endpoint, request: Request, recognise: Recognise) -> Response:
    _check_version(request)
    caller = None
    if endpoint.who:
        caller = await recognise(request.headers.get("authorization") or _of_session(request))
        if caller.kind not in endpoint.who:
            raise Forbidden(f"A credential of the kind `{caller.kind}` may not do this.")
    call = Call(request, caller)
    _check_path_text(request)
    call.query(*endpoint.queries)
    if (
        endpoint.takes is None
        and request.method == "POST"
        and await call.bytes(_NOTHING_SIZE_BYTES_MAX) not in _NOTHING
    ):
        raise InvalidRequest.of("body", "this call takes none; leave it out")
    answered = await endpoint.handler(call)
    if isinstance(answered, Response):
        return answered
    if answered is None:
        return Response(status_code=204)
    return json_response(answered, endpoint.status)


SESSION_COOKIE = "rota_session"


def _of_session(request: Request) -> str | None:
    """The token of somebody who is logged in on the pages: it opens what only reads, which no other site can misuse."""
    token = request.cookies.get(SESSION_COOKIE)
    return f"Bearer {token}" if token and request.method in {"GET", "HEAD"} else None


def json_response(message: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A message as an answer."""
    return Response(encode(message), status, headers, media_type="application/json")


def problem_response(problem: Problem) -> Response:
    """A problem as an answer (RFC 9457)."""
    headers: dict[str, str] = {}
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    if isinstance(problem, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="rota"'
    if isinstance(problem, MethodNotAllowed):
        headers["Allow"] = problem.extra["allow"]
    if isinstance(problem, RangeNotSatisfiable):
        headers |= {"Content-Range": f"bytes */{problem.size_bytes}", "Accept-Ranges": "bytes"}
    return Response(encode(problem.body()), problem.status, headers, media_type="application/problem+json")


def _check_path_text(request: Request) -> None:
    """What is not UTF-8 would arrive as another path than the one that was sent."""
    try:
        unquote_to_bytes(request.scope.get("raw_path") or b"").decode()
    except UnicodeDecodeError:
        raise InvalidRequest.of("path", "is not UTF-8") from None


_WHOLE = re.compile(r"^-?[0-9]{1,19}$")
_VERSION = re.compile(r"^\d{1,6}$")


def _check_version(request: Request) -> None:
    version = request.headers.get("rota-protocol")
    if version is not None and (not _VERSION.match(version) or int(version) != PROTOCOL_VERSION):
        raise UpgradeRequired(
            f"Protocol version {version[:20]} is not spoken here, {PROTOCOL_VERSION} is.",
            oldest=PROTOCOL_VERSION,
            newest=PROTOCOL_VERSION,
        )
