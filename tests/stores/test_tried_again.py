"""The scheduler's word to try again, in the store: once, for the end that it was given for. Source: decision 0019."""

from rota.protocol.decide import Decision
from rota.protocol.ids import AttemptId, JobId
from rota.protocol.retry import Retry, Rule
from rota.protocol.spec import Spec
from rota.protocol.states import JobState, Verdict
from stores.bench import ANNA, NOW, Bench, report

LATER = "2026-11-23T12:00:30.000000Z"
SPEC = Spec(command=["false"], retry=Retry(9, [Rule(exit_codes=[1])]))


async def failed(bench: Bench) -> tuple[JobId, AttemptId]:
    [job] = await bench.submit(SPEC)
    [leased] = await bench.claim()
    await bench.store.finish(ANNA, [report(leased.attempt_id, exit_code=1)], NOW)
    return job, leased.attempt_id


async def test_the_same_word_again_changes_nothing(bench: Bench) -> None:
    job, attempt = await failed(bench)
    word = Decision(job, attempt, JobState.FINISHED, None, "again", 60, 0, {"site": "b"})
    first = await bench.store.decide([word], NOW)
    before = await bench.rows("SELECT * FROM job"), await bench.rows("SELECT * FROM retried")

    assert await bench.store.decide([word, word], LATER) == []

    assert [outcome.state for outcome in first] == [JobState.WAITING]
    assert (await bench.rows("SELECT * FROM job"), await bench.rows("SELECT * FROM retried")) == before
    assert await bench.rows("SELECT by_rule FROM retried") == [("[1]",)]


async def test_after_a_verdict_no_word_to_try_again_counts(bench: Bench) -> None:
    job, attempt = await failed(bench)
    await bench.store.decide([Decision(job, attempt, JobState.FINISHED, Verdict.FAILED)], NOW)

    assert await bench.store.decide([Decision(job, attempt, JobState.FINISHED, None)], NOW) == []

    assert await bench.state_of(job) == JobState.FINISHED
    assert await bench.rows("SELECT verdict, undecided FROM job") == [("failed", 0)]


async def test_a_word_on_another_end_says_nothing(bench: Bench) -> None:
    job, attempt = await failed(bench)

    for word in (
        Decision(job, AttemptId("x"), JobState.FINISHED, None),
        Decision(job, attempt, JobState.WAITING, None),
    ):
        assert await bench.store.decide([word], NOW) == []

    [ended] = await bench.store.undecided(10)
    assert (ended.job_id, ended.tries, ended.by_rule) == (job, 1, [])


async def test_what_somebody_cancelled_is_not_tried_again_and_stays_undecided_until_the_verdict(bench: Bench) -> None:
    job, attempt = await failed(bench)
    await bench.store.cancel(job)

    assert await bench.store.decide([Decision(job, attempt, JobState.FINISHED, None)], NOW) == []

    [ended] = await bench.store.undecided(10)
    assert ended.cancel_requested
