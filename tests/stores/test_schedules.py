"""What is fired is written with the schedule's move on, once. Source: protocol.md, "Schedules"; stores/schedules.py."""

import asyncio

import msgspec
import pytest

from rota.protocol.decide import Decision
from rota.protocol.fire import Firing
from rota.protocol.ids import JobId
from rota.protocol.problems import Conflict
from rota.protocol.schedule import Missed, Overlap, Schedule
from rota.protocol.spec import Spec
from rota.protocol.states import JobState, Verdict
from rota.storage.sqlite.jobs import _list_statement
from rota.storage.sqlite.schedules import SQL, SqliteSchedules
from rota.storage.stores.holds import Hold
from rota.storage.stores.jobs import JobFilter, NewJob, Outcome, Repeatable
from rota.storage.stores.schedules import Run, StoredSchedule
from stores.bench import ANNA, KEY, NOW, WORLD, Bench, report

LATER, LATEST = "2026-11-23T12:01:00.000000Z", "2026-11-23T12:02:00.000000Z"
TRUE = Spec(command=["true"])
GROUP = Hold(group_name="schedule:poll", group_limit=1)


class Calendar:
    """The store's schedules, with one in it that is due at NOW."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.store = bench, SqliteSchedules(bench.database)

    async def make(self, overlap: Overlap = Overlap.SKIP, name: str = "poll", next_at: str = NOW) -> StoredSchedule:
        made = Schedule(
            name, "default", None, 60, "UTC", TRUE, overlap, Missed.SKIP, paused=False, next_at=next_at,
            created_at=NOW, submitted_by="me",
        )  # fmt: skip
        assert await self.store.insert(StoredSchedule(made, 1, NOW, ""))
        return await self.found(name)

    async def found(self, name: str = "poll") -> StoredSchedule:
        found = await self.store.schedule("default", name)
        assert found is not None
        return found

    def run(self, due_at: str | None = NOW) -> Run:
        return Run([NewJob(JobId(WORLD.new_id()), TRUE, KEY, NOW, "me", None, hold=GROUP)], due_at)

    async def fire(self, *due_at: str, expected_at: str = NOW, next_at: str = LATER) -> list[Outcome] | None:
        firing = Firing("default", "poll", 1, expected_at, list(due_at), 0, next_at)
        return await self.store.fire(firing, [self.run(at) for at in due_at], None)

    async def jobs(self) -> list[tuple[str, str | None]]:
        """State and due time of its jobs, oldest first."""
        found = await self.bench.store.jobs(JobFilter(schedule="poll"))
        return [(str(job.state), job.due_at) for job in reversed(found)]

    async def end(self) -> None:
        """The next job runs and is decided."""
        [leased] = await self.bench.claim()
        await self.bench.store.finish(ANNA, [report(leased.attempt_id)], NOW)
        word = Decision(leased.job_id, leased.attempt_id, JobState.FINISHED, Verdict.SUCCEEDED)
        await self.bench.store.decide([word], NOW)


@pytest.fixture
def calendar(bench: Bench) -> Calendar:
    return Calendar(bench)


async def test_a_run_becomes_a_job_and_the_next_time_another_one(calendar: Calendar) -> None:
    await calendar.make()

    [outcome] = await calendar.fire(NOW) or []

    assert outcome.state is JobState.QUEUED
    shown = (await calendar.found()).schedule
    assert (shown.next_at, shown.counts.fired) == (LATER, 1)
    assert shown.last is not None
    assert (shown.last.job_id, shown.last.due_at, shown.last.state) == (outcome.job_id, NOW, JobState.QUEUED)


async def test_however_many_say_it_a_run_is_fired_once(calendar: Calendar) -> None:
    await calendar.make(Overlap.QUEUE)

    answers = await asyncio.gather(*(calendar.fire(NOW) for _ in range(20)))

    assert len([answer for answer in answers if answer is not None]) == 1
    assert await calendar.jobs() == [("queued", NOW)]


async def test_a_firing_for_another_time_or_another_word_changes_nothing(calendar: Calendar) -> None:
    stored = await calendar.make()
    assert await calendar.fire(LATER, expected_at=LATER) is None
    await calendar.store.change(stored, NOW)

    assert await calendar.fire(NOW) is None

    assert (await calendar.found()).schedule.next_at == NOW
    assert await calendar.jobs() == []


async def test_a_change_that_a_firing_overtook_is_not_kept(calendar: Calendar) -> None:
    stored = await calendar.make()
    await calendar.fire(NOW)

    assert not await calendar.store.change(stored, NOW)

    assert (await calendar.found()).schedule.next_at == LATER


async def test_what_is_paused_is_not_fired(calendar: Calendar) -> None:
    stored = await calendar.make()
    over = msgspec.structs.replace(stored.schedule, paused=True, next_at=None)
    assert await calendar.store.change(StoredSchedule(over, stored.revision, NOW, ""), NOW)

    assert await calendar.store.due(LATEST, 10) == []
    assert await calendar.fire(NOW) is None


async def test_skip_leaves_out_a_run_while_a_job_has_not_ended(calendar: Calendar) -> None:
    await calendar.make()
    await calendar.fire(NOW)

    assert await calendar.fire(LATER, expected_at=LATER, next_at=LATEST) == []

    assert await calendar.jobs() == [("queued", NOW)]
    shown = (await calendar.found()).schedule
    assert (shown.counts.fired, shown.counts.skipped, shown.next_at) == (1, 1, LATEST)
    assert shown.message is not None
    assert "is queued" in shown.message
    await calendar.end()
    await calendar.fire(LATEST, expected_at=LATEST, next_at="2026-11-23T12:03:00.000000Z")
    assert await calendar.jobs() == [("finished", NOW), ("queued", LATEST)]
    assert (await calendar.found()).schedule.message is None


async def test_a_job_that_waits_for_its_verdict_has_not_ended(calendar: Calendar) -> None:
    """It may be tried again."""
    await calendar.make()
    await calendar.fire(NOW)
    [leased] = await calendar.bench.claim()
    await calendar.bench.store.finish(ANNA, [report(leased.attempt_id)], NOW)

    assert await calendar.fire(LATER, expected_at=LATER, next_at=LATEST) == []


async def test_queue_lets_one_in_after_the_other(calendar: Calendar) -> None:
    await calendar.make(Overlap.QUEUE)
    await calendar.fire(NOW)
    [outcome] = await calendar.fire(LATER, expected_at=LATER, next_at=LATEST) or []
    assert outcome.state is JobState.WAITING
    assert await calendar.jobs() == [("queued", NOW), ("waiting", LATER)]

    await calendar.end()

    assert await calendar.jobs() == [("finished", NOW), ("queued", LATER)]


async def test_replace_cancels_what_waits_and_what_runs_and_starts_when_it_has_ended(calendar: Calendar) -> None:
    await calendar.make(Overlap.REPLACE)
    await calendar.fire(NOW)
    [leased] = await calendar.bench.claim()
    await calendar.fire(LATER, expected_at=LATER, next_at=LATEST)
    assert await calendar.jobs() == [("assigned", NOW), ("waiting", LATER)]

    cancelled = await calendar.fire(LATEST, expected_at=LATEST, next_at="2026-11-23T12:03:00.000000Z") or []

    assert [outcome.state for outcome in cancelled] == [JobState.ASSIGNED, JobState.CANCELLED, JobState.WAITING]
    held = await calendar.bench.store.attempt(leased.attempt_id)
    assert held is not None
    assert held.cancel_requested
    assert await calendar.jobs() == [("assigned", NOW), ("cancelled", LATER), ("waiting", LATEST)]
    await calendar.bench.store.lose([leased.attempt_id], NOW, "gone")
    for job in await calendar.bench.store.undecided(10):
        await calendar.bench.store.decide([Decision(job.job_id, job.attempt_id, job.state, Verdict.FAILED)], NOW)
    assert await calendar.jobs() == [("cancelled", NOW), ("cancelled", LATER), ("queued", LATEST)]


async def test_runs_that_are_made_up_wait_for_each_other_whatever_the_overlap(calendar: Calendar) -> None:
    await calendar.make()

    await calendar.fire(NOW, LATER, LATEST, next_at="2026-11-23T12:03:00.000000Z")

    assert await calendar.jobs() == [("queued", NOW), ("waiting", LATER), ("waiting", LATEST)]
    assert (await calendar.found()).schedule.counts.skipped == 0


async def test_the_line_of_a_schedule_has_an_end(calendar: Calendar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.storage.sqlite.schedules.RUNS_MAX", 2)
    await calendar.make(Overlap.QUEUE)

    await calendar.fire(NOW, LATER, LATEST, next_at="2026-11-23T12:03:00.000000Z")

    assert await calendar.jobs() == [("queued", NOW), ("waiting", LATER)]
    assert (await calendar.found()).schedule.counts.skipped == 1


async def test_a_run_out_of_turn_leaves_the_next_time_as_it_is(calendar: Calendar) -> None:
    await calendar.make()

    started = await calendar.store.run("default", "poll", 1, calendar.run(None), None)

    assert started is not None
    shown = (await calendar.found()).schedule
    assert (shown.next_at, shown.counts.fired) == (NOW, 1)
    assert await calendar.jobs() == [("queued", None)]
    with pytest.raises(Conflict, match="is queued"):
        await calendar.store.run("default", "poll", 1, calendar.run(None), None)
    assert await calendar.jobs() == [("queued", None)]


async def test_a_run_that_is_asked_for_again_under_its_key_is_the_same(calendar: Calendar) -> None:
    await calendar.make()
    key = Repeatable("me", "k", "body")
    first = await calendar.store.run("default", "poll", 1, calendar.run(None), key)

    again = await calendar.store.run("default", "poll", 1, calendar.run(None), key)

    assert first is not None
    assert again == (first[0], [])
    assert await calendar.jobs() == [("queued", None)]


async def test_the_longest_due_come_first_and_the_next_of_all_is_known(calendar: Calendar) -> None:
    assert await calendar.store.next_at() is None
    await calendar.make(name="b", next_at=LATER)
    await calendar.make(name="a", next_at=LATEST)

    assert await calendar.store.next_at() == LATER
    assert [due.name for due in await calendar.store.due(LATEST, 10)] == ["b", "a"]
    assert [due.name for due in await calendar.store.due(LATER, 10)] == ["b"]


async def test_schedules_are_listed_page_by_page(calendar: Calendar) -> None:
    for name in ("a", "b", "c"):
        await calendar.make(name=name)

    assert [one.name for one in await calendar.store.schedules(None, ("default", "a"), 10)] == ["b", "c"]
    assert [one.name for one in await calendar.store.schedules("default", ("", ""), 2)] == ["a", "b"]
    assert await calendar.store.schedules("elsewhere", ("", ""), 2) == []


async def test_jobs_outlive_their_schedule(calendar: Calendar) -> None:
    await calendar.make()
    await calendar.fire(NOW)

    assert await calendar.store.delete("default", "poll")
    assert not await calendar.store.delete("default", "poll")

    assert await calendar.jobs() == [("queued", NOW)]


@pytest.mark.parametrize("statement", ["due_schedules", "next_due_at", "open_jobs", "schedule", "schedules"])
async def test_an_index_is_read_however_many_schedules_there_are(calendar: Calendar, statement: str) -> None:
    values = dict.fromkeys(("environment", "name", "own", "now"), "x") | {"limit": 1}
    used = {name: value for name, value in values.items() if f":{name}" in SQL[statement]}
    plan = await calendar.bench.rows(f"EXPLAIN QUERY PLAN {SQL[statement]}", **used)

    assert not [line for *_, line in plan if line.startswith("SCAN") or "TEMP B-TREE" in line]


@pytest.mark.parametrize("wanted", [JobFilter(schedule="poll"), JobFilter(schedule="poll", environment="default")])
async def test_the_jobs_of_a_schedule_are_found_by_an_index(calendar: Calendar, wanted: JobFilter) -> None:
    sql, values = _list_statement(wanted)

    plan = await calendar.bench.rows(f"EXPLAIN QUERY PLAN {sql}", **values)

    assert [line for *_, line in plan] == ["SEARCH job USING INDEX job_schedule (schedule=?)"]
