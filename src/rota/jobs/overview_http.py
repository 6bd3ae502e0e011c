"""/api/v1/overview: how it goes."""

from rota.http.routes import PEOPLE, Call, Endpoint
from rota.jobs.overview import WINDOWS_S, Overviews
from rota.protocol.overview import Overview
from rota.protocol.problems import InvalidRequest


class OverviewHttp:
    """The route."""

    def __init__(self, overviews: Overviews) -> None:
        self._overviews = overviews

    def endpoints(self) -> list[Endpoint]:
        """What is served."""
        windows = ", ".join(str(window_s) for window_s in WINDOWS_S)
        asked = {"window_s": f"one of {windows}", "environment": "a name"}
        return [
            Endpoint("GET", "/api/v1/overview", self.overview, "how it goes", PEOPLE, None, Overview, queries=asked)
        ]

    async def overview(self, call: Call) -> Overview:
        window_s = call.count("window_s", min(WINDOWS_S), 0, 10**9)
        if window_s not in WINDOWS_S:
            raise InvalidRequest.of("window_s", f"is one of {', '.join(map(str, WINDOWS_S))}")
        return await self._overviews.overview(
            call.caller, window_s, call.query("window_s", "environment").get("environment")
        )
