"""/livez, /readyz, /metrics. Source: protocol.md, "Every service answers"."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from rota.http.routes import ANYBODY, PEOPLE, SERVICES, Call, Endpoint, json_response
from rota.protocol.participants import Job
from rota.protocol.problems import Problem, Unavailable
from rota.protocol.wire import Answer

Check = Callable[[], Awaitable[str | None]]
"""Why a part cannot do its work now; None: it can."""
NEIGHBOUR_TIMEOUT_S = 2.0
"""Whoever asks /readyz waits no longer than this for another service to answer."""
Measure = Callable[[], Awaitable[None]]
"""Brings a gauge up to date before it is read."""


def job_answers(job: Job, can_do_without: Callable[[], bool] = lambda: False) -> Check:
    """Whether the Job service, which runs elsewhere, answers and knows this process's token.

    While it does not answer, `can_do_without` tells whether the work can be done all the same.
    """

    async def check() -> str | None:
        try:
            async with asyncio.timeout(NEIGHBOUR_TIMEOUT_S):
                await job.arrivals(-1, 0)
        except TimeoutError:
            why = f"it does not answer within {NEIGHBOUR_TIMEOUT_S:g} s."
        except Unavailable as problem:
            why = problem.detail
        except Problem as problem:
            return f"The Job service refuses this service's token: {problem.detail}"
        else:
            return None
        return None if can_do_without() else f"The Job service cannot be asked: {why}"

    return check


class Fine(Answer, frozen=True):
    """It lives, or is ready."""

    status: str = "ok"


class Health:
    """The routes. `metrics_open`: /metrics needs no credential."""

    def __init__(
        self, metrics: CollectorRegistry, checks: Sequence[Check], measures: Sequence[Measure], *, metrics_open: bool
    ) -> None:
        self._metrics, self._checks, self._measures = metrics, checks, measures
        self._who = ANYBODY if metrics_open else PEOPLE | SERVICES

    def endpoints(self) -> list[Endpoint]:
        """What is served, by whom it may be called."""
        return [
            Endpoint("GET", "/livez", self.livez, "the process runs", ANYBODY, None, Fine),
            Endpoint("GET", "/readyz", self.readyz, "it can do its work", ANYBODY, None, Fine),
            Endpoint("GET", "/metrics", self.metrics, "OpenMetrics", self._who, None, bytes),
        ]

    async def livez(self, _call: Call) -> Response:
        return json_response(Fine())

    async def readyz(self, _call: Call) -> Response:
        for check in self._checks:
            why = await check()
            if why is not None:
                raise Unavailable(why)
        return json_response(Fine())

    async def metrics(self, _call: Call) -> Response:
        for measure in self._measures:
            await measure()
        text = generate_latest(self._metrics)  # type: ignore[no-untyped-call]
        return Response(text, media_type=CONTENT_TYPE_LATEST)
