"""All pages of the web side, as routes for the application. Each page asks the API in its visitor's name."""

from collections.abc import Callable

from starlette.routing import Route
from starlette.types import ASGIApp

from rota.web.environments import Environments
from rota.web.job import JobPage
from rota.web.jobs import Jobs
from rota.web.login import Login
from rota.web.new_job import NewJob
from rota.web.pages import Pages, Recognise
from rota.web.schedules import Schedules
from rota.web.workers import Workers


def site(recognise: Recognise, application: Callable[[], ASGIApp]) -> list[Route]:
    """What is served beside the API. `application` is the API of this process."""
    pages = Pages(recognise, application)
    rooms = (
        Jobs(pages), JobPage(pages), NewJob(pages), Schedules(pages), Workers(pages), Environments(pages),
        Login(pages, recognise),
    )  # fmt: skip
    return [pages.static_route(), *(route for room in rooms for route in room.routes())]
