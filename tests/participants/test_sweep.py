"""A stuck job cannot be: every state that is not an end has a way out by time. Source: guarantees.md, G8, F47."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from participants.clockwork import LEASE_S, Works
from rota.jobs.leases import STUCK_AGAIN_S
from rota.jobs.sweep import sweep
from rota.protocol.ids import AttemptId, JobId
from rota.protocol.spec import Spec
from rota.protocol.states import ENDED, HELD, AttemptState, JobState, Move
from rota.protocol.wire import timestamp
from rota.scheduler.decide import LOSSES_MAX, decide
from rota.storage.sqlite.writer import connect

BY_TIME = {Move.LAPSE, Move.LOSE, Move.EXPIRE, Move.RELEASE, Move.TRY_AGAIN, Move.GIVE_UP}
"""The moves that need no worker and no person: the sweeper's, the porter's and the scheduler's."""
OPEN = [state for state in JobState if state not in ENDED]
WITHOUT_HOLDER = [
    (job, attempt)
    for job in (JobState.ASSIGNED, JobState.RUNNING)
    for attempt in (None, *AttemptState)
    if attempt not in HELD
]
"""What no move leads to, and no time ends: a database that was written to by something else. `rota doctor` finds it."""


@pytest.fixture
async def works(tmp_path: Path) -> AsyncIterator[Works]:
    made = Works(tmp_path)
    made.database.start()
    yield made
    made.database.stop()


@pytest.mark.parametrize("state", OPEN)
def test_every_state_that_is_not_an_end_is_left_by_a_move_that_time_makes(state: JobState) -> None:
    assert [move for move in Move if state in move.leaves and move in BY_TIME]


@pytest.mark.parametrize("cancel", [False, True])
@pytest.mark.parametrize("attempt", [None, *AttemptState])
@pytest.mark.parametrize("state", OPEN)
async def test_a_job_leaves_every_open_state_when_no_worker_answers_any_more(
    works: Works, state: JobState, attempt: AttemptState | None, *, cancel: bool
) -> None:
    """Nobody asks for jobs, renews or reports; only the clock runs, and the scheduler answers."""
    if (state, attempt) in WITHOUT_HOLDER:
        return  # see WITHOUT_HOLDER
    job = await works.put(state, attempt, cancel=cancel)
    await works.jobs.start()

    await works.after(LEASE_S + 1, decide)

    left = await works.state_of(job)
    if state is JobState.QUEUED:
        assert left is JobState.QUEUED
    else:
        assert left in {JobState.QUEUED, JobState.LOST, JobState.CANCELLED}
        assert not await held(works)
    await works.after(2 * 3600, decide)  # what ran has its whole queue timeout again
    assert await works.state_of(job) in ENDED


async def test_a_job_without_a_queue_timeout_waits_for_a_worker_for_ever(works: Works) -> None:
    """By design: a person who gave no limit may bring the fitting worker next week."""
    [job] = await works.submit(Spec(command=["true"]))
    await works.jobs.start()

    await works.after(24 * 3600, decide)

    assert await works.state_of(job) is JobState.QUEUED


async def test_what_ran_waits_for_the_scheduler_and_goes_on_with_its_first_word(works: Works) -> None:
    job = await works.put(JobState.RUNNING, AttemptState.RUNNING)
    await works.jobs.start()

    await works.after(24 * 3600)
    assert await works.state_of(job) is JobState.WAITING
    await works.after(1, decide, steps=1)

    assert await works.state_of(job) is JobState.QUEUED


async def test_a_job_that_every_worker_dies_of_ends(works: Works) -> None:
    [job] = await works.submit(Spec(command=["true"]))
    await works.jobs.start()
    rounds = 0
    while await works.state_of(job) is JobState.QUEUED:
        [leased] = await works.claim()
        await works.rows("UPDATE attempt SET state = 'running' WHERE id = :id", id=leased.attempt_id)
        await works.rows("UPDATE job SET state = 'running' WHERE id = :id", id=job)
        await works.jobs.start()
        await works.after(LEASE_S + 1, decide)
        rounds += 1

    assert (rounds, await works.state_of(job)) == (LOSSES_MAX, JobState.LOST)


@pytest.mark.parametrize("broken", ["DELETE FROM queue_key", "UPDATE queue_key SET demand = '['"])
async def test_a_batch_full_of_rows_that_cannot_be_requeued_does_not_starve_the_others(
    works: Works, broken: str
) -> None:
    """More of them than one sweep takes, and all of them before the others. Source: guarantees.md, F47."""
    bad, good = await many(works, 1100), await many(works, 50)
    await works.jobs.start()
    with contextlib.closing(connect(works.folder / "rota.db")) as elsewhere:
        elsewhere.execute("PRAGMA foreign_keys = OFF")
        elsewhere.execute("INSERT INTO queue_key SELECT id + 1, 'whole', executor, demand FROM queue_key")
        elsewhere.execute("UPDATE job SET queue_key = queue_key + 1 WHERE id >= ?", (good[0],))
        elsewhere.execute(f"{broken} WHERE environment = 'default'")

    await works.after(2 * LEASE_S, decide)

    assert {await works.state_of(job) for job in good} == {JobState.QUEUED}
    assert {await works.state_of(job) for job in bad} == {JobState.ASSIGNED}
    assert len(works.jobs.leases.stuck) == len(bad)
    await works.rows("INSERT OR REPLACE INTO queue_key VALUES (1, 'default', 'process', '{}')")
    await works.after(2 * STUCK_AGAIN_S, decide)
    assert {await works.state_of(job) for job in bad} == {JobState.QUEUED}


async def test_two_sweepers_at_once_move_each_job_once(works: Works) -> None:
    jobs = await many(works, 200)
    await works.jobs.start()
    works.clock.passed_s += LEASE_S + 1

    await asyncio.gather(*(works.jobs.sweep() for _ in range(5)))

    assert {await works.state_of(job) for job in jobs} == {JobState.QUEUED}
    rows = await works.rows("SELECT trace FROM attempt")
    assert {trace.count('"lost"') for (trace,) in rows} == {1}
    assert {lapses for (lapses,) in await works.rows("SELECT lapses FROM job")} == {1}


async def test_a_sweeper_that_dies_in_the_middle_leaves_the_rest_to_the_next(works: Works) -> None:
    jobs = await many(works, 2500)
    await works.jobs.start()
    works.clock.passed_s += LEASE_S + 1

    for turns in (3, 5, 8):
        dying = asyncio.ensure_future(sweep(works.jobs, works.clock))
        for _ in range(turns):
            await works.rows("SELECT 1")
        dying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await dying
    await works.after(5)

    assert {await works.state_of(job) for job in jobs} == {JobState.QUEUED}
    assert {trace.count('"lost"') for (trace,) in await works.rows("SELECT trace FROM attempt")} == {1}
    assert not works.jobs.leases.overdue(works.clock.monotonic())


async def many(works: Works, count: int) -> list[JobId]:
    """Jobs that a worker was given and never started."""
    until = timestamp(works.clock.now() + timedelta(days=1))
    jobs = await works.submit(*[Spec(command=["true"], queue_timeout_s=86_400)] * count, expires_at=until)
    assert len(await works.claim(count)) == count
    return jobs


async def held(works: Works) -> list[AttemptId]:
    """What a worker holds."""
    return [one.attempt_id for one in await works.store.held()]
