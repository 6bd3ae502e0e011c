"""Arrays: one job with many parts, which ends with the last of them. Source: protocol.md, "matrix"."""

import re

import msgspec
import pytest

from rota.jobs.submit import PARTS_SIZE_BYTES_MAX
from rota.protocol.job_finished import Reason
from rota.protocol.needs import ArtifactOf, Need
from rota.protocol.problems import Conflict, InvalidRequest
from rota.protocol.spec import InputFile, Spec
from rota.protocol.states import JobState
from rota.protocol.wire import to_base64
from rota.storage.sqlite.array_moves import SQL as ARRAYS
from rota.storage.sqlite.gate import SQL as GATE
from rota.storage.sqlite.gate import release
from rota.storage.sqlite.need_moves import SQL as NEEDS
from rota.storage.stores.jobs import JobFilter
from stores.bench import ANNA, NOW, Bench, report
from stores.submission import children_of, decided, job, named, offered, parts_of, run_all, run_one, states, submit


def array(count: int, name: str = "array", **fields: object) -> Spec:
    return msgspec.structs.replace(named(name), array=count, **fields)


async def index_of(bench: Bench, part: str) -> str:
    return (await job(bench, part)).spec.env["ROTA_ARRAY_INDEX"]  # type: ignore[arg-type]


async def test_an_array_is_one_job_with_its_parts_behind_it(bench: Bench) -> None:
    submission = await offered(bench, array(3, env={"A": "1"}), named("after"))

    assert len(submission.job_ids) == 2
    found = await job(bench, submission.job_ids[0])
    children = await children_of(bench, found.id)
    assert (found.state, found.spec.array, (await parts_of(bench, found.id)).queued) == (JobState.WAITING, 3, 3)
    assert found.id < min(children)
    shown = [await job(bench, child) for child in children]
    assert [child.spec.env for child in shown] == [{"A": "1", "ROTA_ARRAY_INDEX": str(index)} for index in range(3)]
    assert {child.parent_id for child in shown} == {found.id}
    assert {child.spec.array for child in shown} == {None}


async def test_an_array_itself_is_never_given_out(bench: Bench) -> None:
    [whole] = await submit(bench, array(2))

    given = await bench.claim(slots=10)
    released = await bench.database.writer.run(lambda connection: release(connection, whole, NOW))

    assert released is None
    assert sorted(one.job_id for one in given) == await children_of(bench, whole)
    assert await bench.claim(slots=10) == []
    assert await bench.store.expire("2999-01-01T00:00:00.000000Z", 10) == []


async def test_it_ends_with_the_verdict_on_its_last_part_in_the_same_transaction(bench: Bench) -> None:
    [whole] = await submit(bench, array(2))
    await run_one(bench)
    assert await states(bench, whole) == ["waiting"]

    [leased] = await bench.claim()
    await bench.store.finish(ANNA, [report(leased.attempt_id)], NOW)
    assert await states(bench, whole) == ["waiting"]
    outcomes = await decided(bench)

    assert [(one.job_id, one.state) for one in outcomes] == [(leased.job_id, None), (whole, JobState.FINISHED)]
    assert await states(bench, whole) == ["succeeded"]


async def test_it_fails_where_one_part_did_and_says_how_many(bench: Bench) -> None:
    [whole] = await submit(bench, array(4))
    children = await children_of(bench, whole)

    await run_all(bench, lambda leased: int(leased.job_id in children[:2]))

    found = await job(bench, whole)
    assert (found.state, found.verdict, found.message) == ("finished", "failed", "2 of 4 parts did not succeed.")
    counted = await parts_of(bench, whole)
    assert (counted.total, counted.finished, counted.succeeded, counted.failed) == (4, 4, 2, 2)


async def test_no_more_parts_than_allowed_are_let_in_at_once(bench: Bench) -> None:
    [whole] = await submit(bench, array(5, max_parallel=2))
    assert [(await parts_of(bench, whole)).queued, (await parts_of(bench, whole)).waiting] == [2, 3]

    ran = [await run_one(bench) for _ in range(5)]

    assert [await index_of(bench, one.job_id) for one in ran] == ["0", "1", "2", "3", "4"]
    assert await states(bench, whole) == ["succeeded"]


async def test_the_parts_wait_for_what_the_array_needs_and_who_needs_it_waits_for_all(bench: Bench) -> None:
    build, whole, ship = await submit(
        bench, named("build"), array(3, max_parallel=2, needs=[Need(job="build")]), named("ship", "array")
    )
    assert (await parts_of(bench, whole)).waiting == 3

    await run_one(bench)
    assert [(await parts_of(bench, whole)).queued, (await parts_of(bench, whole)).waiting] == [2, 1]
    await run_one(bench)
    await run_one(bench)
    assert await states(bench, ship) == ["waiting"]
    await run_one(bench)

    assert await states(bench, build, whole, ship) == ["succeeded", "succeeded", "queued"]


