"""/api/v1/overview and /api/v1/timeline: how it goes, and who ran what."""

from rota.http.routes import PEOPLE, Call, Endpoint
from rota.jobs.overview import WINDOWS_S, Overviews
from rota.protocol.overview import Overview
from rota.protocol.problems import InvalidRequest
from rota.protocol.timeline import Timeline


class OverviewHttp:
    """The routes."""

    def __init__(self, overviews: Overviews) -> None:
        self._overviews = overviews

    def endpoints(self) -> list[Endpoint]:
        """What is served."""
        windows = ", ".join(str(window_s) for window_s in WINDOWS_S)
        asked = {"window_s": f"one of {windows}", "environment": "a name"}
        timeline = "/api/v1/timeline"
        return [
            Endpoint("GET", timeline, self.timeline, "who ran what", PEOPLE, None, Timeline, queries=asked),
            Endpoint("GET", "/api/v1/overview", self.overview, "how it goes", PEOPLE, None, Overview, queries=asked),
        ]

    async def timeline(self, call: Call) -> Timeline:
        window_s, environment = _asked(call)
        return await self._overviews.timeline(call.caller, window_s, environment)

    async def overview(self, call: Call) -> Overview:
        window_s, environment = _asked(call)
        return await self._overviews.overview(call.caller, window_s, environment)


def _asked(call: Call) -> tuple[int, str | None]:
    window_s = call.count("window_s", min(WINDOWS_S), 0, 10**9)
    if window_s not in WINDOWS_S:
        raise InvalidRequest.of("window_s", f"is one of {', '.join(map(str, WINDOWS_S))}")
    return window_s, call.query("window_s", "environment").get("environment")
