"""/new: submit a job, or an earlier one's spec, changed."""

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from rota.protocol.job import Job, Submitted
from rota.protocol.problems import Forbidden, InvalidRequest, Problem
from rota.protocol.wire import encode
from rota.web.pages import Pages, Visit, redirect
from rota.web.session import Form

EXAMPLE = {"script": "echo hello from $(hostname)\n", "name": "greeting", "artifacts": ["*.txt"]}


class NewJob:
    """The page."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        """What is served."""
        return [self._pages.both("/new", self.ask, self.submit)]

    async def ask(self, visit: Visit) -> Response:
        _check(visit)
        earlier = visit.request.query_params.get("from")
        if earlier is None:
            return visit.page("new_job.html", text=_indented(EXAMPLE), earlier=None, errors=[], wrong=None)
        job = await visit.api.get(f"/api/v1/jobs/{earlier}", Job)
        return visit.page("new_job.html", text=_indented(job.spec), earlier=job, errors=[], wrong=None)

    async def submit(self, visit: Visit, form: Form) -> Response:
        """Hand it to the API as it was written: what is wrong with it, the API says by field."""
        _check(visit)
        text = form.get("spec", [""])[0]
        try:
            written = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            wrong = f"This is no JSON: {error}"
            return visit.page("new_job.html", 422, text=text, earlier=None, errors=[], wrong=wrong)
        try:
            if isinstance(written, dict) and "jobs" in written:
                made = (await visit.api.post("/api/v1/jobs", Submitted, written)).jobs
                return redirect(f"/jobs/{made[0].id}" if len(made) == 1 else "/jobs")
            return redirect(f"/jobs/{(await visit.api.post('/api/v1/jobs', Job, written)).id}")
        except InvalidRequest as problem:
            errors = problem.extra.get("errors", [])
            return visit.page("new_job.html", 422, text=text, earlier=None, errors=errors, wrong=problem.detail)
        except Problem as problem:
            return visit.page("new_job.html", problem.status, text=text, earlier=None, errors=[], wrong=problem.detail)


def _check(visit: Visit) -> None:
    if visit.caller.kind == "view":
        raise Forbidden("This token may look and not submit.")


def _indented(spec: object) -> str:
    return msgspec.json.format(encode(spec), indent=2).decode()
