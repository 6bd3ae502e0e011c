"""/workers: the fleet as the registry knows it, and what each does."""

import asyncio

from starlette.responses import Response
from starlette.routing import Route

from rota.protocol.timeline import Timeline
from rota.protocol.worker import Worker, WorkerList
from rota.web.lanes import WIDTH, lanes
from rota.web.pages import Pages, Visit, redirect
from rota.web.session import Form


class Workers:
    """The pages."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        """What is served."""
        return [
            self._pages.get("/workers", self.list),
            self._pages.post("/workers/{worker_id}/drain", self.drain),
        ]

    async def list(self, visit: Visit) -> Response:
        found, timeline = await asyncio.gather(
            visit.api.get("/api/v1/workers", WorkerList), visit.api.get("/api/v1/timeline", Timeline)
        )
        by_environment: dict[str, list[Worker]] = {}
        for worker in found.workers:
            by_environment.setdefault(worker.environment, []).append(worker)
        return visit.page("workers.html", by_environment=by_environment, lanes=lanes(timeline), width=WIDTH)

    async def drain(self, visit: Visit, _form: Form) -> Response:
        await visit.api.post(f"/api/v1/workers/{visit.part('worker_id')}/drain", Worker)
        return redirect("/workers")
