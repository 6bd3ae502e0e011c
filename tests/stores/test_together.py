"""Retries, needs, arrays, groups and schedules in one job: what each alone keeps, they keep together."""

from datetime import UTC, datetime, timedelta

from rota.protocol.concurrency import Concurrency, Rate
from rota.protocol.fire import Firing
from rota.protocol.ids import JobId
from rota.protocol.retry import Retry, RetryReason, Rule
from rota.protocol.schedule import Missed, Overlap, Schedule
from rota.protocol.spec import Spec
from rota.protocol.wire import parse_timestamp, timestamp
from rota.scheduler.decide import decide
from rota.storage.sqlite.schedules import SqliteSchedules
from rota.storage.stores.holds import Hold
from rota.storage.stores.jobs import NewJob
from rota.storage.stores.schedules import Run, StoredSchedule
from stores.bench import ANNA, KEY, NOW, WORLD, Bench, report
from stores.submission import children_of, decided, named, run_all, run_one, states, submit

TRUE = ["true"]


def later(seconds: float, at: str = NOW) -> str:
    return timestamp(parse_timestamp(at) + timedelta(seconds=seconds))


async def test_a_part_between_its_end_and_its_verdict_is_cancelled_with_its_array(bench: Bench) -> None:
    [array] = await submit(bench, Spec(command=TRUE, array=2, retry=Retry(max_attempts=3)))
    [leased] = await bench.claim()
    await bench.store.finish(ANNA, [report(leased.attempt_id, exit_code=1)], NOW)

    await bench.store.cancel_parts(array)
    await decided(bench)

    assert not {"queued", "waiting"} & set(await states(bench, array, *await children_of(bench, array)))


async def test_the_first_part_that_fails_stops_one_that_would_have_been_tried_again(bench: Bench) -> None:
    retry = Retry(max_attempts=2, on=[Rule(exit_codes=[75])])
    [array] = await submit(bench, Spec(command=TRUE, array=2, fail_fast=True, retry=retry))
    fails, again = await bench.claim(slots=2)
    await bench.store.finish(ANNA, [report(fails.attempt_id, exit_code=1)], NOW)
    await bench.store.finish(ANNA, [report(again.attempt_id, exit_code=75)], NOW)

    await decided(bench)

    assert "queued" not in await states(bench, *await children_of(bench, array))


async def test_a_submission_that_is_given_up_takes_along_who_would_have_been_tried_again(bench: Bench) -> None:
    a, b, c = await submit(
        bench, named("a"), named("b", retry=Retry(max_attempts=3)), named("c", "a", on_unmet="cancel")
    )
    first, second = await bench.claim(slots=2)
    await bench.store.finish(ANNA, [report(second.attempt_id, exit_code=1)], NOW)
    await bench.store.finish(ANNA, [report(first.attempt_id, exit_code=1)], NOW)
    ended = await bench.store.undecided(10)
    await bench.store.decide([decide(one) for one in ended if one.job_id == a], NOW)

    await decided(bench)

    assert "queued" not in await states(bench, a, b, c)


async def test_an_array_still_waits_for_its_needs_when_one_part_is_run_again(bench: Bench) -> None:
    build, array = await submit(bench, named("build"), named("parts", "build", array=2))
    parts = await children_of(bench, array)
    await bench.store.cancel(parts[0])
    await decided(bench)

    await bench.store.retry(parts[0], None, NOW)
    await run_all(bench)

    assert await states(bench, build, *parts, array) == ["succeeded"] * 4


async def test_a_part_that_waits_for_its_array_leaves_a_seat_of_the_group_to_who_is_behind(bench: Bench) -> None:
    group = Concurrency("g", 2)
    await submit(bench, Spec(command=["x"], concurrency=group))
    await submit(bench, Spec(command=["p"], concurrency=group, array=3, max_parallel=1))
    [behind] = await submit(bench, Spec(command=["j"], concurrency=group))

    await run_one(bench)

    assert await states(bench, behind) == ["queued"]


async def test_who_is_tried_again_gets_through_a_rate_before_who_waits_for_the_seat(bench: Bench) -> None:
    group = Concurrency("api", 1, rate=Rate(1, 60))
    [seated] = await submit(bench, Spec(command=["b"], concurrency=group, retry=Retry(max_attempts=3)))
    await submit(bench, Spec(command=["a"], concurrency=group, priority=10))
    [(at_s,)] = await bench.rows("SELECT at_s FROM group_start")
    began = timestamp(datetime.fromtimestamp(at_s, UTC))
    [leased] = await bench.claim()
    await bench.store.finish(ANNA, [report(leased.attempt_id, exit_code=1)], later(1, began))
    await bench.store.decide([decide(one) for one in await bench.store.undecided(10)], later(1, began))

    await bench.store.release_due(later(61, began), 100)

    assert await states(bench, seated) == ["queued"]


async def test_a_scheduled_job_tells_whom_it_supersedes(bench: Bench) -> None:
    store = SqliteSchedules(bench.database)
    spec = Spec(command=TRUE, concurrency=Concurrency("deploy", 1, cancel_in_progress=True))
    [running] = await submit(bench, spec)
    await bench.claim()
    made = Schedule(
        "poll", "default", None, 60, "UTC", spec, Overlap.SKIP, Missed.SKIP, paused=False, next_at=NOW, created_at=NOW,
        submitted_by="me",
    )  # fmt: skip
    assert await store.insert(StoredSchedule(made, 1, NOW, ""))
    hold = Hold(group_name="deploy", group_limit=1, supersedes=True)
    run = Run([NewJob(JobId(WORLD.new_id()), spec, KEY, NOW, "me", None, hold=hold)], NOW)

    told = await store.fire(Firing("default", "poll", 1, NOW, [NOW], 0, later(60)), [run], None)

    assert told is not None
    assert running in {outcome.job_id for outcome in told}


async def test_a_persons_retry_counts_rules_anew_also_after_refusals_alone(bench: Bench) -> None:
    rule = Rule(reasons=[RetryReason.REFUSED], requires={"a": "b"}, max=1)
    [job] = await submit(bench, Spec(command=TRUE, retry=Retry(max_attempts=3, on=[rule])))
    [leased] = await bench.claim()
    await bench.store.refuse(ANNA, [(leased.attempt_id, "no")], NOW)
    await decided(bench)
    await bench.store.cancel(job)
    await decided(bench)

    await bench.store.retry(job, None, NOW)

    assert await bench.rows("SELECT by_rule FROM retried WHERE job_id = :job", job=job) == [("[]",)]


async def test_what_ends_only_after_its_deadline_has_failed_whatever_it_brought(bench: Bench) -> None:
    [job] = await submit(bench, Spec(command=TRUE))
    await bench.rows("UPDATE job SET deadline_at = :at WHERE id = :job", at=NOW, job=job)
    [leased] = await bench.claim()
    await bench.store.overdue(later(1), 10)

    await bench.store.finish(ANNA, [report(leased.attempt_id)], later(2))
    await decided(bench)

    found = await bench.store.job(job)
    assert found is not None
    assert (found.state, found.verdict, found.message) == ("finished", "failed", "It had not ended by its deadline.")
