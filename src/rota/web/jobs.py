"""/jobs and /: the live list, with its filters in the address; many cancelled or run again at once."""

import asyncio

from starlette.responses import Response
from starlette.routing import Route

from rota.protocol.job import Job, JobList
from rota.protocol.overview import Overview
from rota.protocol.problems import InvalidRequest, Problem
from rota.protocol.states import JobState, Verdict
from rota.protocol.worker import WorkerList
from rota.web.api import Query
from rota.web.charts import charts, totals
from rota.web.pages import Pages, Visit, redirect
from rota.web.session import Form

SHOWN_MAX = 100
NEWEST = 8
WINDOWS_S = {"hour": 3600, "day": 86400, "week": 7 * 86400}
OUTCOMES = (
    "waiting", "queued", "assigned", "running", "succeeded", "failed", "cancelled", "expired", "lost",
)  # fmt: skip
"""What a list is filtered by: a verdict where there is one, else a state."""
_TEXTS = ("environment", "name", "submitted_after")


class Jobs:
    """The pages."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        """What is served."""
        return [
            self._pages.get("/", self.overview),
            self._pages.both("/jobs", self.list, self.change_many),
        ]

    async def overview(self, visit: Visit) -> Response:
        window = visit.request.query_params.get("last", "hour")
        if window not in WINDOWS_S:
            raise InvalidRequest.of("last", f"is one of {', '.join(WINDOWS_S)}")
        running, queued, fleet, overview = await asyncio.gather(
            _newest(visit, state=JobState.RUNNING), _newest(visit, state=JobState.QUEUED),
            visit.api.get("/api/v1/workers", WorkerList),
            visit.api.get("/api/v1/overview", Overview, [("window_s", WINDOWS_S[window])]),
        )  # fmt: skip
        lists = [("Running", "running", running), ("Queued", "queued", queued)]
        return visit.page(
            "overview.html", lists=lists, workers=fleet.workers, overview=overview, window=window, windows=WINDOWS_S,
            charts=charts(overview.periods), totals=totals(overview.periods),
        )  # fmt: skip

    async def list(self, visit: Visit) -> Response:
        given = visit.request.query_params
        query: Query = [("limit", SHOWN_MAX), *_of_outcome(given.get("is", ""))]
        query += [(name, given[name]) for name in (*_TEXTS, "cursor") if given.get(name)]
        query += [("tag", tag) for tag in given.getlist("tag") if tag]
        wrong = None
        try:
            found = await visit.api.get("/api/v1/jobs", JobList, query)
        except InvalidRequest as problem:
            found, wrong = JobList([]), problem.detail
        kept = [(name, value) for name, value in given.multi_items() if name != "cursor" and value]
        return visit.page(
            "jobs.html", jobs=found.jobs, wrong=wrong, outcomes=OUTCOMES, given=given, kept=kept,
            older=None if found.next_cursor is None else [*kept, ("cursor", found.next_cursor)],
        )  # fmt: skip

    async def change_many(self, visit: Visit, form: Form) -> Response:
        """Cancel, or run again, the jobs that were chosen: each for itself; those that could not be are told."""
        act = form.get("act", [""])[0]
        if act not in {"cancel", "retry"}:
            raise InvalidRequest.of("act", "is cancel or retry")
        chosen = form.get("job", [])
        not_done: list[tuple[str, str]] = []
        for job in chosen:
            try:
                await visit.api.post(f"/api/v1/jobs/{job}/{act}", Job)
            except Problem as problem:
                not_done.append((job, problem.detail))
        if not_done:
            return visit.page("not_all.html", 409, act=act, count=len(chosen), not_done=not_done)
        query = visit.request.url.query
        return redirect("/jobs" + (f"?{query}" if query else ""))


def _of_outcome(word: str) -> Query:
    if not word:
        return []
    return [("verdict" if word in set(Verdict) else "state", word)]


async def _newest(visit: Visit, **filters: str) -> list[Job]:
    return (await visit.api.get("/api/v1/jobs", JobList, [("limit", NEWEST), *filters.items()])).jobs
