"""Concurrency groups: seats, room that is made, and rates. Source: protocol.md, "concurrency"."""

from datetime import timedelta

import pytest

from rota.protocol.concurrency import Concurrency, Rate
from rota.protocol.ids import JobId
from rota.protocol.job_finished import Reason
from rota.protocol.needs import Need
from rota.protocol.spec import Spec
from rota.protocol.states import JobState
from rota.protocol.wire import parse_timestamp, timestamp
from stores.bench import ANNA, NOW, Bench, report
from stores.submission import children_of, decided, job, offered, run_one, states, submit


def later(seconds: float, at: str = NOW) -> str:
    return timestamp(parse_timestamp(at) + timedelta(seconds=seconds))


def deploy(*, limit: int = 1, cancel: bool = False, **fields: object) -> Spec:
    return Spec(command=["true"], concurrency=Concurrency("deploy", limit, cancel), **fields)  # type: ignore[arg-type]


def call(count: int, per_s: float, limit: int = 1000, **fields: object) -> Spec:
    return Spec(command=["true"], concurrency=Concurrency("api", limit, rate=Rate(count, per_s)), **fields)  # type: ignore[arg-type]


async def test_a_spec_names_its_group_and_its_seats(bench: Bench) -> None:
    jobs = await submit(bench, *[deploy(limit=2)] * 4)
    assert await states(bench, *jobs) == ["queued", "queued", "waiting", "waiting"]

    await run_one(bench)

    assert await states(bench, *jobs) == ["succeeded", "queued", "queued", "waiting"]


async def test_the_newest_cancels_who_waits_and_who_runs_and_gets_in_when_they_have_ended(bench: Bench) -> None:
    running, waiting = await submit(bench, deploy(), deploy())
    [leased] = await bench.claim()
    await bench.store.start(ANNA, [leased.attempt_id])

    submission = await offered(bench, deploy(cancel=True))
    [newest] = submission.job_ids

    assert [(one.job_id, one.state) for one in submission.outcomes] == [
        (running, JobState.RUNNING),
        (waiting, JobState.CANCELLED),
    ]
    assert (await job(bench, waiting)).message == f"Job {newest} took its place in its concurrency group."
    await decided(bench)
    assert await states(bench, running, waiting, newest) == ["running", "cancelled", "waiting"]
    await bench.store.finish(ANNA, [report(leased.attempt_id, Reason.CANCELLED)], NOW)
    assert await states(bench, running, newest) == ["cancelled", "waiting"]
    await decided(bench)
    assert await states(bench, newest) == ["queued"]


async def test_of_several_that_come_at_once_the_last_one_stays(bench: Bench) -> None:
    jobs = await submit(bench, *[deploy(cancel=True)] * 3)

    await decided(bench)

    assert await states(bench, *jobs) == ["cancelled", "cancelled", "queued"]


async def test_who_still_waits_for_a_need_makes_no_room_before_it_comes(bench: Bench) -> None:
    [running] = await submit(bench, deploy(priority=5))
    _, newest = await submit(
        bench, Spec(command=["true"], name="build", priority=9), deploy(cancel=True, needs=[Need(job="build")])
    )
    assert await states(bench, running, newest) == ["queued", "waiting"]

    await run_one(bench)

    assert await states(bench, running, newest) == ["cancelled", "queued"]


async def test_the_parts_of_one_array_leave_each_other_alone(bench: Bench) -> None:
    [older] = await submit(bench, deploy(limit=2))
    [array] = await submit(bench, deploy(limit=2, cancel=True, array=3))
    await decided(bench)

    assert await states(bench, older) == ["cancelled"]
    assert await states(bench, *await children_of(bench, array)) == ["queued", "queued", "waiting"]


async def test_a_group_of_another_environment_is_another_group(bench: Bench) -> None:
    [here] = await submit(bench, deploy())
    await bench.rows("UPDATE job SET environment = 'elsewhere' WHERE id = :job", job=here)

    [there] = await submit(bench, deploy(cancel=True))

    assert await states(bench, here, there) == ["queued", "queued"]


