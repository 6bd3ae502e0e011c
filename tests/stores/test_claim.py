"""The claim: order, no job twice, flat with depth. Source: architecture.md; guarantees.md, G2, F13."""

import asyncio
import re
from itertools import islice, pairwise

import apsw
import pytest

from rota.protocol.placement import QueueKey
from rota.protocol.spec import Spec
from rota.protocol.states import Move
from rota.protocol.turns import Queued
from rota.storage.sqlite.array_moves import SQL as ARRAYS
from rota.storage.sqlite.cancel_moves import DEADLINES
from rota.storage.sqlite.candidates import SQL as TURNS
from rota.storage.sqlite.candidates import candidates
from rota.storage.sqlite.gate import SQL as GATE
from rota.storage.sqlite.job_moves import SQL as JOBS
from rota.storage.sqlite.need_moves import SQL as NEEDS
from rota.storage.sqlite.refusals import SQL as RETRIES
from stores.bench import ANNA, BERT, KEY, NOW, Bench

SQL = JOBS | GATE | NEEDS | ARRAYS | RETRIES | DEADLINES

BESIDE_THE_MOVES = (
    "requested", "start_attempt", "refuse_attempt", "finish_attempt", "lose_attempt", "held", "attempt", "attempts",
    "undecided", "submission", "other_incarnations", "output", "artifacts", "inputs", "traces",
)  # fmt: skip


async def test_by_priority_then_age_over_all_queues_of_the_worker(bench: Bench) -> None:
    other = QueueKey("default", "process", {"os": "linux"})
    low, high = await bench.submit(Spec(command=["a"], priority=-1), Spec(command=["b"], priority=5))
    middle, late = await bench.submit(Spec(command=["c"], priority=2), Spec(command=["d"], priority=5), key=other)

    assert [one.job_id for one in await bench.claim(10)] == [high, late, middle, low]


async def test_a_refused_job_is_the_first_again(bench: Bench) -> None:
    first, second = await bench.submit(Spec(command=["a"]), Spec(command=["b"]))
    [leased] = await bench.claim()
    await bench.store.refuse(ANNA, [(leased.attempt_id, "no room")], NOW)

    assert [one.job_id for one in await bench.claim(2, BERT)] == [first, second]


async def test_no_more_than_asked_and_nothing_from_other_queues(bench: Bench) -> None:
    await bench.submit(*[Spec(command=["a"])] * 5)

    assert len(await bench.claim(3)) == 3
    assert len(await bench.claim(3)) == 2
    assert await bench.claim(3) == []


async def test_fifty_claims_at_once_hand_out_no_job_twice(bench: Bench) -> None:
    submitted = await bench.submit(*[Spec(command=["a"])] * 300)

    rounds = await asyncio.gather(*(bench.claim(7, ANNA if number % 2 else BERT) for number in range(50)))

    given = [leased.job_id for leases in rounds for leased in leases]
    assert sorted(given) == submitted
    assert len({leased.attempt_id for leases in rounds for leased in leases}) == 300
    [(held,)] = await bench.rows("SELECT count(DISTINCT job_id) FROM attempt WHERE state = 'assigned'")
    assert held == 300


async def test_the_same_request_gives_the_same_while_all_are_held(bench: Bench) -> None:
    await bench.submit(*[Spec(command=["a"])] * 4)
    first = await bench.claim(2, request="r")

    assert await bench.claim(2, request="r") == first
    assert not {one.job_id for one in await bench.claim(1, BERT, request="r")} & {one.job_id for one in first}
    await bench.store.refuse(ANNA, [(first[0].attempt_id, "no room")], NOW)
    again = await bench.claim(2, request="r")
    assert not {one.attempt_id for one in again} & {one.attempt_id for one in first}


async def test_attempts_sort_in_the_order_in_which_they_were_made(bench: Bench) -> None:
    await bench.submit(*[Spec(command=["a"])] * 20)

    attempts = [leased.attempt_id for leased in await bench.claim(10) + await bench.claim(10)]

    assert all(before < after for before, after in pairwise(attempts))


async def plan(bench: Bench, text: str) -> list[str]:
    """How SQLite would run it, as it tells."""
    values = dict.fromkeys(re.findall(r":(\w+)", text))
    return [row[3] for row in await bench.rows(f"EXPLAIN QUERY PLAN {text}", **values)]


@pytest.mark.parametrize("statement", ["heads", "behind"])
async def test_a_claim_reads_the_queues_index_and_sorts_nothing(bench: Bench, statement: str) -> None:
    steps = await plan(bench, TURNS[statement])

    of_jobs = [step for step in steps if " job " in step]
    assert of_jobs
    assert all(step.startswith("SEARCH job USING COVERING INDEX job_queue ") for step in of_jobs)
    assert not [step for step in steps if "TEMP B-TREE" in step]


@pytest.mark.parametrize("statement", [*(move.name.lower() for move in Move), *BESIDE_THE_MOVES])
async def test_no_move_and_no_sweep_reads_a_whole_table(bench: Bench, statement: str) -> None:
    for step in await plan(bench, SQL[statement]):
        assert not step.startswith("SCAN") or " USING " in step, step


@pytest.mark.parametrize("statement", TURNS)
async def test_no_turn_reads_a_whole_table(bench: Bench, statement: str) -> None:
    for step in await plan(bench, TURNS[statement]):
        assert not re.match(r"SCAN (job|turn|submitter|queue_key|k)\b", step), step
        assert "submitter_next" not in step or statement == "forget", step
        assert statement != "last_queued" or step.startswith("SEARCH job USING COVERING INDEX job_submitter"), step


@pytest.mark.parametrize("spread", ["one-class", "fifty-priorities", "many-submitters"])
async def test_depth_makes_a_claim_no_dearer(bench: Bench, spread: str) -> None:
    """Counted in the steps of SQLite's own machine, so that a busy computer tells the same."""
    costs = []
    for depth in (100, 5_000):
        specs = [
            Spec(command=["a"], priority=number % 50 if spread == "fifty-priorities" else 0) for number in range(depth)
        ]
        if spread == "many-submitters":
            await bench.submit_by({f"s{number}": [spec] for number, spec in enumerate(specs)})
        else:
            await bench.submit(*specs)
        [key] = [number for number, known in (await bench.store.queue_keys()).items() if known == KEY]
        costs.append(await bench.database.writer.run(lambda connection, key=key: _steps(connection, key)))  # type: ignore[misc]

    assert costs[1] <= costs[0] * 1.2
    assert await bench.rows("SELECT count(*) FROM job WHERE state = 'queued'") == [(5_100,)]


def _steps(connection: apsw.Connection, key: int) -> int:
    def take() -> list[Queued]:
        return list(islice(candidates(connection, [key], NOW), 10))

    take()
    found = 0

    def count() -> bool:
        nonlocal found
        found += 1
        return False

    connection.set_progress_handler(count, 1)
    try:
        assert len(take()) == 10
    finally:
        connection.set_progress_handler(None, 0)
    return found
