"""Moves by states: a job moves only from the states that its move names. Source: protocol/states.py; G2."""

import re

import pytest

from rota.protocol.decide import Decision
from rota.protocol.job_finished import Reason
from rota.protocol.problems import LeaseLost
from rota.protocol.spec import Spec
from rota.protocol.states import AttemptState, JobState, Move, Verdict
from rota.storage.sqlite.array_moves import SQL as ARRAYS
from rota.storage.sqlite.cancel_moves import DEADLINES
from rota.storage.sqlite.gate import SQL as GATE
from rota.storage.sqlite.job_moves import LAPSES_MAX
from rota.storage.sqlite.job_moves import SQL as JOBS
from rota.storage.sqlite.need_moves import SQL as NEEDS
from rota.storage.sqlite.refusals import SQL as RETRIES
from stores.bench import ANNA, BERT, NOW, Bench, report, slug

SQL = JOBS | GATE | NEEDS | ARRAYS | RETRIES | DEADLINES
GUARD = re.compile(r"\bstate IN \(([^)]*)\)\s*RETURNING")
RUNNING_FIRST = {(Move.LAPSE, JobState.RUNNING): JobState.WAITING}
"""A lease that ran out is one message: of a job that ran it is LOSE, whatever was meant."""

THEN = {Move.RETRY: JobState.QUEUED}
"""A job that nothing holds is let through the gate by the same message."""


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("move", Move)
async def test_a_job_moves_only_from_the_states_its_move_names(bench: Bench, move: Move, state: JobState) -> None:
    job, attempt = await bench.placed(state)

    try:
        await bench.make(move, job, attempt)
    except LeaseLost:
        assert state not in move.leaves

    expected = THEN.get(move, move.enters) if state in move.leaves else RUNNING_FIRST.get((move, state), state)
    assert await bench.state_of(job) == expected


@pytest.mark.parametrize("move", Move)
def test_the_sql_of_a_move_says_what_its_table_says(move: Move) -> None:
    statement = SQL[move.name.lower()]

    [guard] = GUARD.findall(statement)

    assert set(re.findall(r"'(\w+)'", guard)) == set(move.leaves)
    entered = re.findall(r"SET state = '(\w+)'", statement) or re.findall(r"verdict = ", statement)
    assert entered == [move.enters]


def test_every_statement_that_changes_a_jobs_state_is_a_move_of_the_table() -> None:
    moving = {name for name, statement in SQL.items() if re.search(r"UPDATE job SET state", statement)}

    assert moving == {move.name.lower() for move in Move}


def test_every_statement_that_changes_an_attempts_state_is_guarded_by_a_state() -> None:
    changing = {name: text for name, text in SQL.items() if re.search(r"UPDATE attempt SET state", text)}

    by_workers = {"start_attempt", "refuse_attempt", "finish_attempt", "return_attempt"}
    assert changing.keys() == {"lose_attempt", "detach_attempt", "over_attempt", *by_workers}
    assert all(GUARD.search(text) for text in changing.values())
    assert all(":worker" in changing[name] for name in by_workers)


@pytest.mark.parametrize("move", [Move.REFUSE, Move.START, Move.FINISH, Move.STOP])
async def test_a_move_of_another_workers_attempt_changes_nothing(bench: Bench, move: Move) -> None:
    job, attempt = await bench.placed(JobState.ASSIGNED)
    before = await bench.rows("SELECT * FROM attempt")

    if move is Move.REFUSE:
        assert [slug(one) for one in await bench.store.refuse(BERT, [(attempt, "mine")], NOW)] == ["not-found"]
    elif move is Move.START:
        await bench.store.start(BERT, [attempt])
    else:
        reason = Reason.CANCELLED if move is Move.STOP else Reason.EXITED
        assert [slug(one) for one in await bench.store.finish(BERT, [report(attempt, reason)], NOW)] == ["not-found"]

    assert await bench.state_of(job) == JobState.ASSIGNED
    assert await bench.rows("SELECT * FROM attempt") == before


async def test_a_move_of_an_attempt_that_is_no_longer_the_present_one_changes_nothing(bench: Bench) -> None:
    job, stale = await bench.placed(JobState.ASSIGNED)
    await bench.store.lose([stale], NOW, "its lease ran out")
    [fresh] = await bench.claim(worker=BERT)
    assert fresh.job_id == job

    assert slug((await bench.store.refuse(ANNA, [(stale, "late")], NOW))[0]) == "lease-lost"
    assert slug((await bench.store.finish(ANNA, [report(stale)], NOW))[0]) == "lease-lost"
    assert slug((await bench.store.lose([stale], NOW, "again"))[0]) == "lease-lost"
    await bench.store.start(ANNA, [stale])

    assert await bench.state_of(job) == JobState.ASSIGNED
    states = await bench.rows("SELECT id, state FROM attempt ORDER BY id")
    assert states == [(stale, AttemptState.LOST), (fresh.attempt_id, AttemptState.ASSIGNED)]


async def test_finish_or_reaper_whoever_comes_first_wins(bench: Bench) -> None:
    """Source: guarantees.md, F43."""
    finished, first = await bench.placed(JobState.RUNNING)
    assert slug((await bench.store.finish(ANNA, [report(first)], NOW))[0]) is None
    assert slug((await bench.store.lose([first], NOW, "late"))[0]) == "lease-lost"
    lost, second = await bench.placed(JobState.RUNNING)
    assert slug((await bench.store.lose([second], NOW, "early"))[0]) is None
    assert slug((await bench.store.finish(ANNA, [report(second)], NOW))[0]) == "lease-lost"

    assert (await bench.state_of(finished), await bench.state_of(lost)) == (JobState.FINISHED, JobState.WAITING)


async def test_the_same_finish_again_is_no_problem_and_another_is(bench: Bench) -> None:
    job, attempt = await bench.placed(JobState.RUNNING)

    outcomes = await bench.store.finish(ANNA, [report(attempt), report(attempt), report(attempt, exit_code=1)], NOW)

    assert [slug(one) for one in outcomes] == [None, None, "conflict"]
    found = await bench.store.job(job)
    assert found is not None
    assert found.result is not None
    assert found.result.exit_code == 0


async def test_an_offer_that_nobody_acknowledges_does_not_go_round_for_ever(bench: Bench) -> None:
    [job] = await bench.submit(Spec(command=["true"]))
    rounds = 0
    while offers := await bench.claim():
        assert (offers[0].job_id, offers[0].number) == (job, 1)
        await bench.store.lose([offers[0].attempt_id], NOW, "nobody showed up")
        rounds += 1
        assert rounds <= LAPSES_MAX + 1

    assert rounds == LAPSES_MAX + 1
    assert await bench.state_of(job) == JobState.WAITING


async def test_a_verdict_on_an_earlier_end_of_the_same_attempt_says_nothing_of_the_later_one(bench: Bench) -> None:
    job, attempt = await bench.placed(JobState.FINISHED)
    await bench.store.retry(job, None, NOW)
    await bench.store.cancel(job)  # between the scheduler's question and its word

    await bench.store.decide([Decision(job, attempt, JobState.FINISHED, Verdict.SUCCEEDED)], NOW)

    [cancelled] = await bench.store.undecided(10)
    assert (cancelled.job_id, cancelled.state) == (job, JobState.CANCELLED)
    assert await bench.rows("SELECT verdict FROM job WHERE id = :job", job=job) == [(None,)]
