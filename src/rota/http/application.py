"""The web application of a process: its endpoints, what is always there, and a problem for everything else."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from rota.http.openapi import document
from rota.http.routes import ANYBODY, METHODS, Call, Endpoint, Recognise, json_response, problem_response, routes
from rota.protocol.problems import Internal, MethodNotAllowed, NotFound, Unparsable

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def application(
    endpoints: Sequence[Endpoint], recognise: Recognise, lifespan: Lifespan, pages: Sequence[Route] = ()
) -> Starlette:
    """The application. `recognise` tells who sends an `Authorization` header; `pages` are for people to look at."""
    described: list[Endpoint] = [*endpoints]

    async def openapi(_call: Call) -> Response:
        return json_response(document(described))

    described.append(Endpoint("GET", "/openapi.json", openapi, "this description", ANYBODY))
    made = Starlette(
        routes=[*routes(described, recognise), *pages],
        lifespan=lifespan,
        exception_handlers={HTTPException: _refused, Exception: _failed},
    )
    made.router = _Paths(made.router.routes, redirect_slashes=False, lifespan=lifespan)
    return made


class _Paths(Router):
    """A path without variable parts is found at once: trying one pattern after the other took longer than the rest.

    No slash is added or taken: one path for one thing, and a redirect would be no problem document.
    """

    def __init__(self, known: Sequence[BaseRoute], *, redirect_slashes: bool, lifespan: Lifespan) -> None:
        super().__init__(known, redirect_slashes=redirect_slashes, lifespan=lifespan)
        self._whole = {route.path: route for route in known if isinstance(route, Route) and not route.param_convertors}

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._whole.get(scope["path"]) if scope["type"] == "http" else None
        if route is None:
            await super().app(scope, receive, send)
        else:
            scope["path_params"] = {}
            await route.app(scope, receive, send)


async def _refused(request: Request, error: Exception) -> Response:
    """What the router itself refuses: an unknown path, or a request that is no HTTP."""
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.BAD_REQUEST:
        return problem_response(Unparsable("The request cannot be parsed."))
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return problem_response(MethodNotAllowed(f"{request.method} is not possible.", allow=", ".join(METHODS)))
    return problem_response(
        NotFound(f"There is nothing at {request.url.path[:200]}; /openapi.json lists what there is.")
    )


async def _failed(_request: Request, _error: Exception) -> Response:
    """A fault of our own: the log has it (the server raises it again), the answer does not."""
    return problem_response(Internal())
