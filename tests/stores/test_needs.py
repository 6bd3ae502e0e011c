"""Needs: a verdict lets in who waited for it, and skips who waited in vain. Source: protocol.md, "needs"."""

import hashlib

import apsw
import msgspec
import pytest

from rota.protocol.concurrency import Concurrency
from rota.protocol.ids import JobId
from rota.protocol.job_finished import ArtifactReport, Finished, LogReport, Reason, ReportedResult
from rota.protocol.needs import ArtifactOf, Need, On, ResultOf
from rota.protocol.problems import InvalidRequest
from rota.protocol.spec import InputFile, Spec
from rota.protocol.states import JobState
from rota.protocol.wire import to_base64
from rota.scheduler.decide import decide
from rota.storage.sqlite.decision_moves import decide as apply
from stores.bench import ANNA, EMPTY, NOW, Bench
from stores.submission import decided, job, named, offered, run_all, run_one, states, submit


async def test_a_job_waits_for_what_it_needs_and_is_let_in_by_the_verdict(bench: Bench) -> None:
    build, test = await submit(bench, named("build"), named("test", "build"))
    assert await states(bench, build, test) == ["queued", "waiting"]

    await run_one(bench)

    assert await states(bench, build, test) == ["succeeded", "queued"]


async def test_of_two_needs_the_last_one_lets_in(bench: Bench) -> None:
    *_, both = await submit(bench, named("a"), named("b"), named("both", "a", "b"))

    await run_one(bench)
    assert await states(bench, both) == ["waiting"]
    await run_one(bench)
    assert await states(bench, both) == ["queued"]


async def test_a_result_without_a_verdict_lets_nobody_in(bench: Bench) -> None:
    _, test = await submit(bench, named("build"), named("test", "build"))
    [leased] = await bench.claim()
    end = Finished(leased.attempt_id, ReportedResult(0, None, Reason.EXITED), LogReport(0, EMPTY), [], None, NOW)
    await bench.store.finish(ANNA, [(end, "once")], NOW)

    assert await states(bench, test) == ["waiting"]


async def test_who_waits_in_vain_is_skipped_with_the_reason_and_so_is_who_needs_that_one(bench: Bench) -> None:
    build, test, ship = await submit(bench, named("build"), named("test", "build"), named("ship", "test"))

    await run_one(bench, exit_code=1)

    assert await states(bench, build, test, ship) == ["finished", "cancelled", "cancelled"]
    assert (await job(bench, test)).message == f"It needs job {build} (build) to have succeeded, which failed."
    assert (await job(bench, ship)).message == f"It needs job {test} (test) to have succeeded, which was cancelled."
    assert (await job(bench, ship)).verdict == "failed"


async def test_each_link_of_a_chain_of_skips_is_the_schedulers_own_word(bench: Bench) -> None:
    _, test, ship = await submit(bench, named("build"), named("test", "build"), named("ship", "test"))
    [leased] = await bench.claim()
    end = Finished(leased.attempt_id, ReportedResult(1, None, Reason.EXITED), LogReport(0, EMPTY), [], None, NOW)
    await bench.store.finish(ANNA, [(end, "once")], NOW)

    await bench.store.decide([decide(one) for one in await bench.store.undecided(10)], NOW)

    assert await states(bench, test, ship) == ["cancelled", "waiting"]
    assert [one.job_id for one in await bench.store.undecided(10)] == [test]


@pytest.mark.parametrize(("on", "exit_code", "state"), [
    (On.FAILED, 1, "queued"), (On.FAILED, 0, "cancelled"), (On.FINISHED, 1, "queued"), (On.ANY, 1, "queued"),
    (On.SUCCEEDED, 0, "queued"),
])  # fmt: skip
async def test_a_need_asks_for_the_end_that_it_names(bench: Bench, on: On, exit_code: int, state: str) -> None:
    _, alarm = await submit(bench, named("build"), named("alarm", "build", on=on))

    await run_one(bench, exit_code)

    assert await states(bench, alarm) == [state]


async def test_what_is_to_run_all_the_same_waits_for_all_and_runs(bench: Bench) -> None:
    *_, clean = await submit(bench, named("a"), named("b"), named("clean", "a", "b", on_unmet="run"))

    await run_one(bench, exit_code=1)
    assert await states(bench, clean) == ["waiting"]
    await run_one(bench, exit_code=1)
    assert await states(bench, clean) == ["queued"]


async def test_cancel_takes_the_rest_of_the_submission_along_and_nobody_else(bench: Bench) -> None:
    [stranger] = await submit(bench, Spec(command=["true"], priority=-5))
    jobs = await submit(
        bench,
        named("a", priority=5),
        named("b", "a", on_unmet="cancel"),
        named("c"),
        named("d", array=3),
        named("e", "c"),
    )
    await run_one(bench, exit_code=1)

    assert await states(bench, *jobs) == ["finished", *["cancelled"] * 4]
    assert (await job(bench, jobs[2])).message == f"Cancelled with its submission: job {jobs[1]} could not run."
    assert await states(bench, stranger) == ["queued"]


