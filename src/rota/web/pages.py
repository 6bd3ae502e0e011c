"""The web side of a server: who visits, which page it is, and what a problem looks like."""

import gzip
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib import resources
from urllib.parse import quote, urlencode

import jinja2
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from rota import __version__
from rota.http.routes import ADMINS, PEOPLE, SUBMITTERS
from rota.protocol.environment import Caller
from rota.protocol.problems import Forbidden, Problem, Unauthenticated
from rota.web import session, static_files, words
from rota.web.api import Api
from rota.web.session import Form

Recognise = Callable[[str | None], Awaitable[Caller]]
Handler = Callable[["Visit"], Awaitable[Response]]
FormHandler = Callable[["Visit", Form], Awaitable[Response]]

SECURE = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Nothing from elsewhere, nothing inline: what a job is called, or wrote, can run nothing."""
_COMPRESSED_FROM_BYTES = 1024


class Visit:
    """One request of somebody who has logged in."""

    def __init__(self, pages: "Pages", request: Request, caller: Caller | None) -> None:
        self._pages, self.request, self._caller = pages, request, caller
        self.token = session.token_of(request)
        self.api = Api(pages.application(), self.token)

    @property
    def caller(self) -> Caller:
        """Who it is. Raises Unauthenticated where nobody has logged in."""
        if self._caller is None:
            raise Unauthenticated
        return self._caller

    def part(self, name: str) -> str:
        """A variable part of the path."""
        return str(self.request.path_params[name])

    def page(self, template: str, status: int = 200, **values: object) -> Response:
        """The template, with what every page needs beside `values`."""
        kind = None if self._caller is None else self._caller.kind
        return self._pages.render(
            template, self.request, status,
            visitor=self._caller, may_submit=kind in SUBMITTERS, may_all=kind in ADMINS,
            csrf=session.csrf_of(self.token), **values,
        )  # fmt: skip


class Pages:
    """Templates, static files and the rules that hold for each page. Its rooms add their own routes."""

    def __init__(self, recognise: Recognise, application: Callable[[], ASGIApp]) -> None:
        self._recognise, self.application = recognise, application
        self._files = static_files.load()
        self._digest = static_files.digest(self._files)
        self._templates = jinja2.Environment(
            loader=jinja2.FunctionLoader(_template), autoescape=True, trim_blocks=True, lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )  # fmt: skip
        self._templates.filters |= {
            "duration": words.duration, "size": words.size, "ago": words.ago, "short": words.short,
            "outcome": words.outcome, "ending": words.ending, "command_line": words.command_line,
            "when": words.when, "moment": words.moment,
            "query": urlencode, "part": lambda text: quote(text, safe=""),
            "path": lambda text: quote(text, safe="/"),
        }  # fmt: skip
        self._templates.globals |= {"glyphs": words.GLYPHS, "version": __version__, "static": self._static_url}

    def static_route(self) -> Route:
        """Style and scripts. Open to anybody: they tell nothing."""

        async def file(request: Request) -> Response:
            found = self._files.get(str(request.path_params["path"]))
            return Response(status_code=404) if found is None else static_files.answer(found, request)

        return Route("/static/{digest}/{path:path}", file, methods=["GET"])

    def get(self, path: str, handler: Handler, *, is_open: bool = False) -> Route:
        """A page. Who has not logged in is sent to do so, unless it `is_open`."""
        return Route(path, self._guarded(handler, is_open=is_open), methods=["GET"])

    def post(self, path: str, handler: FormHandler, *, is_open: bool = False) -> Route:
        """A form of ours that is sent. Raises Forbidden where it is somebody else's."""

        async def handle(visit: Visit) -> Response:
            return await handler(visit, await session.form_of(visit.request))

        return Route(path, self._guarded(handle, is_open=is_open), methods=["POST"])

    def both(self, path: str, handler: Handler, form: FormHandler, *, is_open: bool = False) -> Route:
        """A page that holds the form that is sent to the same path."""
        get = self._guarded(handler, is_open=is_open)

        async def handle(visit: Visit) -> Response:
            return await form(visit, await session.form_of(visit.request))

        post = self._guarded(handle, is_open=is_open)

        async def either(request: Request) -> Response:
            return await (post if request.method == "POST" else get)(request)

        return Route(path, either, methods=["GET", "POST"])

    def render(self, template: str, request: Request, status: int, **values: object) -> Response:
        """A page as it is sent."""
        html = self._templates.get_template(template).render(path=request.url.path, **values).encode()
        headers = dict(SECURE)
        if len(html) >= _COMPRESSED_FROM_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
            html, headers["Content-Encoding"], headers["Vary"] = gzip.compress(html, 5), "gzip", "Accept-Encoding"
        return Response(html, status, headers, media_type="text/html; charset=utf-8")

    def _static_url(self, name: str) -> str:
        return f"/static/{self._digest}/{name}"

    def _guarded(self, handler: Handler, *, is_open: bool) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            caller = None
            try:
                caller = await self._visitor(request)
                if caller is None and not is_open:
                    return _to_login(request)
                return await handler(Visit(self, request, caller))
            except Unauthenticated:
                return _to_login(request)
            except Problem as problem:
                return self._problem(request, caller, problem)
            except ClientDisconnect:
                return Response(status_code=499)  # nobody is there to read it

        return handle

    async def _visitor(self, request: Request) -> Caller | None:
        token = session.token_of(request)
        if token is None:
            return None
        try:
            caller = await self._recognise(f"Bearer {token}")
        except Unauthenticated:
            return None  # revoked, or over
        if caller.kind not in PEOPLE:
            raise Forbidden(f"A credential of the kind `{caller.kind}` sees no pages.")
        return caller

    def _problem(self, request: Request, caller: Caller | None, problem: Problem) -> Response:
        visit = Visit(self, request, caller)
        errors = problem.extra.get("errors", [])
        return visit.page("problem.html", problem.status, problem=problem, errors=errors)


def redirect(to: str) -> Response:
    """Look there: what was asked for is done."""
    return RedirectResponse(to, HTTPStatus.SEE_OTHER)


def _to_login(request: Request) -> Response:
    there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    wanted = there if request.method == "GET" else "/"
    response = redirect("/login" if wanted == "/" else f"/login?{urlencode({'to': wanted})}")
    if session.token_of(request) is not None:
        session.forget(response, request)
    return response


def _template(name: str) -> str | None:
    file = resources.files(__package__).joinpath("templates", name)
    return file.read_text(encoding="utf-8") if file.is_file() else None
