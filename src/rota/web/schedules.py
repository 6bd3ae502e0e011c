"""/schedules: what runs at which times, what it did last, and a hand on it."""

from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from rota.protocol.job import Job, JobList
from rota.protocol.problems import InvalidRequest
from rota.protocol.schedule import Schedule, ScheduleList, ScheduleTimes
from rota.web.api import Query
from rota.web.pages import Pages, Visit, redirect
from rota.web.session import Form

TIMES = 5
RUNS_MAX = 30
ACTS = ("pause", "resume", "run")


class Schedules:
    """The pages."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        """What is served."""
        one = "/schedules/{environment}/{name}"
        return [
            self._pages.get("/schedules", self.list),
            self._pages.both(one, self.schedule, self.change),
        ]

    async def list(self, visit: Visit) -> Response:
        cursor = visit.request.query_params.get("cursor")
        asked: Query = [("cursor", cursor)] if cursor else []
        found = await visit.api.get("/api/v1/schedules", ScheduleList, asked)
        return visit.page("schedules.html", schedules=found.schedules, older=found.next_cursor)

    async def schedule(self, visit: Visit) -> Response:
        environment, name = visit.part("environment"), visit.part("name")
        path = _path(name)
        place: Query = [("environment", environment)]
        found = await visit.api.get(path, Schedule, place)
        times = await visit.api.get(f"{path}/next", ScheduleTimes, [*place, ("n", TIMES)])
        runs = await visit.api.get("/api/v1/jobs", JobList, [*place, ("schedule", name), ("limit", RUNS_MAX)])
        return visit.page("schedule.html", schedule=found, times=times.times, runs=runs.jobs)

    async def change(self, visit: Visit, form: Form) -> Response:
        environment, name, act = visit.part("environment"), visit.part("name"), form.get("act", [""])[0]
        if act not in ACTS:
            raise InvalidRequest.of("act", f"is one of {', '.join(ACTS)}")
        place = f"environment={quote(environment, safe='')}"
        path = f"{_path(name)}/{act}?{place}"
        if act == "run":
            return redirect(f"/jobs/{(await visit.api.post(path, Job)).id}")
        await visit.api.post(path, Schedule)
        return redirect(f"/schedules/{quote(environment, safe='')}/{quote(name, safe='')}")


def _path(name: str) -> str:
    return f"/api/v1/schedules/{quote(name, safe='')}"
