"""A client's schedules without `await`. Nothing is decided here; tests/client compares both faces."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Unpack

from rota.client.schedules import AsyncSchedules, ScheduleFields
from rota.protocol.job import Job
from rota.protocol.schedule import Schedule


class Schedules:
    """AsyncSchedules' blocking face, which documents every method."""

    def __init__(self, schedules: AsyncSchedules, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._schedules, self._run = schedules, run

    def create(self, name: str, spec: Mapping[str, Any], **times: Unpack[ScheduleFields]) -> Schedule:
        made: Schedule = self._run(self._schedules.create(name, spec, **times))
        return made

    def get(self, name: str, environment: str | None = None) -> Schedule:
        found: Schedule = self._run(self._schedules.get(name, environment))
        return found

    def all(self, environment: str | None = None) -> list[Schedule]:
        found: list[Schedule] = self._run(self._schedules.all(environment))
        return found

    def change(
        self,
        name: str,
        environment: str | None = None,
        *,
        spec: Mapping[str, Any] | None = None,
        **times: Unpack[ScheduleFields],
    ) -> Schedule:
        changed: Schedule = self._run(self._schedules.change(name, environment, spec=spec, **times))
        return changed

    def delete(self, name: str, environment: str | None = None) -> None:
        self._run(self._schedules.delete(name, environment))

    def pause(self, name: str, environment: str | None = None) -> Schedule:
        paused: Schedule = self._run(self._schedules.pause(name, environment))
        return paused

    def resume(self, name: str, environment: str | None = None) -> Schedule:
        resumed: Schedule = self._run(self._schedules.resume(name, environment))
        return resumed

    def run(self, name: str, environment: str | None = None) -> Job:
        job: Job = self._run(self._schedules.run(name, environment))
        return job

    def times(self, name: str, environment: str | None = None, *, count: int = 5) -> list[str]:
        times: list[str] = self._run(self._schedules.times(name, environment, count=count))
        return times
