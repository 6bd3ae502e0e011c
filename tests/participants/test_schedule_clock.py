"""Schedules by a clock that the test turns: pauses, changes, absences. Source: protocol.md, "Schedules"."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from participants.clockwork import Everywhere, Works
from rota.jobs.schedules import Schedules
from rota.protocol.environment import Caller, CallerKind, Environment
from rota.protocol.ids import CredentialId
from rota.protocol.problems import NotFound
from rota.protocol.schedule import ChangeSchedule, CreateSchedule, Missed, Overlap, Schedule
from rota.protocol.spec import SubmittedSpec
from rota.protocol.wire import parse_timestamp, timestamp
from rota.scheduler.calendar import owed
from rota.storage.sqlite.schedules import SqliteSchedules
from rota.storage.stores.jobs import JobFilter

ADMIN = Caller(CallerKind.ADMIN, CredentialId("admin"), None)
TRUE = SubmittedSpec(command=["true"])


class Somewhere(Everywhere):
    """Environments, until they are retired."""

    retired = False

    async def environment(self, name: str) -> Environment:
        if self.retired:
            raise NotFound("There is no such environment.")
        return await super().environment(name)


class Calendar(Works):
    """A Job service with schedules; nobody fires but the test."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.places = Somewhere()
        places: Any = self.places
        self.schedules = Schedules(SqliteSchedules(self.database), self.jobs, places, self.clock)

    async def schedule(self, missed: Missed = Missed.SKIP, **wanted: Any) -> Schedule:  # noqa: ANN401  (any field)
        given: dict[str, Any] = {"every_s": 60.0, "overlap": Overlap.QUEUE, "missed": missed} | wanted
        return await self.schedules.create(ADMIN, CreateSchedule("poll", TRUE, **given))

    async def pass_time(self, duration_s: float) -> None:
        """The clock runs, and then somebody asks what is due."""
        self.clock.passed_s += duration_s
        await self.schedules.fire([owed(due) for due in await self.schedules.due(10, 0)])

    async def found(self) -> Schedule:
        return await self.schedules.schedule(ADMIN, "poll", None)

    async def due_after_s(self) -> list[float]:
        """When the runs that became jobs were due, in seconds after the test's beginning."""
        found = await self.store.jobs(JobFilter(schedule="poll"))
        began = self.clock.now() - timedelta(seconds=self.clock.passed_s)
        return [(parse_timestamp(job.due_at) - began).total_seconds() for job in reversed(found) if job.due_at]


@pytest.fixture
async def calendar(tmp_path: Path) -> AsyncIterator[Calendar]:
    made = Calendar(tmp_path)
    made.database.start()
    yield made
    made.database.stop()


async def test_a_run_is_fired_when_it_is_due_and_not_before(calendar: Calendar) -> None:
    await calendar.schedule()

    await calendar.pass_time(59.9)
    assert await calendar.due_after_s() == []
    await calendar.pass_time(0.1)
    assert await calendar.due_after_s() == [60]
    await calendar.pass_time(0)
    assert await calendar.due_after_s() == [60]


@pytest.mark.parametrize(
    ("missed", "runs", "given_up"),
    [(Missed.SKIP, [], 2), (Missed.ONCE, [1200], 1), (Missed.ALL, [600, 1200], 0)],
)
async def test_after_an_absence_what_was_missed_is_given_up_or_made_up(
    calendar: Calendar, missed: Missed, runs: list[float], given_up: int
) -> None:
    await calendar.schedule(missed, every_s=600)

    await calendar.pass_time(1500)

    assert await calendar.due_after_s() == runs
    assert (await calendar.found()).counts.missed == given_up


async def test_what_is_late_by_more_than_a_restart_is_missed(calendar: Calendar) -> None:
    await calendar.schedule(every_s=600)

    await calendar.pass_time(661)

    assert await calendar.due_after_s() == []
    shown = await calendar.found()
    assert (shown.counts.missed, shown.counts.fired) == (1, 0)
    assert shown.next_at == timestamp(calendar.clock.now() + timedelta(seconds=1200 - 661))


