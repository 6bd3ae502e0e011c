"""Schedules: made, changed, paused, run. Source: protocol.md, "Schedules"."""

from collections.abc import Mapping
from typing import Any, Literal, TypedDict, Unpack
from urllib.parse import quote

from rota.client.places import given
from rota.client.transport import Call, Transport
from rota.protocol.job import Job
from rota.protocol.problems import InvalidRequest
from rota.protocol.schedule import Schedule, ScheduleList, ScheduleTimes

SCHEDULES = "/api/v1/schedules"


class ScheduleFields(TypedDict, total=False):
    """When a schedule's spec becomes a job, by protocol's names: exactly one of `cron` and `every_s`."""

    cron: str
    every_s: float
    timezone: str
    overlap: Literal["skip", "queue", "replace"]
    missed: Literal["skip", "once", "all"]


class AsyncSchedules:
    """A client's `schedules`. `environment` says whose; left out: the token's own, or the only one with that name."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(self, name: str, spec: Mapping[str, Any], **times: Unpack[ScheduleFields]) -> Schedule:
        """Make one in its spec's environment. Raises InvalidRequest, Conflict where there is one of this name."""
        body = {"name": name, "spec": dict(spec), **times}
        return await self._transport.ask(Call(method="POST", path=SCHEDULES, body=body, repeatable=False), Schedule)

    async def get(self, name: str, environment: str | None = None) -> Schedule:
        """One. Raises NotFound."""
        return await self._transport.ask(call("GET", name, "", environment), Schedule)

    async def all(self, environment: str | None = None) -> list[Schedule]:
        """All that the token may see, by environment and name."""
        found: list[Schedule] = []
        cursor = None
        while True:
            params = given(environment=environment, cursor=cursor, limit=1000)
            page = await self._transport.ask(Call(method="GET", path=SCHEDULES, params=params), ScheduleList)
            found += page.schedules
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def change(
        self,
        name: str,
        environment: str | None = None,
        *,
        spec: Mapping[str, Any] | None = None,
        **times: Unpack[ScheduleFields],
    ) -> Schedule:
        """Replace what is given; the rest stays. Raises NotFound, InvalidRequest."""
        body = given(spec=None if spec is None else dict(spec), **times)
        return await self._transport.ask(call("PATCH", name, "", environment, body=body), Schedule)

    async def delete(self, name: str, environment: str | None = None) -> None:
        """It fires no more; its jobs stay. Raises NotFound."""
        await self._transport.read(call("DELETE", name, "", environment))

    async def pause(self, name: str, environment: str | None = None) -> Schedule:
        """No run is due until it is resumed. Raises NotFound."""
        return await self._transport.ask(call("POST", name, "/pause", environment), Schedule)

    async def resume(self, name: str, environment: str | None = None) -> Schedule:
        """Runs are due again from now on; none is made up. Raises NotFound."""
        return await self._transport.ask(call("POST", name, "/resume", environment), Schedule)

    async def run(self, name: str, environment: str | None = None) -> Job:
        """A job of it now. Repeated after a broken connection, it is still one. Raises NotFound, Conflict."""
        headers = {"Idempotency-Key": self._transport.world.new_id()}
        return await self._transport.ask(call("POST", name, "/run", environment, headers=headers), Job)

    async def times(self, name: str, environment: str | None = None, *, count: int = 5) -> list[str]:
        """When it is due next, whether it is paused or not. Raises NotFound."""
        asked = call("GET", name, "/next", environment, n=count)
        return (await self._transport.ask(asked, ScheduleTimes)).times


def call(
    method: str,
    name: str,
    below: str,
    environment: str | None,
    *,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    n: int | None = None,
) -> Call:
    """A request about one schedule. Raises InvalidRequest where the name can be none."""
    if name in {"", ".", ".."}:
        raise InvalidRequest.of("name", "names no schedule")
    try:
        path = f"{SCHEDULES}/{quote(name, '')}{below}"
    except UnicodeEncodeError:
        raise InvalidRequest.of("name", "is no valid text") from None
    return Call(
        method=method, path=path, params=given(environment=environment, n=n), body=body, headers=dict(headers or {})
    )