async def test_a_job_that_ended_long_ago_is_asked_at_once(bench: Bench) -> None:
    [good] = await submit(bench, named("good"))
    await run_one(bench)
    [bad] = await submit(bench, named("bad"))
    await run_one(bench, exit_code=1)

    then = await submit(bench, Spec(command=["true"], needs=[good]), Spec(command=["true"], needs=[good, bad]))

    assert await states(bench, *then) == ["queued", "cancelled"]
    await decided(bench)
    assert (await job(bench, then[1])).verdict == "failed"


async def test_a_skipped_job_that_a_person_runs_again_does_not_ask_its_needs_again(bench: Bench) -> None:
    first, _second, both = await submit(bench, named("a"), named("b"), named("both", "a", "b"))
    await run_one(bench, exit_code=1)
    assert await states(bench, both) == ["cancelled"]

    await bench.store.retry(both, None, NOW)
    assert await states(bench, both) == ["queued"]
    ran = await run_all(bench, lambda leased: int(leased.job_id != both))  # b fails, which would have skipped it

    assert await states(bench, first, both) == ["finished", "succeeded"]
    assert len([one for one in ran if one.job_id == both]) == 1


async def test_what_a_person_runs_again_is_not_skipped_while_it_waits_for_its_turn(bench: Bench) -> None:
    turns = Concurrency("g", 1)
    await submit(bench, Spec(command=["true"], priority=-9, concurrency=turns))
    *_, both = await submit(bench, named("a"), named("b"), named("both", "a", "b", concurrency=turns))
    await run_one(bench, exit_code=1)

    await bench.store.retry(both, None, NOW)
    await run_one(bench, exit_code=1)  # b, which would have skipped it

    assert await states(bench, both) == ["waiting"]


async def test_a_needed_job_that_is_run_again_moves_nobody_twice(bench: Bench) -> None:
    build, test = await submit(bench, named("build"), named("test", "build"))
    await run_one(bench, exit_code=1)
    assert await states(bench, test) == ["cancelled"]

    await bench.store.retry(build, None, NOW)
    await run_one(bench)

    assert await states(bench, build, test) == ["succeeded", "cancelled"]


async def test_what_is_cancelled_while_it_waits_stays_so_when_its_need_is_met(bench: Bench) -> None:
    _, test = await submit(bench, named("build"), named("test", "build"))
    await bench.store.cancel(test)

    await run_all(bench)

    assert await states(bench, test) == ["cancelled"]


async def refused(bench: Bench, *specs: Spec) -> str:
    with pytest.raises(InvalidRequest) as problem:
        await submit(bench, *specs)
    assert await bench.rows("SELECT count(*) FROM job WHERE name IS NOT NULL") == [(0,)]
    return problem.value.detail


async def test_what_can_never_be_is_refused_whole_and_by_name(bench: Bench) -> None:
    assert (await refused(bench, named("a", "b"), named("b", "a"))).endswith("for ever: a → b → a")
    assert (await refused(bench, named("a", "a"), named("b"))).endswith("for ever: a → a")
    assert await refused(bench, named("a"), named("b", "c")) == (
        "jobs[1].needs[0].job: no other spec of this submission has the name `c`"
    )
    assert (await refused(bench, named("a"), named("a"), named("b", "a"))).startswith("jobs[2].needs[0].job: several")
    assert await refused(bench, named("a", needs=["nobody"])) == "jobs[0].needs[0]: there is no such job: nobody"
    assert "names a spec of the same submission, which has no other" in await refused(bench, named("a", "b"))


async def test_ten_thousand_jobs_with_needs_are_one_submission(bench: Bench) -> None:
    specs = [named(str(number), *([str(number - 1)] if number else [])) for number in range(10_000)]

    submission = await offered(bench, *specs)

    assert (len(submission.job_ids), len(submission.waiting)) == (10_000, 9_999)


async def test_letting_one_in_costs_the_same_however_many_wait(bench: Bench) -> None:
    """Counted in the steps of SQLite's own machine, so that a busy computer tells the same."""
    costs = []
    for crowd in (100, 100_000):
        [gate] = await submit(bench, named("gate"))
        for _ in range(0, crowd, 10_000):
            await submit(bench, *[Spec(command=["true"], needs=[gate])] * min(crowd, 10_000))
        [first, _then] = await submit(bench, named("a", priority=9), named("b", "a"))
        [leased] = [one for one in await bench.claim() if one.job_id == first]
        end = Finished(leased.attempt_id, ReportedResult(0, None, Reason.EXITED), LogReport(0, EMPTY), [], None, NOW)
        await bench.store.finish(ANNA, [(end, "once")], NOW)
        [ended] = [one for one in await bench.store.undecided(10) if one.job_id == first]
        word = decide(ended)
        costs.append(await bench.database.writer.run(lambda c, word=word: _steps(c, word)))  # type: ignore[misc]

    assert costs[1] <= costs[0] * 1.2


