"""/api/v1/schedules, and what the scheduler asks behind the inner door. Source: protocol.md, "Schedules"."""

import base64
import binascii

from rota.http.routes import PEOPLE, SERVICES, SUBMITTERS, Answered, Call, Endpoint, json_response
from rota.jobs.desk import Desk
from rota.jobs.schedules import Schedules
from rota.protocol.fire import DueSchedules, Firings
from rota.protocol.job import Job
from rota.protocol.problems import InvalidRequest
from rota.protocol.schedule import (
    LIST_MAX,
    TIMES_MAX,
    ChangeSchedule,
    CreateSchedule,
    Schedule,
    ScheduleList,
    ScheduleTimes,
)
from rota.protocol.spec import LATER

_WAIT_S_MAX = 60
_BATCH_MAX = 10_000
_KEY_LENGTH_MAX = 200
_TIMES = 5


class SchedulesHttp:
    """The routes."""

    def __init__(self, schedules: Schedules, desk: Desk) -> None:
        self._schedules, self._desk = schedules, desk

    def endpoints(self) -> list[Endpoint]:
        """What is served, by whom it may be called."""
        base, one, inner = "/api/v1/schedules", "/api/v1/schedules/{name}", "/internal/v1"
        whose = {"environment": "whose; left out: the credential's own, or the only one that has it"}
        page = {"environment": "a name", "limit": f"1 to {LIST_MAX}", "cursor": "next_cursor of the page before"}
        ask = {"limit": f"1 to {_BATCH_MAX}", "wait_s": f"0 to {_WAIT_S_MAX}"}
        times = whose | {"n": f"how many, 1 to {TIMES_MAX}"}
        made, changed = CreateSchedule, ChangeSchedule
        return [
            Endpoint("POST", base, self.create, "make one", SUBMITTERS, made, Schedule, 201),
            Endpoint("GET", base, self.schedules, "list", PEOPLE, None, ScheduleList, queries=page),
            Endpoint("GET", one, self.schedule, "one", PEOPLE, None, Schedule, queries=whose),
            Endpoint("PATCH", one, self.change, "change it", SUBMITTERS, changed, Schedule, queries=whose),
            Endpoint("DELETE", one, self.delete, "delete it; its jobs stay", SUBMITTERS, queries=whose),
            Endpoint("GET", f"{one}/next", self.times, "when it is due", PEOPLE, None, ScheduleTimes, queries=times),
            Endpoint("POST", f"{one}/pause", self.pause, "no more runs", SUBMITTERS, None, Schedule, queries=whose),
            Endpoint("POST", f"{one}/resume", self.resume, "runs again", SUBMITTERS, None, Schedule, queries=whose),
            Endpoint("POST", f"{one}/run", self.run, "a job of it now", SUBMITTERS, None, Job, 201, queries=whose),
            Endpoint("GET", f"{inner}/due", self.due, "what is due", SERVICES, None, DueSchedules, queries=ask),
            Endpoint("POST", f"{inner}/fire", self.fire, "runs become jobs", SERVICES, Firings),
        ]

    async def create(self, call: Call) -> Answered:
        made = await self._schedules.create(call.caller, await call.body(CreateSchedule, LATER))
        return json_response(made, 201, {"Location": f"/api/v1/schedules/{made.name}?environment={made.environment}"})

    async def schedules(self, call: Call) -> ScheduleList:
        limit = call.count("limit", 100, 1, LIST_MAX)
        after = _place_of(call.request.query_params.get("cursor"))
        found = await self._schedules.schedules(call.caller, _environment(call), after, limit + 1)
        page = found[:limit]
        return ScheduleList(page, _cursor(page[-1]) if len(found) > len(page) else None)

    async def schedule(self, call: Call) -> Schedule:
        return await self._schedules.schedule(call.caller, call.part("name"), _environment(call))

    async def change(self, call: Call) -> Schedule:
        wanted = await call.body(ChangeSchedule, LATER)
        return await self._schedules.change(call.caller, call.part("name"), _environment(call), wanted)

    async def delete(self, call: Call) -> Answered:
        await self._schedules.delete(call.caller, call.part("name"), _environment(call))
        return None

    async def times(self, call: Call) -> ScheduleTimes:
        limit = call.count("n", _TIMES, 1, TIMES_MAX)
        return ScheduleTimes(await self._schedules.times(call.caller, call.part("name"), _environment(call), limit))

    async def pause(self, call: Call) -> Schedule:
        return await self._schedules.pause(call.caller, call.part("name"), _environment(call), paused=True)

    async def resume(self, call: Call) -> Schedule:
        return await self._schedules.pause(call.caller, call.part("name"), _environment(call), paused=False)

    async def run(self, call: Call) -> Answered:
        key = call.request.headers.get("idempotency-key")
        if key is not None and not 1 <= len(key) <= _KEY_LENGTH_MAX:
            raise InvalidRequest.of("Idempotency-Key", "has 1 to 200 characters")
        job = await self._schedules.run(call.caller, call.part("name"), _environment(call), key)
        return json_response(await self._desk.job(call.caller, job), 201, {"Location": f"/api/v1/jobs/{job}"})

    async def due(self, call: Call) -> DueSchedules:
        limit = call.count("limit", 100, 1, _BATCH_MAX)
        return DueSchedules(await self._schedules.due(limit, call.number("wait_s", 0, 0, _WAIT_S_MAX)))

    async def fire(self, call: Call) -> Answered:
        await self._schedules.fire((await call.body(Firings)).firings)
        return None


def _environment(call: Call) -> str | None:
    return call.request.query_params.get("environment")


def _cursor(schedule: Schedule) -> str:
    return base64.urlsafe_b64encode(f"{schedule.environment}/{schedule.name}".encode()).decode()


def _place_of(cursor: str | None) -> tuple[str, str]:
    """The last schedule of the page before. Raises InvalidRequest where the cursor was not made here."""
    if cursor is None:
        return "", ""
    try:
        environment, slash, name = (
            base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii").partition("/")
        )
    except (binascii.Error, UnicodeDecodeError, ValueError):
        environment, slash, name = "", "", ""
    if not slash:
        raise InvalidRequest.of("cursor", "is not one that this server gave")
    return environment, name