async def test_what_was_due_while_it_was_paused_is_not_made_up(calendar: Calendar) -> None:
    await calendar.schedule(Missed.ALL)
    paused = await calendar.schedules.pause(ADMIN, "poll", None, paused=True)
    assert (paused.paused, paused.next_at) == (True, None)
    await calendar.pass_time(600)

    resumed = await calendar.schedules.pause(ADMIN, "poll", None, paused=False)
    await calendar.pass_time(60)

    assert not resumed.paused
    assert await calendar.due_after_s() == [660]
    assert (await calendar.found()).counts.missed == 0


async def test_to_pause_what_is_paused_changes_nothing(calendar: Calendar) -> None:
    await calendar.schedule()
    once = await calendar.schedules.pause(ADMIN, "poll", None, paused=True)

    assert await calendar.schedules.pause(ADMIN, "poll", None, paused=True) == once


async def test_other_times_count_from_their_change_on(calendar: Calendar) -> None:
    await calendar.schedule()
    await calendar.pass_time(90)

    changed = await calendar.schedules.change(ADMIN, "poll", None, ChangeSchedule(every_s=100.0))
    await calendar.pass_time(100)

    assert changed.every_s == 100
    assert await calendar.due_after_s() == [60, 190]


async def test_what_does_not_concern_its_times_leaves_them_as_they_are(calendar: Calendar) -> None:
    made = await calendar.schedule()
    calendar.clock.passed_s += 30

    changed = await calendar.schedules.change(ADMIN, "poll", None, ChangeSchedule(overlap=Overlap.REPLACE))

    assert (changed.next_at, changed.overlap, changed.every_s) == (made.next_at, Overlap.REPLACE, 60)


async def test_cron_takes_the_place_of_an_interval_and_the_other_way_round(calendar: Calendar) -> None:
    await calendar.schedule()

    by_cron = await calendar.schedules.change(
        ADMIN, "poll", None, ChangeSchedule(cron="30 2 * * *", timezone="Europe/Berlin")
    )
    assert (by_cron.cron, by_cron.every_s, by_cron.next_at) == ("30 2 * * *", None, "2026-11-24T01:30:00.000000Z")
    by_interval = await calendar.schedules.change(ADMIN, "poll", None, ChangeSchedule(every_s=5))
    assert (by_interval.cron, by_interval.every_s, by_interval.timezone) == (None, 5, "UTC")


async def test_a_clock_that_goes_back_fires_nothing_twice(calendar: Calendar) -> None:
    await calendar.schedule(cron="* * * * *", every_s=None)
    for _ in range(5):
        await calendar.pass_time(60)
    assert await calendar.due_after_s() == [60, 120, 180, 240, 300]

    calendar.clock.passed_s = 100
    for _ in range(5):
        await calendar.pass_time(60)

    assert await calendar.due_after_s() == [60, 120, 180, 240, 300, 360]


async def test_a_run_out_of_turn_happens_while_it_is_paused_too_and_moves_no_time(calendar: Calendar) -> None:
    made = await calendar.schedule()
    await calendar.schedules.run(ADMIN, "poll", None, None)
    assert (await calendar.found()).next_at == made.next_at
    await calendar.schedules.pause(ADMIN, "poll", None, paused=True)

    await calendar.schedules.run(ADMIN, "poll", None, None)

    shown = await calendar.found()
    assert (shown.next_at, shown.counts.fired) == (None, 2)
    assert shown.last is not None
    assert shown.last.due_at is None


async def test_a_schedule_whose_environment_was_retired_is_paused_and_says_so(calendar: Calendar) -> None:
    await calendar.schedule()
    calendar.places.retired = True

    await calendar.pass_time(60)

    shown = await calendar.found()
    assert (shown.paused, shown.message) == (True, "Its environment was retired.")
    assert await calendar.due_after_s() == []


async def test_who_waits_for_what_is_due_is_answered_when_a_schedule_is_made_due(calendar: Calendar) -> None:
    """By an event: the clock of this test stands, and a wait by it would not end."""
    await calendar.schedule()
    waiting = asyncio.ensure_future(calendar.schedules.due(10, 30))
    await asyncio.wait([waiting], timeout=0.05)
    assert not waiting.done()

    calendar.clock.passed_s += 60
    await calendar.schedules.change(ADMIN, "poll", None, ChangeSchedule(overlap=Overlap.SKIP))

    assert [due.name for due in await asyncio.wait_for(waiting, 5)] == ["poll"]