def _steps(connection: apsw.Connection, word: object) -> int:
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    connection.set_progress_handler(count, 10)
    outcomes = apply(connection, word, NOW)  # type: ignore[arg-type]
    connection.set_progress_handler(None)
    assert [outcome.state for outcome in outcomes] == [None, JobState.QUEUED]
    return steps


def with_input(*files: InputFile, needs: tuple[str, ...] = (), **fields: object) -> Spec:
    return msgspec.structs.replace(named("user", *needs), inputs=list(files), **fields)


def brings(content: bytes, *, value: object = None, path: str = "out/x") -> tuple[list[ArtifactReport], ReportedResult]:
    digest = hashlib.sha256(content).hexdigest()
    result = ReportedResult(0, None, Reason.EXITED, value=value)
    return [ArtifactReport(path, len(content), digest, 0o644, to_base64(content))], result


async def run_with(bench: Bench, artifacts: list[ArtifactReport], result: ReportedResult) -> None:
    [leased] = await bench.claim()
    await bench.store.finish(
        ANNA, [(Finished(leased.attempt_id, result, LogReport(0, EMPTY), artifacts, None, NOW), leased.attempt_id)], NOW
    )
    await decided(bench)


async def content(bench: Bench, job_id: JobId, path: str) -> bytes | None:
    found = await bench.store.input(job_id, path)
    return None if found is None else found.content


async def test_what_others_bring_is_offered_with_size_and_digest(bench: Bench) -> None:
    files = (
        InputFile("in", artifact=ArtifactOf(job="maker", path="out/x")),
        InputFile("v.json", result=ResultOf(job="maker")),
    )
    _, user = await submit(
        bench, named("maker"), with_input(*files, InputFile("a", to_base64(b"own")), needs=("maker",))
    )
    await run_with(bench, *brings(b"made", value={"b": 1}))

    [leased] = await bench.claim()

    expected = {"a": b"own", "in": b"made", "v.json": b'{"b":1}\n'}
    assert [one.path for one in leased.inputs] == sorted(expected)
    for one in leased.inputs:
        assert await content(bench, user, one.path) == expected[one.path]
        assert (one.size_bytes, one.sha256) == (len(expected[one.path]), hashlib.sha256(expected[one.path]).hexdigest())
    shown = (await job(bench, user)).spec.inputs
    assert [file.path for file in shown] == ["in", "v.json", "a"]
    assert shown[0].artifact is not None
    assert shown[0].artifact.job_id is not None


async def test_an_input_that_is_not_there_ends_the_job_with_the_reason(bench: Bench) -> None:
    file = InputFile("in", artifact=ArtifactOf(job="maker", path="out/y"))
    maker, user = await submit(bench, named("maker"), with_input(file, needs=("maker",)))

    await run_with(bench, *brings(b"made"))

    assert await states(bench, user) == ["cancelled"]
    told = (await job(bench, user)).message
    assert told == f"Its input `in` is the artifact `out/y` of job {maker}, which has none."


async def test_what_is_to_run_all_the_same_runs_without_the_input_that_is_not_there(bench: Bench) -> None:
    file = InputFile("in", artifact=ArtifactOf(job="maker", path="out/y"))
    await submit(bench, named("maker"), with_input(file, needs=("maker",), on_unmet="run"))
    await run_with(bench, *brings(b"made"))

    [leased] = await bench.claim()

    assert leased.inputs == []


async def test_a_persons_retry_is_given_what_the_other_job_brings_now(bench: Bench) -> None:
    file = InputFile("in", artifact=ArtifactOf(job="maker", path="out/x"))
    maker, user = await submit(bench, named("maker"), with_input(file, needs=("maker",)))
    await run_with(bench, *brings(b"old"))
    await run_one(bench)
    await bench.store.retry(maker, None, NOW)
    await run_with(bench, *brings(b"new"))
    assert await content(bench, user, "in") == b"old"

    await bench.store.retry(user, None, NOW)

    assert await content(bench, user, "in") == b"new"


async def test_an_input_of_a_job_that_may_not_be_there_in_time_is_refused(bench: Bench) -> None:
    file = InputFile("in", artifact=ArtifactOf(job="maker", path="x"))
    with pytest.raises(InvalidRequest, match="has not ended yet; name it in `needs` too"):
        await submit(bench, named("maker"), with_input(file))
    with pytest.raises(InvalidRequest, match="is that of an array"):
        await submit(bench, named("maker", array=2), with_input(file, needs=("maker",)))


async def test_an_input_of_a_job_that_has_ended_needs_no_need(bench: Bench) -> None:
    [maker] = await submit(bench, named("maker"))
    await run_with(bench, *brings(b"made"))

    [user] = await submit(bench, with_input(InputFile("in", artifact=ArtifactOf(maker, path="out/x"))))

    assert await states(bench, user) == ["queued"]
    assert await content(bench, user, "in") == b"made"


async def test_a_need_by_id_and_by_name_of_the_same_job_is_shown_by_id(bench: Bench) -> None:
    build, test = await submit(bench, named("build"), named("test", "build"))

    assert (await job(bench, test)).spec.needs == [Need(build)]
