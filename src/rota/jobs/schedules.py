"""Schedules: what people ask of them, and what the scheduler fires. Source: protocol.md, "Schedules"."""

import asyncio
import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

import msgspec

from rota.jobs.service import JobService
from rota.jobs.submit import Submitter, check_specs, new_jobs
from rota.protocol.environment import Caller, Environment
from rota.protocol.fire import Due, Firing
from rota.protocol.ids import JobId
from rota.protocol.participants import Environments
from rota.protocol.problems import Conflict, Forbidden, InvalidRequest, NotFound, Unavailable
from rota.protocol.schedule import (
    SET_BY_SCHEDULE,
    ChangeSchedule,
    CreateSchedule,
    Schedule,
    check_schedule,
    times,
)  # fmt: skip
from rota.protocol.spec import ENVIRONMENT
from rota.protocol.states import JobState
from rota.protocol.wire import parse_timestamp, timestamp
from rota.storage.stores.holds import Hold
from rota.storage.stores.jobs import Outcome, Repeatable
from rota.storage.stores.schedules import Run, ScheduleStore, StoredSchedule
from rota.world import World

GROUP = "schedule:"
"""A schedule's jobs are of the concurrency group of this and its name, one at a time."""
_LOOK_S = 30.0
"""At the latest: the wall clock, which schedules hang on, may have been set meanwhile."""