async def test_an_array_that_waits_in_vain_is_cancelled_with_the_reason(bench: Bench) -> None:
    build, whole, ship = await submit(
        bench, named("build"), array(3, needs=[Need(job="build")]), named("ship", "array")
    )

    await run_one(bench, exit_code=1)

    assert await states(bench, whole, ship) == ["cancelled", "cancelled"]
    assert (await job(bench, whole)).message == f"It needs job {build} (build) to have succeeded, which failed."
    assert (await parts_of(bench, whole)).cancelled == 3


async def test_cancel_reaches_every_part_and_the_array_ends_when_they_have(bench: Bench) -> None:
    [whole] = await submit(bench, array(5, max_parallel=3))
    running, _ = await bench.claim(slots=2)
    await bench.store.start(ANNA, [running.attempt_id])

    outcomes = await bench.store.cancel_parts(whole)
    await decided(bench)

    asked = {one.job_id for one in outcomes if one.state in {JobState.RUNNING, JobState.ASSIGNED}}
    assert len(asked) == 2
    assert (await parts_of(bench, whole)).cancelled == 3
    assert await states(bench, whole) == ["waiting"]
    held = await bench.store.held()
    await bench.store.finish(ANNA, [report(one.attempt_id, Reason.CANCELLED) for one in held], NOW)
    await decided(bench)
    found = await job(bench, whole)
    assert (found.state, found.verdict, found.message) == ("cancelled", "failed", "5 of 5 parts did not succeed.")


async def test_a_part_that_is_cancelled_leaves_the_others(bench: Bench) -> None:
    [whole] = await submit(bench, array(3))
    await bench.store.cancel((await children_of(bench, whole))[0])

    await run_all(bench)

    assert await states(bench, whole) == ["finished"]
    counted = await parts_of(bench, whole)
    assert (counted.cancelled, counted.succeeded, counted.failed) == (1, 2, 1)


async def test_fail_fast_cancels_the_others_with_the_first_that_fails(bench: Bench) -> None:
    [whole] = await submit(bench, array(5, fail_fast=True))

    await run_one(bench, exit_code=3)

    found = await job(bench, whole)
    assert (found.state, found.verdict) == ("finished", "failed")
    assert (await parts_of(bench, whole)).cancelled == 4


async def test_retry_of_the_whole_runs_every_part_once_more(bench: Bench) -> None:
    [whole] = await submit(bench, array(3, max_parallel=2))
    await run_all(bench, lambda _: 1)

    outcomes = await bench.store.retry_parts(whole, None, NOW, only_failed=False)

    assert [one.state for one in outcomes] == [JobState.WAITING, JobState.QUEUED, JobState.QUEUED]
    assert len(await run_all(bench)) == 3
    found = await job(bench, whole)
    assert (found.state, found.verdict, found.message) == ("finished", "succeeded", None)


async def test_retry_of_the_failed_leaves_what_succeeded(bench: Bench) -> None:
    [whole] = await submit(bench, array(4))
    children = await children_of(bench, whole)
    await run_all(bench, lambda leased: int(leased.job_id == children[2]))

    await bench.store.retry_parts(whole, None, NOW, only_failed=True)

    assert [one.job_id for one in await run_all(bench)] == [children[2]]
    assert await states(bench, whole) == ["succeeded"]
    [again] = await bench.store.retry_parts(whole, None, NOW, only_failed=True)
    assert isinstance(again.problem, Conflict)
    assert await states(bench, whole) == ["succeeded"]


async def test_retry_of_one_part_opens_the_array_again(bench: Bench) -> None:
    [whole] = await submit(bench, array(2))
    children = await children_of(bench, whole)
    await run_all(bench, lambda leased: int(leased.job_id == children[0]))

    await bench.store.retry(children[0], None, NOW)
    found = await job(bench, whole)
    assert (found.state, found.verdict, found.message) == ("waiting", None, None)

    await run_all(bench)
    assert await states(bench, whole) == ["succeeded"]


async def test_retry_of_a_part_before_its_verdict_is_counted_once(bench: Bench) -> None:
    [whole] = await submit(bench, array(2))
    [first] = await bench.claim()
    await bench.store.finish(ANNA, [report(first.attempt_id, exit_code=1)], NOW)
    await bench.store.retry(first.job_id, None, NOW)  # the scheduler was away

    await run_all(bench)

    assert await states(bench, whole) == ["succeeded"]