async def let_in(bench: Bench, jobs: list[JobId]) -> int:
    return len([state for state in await states(bench, *jobs) if state != "waiting"])


async def test_a_rate_lets_in_as_many_as_it_says_and_tells_when_the_next_one_comes(bench: Bench) -> None:
    jobs = await submit(bench, *[call(2, 60)] * 5)
    assert await let_in(bench, jobs) == 2
    began = (await job(bench, jobs[0])).submitted_at

    soon = await bench.store.release_due(later(59, began), 100)
    assert soon.outcomes == []
    assert soon.next_ready_at is not None
    assert later(60, began) <= soon.next_ready_at <= later(60.01, began)

    then = await bench.store.release_due(later(60.1, began), 100)
    assert [one.job_id for one in then.outcomes] == jobs[2:4]
    assert await let_in(bench, jobs) == 4
    assert then.next_ready_at is not None
    last = await bench.store.release_due(then.next_ready_at, 100)
    assert [one.job_id for one in last.outcomes] == jobs[4:]
    assert last.next_ready_at is None


async def test_a_rate_is_kept_when_a_verdict_frees_a_seat(bench: Bench) -> None:
    jobs = await submit(bench, *[call(1, 3600, limit=1)] * 2)
    now = (await job(bench, jobs[0])).submitted_at

    await run_one(bench, at=now)

    assert await states(bench, *jobs) == ["succeeded", "waiting"]
    assert len((await bench.store.release_due(later(3601, now), 10)).outcomes) == 1


async def test_the_next_of_a_rated_group_is_the_one_of_the_highest_priority(bench: Bench) -> None:
    first, low, high = await submit(bench, call(1, 60), call(1, 60), call(1, 60, priority=9))
    now = (await job(bench, first)).submitted_at

    await bench.store.release_due(later(61, now), 100)

    assert await states(bench, first, low, high) == ["queued", "waiting", "queued"]


async def test_more_than_a_round_of_a_rated_group_come_in_one_round_after_the_other(bench: Bench) -> None:
    jobs = await submit(bench, *[call(250, 60)] * 500)
    now = later(61, (await job(bench, jobs[0])).submitted_at)

    rounds = [len((await bench.store.release_due(now, 1000)).outcomes) for _ in range(4)]

    assert rounds == [100, 100, 50, 0]


async def test_another_try_counts_as_another_start(bench: Bench) -> None:
    [first] = await submit(bench, call(1, 3600))
    now = (await job(bench, first)).submitted_at
    [leased] = await bench.claim()
    await bench.store.start(ANNA, [leased.attempt_id])
    await bench.store.lose([leased.attempt_id], now, "gone")

    await decided(bench, now)

    assert await states(bench, first) == ["waiting"]
    assert len((await bench.store.release_due(later(3601, now), 10)).outcomes) == 1


@pytest.mark.parametrize("seed", range(3))
async def test_no_window_holds_more_starts_than_its_rate(bench: Bench, seed: int) -> None:
    """Whatever the times at which the porter looks."""
    count, per_s = (3, 10.0)
    jobs = await submit(bench, *[call(count, per_s)] * 20)
    now, starts = (await job(bench, jobs[0])).submitted_at, [0.0] * await let_in(bench, jobs)
    passed = 0.0
    while len(starts) < len(jobs):
        passed += (0.7 + seed * 1.3) % 4
        released = await bench.store.release_due(later(passed, now), 100)
        starts += [passed] * len(released.outcomes)

    windows = zip(starts, starts[count:], strict=False)
    assert all(after - before >= per_s - 0.01 for before, after in windows)
    assert starts[-1] <= (len(jobs) / count) * (per_s + 4)


async def test_what_waits_for_its_turn_has_its_whole_queue_timeout_before_it(bench: Bench) -> None:
    first, second = await submit(bench, deploy(), deploy(queue_timeout_s=60))
    await run_one(bench, at=later(3600))

    assert await bench.store.expire(later(3600), 10) == []
    assert await bench.store.expire(later(3659), 10) == []
    assert await states(bench, first, second) == ["succeeded", "queued"]
    assert await bench.store.expire(later(3661), 10) == [second]