class Schedules:
    """See `rota.protocol.participants.Schedules` for what the scheduler asks. The foreign is unknown to a caller."""

    def __init__(self, store: ScheduleStore, jobs: JobService, environments: Environments, world: World) -> None:
        self._store, self._jobs, self._environments, self._world = store, jobs, environments, world
        self._changed = asyncio.Event()
        self._closing = False

    def close(self) -> None:
        """About to stop: who waits is answered now."""
        self._closing = True
        self._changed.set()

    async def create(self, caller: Caller, wanted: CreateSchedule) -> Schedule:
        """A new one; its first run is the next time. Raises InvalidRequest, Forbidden, Conflict."""
        environment = await self._environment(caller, wanted.spec.environment)
        now, tenant = self._now(), caller.tenant or ""
        made = Schedule(
            wanted.name, environment, wanted.cron, wanted.every_s, wanted.timezone, wanted.spec, wanted.overlap,
            wanted.missed, False, None, now, str(caller.credential_id),  # noqa: FBT003  (a row)
        )  # fmt: skip
        self._check(made)
        stored = StoredSchedule(msgspec.structs.replace(made, next_at=self._after_now(made, now)), 1, now, tenant)
        if not await self._store.insert(stored):
            raise Conflict(f"There is a schedule `{wanted.name}` in the environment `{environment}` already.")
        self._changed.set()
        return stored.schedule

    async def schedule(self, caller: Caller, name: str, environment: str | None) -> Schedule:
        """One, its spec whole. Raises NotFound, Conflict where several environments have one of this name."""
        return (await self._find(caller, name, environment)).schedule

    async def schedules(
        self, caller: Caller, environment: str | None, after: tuple[str, str], limit: int
    ) -> list[Schedule]:
        """By environment and name, behind `after`. Raises Forbidden for another environment than the caller's."""
        if caller.environment is not None and environment not in {None, caller.environment}:
            raise Forbidden(f"This credential is for the environment `{caller.environment}` alone.")
        return await self._store.schedules(environment or caller.environment, after, limit)

    async def times(self, caller: Caller, name: str, environment: str | None, limit: int) -> list[str]:
        """When it is due next, whether it is paused or not. Raises NotFound, Conflict."""
        found = await self._find(caller, name, environment)
        coming = self._times(found.schedule, found.anchor_at)
        return [timestamp(at) for at in islice(coming, limit)]

    async def change(self, caller: Caller, name: str, environment: str | None, wanted: ChangeSchedule) -> Schedule:
        """Replace what `wanted` names; other times are reckoned from now on. Raises NotFound, InvalidRequest."""
        given = {key: value for key, value in msgspec.structs.asdict(wanted).items() if value is not msgspec.UNSET}
        if "cron" in given and "every_s" not in given:
            given["every_s"] = None
        if "every_s" in given and "cron" not in given:
            given["cron"] = None
            given.setdefault("timezone", "UTC")
        while True:
            found = await self._find(caller, name, environment)
            before = found.schedule
            after = msgspec.structs.replace(before, **given, submitted_by=str(caller.credential_id), message=None)
            if after.spec.environment not in {None, before.environment}:
                raise InvalidRequest.of("spec.environment", "stays as it is; delete the schedule and make another one")
            self._check(after)
            is_later = any(getattr(after, key) != getattr(before, key) for key in ("cron", "every_s", "timezone"))
            found = msgspec.structs.replace(found, tenant=caller.tenant or "")
            if await self._put(found, after, anchored_anew=is_later):
                return (await self._find(caller, name, before.environment)).schedule

    async def pause(self, caller: Caller, name: str, environment: str | None, *, paused: bool) -> Schedule:
        """No run is due until it is resumed, and none is made up then. Raises NotFound, Conflict."""
        while True:
            found = await self._find(caller, name, environment)
            if found.schedule.paused is paused:
                return found.schedule
            if not paused:
                await self._place(found.schedule)
            after = msgspec.structs.replace(found.schedule, paused=paused, message=None)
            if await self._put(found, after, anchored_anew=False):
                return (await self._find(caller, name, found.schedule.environment)).schedule

    async def delete(self, caller: Caller, name: str, environment: str | None) -> None:
        """Its jobs stay, and go on. Raises NotFound, Conflict."""
        found = await self._find(caller, name, environment)
        await self._store.delete(found.schedule.environment, name)

    async def run(self, caller: Caller, name: str, environment: str | None, key: str | None) -> JobId:
        """A job of it now, paused or not; its calendar is not disturbed. Raises NotFound, Conflict by `overlap`."""
        while True:
            found = await self._find(caller, name, environment)
            place = await self._place(found.schedule)
            by = Submitter(str(caller.credential_id), place.name, caller.tenant or "")
            body = hashlib.sha256(f"run {place.name} {name}".encode()).hexdigest()
            run = self._run(found.schedule, None, by, place)
            repeatable = None if key is None else Repeatable(by.submitted_by, key, body)
            started = await self._store.run(place.name, name, found.revision, run, repeatable)
            if started is not None:
                await self._tell([run], started[1])
                return started[0]

    async def due(self, limit: int, wait_s: float) -> list[Due]:
        until_s = self._world.monotonic() + wait_s
        while True:
            self._changed.clear()
            now = self._world.now()
            found = await self._store.due(timestamp(now), limit)
            left_s = until_s - self._world.monotonic()
            if found or left_s <= 0:
                return found
            if self._closing:
                raise Unavailable("The Job service is stopping.")
            next_at = await self._store.next_at()
            if next_at is not None:
                left_s = min(left_s, max(0.0, (parse_timestamp(next_at) - now).total_seconds()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(left_s, _LOOK_S))

    async def fire(self, firings: Sequence[Firing]) -> None:
        await asyncio.gather(*(self._fire(firing) for firing in firings))

    async def _fire(self, firing: Firing) -> None:
        found = await self._store.schedule(firing.environment, firing.name)
        if found is None:
            return
        try:
            place = await self._environments.environment(firing.environment)
        except NotFound:
            over = msgspec.structs.replace(found.schedule, paused=True, message="Its environment was retired.")
            await self._put(found, over, anchored_anew=False)
            return
        message = None
        try:
            by = Submitter(found.schedule.submitted_by, place.name, found.tenant)
            runs = [self._run(found.schedule, at, by, place) for at in firing.due_at]
        except InvalidRequest as problem:  # a spec that an earlier server took
            firing = msgspec.structs.replace(firing, missed=firing.missed + len(firing.due_at))
            runs, message = [], f"A run was left out: {problem.detail}"
        outcomes = await self._store.fire(firing, runs, message)
        await self._tell(runs, outcomes or [])

    async def _tell(self, runs: Iterable[Run], outcomes: Sequence[Outcome]) -> None:
        """What follows at once from what is recorded."""
        if any(outcome.state is JobState.QUEUED for outcome in outcomes):
            await self._jobs.queues.learn({id(job.key): job.key for run in runs for job in run.jobs}.values())
        self._jobs.note([], outcomes)

    async def _place(self, schedule: Schedule) -> Environment:
        """Raises Conflict where it is retired."""
        try:
            return await self._environments.environment(schedule.environment)
        except NotFound:
            raise Conflict(
                f"Its environment `{schedule.environment}` is retired; no worker can run its jobs."
            ) from None

    def _run(self, schedule: Schedule, due_at: str | None, by: Submitter, place: Environment) -> Run:
        """A job to be: in the schedule's own group, so that at most one at a time is let in, unless it has another."""
        told = dict(zip(SET_BY_SCHEDULE, (schedule.name, due_at or ""), strict=True))
        spec = msgspec.structs.replace(schedule.spec, env={**schedule.spec.env, **told})
        check_specs([spec], ["spec."])
        ids, shares = [JobId(self._world.new_id())], {place.name: place.shares}
        jobs = new_jobs(ids, [spec], ["spec."], by, shares, self._world, self._jobs.queue_clock)
        hold = jobs[0].hold or Hold()
        if len(jobs) == 1 and hold.group_name is None:
            hold = msgspec.structs.replace(hold, group_name=GROUP + schedule.name, group_limit=1)
            jobs = [msgspec.structs.replace(jobs[0], hold=hold)]
        return Run(jobs, due_at)

    async def _put(self, found: StoredSchedule, after: Schedule, *, anchored_anew: bool) -> bool:
        """Keep it where nothing has changed meanwhile, not even by a firing."""
        before = found.schedule
        anchor_at = self._now() if anchored_anew else found.anchor_at
        if after.paused:
            next_at = None
        elif anchored_anew or before.paused:
            next_at = self._after_now(after, anchor_at)
        else:
            next_at = before.next_at
        changed = StoredSchedule(
            msgspec.structs.replace(after, next_at=next_at), found.revision, anchor_at, found.tenant
        )
        is_kept = await self._store.change(changed, before.next_at)
        self._changed.set()
        return is_kept

    def _now(self) -> str:
        """The present second, so that what happens every so often does so at round times."""
        return timestamp(self._world.now().replace(microsecond=0))

    def _after_now(self, schedule: Schedule, anchor_at: str) -> str | None:
        at = next(self._times(schedule, anchor_at), None)
        return None if at is None else timestamp(at)

    def _times(self, schedule: Schedule, anchor_at: str) -> Iterator[datetime]:
        return times(schedule.cron, schedule.every_s, schedule.timezone, anchor_at, self._world.now())

    def _check(self, schedule: Schedule) -> None:
        self._jobs.policies.check(schedule.spec.policy, "spec.policy")
        check_schedule(
            schedule.cron, schedule.every_s, schedule.timezone, schedule.overlap, schedule.missed, schedule.spec
        )

    async def _environment(self, caller: Caller, named: str | None) -> str:
        name = named or caller.environment or ENVIRONMENT
        if caller.environment not in {None, name}:
            raise Forbidden(f"This credential is for the environment `{caller.environment}` alone.")
        try:
            await self._environments.environment(name)
        except NotFound:
            raise InvalidRequest.of("spec.environment", f"there is no environment `{name}`") from None
        return name

    async def _find(self, caller: Caller, name: str, environment: str | None) -> StoredSchedule:
        if caller.environment is not None and environment not in {None, caller.environment}:
            raise NotFound(f"There is no schedule `{name}`.")
        place = environment or caller.environment
        if place is None:
            places = await self._store.environments(name)
            if len(places) > 1:
                raise Conflict(f"Several environments have a schedule `{name}`: {', '.join(places)}. Name one.")
            place = places[0] if places else ""
        found = await self._store.schedule(place, name)
        if found is None:
            raise NotFound(f"There is no schedule `{name}`.")
        return found
