"""The gate: who waits, for what, and who is next. Source: protocol.md, "waiting"; issue of the scheduler."""

import pytest

from rota.protocol.decide import Decision
from rota.protocol.ids import JobId
from rota.protocol.spec import Spec
from rota.protocol.states import JobState, Verdict
from rota.storage.sqlite.gate import SQL
from rota.storage.stores.holds import Hold
from stores.bench import ANNA, NOW, Bench, report

EARLIER, LATER = "2026-11-23T11:59:59.999999Z", "2026-11-23T12:00:00.000001Z"
TRUE = Spec(command=["true"])


async def state(bench: Bench, *jobs: JobId) -> list[str]:
    return [str(await bench.state_of(job)) for job in jobs]


async def end(bench: Bench, *, verdict: Verdict | None = Verdict.SUCCEEDED, delay_s: float = 0) -> None:
    """The next job runs and is decided."""
    [leased] = await bench.claim()
    await bench.store.finish(ANNA, [report(leased.attempt_id)], NOW)
    word = Decision(leased.job_id, leased.attempt_id, JobState.FINISHED, verdict, delay_s=delay_s)
    await bench.store.decide([word], NOW)


async def test_a_job_is_queued_when_its_time_has_come_and_not_before(bench: Bench) -> None:
    [early] = await bench.submit(TRUE, hold=Hold(ready_at="2999-01-01T00:00:00.000000Z"))
    await bench.rows("UPDATE job SET ready_at = :at WHERE id = :job", at=NOW, job=early)

    before = await bench.store.release_due(EARLIER, 10)
    assert (before.outcomes, before.next_ready_at, await state(bench, early)) == ([], NOW, ["waiting"])

    then = await bench.store.release_due(NOW, 10)
    assert [outcome.job_id for outcome in then.outcomes] == [early]
    assert (then.next_ready_at, await state(bench, early)) == (None, ["queued"])


async def test_a_job_whose_time_has_passed_already_is_queued_at_once(bench: Bench) -> None:
    [job] = await bench.submit(TRUE, hold=Hold(ready_at=EARLIER))

    assert await state(bench, job) == ["queued"]


async def test_what_needs_another_job_waits_whatever_the_time(bench: Bench) -> None:
    [job] = await bench.submit(TRUE, hold=Hold(unmet=1, ready_at=EARLIER))

    assert (await bench.store.release_due(LATER, 10)).outcomes == []
    assert await state(bench, job) == ["waiting"]


async def test_as_many_of_a_group_are_let_in_as_it_has_seats(bench: Bench) -> None:
    jobs = await bench.submit(TRUE, TRUE, TRUE, hold=Hold(group_name="deploy", group_limit=2))

    assert await state(bench, *jobs) == ["queued", "queued", "waiting"]


async def test_a_seat_is_kept_until_the_verdict_and_then_taken_by_the_next(bench: Bench) -> None:
    jobs = await bench.submit(TRUE, TRUE, TRUE, hold=Hold(group_name="deploy", group_limit=1))
    [leased] = await bench.claim(slots=3)
    await bench.store.finish(ANNA, [report(leased.attempt_id)], NOW)
    assert await state(bench, *jobs) == ["finished", "waiting", "waiting"]

    word = Decision(jobs[0], leased.attempt_id, JobState.FINISHED, Verdict.FAILED)
    outcomes = await bench.store.decide([word, word], NOW)

    assert [outcome.job_id for outcome in outcomes] == [jobs[0], jobs[1]]
    assert await state(bench, *jobs) == ["finished", "queued", "waiting"]


async def test_who_is_tried_again_keeps_the_seat(bench: Bench) -> None:
    first, second = await bench.submit(TRUE, TRUE, hold=Hold(group_name="deploy", group_limit=1))
    await end(bench, verdict=None, delay_s=60)

    assert await state(bench, first, second) == ["waiting", "waiting"]
    await bench.store.release_due("2026-11-23T12:01:00.000000Z", 10)
    assert await state(bench, first, second) == ["queued", "waiting"]


async def test_who_is_tried_again_at_once_is_queued_by_the_same_word(bench: Bench) -> None:
    [job] = await bench.submit(TRUE)
    await end(bench, verdict=None)

    found = await bench.store.job(job)
    assert found is not None
    assert (found.state, found.result, len(found.attempts)) == (JobState.QUEUED, None, 1)


async def test_a_group_is_one_of_its_environment(bench: Bench) -> None:
    [here] = await bench.submit(TRUE, hold=Hold(group_name="deploy", group_limit=1))
    await bench.rows("UPDATE job SET environment = 'elsewhere' WHERE id = :job", job=here)
    [there] = await bench.submit(TRUE, hold=Hold(group_name="deploy", group_limit=1))

    assert await state(bench, here, there) == ["queued", "queued"]


async def test_the_next_of_a_group_is_the_one_of_the_highest_priority(bench: Bench) -> None:
    hold = Hold(group_name="deploy", group_limit=1)
    first, low, high = await bench.submit(TRUE, TRUE, Spec(command=["true"], priority=5), hold=hold)
    await end(bench)

    assert await state(bench, first, low, high) == ["finished", "waiting", "queued"]


async def test_parts_of_an_array_have_seats_of_their_own(bench: Bench) -> None:
    [parent] = await bench.submit(TRUE, hold=Hold(unmet=1))
    parts = await bench.submit(TRUE, TRUE, TRUE, hold=Hold(parent_id=parent, parallel_max=2))
    assert await state(bench, *parts) == ["queued", "queued", "waiting"]

    await end(bench)

    assert await state(bench, *parts) == ["finished", "queued", "queued"]


async def test_a_part_that_waits_for_its_group_does_not_hold_the_seats_of_its_array(bench: Bench) -> None:
    [parent] = await bench.submit(TRUE, hold=Hold(unmet=1))
    await bench.submit(TRUE, hold=Hold(group_name="deploy", group_limit=1))
    [grouped] = await bench.submit(
        TRUE, hold=Hold(group_name="deploy", group_limit=1, parent_id=parent, parallel_max=1)
    )
    [free] = await bench.submit(TRUE, hold=Hold(parent_id=parent, parallel_max=1))

    assert await state(bench, grouped, free) == ["waiting", "queued"]


async def test_a_persons_retry_queues_behind_the_seats_that_are_taken(bench: Bench) -> None:
    first, second = await bench.submit(TRUE, TRUE, hold=Hold(group_name="deploy", group_limit=1))
    await end(bench)
    await bench.store.retry(first, None, NOW)

    assert await state(bench, first, second) == ["waiting", "queued"]


@pytest.mark.parametrize("statement", ["due", "next_ready_at", "next_of_group", "next_parts", "release"])
async def test_the_gate_reads_an_index_however_many_jobs_wait(bench: Bench, statement: str) -> None:
    values = dict.fromkeys(("now", "environment", "group_name", "parent", "job"), "x") | {"limit": 1}
    used = {name: value for name, value in values.items() if f":{name}" in SQL[statement]}
    plan = await bench.rows(f"EXPLAIN QUERY PLAN {SQL[statement]}", **used)

    assert not [line for *_, line in plan if line.startswith("SCAN") or "TEMP B-TREE" in line]