async def test_an_array_that_has_not_ended_is_not_run_again(bench: Bench) -> None:
    [whole] = await submit(bench, array(2))

    [refused] = await bench.store.retry_parts(whole, None, NOW, only_failed=False)

    assert isinstance(refused.problem, Conflict)
    assert (await parts_of(bench, whole)).queued == 2


async def test_an_array_is_not_run_again_while_a_worker_may_still_execute_a_part(bench: Bench) -> None:
    [whole] = await submit(bench, array(2, lease_policy="keep"))
    leased = await bench.claim(slots=2)
    await bench.store.start(ANNA, [one.attempt_id for one in leased])
    await bench.store.detach([leased[0].attempt_id], NOW)
    await bench.store.finish(ANNA, [report(leased[1].attempt_id)], NOW)
    await bench.store.cancel_parts(whole)
    await decided(bench)
    assert await states(bench, whole) == ["cancelled"]

    [refused] = await bench.store.retry_parts(whole, None, NOW, only_failed=False)

    assert isinstance(refused.problem, Conflict)
    assert await states(bench, whole, *await children_of(bench, whole)) == ["cancelled", "cancelled", "succeeded"]


async def test_an_array_that_has_ended_is_not_cancelled(bench: Bench) -> None:
    [whole] = await submit(bench, array(2))
    await run_all(bench)

    [refused] = await bench.store.cancel_parts(whole)

    assert isinstance(refused.problem, Conflict)
    assert await states(bench, whole) == ["succeeded"]


async def test_retiring_an_environment_ends_its_arrays_with_their_last_parts(bench: Bench) -> None:
    [whole] = await submit(bench, array(3))
    [held] = await bench.claim()

    await bench.store.retire("default", 100)
    await decided(bench)
    assert await states(bench, whole) == ["waiting"]
    await bench.store.finish(ANNA, [report(held.attempt_id)], NOW)
    await decided(bench)

    assert await states(bench, whole) == ["finished"]


async def test_the_parts_share_the_arrays_inputs(bench: Bench) -> None:
    sent = InputFile("a", to_base64(b"sent"))
    [whole] = await submit(bench, array(3, inputs=[sent]))

    for leased in await bench.claim(slots=3):
        assert [one.path for one in leased.inputs] == ["a"]
        found = await bench.store.input(leased.job_id, "a")
        assert found is not None
        assert found.content == b"sent"
        assert (await job(bench, leased.job_id)).spec.inputs == [sent]
    assert await bench.rows("SELECT job_id FROM job_input") == [(whole,)]


async def test_an_array_whose_input_is_not_there_is_cancelled(bench: Bench) -> None:
    file = InputFile("in", artifact=ArtifactOf(job="maker", path="x"))
    _, whole = await submit(bench, named("maker"), array(2, needs=[Need(job="maker")], inputs=[file]))

    await run_one(bench)

    assert await states(bench, whole) == ["cancelled"]
    assert "artifact `x`" in str((await job(bench, whole)).message)


async def test_lists_show_parts_or_hide_them_or_show_one_arrays(bench: Bench) -> None:
    first, other = await submit(bench, array(2), array(3, name="other"))

    assert len(await bench.store.jobs(JobFilter())) == 7
    assert [one.id for one in await bench.store.jobs(JobFilter(parts=False))] == [other, first]
    only = await bench.store.jobs(JobFilter(parent=first))
    assert sorted(one.id for one in only) == await children_of(bench, first)


async def test_too_many_parts_are_refused_whole(bench: Bench) -> None:
    with pytest.raises(InvalidRequest, match=r"jobs\[1\]\.array: makes the submission more than 10000 parts"):
        await submit(bench, array(6000), array(6000, name="other"))
    long = "x" * (PARTS_SIZE_BYTES_MAX // 10_000)
    with pytest.raises(InvalidRequest, match=r"jobs\[0\]\.array: and the spec would be \d+ bytes"):
        await submit(bench, Spec(script=long, array=10_000))

    assert await bench.rows("SELECT count(*) FROM job") == [(0,)]


LOOKED_AT = [*((ARRAYS, name) for name in ARRAYS), *((NEEDS, name) for name in NEEDS), *((GATE, name) for name in GATE)]


@pytest.mark.parametrize(("statements", "name"), LOOKED_AT, ids=lambda one: one if isinstance(one, str) else "")
async def test_no_statement_reads_more_than_what_it_is_for(bench: Bench, statements: dict[str, str], name: str) -> None:
    values = dict.fromkeys(re.findall(r":(\w+)", statements[name]), 1)

    plan = await bench.rows(f"EXPLAIN QUERY PLAN {statements[name]}", **values)

    steps = [step for *_, step in plan]
    assert not [step for step in steps if step.startswith("SCAN") and "json_each" not in step]
