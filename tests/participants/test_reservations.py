"""Resources are counted at the claim; a large job is not starved by small ones. Source: protocol.md, "Resources"."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from participants.yard import Yard
from rota.protocol.get_job import Given
from rota.protocol.ids import JobId
from rota.protocol.placement import WorkerFacts
from rota.protocol.refuse_job import Refusal
from rota.protocol.status import WorkerStatus


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    made = Yard(tmp_path)
    made.database.start()
    await made.jobs.start()
    yield made
    made.database.stop()


async def test_a_worker_is_given_what_it_has_room_for(yard: Yard) -> None:
    anna = yard.worker("anna", cpus=4, memory_bytes=8)
    jobs = await yard.queue(5, cpus=1.5)

    assert await yard.given(anna, 9) == jobs[:2]
    assert await yard.given(anna, 9) == []
    await yard.end(anna, jobs[0])
    assert await yard.given(anna, 9) == [jobs[2]]


async def test_what_has_no_room_is_passed_over_and_smaller_ones_go_before_it(yard: Yard) -> None:
    anna = yard.worker("anna", cpus=4)
    [held] = await yard.queue(cpus=3)
    assert await yard.given(anna) == [held]
    [large] = await yard.queue(cpus=2)
    [small] = await yard.queue(cpus=1)
    [free] = await yard.queue()

    given = await yard.ask(anna, 9)

    assert [offer.job_id for offer in given.jobs] == [small, free]
    assert given.is_short
    assert await yard.keepers() == {}
    await yard.end(anna, held)
    assert await yard.given(anna) == [large]


async def test_a_job_that_asks_for_nothing_costs_a_slot_alone(yard: Yard) -> None:
    anna = yard.worker("anna", cpus=1)
    [counted] = await yard.queue(cpus=1)
    free = await yard.queue(3)

    assert await yard.given(anna, 4) == [counted, *free]


async def test_a_worker_that_offers_nothing_is_given_what_asks_for_nothing(yard: Yard) -> None:
    old = yard.worker("old")
    await yard.queue(cpus=1)
    [free] = await yard.queue()

    assert await yard.given(old, 9) == [free]
    assert not (await yard.ask(old, 9)).is_short


async def test_a_job_larger_than_any_worker_waits_and_stops_nobody(yard: Yard) -> None:
    anna = yard.worker("anna", cpus=4)
    [huge] = await yard.queue(cpus=1000)
    small = await yard.queue(3, cpus=1)
    yard.clock.passed_s += 10_000

    assert await yard.given(anna, 9) == small
    assert await yard.state_of(huge) == "queued"
    assert await yard.keepers() == {}


async def test_what_comes_back_or_is_lost_is_counted_no_more(yard: Yard) -> None:
    anna = yard.worker("anna", cpus=4)
    [first] = await yard.queue(cpus=4)
    assert await yard.given(anna) == [first]
    [second] = await yard.queue(cpus=4)
    attempt = await yard.attempt_of(first)

    await yard.jobs.refuse_job(anna.worker_id, [Refusal(attempt, "no")])
    assert await yard.given(anna) == [first]
    await yard.jobs.lose([await yard.attempt_of(first)], "gone")
    assert await yard.given(yard.worker("bert", cpus=4)) == [first]
    assert await yard.given(anna) == [second]


async def test_the_same_request_gives_the_same_and_counts_it_once(yard: Yard) -> None:
    anna = yard.worker("anna", cpus=4)
    await yard.queue(4, cpus=2)
    first = await yard.ask(anna, 9, "r")

    again = await yard.ask(anna, 9, "r")

    assert [offer.attempt_id for offer in again.jobs] == [offer.attempt_id for offer in first.jobs]
    assert len(first.jobs) == 2
    assert await yard.given(anna, 9) == []


async def fill(yard: Yard, worker: WorkerFacts) -> list[JobId]:
    """Small jobs on all its CPUs."""
    jobs = await yard.queue(int(worker.resources["cpus"]), cpus=1)
    assert await yard.given(worker, 99) == jobs
    return jobs


async def test_a_job_that_asks_for_all_of_a_worker_gets_its_turn_under_a_stream_of_small_ones(yard: Yard) -> None:
    """Within the time that it is passed over and the time that what then runs still takes."""
    anna = yard.worker("anna", cpus=4)
    running = await fill(yard, anna)
    [large] = await yard.queue(cpus=4)
    given: list[JobId] = []
    second = 0
    while large not in given and second < 200:
        await yard.queue(2, cpus=1)
        if second % 5 == 0:
            await yard.end(anna, running.pop(0))
        given = await yard.given(anna, 9)
        running += given
        yard.clock.passed_s += 1
        second += 1

    assert running == [large]
    assert 60 <= second <= 60 + 4 * 5 + 1


async def test_only_one_worker_keeps_itself_free_for_a_job_and_the_others_go_on(yard: Yard) -> None:
    anna, bert = yard.worker("anna", cpus=4), yard.worker("bert", cpus=4)
    await fill(yard, anna)
    on_bert = await fill(yard, bert)
    [large] = await yard.queue(cpus=4)
    assert await yard.given(anna) == []
    yard.clock.passed_s += 61

    assert await yard.given(anna) == []
    small = await yard.queue(2, cpus=1)
    await yard.end(bert, *on_bert[:2])

    assert await yard.keepers() == {"anna": large}
    assert await yard.given(bert, 9) == small
    assert await yard.keepers() == {"anna": large}


async def test_who_keeps_itself_free_takes_what_stands_before_the_job_and_nothing_behind(yard: Yard) -> None:
    anna = yard.worker("anna", cpus=4)
    [first, *_] = await fill(yard, anna)
    [large] = await yard.queue(cpus=4)
    await yard.given(anna)
    yard.clock.passed_s += 61
    await yard.given(anna)
    await yard.end(anna, first)
    [behind] = await yard.queue(cpus=1)
    [free] = await yard.queue()
    [before] = await yard.queue(priority=5, cpus=1)

    assert await yard.given(anna, 9) == [before]
    assert await yard.keepers() == {"anna": large}
    assert {await yard.state_of(behind), await yard.state_of(free)} == {"queued"}


async def test_one_of_the_same_size_that_came_before_it_is_waited_for_as_well(yard: Yard) -> None:
    anna = yard.worker("anna", cpus=4)
    [first, *_] = await fill(yard, anna)
    await yard.queue(cpus=4)
    await yard.given(anna)
    yard.clock.passed_s += 61
    await yard.given(anna)
    await yard.end(anna, first)
    await yard.queue(priority=5, cpus=4)
    await yard.queue(cpus=1)

    assert await yard.given(anna, 9) == []


async def test_a_worker_keeps_itself_free_for_the_first_of_those_that_wait_too_long(yard: Yard) -> None:
    anna = yard.worker("anna", cpus=4)
    await fill(yard, anna)
    [later] = await yard.queue(cpus=4)
    await yard.given(anna)
    yard.clock.passed_s += 61
    await yard.given(anna)
    assert await yard.keepers() == {"anna": later}
    [sooner] = await yard.queue(priority=5, cpus=3)
    await yard.given(anna)
    yard.clock.passed_s += 61

    await yard.given(anna)

    assert await yard.keepers() == {"anna": sooner}


async def reserved(yard: Yard) -> tuple[WorkerFacts, JobId]:
    """A worker that keeps itself free for a job, with a job that runs and one that waits behind."""
    anna = yard.worker("anna", cpus=4)
    await fill(yard, anna)
    [large] = await yard.queue(cpus=4)
    await yard.given(anna)
    yard.clock.passed_s += 61
    await yard.given(anna)
    assert await yard.keepers() == {"anna": large}
    return anna, large


@pytest.mark.parametrize("why", ["lost", "offline", "draining", "drain asked for", "unknown"])
async def test_it_ends_when_its_worker_is_lost_leaves_or_is_told_to(yard: Yard, why: str) -> None:
    anna, large = await reserved(yard)
    if why == "unknown":
        del yard.register.said[anna.worker_id]
    elif why == "drain asked for":
        yard.say(anna, WorkerStatus.WORKING, draining=True)
    else:
        yard.say(anna, WorkerStatus(why))
    yard.clock.passed_s += 6

    await yard.jobs.sweep()

    assert await yard.keepers() == {}
    await yard.given(anna, 9)  # it has not heard of it yet
    assert await yard.keepers() == {}
    bert = yard.worker("bert", cpus=4)
    await fill_behind(yard, bert)
    await yard.given(bert, 9)
    assert await yard.keepers() == {"bert": large}


async def fill_behind(yard: Yard, worker: WorkerFacts) -> None:
    """Something runs on the worker already, whatever waits."""
    [job] = await yard.queue(priority=100, cpus=2)
    assert await yard.given(worker) == [job]


async def test_it_stays_while_the_registry_cannot_be_asked(yard: Yard) -> None:
    _, large = await reserved(yard)
    yard.register.is_away = True
    yard.clock.passed_s += 6

    await yard.jobs.sweep()

    assert await yard.keepers() == {"anna": large}


@pytest.mark.parametrize("how", ["taken", "cancelled", "retried"])
async def test_it_ends_with_its_job_and_the_worker_is_told(yard: Yard, how: str) -> None:
    anna, large = await reserved(yard)
    await yard.jobs.sweep()
    mark = (await yard.jobs.arrivals(-1, 0)).mark
    if how == "taken":
        assert await yard.given(yard.worker("bert", cpus=4)) == [large]
    else:
        await yard.store.cancel(large)

    await yard.jobs.sweep()

    assert await yard.keepers() == {}
    assert (await yard.jobs.arrivals(mark, 0)).freed == [anna.worker_id]
    [first, *_] = await yard.rows("SELECT id FROM job WHERE state = 'assigned' ORDER BY id")
    await yard.end(anna, first[0])
    [small] = await yard.queue(cpus=1)
    assert await yard.given(anna, 9) == [small]
    if how == "retried":
        await yard.rows("UPDATE job SET verdict = 'failed', undecided = 0 WHERE id = :job", job=large)
        await yard.store.retry(large, None, "2026-11-23T12:00:00.000000Z")
        assert await yard.state_of(large) == "queued"
        await yard.given(anna, 9)
        assert await yard.keepers() == {}  # it waits anew


async def test_what_was_taken_and_is_given_back_waits_anew(yard: Yard) -> None:
    anna, large = await reserved(yard)
    bert = yard.worker("bert", cpus=4)
    assert await yard.given(bert) == [large]
    assert await yard.keepers() == {}

    await yard.jobs.refuse_job(bert.worker_id, [Refusal(await yard.attempt_of(large), "no")])
    await yard.given(anna)

    assert await yard.keepers() == {}


async def test_a_worker_that_was_short_is_told_when_it_holds_less(yard: Yard) -> None:
    anna, bert = yard.worker("anna", cpus=4), yard.worker("bert", cpus=4)
    [first, *_] = await fill(yard, anna)
    [second, *_] = await fill(yard, bert)
    [large] = await yard.queue(cpus=2)
    assert (await yard.ask(anna)).is_short
    mark = (await yard.jobs.arrivals(-1, 0)).mark

    await yard.end(bert, second)  # who was not short hears nothing
    await yard.end(anna, first)

    assert (await yard.jobs.arrivals(mark, 0)).freed == [anna.worker_id]
    assert await yard.state_of(large) == "queued"


async def test_who_has_all_slots_full_is_not_short(yard: Yard) -> None:
    anna = yard.worker("anna", cpus=4)
    await yard.queue(2, cpus=3)

    given = await yard.ask(anna, 1)

    assert (len(given.jobs), given.is_short) == (1, False)
    assert await yard.ask(anna, 1) == Given([], is_short=True)


async def test_of_equal_turns_the_one_that_prefers_the_worker_is_first(yard: Yard) -> None:
    lab = yard.worker("lab", labels={"site": "lab", "gpu": "no"})
    [one] = await yard.prefer("one", {})
    [two] = await yard.prefer("two", {"site": "lab"})
    [three] = await yard.prefer("three", {"site": "lab", "gpu": "no"})
    [urgent] = await yard.queue(priority=1)

    assert await yard.given(lab, 9) == [urgent, three, two, one]


async def test_a_submitters_turn_goes_to_the_job_that_prefers_the_worker(yard: Yard) -> None:
    """And with it no turn of anybody else."""
    lab, office = yard.worker("lab", labels={"site": "lab"}), yard.worker("office", labels={"site": "office"})
    for_lab = await yard.prefer("me", {"site": "lab"}, 3)
    for_office = await yard.prefer("me", {"site": "office"}, 3)
    [other] = await yard.prefer("other", {})

    assert await yard.given(office, 2) == [for_office[0], other]
    assert await yard.given(lab) == [for_lab[1]]
    assert await yard.given(office, 2) == for_office[1:]
    assert set(await yard.given(office, 9)) == {for_lab[0], for_lab[2]}


async def test_every_job_is_given_once_however_they_change_places(yard: Yard) -> None:
    workers = [yard.worker(site, labels={"site": site}, cpus=3) for site in ("lab", "office", "attic")]
    jobs = []
    for number in range(30):
        site = ("lab", "office", "nowhere")[number % 3]
        jobs += await yard.prefer(f"by{number % 2}", {"site": site}, 2, **({"cpus": 1} if number % 5 else {}))
    given = []
    for turn in range(200):
        worker = workers[turn % 3]
        now = await yard.given(worker, 1 + turn % 3)
        given += now
        if now:
            await yard.end(worker, *now)

    assert sorted(given) == sorted(jobs)


async def test_a_job_is_not_overtaken_by_what_was_queued_later_than_with_it(yard: Yard) -> None:
    lab = yard.worker("lab", labels={"site": "lab"})
    [first] = await yard.prefer("me", {})
    await yard.rows("UPDATE job SET queued_at = '2026-11-23T12:00:00.000000Z' WHERE id = :job", job=first)
    [second] = await yard.prefer("me", {"site": "lab"})

    assert await yard.given(lab, 9) == [first, second]


async def test_of_two_that_prefer_it_the_one_without_room_is_passed_over(yard: Yard) -> None:
    lab = yard.worker("lab", labels={"site": "lab"}, cpus=1)
    plain = await yard.queue(2)
    [large, small] = await yard.prefer("me", {"site": "lab"}, 2, cpus=1)

    given = await yard.given(lab, 9)

    assert given[0] == large
    assert set(given[1:]) == set(plain)
    assert await yard.state_of(small) == "queued"
